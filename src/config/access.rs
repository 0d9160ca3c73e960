//! Who may do what: `server.auth`, and the file of tokens that it names (FORMATS 3). Pure: files are read elsewhere.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::meant::SecretRef;
use crate::config::read::{secret, section};
use crate::diag::{Diagnostic, codes};
use crate::units::is_name;
use crate::yaml::{NodeId, Reader, Written};

/// What a token may do; each may what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Look.
    Read,
    /// Work with alerts: acknowledge, silence, mark, judge, drill, test, resend.
    Operate,
    /// Change what the service does: reload, close.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Operate, Self::Admin];

    /// As written: `read`, `operate`, `admin`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }

    /// The role that is written so.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// One line of the file of tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenLine {
    /// What the audit calls whoever uses it.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// Of its secret, as argon2 writes it (`$argon2id$v=19$..`).
    pub hash: String,
}

/// Reads the lines of a file of tokens, with everything wrong beside the good lines; no message shows a hash.
#[must_use]
pub fn read_tokens(text: &str) -> (Vec<TokenLine>, Vec<String>) {
    let (mut tokens, mut problems) = (Vec::new(), Vec::new());
    let mut names = BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match read_line(line) {
            Ok(token) if names.insert(token.name.clone()) => tokens.push(token),
            Ok(token) => problems.push(format!("line {}: the name `{}` stands there twice", index + 1, token.name)),
            Err(problem) => problems.push(format!("line {}: {problem}", index + 1)),
        }
    }
    (tokens, problems)
}

fn read_line(line: &str) -> Result<TokenLine, String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [name, role, hash] = fields.as_slice() else {
        return Err("a line is `name role hash`; `slo token NAME` makes one".to_owned());
    };
    if !is_name(name) {
        return Err("the name is none: letters, digits, `-`, `_` and `.`, a letter or digit first".to_owned());
    }
    let role = Role::from_name(role).ok_or_else(|| "the role is none of `read`, `operate`, `admin`".to_owned())?;
    if !hash.starts_with("$argon2") {
        return Err("the hash is none of argon2; `slo token NAME` makes one".to_owned());
    }
    Ok(TokenLine { name: (*name).to_owned(), role, hash: (*hash).to_owned() })
}

/// `server.auth`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AuthItem {}

impl Written for AuthItem {
    const NESTED: &'static [&'static str] = &["tokens"];
}

/// Reads `auth` of `server`: where the file of tokens is.
pub(super) fn read_auth(reader: &mut Reader<'_>, server: NodeId, folder: &Path) -> Option<PathBuf> {
    const HELP: &str = "write {tokens: {file: PATH}}; one a line: name role hash";
    let (node, _) = section::<AuthItem>(reader, server, "auth")?;
    if reader.document().child(node, "tokens").is_none() {
        reader.missing(node, "tokens", HELP);
        return None;
    }
    match secret(reader, node, "tokens", folder)? {
        SecretRef::File(path) => Some(path),
        SecretRef::Env(_) => {
            let finding = Diagnostic::error(codes::BAD_CHOICE, "tokens come from a file, which is read again");
            reader.report_in(node, "tokens", finding.with_help(HELP));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_lines_hold_beside_bad_ones_and_no_hash_is_shown() {
        let text = "# who may\n\nanna admin $argon2id$v=19$canary\r\n  bot   operate\t$argon2id$v=19$canary\n\
                    bot read $argon2id$canary\n-anna read $argon2id$canary\neve owner $argon2id$canary\n\
                    tom read canary\ntom read\n";
        let (tokens, problems) = read_tokens(text);
        let shown: Vec<(&str, Role)> = tokens.iter().map(|token| (token.name.as_str(), token.role)).collect();
        assert_eq!(shown, [("anna", Role::Admin), ("bot", Role::Operate)]);
        let lines: Vec<&str> = problems.iter().filter_map(|problem| problem.split(':').next()).collect();
        assert_eq!(lines, ["line 5", "line 6", "line 7", "line 8", "line 9"]);
        assert!(!problems.concat().contains("canary"), "{problems:?}");
    }

    #[test]
    fn roles_are_in_order() {
        assert!(Role::Read < Role::Operate && Role::Operate < Role::Admin);
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
        }
        assert_eq!(Role::from_name("Read"), None);
    }
}
