//! Which role a request needs (INTERFACES 3): one table, asked before anything else is looked at.

use axum::http::Method;

use crate::config::access::Role;

/// What a request needs where tokens are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Open to everybody.
    Nothing,
    /// A token with this role, or more.
    Role(Role),
}

/// Open whole: they tell nothing of the SLOs.
const OPEN: &[&str] = &["/-/healthy", "/-/ready", "/metrics", "/assets/style.css"];
/// Open below: each has a signature of its own.
const SIGNED: &[&str] = &["/a/", "/api/v1/hooks/"];

/// What this request needs. Whatever is not named here is read with `read` and written with `operate`.
#[must_use]
pub fn needs(method: &Method, path: &str) -> Needs {
    let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
    if SIGNED.iter().any(|prefix| path.starts_with(prefix)) || (method.is_safe() && OPEN.contains(&path)) {
        return Needs::Nothing;
    }
    Needs::Role(if method.is_safe() {
        Role::Read
    } else if path == "/-/reload" || decoded(path).trim_end_matches('/').ends_with("/close") {
        Role::Admin
    } else {
        Role::Operate
    })
}

/// What handlers see of the last part of an address: ids stand there encoded, and so may be what follows them.
fn decoded(path: &str) -> String {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, after @ ..] = rest {
        match after {
            [high, low, after @ ..] if *first == b'%' && digit(*high).is_some() && digit(*low).is_some() => {
                bytes.push(digit(*high).unwrap_or_default() << 4 | digit(*low).unwrap_or_default());
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_needs_what_the_table_says() {
        let role = Needs::Role;
        for (method, path, expected) in [
            (Method::GET, "/-/healthy", Needs::Nothing),
            (Method::HEAD, "/-/ready", Needs::Nothing),
            (Method::GET, "/metrics", Needs::Nothing),
            (Method::GET, "/metrics/slos", role(Role::Read)),
            (Method::GET, "/", role(Role::Read)),
            (Method::GET, "/health", role(Role::Read)),
            (Method::GET, "/api/v1/audit", role(Role::Read)),
            (Method::GET, "/api/v1/nothing", role(Role::Read)),
            (Method::POST, "/a/x.y", Needs::Nothing),
            (Method::GET, "/a/x.y", Needs::Nothing),
            (Method::GET, "/alerts", role(Role::Read)),
            (Method::POST, "/api/v1/hooks/pagerduty", Needs::Nothing),
            (Method::POST, "/api/v1/hooks", role(Role::Operate)),
            (Method::POST, "/metrics", role(Role::Operate)),
            (Method::POST, "/api/v1/alerts/shop/a/page/ack", role(Role::Operate)),
            (Method::POST, "/api/v1/alerts/shop/a/page/close", role(Role::Admin)),
            (Method::POST, "/api/v1/alerts/shop/a/page/close/", role(Role::Admin)),
            (Method::POST, "/api/v1/alerts/shop%2Fa%2Fpage%2F%63lose%2f", role(Role::Admin)),
            (Method::DELETE, "/api/v1/silences/1", role(Role::Operate)),
            (Method::POST, "/-/reload", role(Role::Admin)),
            (Method::POST, "/v1/traces", role(Role::Operate)),
        ] {
            assert_eq!(needs(&method, path), expected, "{method} {path}");
        }
    }
}
