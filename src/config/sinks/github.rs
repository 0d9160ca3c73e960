//! `{type: github}`: GitHub issues.

use std::path::Path;

use serde::Deserialize;

use crate::config::meant::SecretRef;
use crate::config::read::address;
use crate::config::sinks::{required_secret, ticket_labels};
use crate::diag::{Diagnostic, codes};
use crate::yaml::{NodeId, Reader, Written};

/// The vendor's.
const URL: &str = "https://api.github.com";

/// GitHub issues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Github {
    /// Base of the API, without a slash at its end.
    pub url: String,
    /// `owner/name`.
    pub repo: String,
    /// A token that may write issues, and push: others' labels are dropped.
    pub token: SecretRef,
    /// Labels beside `slo`.
    pub labels: Vec<String>,
    /// Who is assigned.
    pub assignees: Vec<String>,
}

impl Github {
    /// Every secret that it names.
    #[must_use]
    pub fn secrets(&self) -> Vec<&SecretRef> {
        vec![&self.token]
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    url: Option<String>,
    repo: Option<String>,
    labels: Option<Vec<String>>,
    assignees: Option<Vec<String>>,
}

impl Written for Item {
    const NESTED: &'static [&'static str] = &["type", "token", "template"];
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> Option<Github> {
    let item: Item = reader.decode(node)?;
    let url = match &item.url {
        Some(url) => address(reader, node, "url", Some(url)),
        None => Some(URL.to_owned()),
    };
    let repo = read_repo(reader, node, item.repo);
    let token = required_secret(reader, node, "token", folder);
    let labels = ticket_labels(reader, node, item.labels, |label| label.chars().count() <= 50);
    Some(Github { url: url?, repo: repo?, token: token?, labels, assignees: item.assignees.unwrap_or_default() })
}

fn read_repo(reader: &mut Reader<'_>, node: NodeId, written: Option<String>) -> Option<String> {
    const HELP: &str = "write it as owner/name";
    let Some(repo) = written else {
        reader.missing(node, "repo", HELP);
        return None;
    };
    let is_part = |part: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        !part.is_empty() && part.chars().all(plain) && !matches!(part, "." | "..")
    };
    if repo.split_once('/').is_some_and(|(owner, name)| is_part(owner) && is_part(name)) {
        return Some(repo);
    }
    let finding = Diagnostic::error(codes::BAD_NAME, format!("`{repo}` is no repository"));
    reader.report_in(node, "repo", finding.with_help(HELP));
    None
}
