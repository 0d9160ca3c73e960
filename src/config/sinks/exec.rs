//! `{type: exec}`: A program that is started for each notification.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::meant::SecretRef;
use crate::config::read::{is_variable, secret};
use crate::diag::{Diagnostic, codes};
use crate::spec::value;
use crate::units::Length;
use crate::yaml::{NodeId, Reader, Shape, Written};

/// As long as a request over HTTP may take.
const TIMEOUT: Length = Length::from_seconds(15);
/// The outbox waits for it.
const LONGEST_TIMEOUT: Length = Length::from_minutes(5);

/// A program that is started for each notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    /// The program: a name that is looked for in `PATH`, or a path.
    pub program: PathBuf,
    /// Its arguments, as they are: no shell.
    pub arguments: Vec<String>,
    /// After this it is killed.
    pub timeout: Length,
    /// What it sees beside `PATH` and the variables of the notification.
    pub environment: BTreeMap<String, SecretRef>,
}

impl Exec {
    /// Every secret that it names.
    #[must_use]
    pub fn secrets(&self) -> Vec<&SecretRef> {
        self.environment.values().collect()
    }
}

/// As written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    command: Option<Vec<String>>,
    timeout: Option<String>,
}

impl Written for Item {
    const NESTED: &'static [&'static str] = &["type", "env"];
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> Option<Exec> {
    let item: Item = reader.decode(node)?;
    let timeout = value::positive_length(reader, node, "timeout", item.timeout.as_deref()).unwrap_or(TIMEOUT);
    if timeout > LONGEST_TIMEOUT {
        let message = format!("`timeout` is above {LONGEST_TIMEOUT}, and nothing else is told meanwhile");
        reader.report_in(node, "timeout", Diagnostic::error(codes::BAD_DURATION, message));
    }
    let environment = environment(reader, node, folder);
    let mut command = item.command.unwrap_or_default().into_iter();
    let Some(program) = command.next().filter(|program| !program.is_empty()) else {
        reader.missing(node, "command", "the program and its arguments: [/usr/local/bin/page, --loud]");
        return None;
    };
    // A bare name is looked for in `PATH`; a relative path is relative to the file that holds it.
    let program = if program.contains('/') { folder.join(program) } else { PathBuf::from(program) };
    Some(Exec { program, arguments: command.collect(), timeout, environment })
}

fn environment(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> BTreeMap<String, SecretRef> {
    let document = reader.document();
    let Some(mapping) = document.child(node, "env") else { return BTreeMap::new() };
    if !reader.expect(mapping, Shape::Mapping) {
        return BTreeMap::new();
    }
    let mut variables = BTreeMap::new();
    for child in document.children(mapping) {
        let name = document.key(*child).unwrap_or_default();
        if !is_variable(name) || name == "PATH" || name.starts_with("SLO_") {
            let finding = Diagnostic::error(codes::BAD_NAME, format!("`{name}` cannot be set for a program"));
            let help = "letters, digits and `_`, no digit first; `PATH` and names with `SLO_` are set already";
            reader.report_key(*child, finding.with_help(help));
            continue;
        }
        variables.extend(secret(reader, mapping, name, folder).map(|secret| (name.to_owned(), secret)));
    }
    variables
}
