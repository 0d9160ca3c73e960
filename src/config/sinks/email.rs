//! `{type: email}`: E-mail by SMTP.

use core::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::meant::SecretRef;
use crate::config::read::secret;
use crate::diag::{Diagnostic, codes};
use crate::yaml::{NodeId, Reader, Written};

/// E-mail by SMTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// The server.
    pub smtp: Smtp,
    /// Whom it comes from: an address, or a name and an address in angle brackets.
    pub from: String,
    /// Whom it goes to, likewise; at least one.
    pub to: Vec<String>,
    /// With whom to log in; `None`: no login.
    pub login: Option<Login>,
    /// What we call ourselves in `EHLO`; `None`: our address.
    pub hello_name: Option<String>,
    /// Certificates (PEM) that are trusted beside those of the system.
    pub ca: Option<PathBuf>,
}

/// A server of e-mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smtp {
    /// Name or address; without the brackets of an IPv6 address.
    pub host: String,
    /// 465 of `smtps`, 587 of `smtp`, unless it is said.
    pub port: u16,
    /// How it is encrypted.
    pub tls: SmtpTls,
}

/// How the way to a server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// From the start: `smtps://`.
    Implicit,
    /// STARTTLS, without which nothing is sent: `smtp://`.
    Required,
    /// Not at all: `smtp://` to a loopback address, where no `ca` is given.
    Plain,
}

/// Name and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The name; `None`: the address of `from`.
    pub user: Option<String>,
    /// The password.
    pub password: SecretRef,
}

impl Email {
    /// Every secret that it names.
    #[must_use]
    pub fn secrets(&self) -> Vec<&SecretRef> {
        self.login.iter().map(|login| &login.password).collect()
    }
}

/// The address within `name <address>`, or the text itself.
#[must_use]
pub fn address_of(text: &str) -> &str {
    let inside = text.trim().strip_suffix('>').and_then(|text| text.rsplit_once('<'));
    inside.map_or(text, |(_, address)| address).trim()
}

/// As written.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    smtp: Option<String>,
    from: Option<String>,
    to: Option<Vec<String>>,
    user: Option<String>,
    hello_name: Option<String>,
    ca: Option<String>,
}

impl Written for Item {
    const NESTED: &'static [&'static str] = &["type", "password", "template"];
}

/// Reads one; what is wrong is noted.
pub(super) fn read(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> Option<Email> {
    let item: Item = reader.decode(node)?;
    let before = reader.count();
    let smtp = item.smtp.as_deref().and_then(|text| server(reader, node, text, item.ca.is_some()));
    if item.smtp.is_none() {
        reader.missing(node, "smtp", "the server, such as smtps://mail.example:465");
    }
    let from = item.from.filter(|text| checked(reader, node, "from", text));
    if from.is_none() && reader.document().child(node, "from").is_none() {
        reader.missing(node, "from", "the sender's address");
    }
    let to: Vec<String> = item.to.unwrap_or_default();
    if to.is_empty() {
        reader.missing(node, "to", "a list of addresses");
    }
    for (index, text) in to.iter().enumerate() {
        let listed = reader.document().child(node, "to");
        let place = listed.and_then(|list| reader.document().children(list).get(index).copied()).unwrap_or(node);
        if !is_address(text) {
            reader.report(place, no_address(text));
        }
    }
    if let Some(name) = item.hello_name.as_ref().filter(|name| !is_domain(name)) {
        let finding = Diagnostic::error(codes::BAD_NAME, format!("`{name}` is no name of a host"));
        reader.report_in(node, "hello_name", finding);
    }
    let password = secret(reader, node, "password", folder);
    if item.user.is_some() && reader.document().child(node, "password").is_none() {
        reader.missing(node, "password", "write {env: NAME} or {file: PATH}, or take `user` out");
    }
    let login = password.map(|password| Login { user: item.user, password });
    let ca = item.ca.map(|path| folder.join(path));
    let whole = Email { smtp: smtp?, from: from?, to, login, hello_name: item.hello_name, ca };
    (reader.count() == before).then_some(whole)
}

/// `smtps://host[:port]` or `smtp://host[:port]`.
fn server(reader: &mut Reader<'_>, node: NodeId, text: &str, has_ca: bool) -> Option<Smtp> {
    const HELP: &str = "write it like smtps://mail.example:465 or smtp://mail.example:587";
    let mut wrong = |code, message: &str, help: &str| {
        reader.report_in(node, "smtp", Diagnostic::error(code, message).with_help(help));
        None
    };
    let (implicit, rest) = match text.split_once("://") {
        Some(("smtps", rest)) => (true, rest),
        Some(("smtp", rest)) => (false, rest),
        _ => return wrong(codes::BAD_ADDRESS, "this is no address of an SMTP server", HELP),
    };
    if rest.contains('@') {
        let help = "use `user` and `password: {env: NAME}`";
        return wrong(codes::LITERAL_SECRET, "user and password stand in an address", help);
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.strip_prefix('[').and_then(|six| six.split_once(']')) {
        Some((host, port)) => (host, port.strip_prefix(':')),
        None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
    };
    let port = match port.map(str::parse) {
        None => {
            if implicit {
                465
            } else {
                587
            }
        }
        Some(Ok(port)) if port > 0 => port,
        Some(_) => return wrong(codes::BAD_ADDRESS, "the port is no number from 1 to 65535", HELP),
    };
    if !is_domain(host) && host.parse::<IpAddr>().is_err() {
        return wrong(codes::BAD_ADDRESS, "this is no address of an SMTP server", HELP);
    }
    let tls = match (implicit, is_loopback(host) && !has_ca) {
        (true, _) => SmtpTls::Implicit,
        (false, false) => SmtpTls::Required,
        (false, true) => SmtpTls::Plain,
    };
    Some(Smtp { host: host.to_owned(), port, tls })
}

fn is_loopback(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        || host == "localhost"
        || host.ends_with(".localhost")
}

fn is_domain(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

fn checked(reader: &mut Reader<'_>, node: NodeId, key: &str, text: &str) -> bool {
    if !is_address(text) {
        reader.report_in(node, key, no_address(text));
    }
    is_address(text)
}

fn no_address(text: &str) -> Diagnostic {
    let finding = Diagnostic::error(codes::BAD_ADDRESS, format!("`{text}` is no e-mail address"));
    finding.with_help("write it like team@example.com, or Team <team@example.com>")
}

/// The rough shape; the rest is found when the sink is made.
fn is_address(text: &str) -> bool {
    let address = address_of(text);
    let plain = |part: &str| !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "<>,;:".contains(c));
    !text.contains(char::is_control)
        && address.rsplit_once('@').is_some_and(|(user, host)| plain(user) && is_domain(host))
}
