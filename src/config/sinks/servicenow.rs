//! `{type: servicenow}`: `ServiceNow` incidents.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::config::meant::SecretRef;
use crate::config::read::{address, secret};
use crate::config::sinks::required_secret;
use crate::diag::{Diagnostic, codes};
use crate::spec::value;
use crate::yaml::{NodeId, Reader, Written};

/// Where incidents are.
const TABLE: &str = "incident";
/// Resolved, in the incident table as it is delivered; 7 is closed, and not to be opened again.
const CLOSE_STATE: usize = 6;
/// One of the close codes of newer instances; each instance has its own list.
const CLOSE_CODE: &str = "Solution provided";
/// Fields that are ours: the life of a ticket hangs on them.
const OURS: &[&str] = &["correlation_id", "state", "close_code", "close_notes", "work_notes"];

/// `ServiceNow` incidents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Servicenow {
    /// The instance, without a slash at its end.
    pub url: String,
    /// How we are let in.
    pub login: ServicenowLogin,
    /// The table, `incident` or one that extends it.
    pub table: String,
    /// Fields of a new record beside ours: `assignment_group`, `impact`, ..
    pub fields: BTreeMap<String, String>,
    /// What `close_code` says: each instance has its own list.
    pub close_code: String,
    /// What `state` is when it is over.
    pub close_state: usize,
}

/// How an instance lets us in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServicenowLogin {
    /// HTTP Basic.
    Basic {
        /// Name.
        user: String,
        /// Password.
        password: SecretRef,
    },
    /// `Authorization: Bearer` (OAuth).
    Token(SecretRef),
}

impl Servicenow {
    /// Every secret that it names.
    #[must_use]
    pub fn secrets(&self) -> Vec<&SecretRef> {
        match &self.login {
            ServicenowLogin::Basic { password, .. } => vec![password],
            ServicenowLogin::Token(token) => vec![token],
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    url: Option<String>,
    user: Option<String>,
    table: Option<String>,
    close_code: Option<String>,
    close_state: Option<String>,
}

impl Written for Item {
    const NESTED: &'static [&'static str] = &["type", "password", "token", "fields", "template"];
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> Option<Servicenow> {
    let item: Item = reader.decode(node)?;
    if item.url.is_none() {
        reader.missing(node, "url", "the instance, such as https://shop.service-now.com");
    }
    let url = address(reader, node, "url", item.url.as_deref());
    let login = read_login(reader, node, item.user, folder);
    let mut fields = value::texts(reader, node, "fields");
    for name in OURS {
        if fields.remove(*name).is_some() {
            let finding = Diagnostic::error(codes::BAD_CHOICE, format!("the field `{name}` is written by `slo`"));
            reader.report_in(node, "fields", finding.with_help("take it out of `fields`"));
        }
    }
    let table = item.table.unwrap_or_else(|| TABLE.to_owned());
    if !is_field(&table) {
        let finding = Diagnostic::error(codes::BAD_NAME, format!("`{table}` is no name of a table"));
        reader.report_in(node, "table", finding.with_help("lower case letters, digits and `_`"));
    }
    let close_state = value::whole(reader, node, "close_state", item.close_state.as_deref(), (1, 1_000));
    let close_code = item.close_code.unwrap_or_else(|| CLOSE_CODE.to_owned());
    let close_state = close_state.unwrap_or(CLOSE_STATE);
    Some(Servicenow { url: url?, login: login?, table, fields, close_code, close_state })
}

fn is_field(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// `user` and `password`, or `token` alone.
fn read_login(reader: &mut Reader<'_>, node: NodeId, user: Option<String>, folder: &Path) -> Option<ServicenowLogin> {
    let has = |reader: &Reader<'_>, key: &str| reader.document().child(node, key).is_some();
    if has(reader, "token") {
        if has(reader, "password") || user.is_some() {
            let finding = Diagnostic::error(codes::BAD_CHOICE, "both a token and a user are here");
            reader.report_in(node, "token", finding.with_help("keep `user` and `password`, or `token`"));
        }
        return secret(reader, node, "token", folder).map(ServicenowLogin::Token);
    }
    if user.is_none() {
        reader.missing(node, "user", "`user` and `password`, or `token`");
    }
    let password = required_secret(reader, node, "password", folder);
    Some(ServicenowLogin::Basic { user: user?, password: password? })
}
