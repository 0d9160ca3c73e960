//! Where a notification goes: first match wins, `continue` goes on (FORMATS 3, `routes`).
//!
//! Pure: names in, names out. It sends nothing, and whether a resolve follows its page is decided by who was told.
//! Invariant: a sink is named once, in the order of the routes.

use std::collections::BTreeMap;

use crate::config::meant::{Owner, Route};
use crate::policy::notification::Notification;
use crate::spec::policy::AlertSeverity;

/// The word in `to` that stands for the sinks of the alert's owner.
const OWNER: &str = "owner";

/// What routes look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressee<'a> {
    /// Who is told.
    pub severity: AlertSeverity,
    /// The service; `source` for a source's alert.
    pub service: &'a str,
    /// Who answers for it.
    pub owner: Option<&'a str>,
}

impl<'a> From<&'a Notification> for Addressee<'a> {
    fn from(notification: &'a Notification) -> Self {
        let Notification { severity, service, owner, .. } = notification;
        Self { severity: *severity, service, owner: owner.as_deref() }
    }
}

/// The sinks that are told, each once. None: there is no route, which the caller has to report.
#[must_use]
pub fn sinks(routes: &[Route], owners: &BTreeMap<String, Owner>, addressee: Addressee<'_>) -> Vec<String> {
    let mut sinks: Vec<String> = Vec::new();
    for route in routes.iter().filter(|route| matches(route, addressee)) {
        for name in &route.to {
            let owned = addressee.owner.and_then(|owner| owners.get(owner)?.sinks.get(&addressee.severity));
            let named = if name == OWNER { owned.map_or(&[][..], Vec::as_slice) } else { std::slice::from_ref(name) };
            let new: Vec<String> = named.iter().filter(|sink| !sinks.contains(sink)).cloned().collect();
            sinks.extend(new);
        }
        if !route.continue_ {
            break;
        }
    }
    sinks
}

/// Whether a route takes it; what the route does not name matches everything.
fn matches(route: &Route, addressee: Addressee<'_>) -> bool {
    route.severity.is_none_or(|severity| severity == addressee.severity)
        && route.service.as_deref().is_none_or(|service| service == addressee.service)
        && route.owner.as_deref().is_none_or(|owner| Some(owner) == addressee.owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(severity: Option<AlertSeverity>, to: &[&str], continue_: bool) -> Route {
        let to = to.iter().map(|name| (*name).to_owned()).collect();
        Route { severity, to, continue_, ..Route::default() }
    }

    fn told(routes: &[Route], severity: AlertSeverity, service: &str, owner: Option<&str>) -> Vec<String> {
        let sinks = BTreeMap::from([(AlertSeverity::Page, vec!["oncall".to_owned(), "am".to_owned()])]);
        let owners = BTreeMap::from([("payments".to_owned(), Owner { sinks, contact: None })]);
        super::sinks(routes, &owners, Addressee { severity, service, owner })
    }

    #[test]
    fn the_first_match_wins_and_continue_goes_on() {
        let routes = [
            route(Some(AlertSeverity::Page), &["oncall", "am"], true),
            route(Some(AlertSeverity::Page), &["hook", "am"], false),
            route(None, &["stdout"], false),
        ];
        assert_eq!(told(&routes, AlertSeverity::Page, "checkout", None), ["oncall", "am", "hook"]);
        assert_eq!(told(&routes, AlertSeverity::Notice, "checkout", None), ["stdout"]);
        assert!(told(&routes[..2], AlertSeverity::Ticket, "checkout", None).is_empty());
    }

    #[test]
    fn service_and_owner_are_exact() {
        let only = |service: Option<&str>, owner: Option<&str>| {
            [Route {
                service: service.map(str::to_owned),
                owner: owner.map(str::to_owned),
                ..route(None, &["hook"], false)
            }]
        };
        let page = AlertSeverity::Page;
        assert_eq!(told(&only(Some("checkout"), None), page, "checkout", None), ["hook"]);
        assert!(told(&only(Some("checkout"), None), page, "checkout-v2", None).is_empty());
        assert_eq!(told(&only(None, Some("payments")), page, "x", Some("payments")), ["hook"]);
        assert!(told(&only(None, Some("payments")), page, "x", None).is_empty());
    }

    #[test]
    fn owner_stands_for_the_owners_sinks_of_the_severity() {
        let routes = [route(None, &["owner", "hook"], false)];
        assert_eq!(told(&routes, AlertSeverity::Page, "x", Some("payments")), ["oncall", "am", "hook"]);
        assert_eq!(told(&routes, AlertSeverity::Ticket, "x", Some("payments")), ["hook"]);
        assert_eq!(told(&routes, AlertSeverity::Page, "x", Some("nobody")), ["hook"]);
        assert!(told(&[route(None, &["owner"], false)], AlertSeverity::Page, "x", None).is_empty());
    }
}
