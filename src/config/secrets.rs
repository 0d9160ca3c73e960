//! Where the literal secrets of a configuration stand: what no excerpt may show.
//!
//! Wider than the findings: a finding of something else (a sink that is not built yet, an unknown key under `auth`) may
//! show the very line that holds a secret.

use crate::diag::Place;
use crate::yaml::{Document, NodeId};

/// Keys whose text is a secret wherever they stand.
const SECRET_KEYS: &[&str] = &["bearer", "basic", "auth", "authorization", "proxy-authorization", "cookie"];
/// Parts of keys that make them secrets: `routing_key`, `api_token`.
const SECRET_PARTS: &[&str] = &["password", "secret", "token", "key", "credential"];

/// The places of literal secrets at and below a node.
#[must_use]
pub fn literal_secrets(document: &Document, root: NodeId) -> Vec<Place> {
    let mut places = Vec::new();
    let mut open = vec![(root, false)];
    while let Some((node, inside)) = open.pop() {
        for child in document.children(node) {
            let key = document.key(*child).unwrap_or_default().to_ascii_lowercase();
            // A reference is no secret: its text is a name or a path.
            let is_reference = inside && (key == "env" || key == "file");
            let is_secret = !is_reference && key != "user" && (inside || is_secret_key(&key));
            let userinfo = document.text(*child).is_some_and(|text| has_userinfo(text) || is_secret_address(text));
            if document.text(*child).is_some() && (is_secret || userinfo) {
                places.push(document.place(*child));
            }
            open.push((*child, is_secret));
        }
    }
    places.sort();
    places
}

/// Hosts whose addresses let everybody write who has them: Slack's webhooks, workflows and connectors of Teams.
const SECRET_HOSTS: &[&str] =
    &["hooks.slack.com", "webhook.office.com", "logic.azure.com", "environment.api.powerplatform.com"];

fn is_secret_address(text: &str) -> bool {
    let host = text.split_once("://").and_then(|(_, rest)| rest.split(['/', ':', '?']).next()).unwrap_or_default();
    SECRET_HOSTS.iter().any(|known| host.to_ascii_lowercase().ends_with(known))
}

fn is_secret_key(key: &str) -> bool {
    SECRET_KEYS.contains(&key) || SECRET_PARTS.iter().any(|part| key.contains(part))
}

/// Whether an address holds a user or password: `http://user:password@host`.
pub(super) fn has_userinfo(text: &str) -> bool {
    let authority = text.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    authority.is_some_and(|authority| authority.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{SourceText, parse};

    #[test]
    fn literals_are_found_wherever_they_hide_and_references_are_not() {
        let text = "sinks:\n  a: {type: pagerduty, routing_key: p1}\n  b: {secret: {env: B, fiel: p2}}\n\
                    sources:\n  c: {auth: {tokn: p3, basic: {user: u, password: p4}}, urls: [\"http://u:p5@h/\"]}\n\
                    \x20 d: {auth: {bearer: {file: f}}, headers: {Authorization: p6}}\n\
                    \x20 e: {url: \"https://hooks.slack.com/services/p7\"}\n";
        let stream = parse(&SourceText::named("slo.yaml", text));
        let document = &stream.documents[0].0;
        let shown = |place: Place| {
            let line = text.lines().nth(place.line as usize - 1).unwrap();
            line.get(place.column as usize - 1..place.end_column as usize - 1).unwrap()
        };
        let shown: Vec<&str> = literal_secrets(document, document.root()).into_iter().map(shown).collect();
        assert_eq!(
            shown,
            ["p1", "p2", "p3", "p4", "\"http://u:p5@h/\"", "p6", "\"https://hooks.slack.com/services/p7\""]
        );
    }
}
