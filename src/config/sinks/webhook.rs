//! `{type: webhook}`: JSON by POST; our own body, Alertmanager's, or what a template makes.

use std::path::Path;

use serde::Deserialize;

use crate::config::meant::{SecretRef, SinkConfig, WebhookUrl};
use crate::config::read::{checked_address, secret};
use crate::diag::{Diagnostic, codes};
use crate::spec::value;
use crate::yaml::{NodeId, Reader, Written};

/// What is posted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebhookShape {
    /// Whose body.
    pub format: WebhookFormat,
    /// Of a template that renders no JSON.
    pub content_type: Option<String>,
}

/// Whose body a webhook is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WebhookFormat {
    /// INTERFACES 5.
    #[default]
    Own,
    /// Version 4 of Alertmanager's, for receivers that are made for it.
    Alertmanager,
}

const FORMATS: &[(&str, WebhookFormat)] = &[("slo", WebhookFormat::Own), ("alertmanager", WebhookFormat::Alertmanager)];

/// As written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    format: Option<String>,
    content_type: Option<String>,
}

impl Written for Item {
    const NESTED: &'static [&'static str] = &["type", "url", "secret", "template"];
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> Option<SinkConfig> {
    let item: Item = reader.decode(node)?;
    let document = reader.document();
    let format = value::choice(reader, node, "format", item.format.as_deref(), FORMATS).unwrap_or_default();
    let templated = document.child(node, "template").is_some();
    if templated && format == WebhookFormat::Alertmanager {
        let finding = Diagnostic::error(codes::BAD_CHOICE, "the body is Alertmanager's or a template's, not both");
        reader.report_in(node, "format", finding.with_help("keep `format` or `template`"));
    }
    let content_type = item.content_type.filter(|text| {
        let fits = text.contains('/') && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let message = match (fits, templated) {
            (true, true) => return true,
            (false, _) => "this is no media type",
            (true, false) => "without a template the body is JSON",
        };
        reader.report_in(node, "content_type", Diagnostic::error(codes::BAD_CHOICE, message));
        false
    });
    let secret_key = secret(reader, node, "secret", folder);
    let Some(url) = document.child(node, "url") else {
        reader.missing(node, "url", "the address to post to");
        return None;
    };
    let url = match document.text(url) {
        Some(text) => checked(reader, url, text).map(WebhookUrl::Plain),
        None => secret(reader, node, "url", folder).map(WebhookUrl::Secret),
    };
    Some(SinkConfig::Webhook { url: url?, secret: secret_key, shape: WebhookShape { format, content_type } })
}

/// The secrets of one.
pub(in crate::config) fn secrets<'a>(url: &'a WebhookUrl, secret: Option<&'a SecretRef>) -> Vec<&'a SecretRef> {
    let url = if let WebhookUrl::Secret(secret) = url { Some(secret) } else { None };
    url.into_iter().chain(secret).collect()
}

/// Unlike the addresses of servers, a webhook's may have a query.
fn checked(reader: &mut Reader<'_>, node: NodeId, text: &str) -> Option<String> {
    let (address, query) = text.split_once('?').map_or((text, ""), |(address, query)| (address, query));
    checked_address(reader, node, address)?;
    if query.contains('#') {
        reader.report(node, Diagnostic::error(codes::BAD_ADDRESS, "an address here has no `#`"));
        return None;
    }
    Some(text.to_owned())
}
