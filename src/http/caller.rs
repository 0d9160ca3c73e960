//! Who asks: the token that the guard checked, or whom the request names where nothing is checked.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request::Parts;

use crate::policy::act::Actor;

/// Longest name that is kept, in characters.
const NAME_LONGEST: usize = 100;
/// Who neither has a token nor says a name.
const NOBODY: &str = "anonymous";

/// Put into the request by the guard where a token was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedToken(pub String);

/// Who asks, and on what way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    token: Option<String>,
    via: &'static str,
}

impl Caller {
    /// As the audit names them: a checked token, whatever the request says; else `by` of the request.
    #[must_use]
    pub fn actor(&self, by: Option<&str>) -> Actor {
        let named = by.map(|name| name.chars().filter(|c| !c.is_control()).take(NAME_LONGEST).collect::<String>());
        let named = named.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        let name = self.token.clone().or(named).unwrap_or_else(|| NOBODY.to_owned());
        Actor { name, via: self.via.to_owned() }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let token = parts.extensions.get::<CheckedToken>().map(|token| token.0.clone());
        Ok(Self { token, via: via(&parts.headers) })
    }
}

/// Our own command line says so; browsers log in with Basic, or send forms.
fn via(headers: &HeaderMap) -> &'static str {
    let begins = |name, with: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).is_some_and(|value| value.starts_with(with))
    };
    if begins(USER_AGENT, "slo/") {
        "cli"
    } else if headers.contains_key("sec-fetch-site") || begins(AUTHORIZATION, "Basic ") {
        "dashboard"
    } else {
        "api"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_before_what_the_request_says() {
        let caller = Caller { token: Some("deploy-bot".into()), via: "api" };
        assert_eq!(caller.actor(Some("anna")).name, "deploy-bot");
        let caller = Caller { token: None, via: "cli" };
        assert_eq!(caller.actor(Some(" an\nna ")).name, "anna");
        assert_eq!(caller.actor(Some(" ")), Actor { name: "anonymous".into(), via: "cli".into() });
        assert_eq!(caller.actor(Some(&"x".repeat(1_000))).name.len(), NAME_LONGEST);
    }
}
