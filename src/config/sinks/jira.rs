//! `{type: jira}`: Jira issues, Cloud and Data Center.

use std::path::Path;

use serde::Deserialize;

use crate::config::meant::SecretRef;
use crate::config::read::address;
use crate::config::sinks::{required_secret, ticket_labels};
use crate::diag::{Diagnostic, codes};
use crate::yaml::{NodeId, Reader, Written};

/// FORMATS 3.
const ISSUE_TYPE: &str = "Task";

/// Jira issues, Cloud and Data Center.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jira {
    /// The server, without a slash at its end.
    pub url: String,
    /// The project's key: `OPS`.
    pub project: String,
    /// Name of the type of its issues.
    pub issue_type: String,
    /// With a user: Basic and API 3 (Cloud). Without: Bearer and API 2 (Data Center).
    pub user: Option<String>,
    /// API token of the user, or personal access token.
    pub token: SecretRef,
    /// Labels beside `slo`.
    pub labels: Vec<String>,
}

impl Jira {
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
    project: Option<String>,
    issue_type: Option<String>,
    user: Option<String>,
    labels: Option<Vec<String>>,
}

impl Written for Item {
    const NESTED: &'static [&'static str] = &["type", "token", "template"];
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> Option<Jira> {
    let item: Item = reader.decode(node)?;
    if item.url.is_none() {
        reader.missing(node, "url", "the server, such as https://shop.atlassian.net");
    }
    let url = address(reader, node, "url", item.url.as_deref());
    let project = read_project(reader, node, item.project);
    let token = required_secret(reader, node, "token", folder);
    let is_label = |label: &str| !label.contains(char::is_whitespace) && label.chars().count() <= 255;
    let labels = ticket_labels(reader, node, item.labels, is_label);
    let issue_type = item.issue_type.unwrap_or_else(|| ISSUE_TYPE.to_owned());
    Some(Jira { url: url?, project: project?, issue_type, user: item.user, token: token?, labels })
}

fn read_project(reader: &mut Reader<'_>, node: NodeId, written: Option<String>) -> Option<String> {
    const HELP: &str = "write its key, such as OPS";
    let Some(project) = written else {
        reader.missing(node, "project", HELP);
        return None;
    };
    if !project.is_empty() && project.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Some(project);
    }
    let finding = Diagnostic::error(codes::BAD_NAME, format!("`{project}` is no key of a project"));
    reader.report_in(node, "project", finding.with_help(HELP));
    None
}
