//! Who asks: the token that the guard checked, or whom the request names where nothing is checked.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request::Parts;

use crate::config::access::Role;
use crate::policy::act::Actor;

/// Longest name that is kept, in characters.
const NAME_LONGEST: usize = 100;
/// Who neither has a token nor says a name.
const NOBODY: &str = "anonymous";

/// Put into the request by the guard: what whoever asks was let in as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetIn {
    /// Name of the token that was checked.
    pub token: Option<String>,
    /// What they may do; `None`: not even write where it is open to others.
    pub role: Option<Role>,
}

/// Who asks, and on what way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    token: Option<String>,
    role: Option<Role>,
    via: &'static str,
}

impl Caller {
    /// Whether they may do what needs this role: their page has the buttons then.
    #[must_use]
    pub fn may(&self, role: Role) -> bool {
        self.role.is_some_and(|has| has >= role)
    }

    /// Whether a token says who they are.
    #[must_use]
    pub const fn has_token(&self) -> bool {
        self.token.is_some()
    }

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
        let LetIn { token, role } = parts.extensions.get::<LetIn>().cloned().unwrap_or_default();
        Ok(Self { token, role, via: via(&parts.headers) })
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
        let caller = Caller { token: Some("deploy-bot".into()), role: Some(Role::Operate), via: "api" };
        assert_eq!(caller.actor(Some("anna")).name, "deploy-bot");
        assert!(caller.may(Role::Operate) && !caller.may(Role::Admin) && caller.has_token());
        let caller = Caller { token: None, role: None, via: "cli" };
        assert!(!caller.may(Role::Read));
        assert_eq!(caller.actor(Some(" an\nna ")).name, "anna");
        assert_eq!(caller.actor(Some(" ")), Actor { name: "anonymous".into(), via: "cli".into() });
        assert_eq!(caller.actor(Some(&"x".repeat(1_000))).name.len(), NAME_LONGEST);
    }
}
