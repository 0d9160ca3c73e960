//! `{type: gitlab}`: GitLab issues.

use std::path::Path;

use serde::Deserialize;

use crate::config::meant::SecretRef;
use crate::config::read::address;
use crate::config::sinks::{required_secret, ticket_labels};
use crate::diag::{Diagnostic, codes};
use crate::yaml::{NodeId, Reader, Written};

/// The vendor's.
const URL: &str = "https://gitlab.com";

/// GitLab issues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gitlab {
    /// The server, without a slash at its end.
    pub url: String,
    /// `group/name`, or the project's number.
    pub project: String,
    /// A token of scope `api`.
    pub token: SecretRef,
    /// Labels beside `slo`.
    pub labels: Vec<String>,
}

impl Gitlab {
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
    labels: Option<Vec<String>>,
}

impl Written for Item {
    const NESTED: &'static [&'static str] = &["type", "token", "template"];
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> Option<Gitlab> {
    let item: Item = reader.decode(node)?;
    let url = match &item.url {
        Some(url) => address(reader, node, "url", Some(url)),
        None => Some(URL.to_owned()),
    };
    let project = read_project(reader, node, item.project);
    let token = required_secret(reader, node, "token", folder);
    // Labels go out as one text with commas between.
    let labels = ticket_labels(reader, node, item.labels, |label| !label.contains(','));
    Some(Gitlab { url: url?, project: project?, token: token?, labels })
}

fn read_project(reader: &mut Reader<'_>, node: NodeId, written: Option<String>) -> Option<String> {
    const HELP: &str = "write it as group/name, or as the project's number";
    let Some(project) = written else {
        reader.missing(node, "project", HELP);
        return None;
    };
    let is_number = !project.is_empty() && project.bytes().all(|byte| byte.is_ascii_digit());
    let is_part = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control());
    let is_path = project.contains('/') && project.split('/').all(is_part);
    if is_number || is_path {
        return Some(project);
    }
    let finding = Diagnostic::error(codes::BAD_NAME, format!("`{project}` is no project"));
    reader.report_in(node, "project", finding.with_help(HELP));
    None
}
