//! Where a notification goes: first match wins, `continue` goes on (FORMATS 3, `routes`).
//!
//! Pure: names in, names out. It sends nothing, and whether a resolve follows its page is decided by who was told.
//! Outside its hours (`active`) a route waits, and is as if it were not there with `outside: skip`. Invariant: a sink is
//! named once, in the order of the routes.

use std::collections::BTreeMap;
use std::fmt;

use crate::config::meant::{Config, Outside, Owner, Route};
use crate::policy::notification::Notification;
use crate::spec::policy::AlertSeverity;
use crate::units::Timestamp;

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
    /// Instance id, or `source/NAME`.
    pub slo: &'a str,
    /// The alert's labels, before a sink's map.
    pub labels: &'a BTreeMap<String, String>,
}

impl<'a> From<&'a Notification> for Addressee<'a> {
    fn from(notification: &'a Notification) -> Self {
        let Notification { severity, service, owner, slo, labels, .. } = notification;
        Self { severity: *severity, service, owner: owner.as_deref(), slo, labels }
    }
}

/// Whether anybody would hear of a page: of one that nobody hears nothing is held back (SEMANTICS 6).
#[derive(Clone, Copy, Default)]
pub enum Heard<'a> {
    /// By somebody.
    Always,
    /// By nobody.
    #[default]
    Never,
    /// By the page's labels: silences and routes look at them.
    Asked(&'a (dyn Fn(Addressee<'_>) -> bool + Sync)),
}

impl From<bool> for Heard<'_> {
    fn from(always: bool) -> Self {
        if always { Self::Always } else { Self::Never }
    }
}

impl fmt::Debug for Heard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Always => "Always",
            Self::Never => "Never",
            Self::Asked(_) => "Asked",
        })
    }
}

impl Heard<'_> {
    /// Whether this page is heard.
    #[must_use]
    pub fn hears(&self, page: Addressee<'_>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Asked(ask) => ask(page),
        }
    }
}

/// A route that takes an alert now.
#[derive(Clone, Debug, PartialEq)]
pub struct Way<'a> {
    /// The route.
    pub route: &'a Route,
    /// Its sinks that no route before it names.
    pub sinks: Vec<String>,
}

/// The routes that take an alert.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ways<'a> {
    /// Those that tell now, in their order.
    pub open: Vec<Way<'a>>,
    /// Those that wait for their hours.
    pub waiting: Vec<&'a Route>,
}

impl Ways<'_> {
    /// Nobody is told, now or later: there is no route, which the caller has to report.
    #[must_use]
    pub fn lead_nowhere(&self) -> bool {
        !self.waits() && self.open.iter().all(|way| way.sinks.is_empty())
    }

    /// Whether one waits for its hours.
    #[must_use]
    pub const fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// When the hours of the first one that waits begin (wall clock).
    #[must_use]
    pub fn opens_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.waiting.iter().filter_map(|route| route.active.as_ref()?.next_begin(now)).min()
    }
}

/// The routes that take it at `now`.
#[must_use]
pub fn ways<'a>(config: &'a Config, addressee: Addressee<'_>, now: Timestamp) -> Ways<'a> {
    let mut ways = Ways::default();
    let mut named: Vec<String> = Vec::new();
    for route in config.routes.iter().filter(|route| matches(route, addressee)) {
        match (route.active.as_ref().is_none_or(|hours| hours.covers(now)), route.outside) {
            (false, Outside::Skip) => continue,
            (false, Outside::Wait) => ways.waiting.push(route),
            (true, _) => {
                let mut sinks = expanded(&route.to, &config.owners, addressee);
                sinks.retain(|sink| !named.contains(sink));
                named.extend(sinks.iter().cloned());
                ways.open.push(Way { route, sinks });
            }
        }
        if !route.continue_ {
            break;
        }
    }
    ways
}

/// Sinks by name, `owner` replaced by those of the alert's owner for its severity; each once.
#[must_use]
pub fn expanded(to: &[String], owners: &BTreeMap<String, Owner>, addressee: Addressee<'_>) -> Vec<String> {
    let mut sinks: Vec<String> = Vec::new();
    for name in to {
        let owned = addressee.owner.and_then(|owner| owners.get(owner)?.sinks.get(&addressee.severity));
        let named = if name == OWNER { owned.map_or(&[][..], Vec::as_slice) } else { std::slice::from_ref(name) };
        let new: Vec<String> = named.iter().filter(|sink| !sinks.contains(sink)).cloned().collect();
        sinks.extend(new);
    }
    sinks
}

/// Whether a route takes it; what the route does not name matches everything.
#[must_use]
pub fn matches(route: &Route, addressee: Addressee<'_>) -> bool {
    let label = |name: &str| addressee.labels.get(name).map(String::as_str).unwrap_or_default();
    route.severity.is_none_or(|severity| severity == addressee.severity)
        && route.service.as_deref().is_none_or(|service| service == addressee.service)
        && route.owner.as_deref().is_none_or(|owner| Some(owner) == addressee.owner)
        && route.slo.as_deref().is_none_or(|pattern| is_like(addressee.slo, pattern))
        && route.labels.iter().all(|matcher| matcher.allows(label(&matcher.name)))
}

/// Whether an instance, or the SLO that it is of, is named by a pattern: `*` stands for any part.
#[must_use]
pub fn is_like(instance: &str, pattern: &str) -> bool {
    let slo = instance.split_once('{').map_or(instance, |(slo, _)| slo);
    glob(instance, pattern) || glob(slo, pattern)
}

/// Pieces between `*` stand in their order, the first at the begin and the last at the end.
fn glob(text: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return text == pattern };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    let Some((middle, last)) = rest.rsplit_once('*') else { return left.ends_with(rest) };
    for piece in middle.split('*') {
        // An empty piece (`**`) is found at once.
        let Some(at) = left.find(piece) else { return false };
        left = left.get(at + piece.len()..).unwrap_or_default();
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::spec::selector::{Matcher, Operation};
    use crate::units::{Length, Schedule};

    fn route(severity: Option<AlertSeverity>, to: &[&str], continue_: bool) -> Route {
        let to = to.iter().map(|name| (*name).to_owned()).collect();
        Route { severity, to, continue_, ..Route::default() }
    }

    fn names(ways: &Ways<'_>) -> Vec<String> {
        ways.open.iter().flat_map(|way| way.sinks.clone()).collect()
    }

    fn config(routes: &[Route]) -> Config {
        let sinks = BTreeMap::from([(AlertSeverity::Page, vec!["oncall".to_owned(), "am".to_owned()])]);
        let owners = BTreeMap::from([("payments".to_owned(), Owner { sinks, contact: None })]);
        Config { owners, routes: routes.to_vec(), ..Config::empty(Path::new("")) }
    }

    fn told(routes: &[Route], severity: AlertSeverity, service: &str, owner: Option<&str>) -> Vec<String> {
        let labels = BTreeMap::from([("team".to_owned(), "web".to_owned())]);
        let slo = format!("{service}/availability{{region=\"eu\"}}");
        let addressee = Addressee { severity, service, owner, slo: &slo, labels: &labels };
        names(&ways(&config(routes), addressee, Timestamp::from_seconds(0)))
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
    fn labels_are_matched_as_in_prometheus() {
        for (name, operation, value, expected) in [
            ("team", Operation::Equal, "web", true),
            ("team", Operation::Match, "web|shop", true),
            ("team", Operation::Match, "we", false),
            ("team", Operation::NotEqual, "web", false),
            ("tier", Operation::Equal, "", true),
            ("tier", Operation::NotMatch, "1|2", true),
        ] {
            let labels = vec![Matcher::new(name, operation, value).unwrap()];
            let routes = [Route { labels, ..route(None, &["hook"], false) }];
            let is_told = !told(&routes, AlertSeverity::Page, "checkout", None).is_empty();
            assert_eq!(is_told, expected, "{name} {operation:?} {value}");
        }
    }

    #[test]
    fn a_star_stands_for_any_part_of_an_slo() {
        let instance = "checkout/availability{region=\"eu\"}";
        for pattern in
            ["*", "checkout/*", "*/availability", "checkout/availability", "c*t/a*y", "*{region=\"eu\"}", "c**y"]
        {
            assert!(is_like(instance, pattern), "{pattern}");
        }
        for pattern in ["", "checkout", "checkout/avail", "*/latency", "c*x*y", "shop/*", "availability*"] {
            assert!(!is_like(instance, pattern), "{pattern}");
        }
    }

    #[test]
    fn owner_stands_for_the_owners_sinks_of_the_severity() {
        let routes = [route(None, &["owner", "hook"], false)];
        assert_eq!(told(&routes, AlertSeverity::Page, "x", Some("payments")), ["oncall", "am", "hook"]);
        assert_eq!(told(&routes, AlertSeverity::Ticket, "x", Some("payments")), ["hook"]);
        assert_eq!(told(&routes, AlertSeverity::Page, "x", Some("nobody")), ["hook"]);
        assert!(told(&[route(None, &["owner"], false)], AlertSeverity::Page, "x", None).is_empty());
    }

    /// 2026-11-20 is a Friday.
    #[test]
    fn outside_its_hours_a_route_waits_or_is_not_there() {
        let hours = Schedule::new("0 9 * * Mon-Fri", Length::from_hours(9), "UTC").unwrap();
        let daily = |outside| Route { active: Some(hours.clone()), outside, ..route(None, &["hook"], false) };
        let labels = BTreeMap::new();
        let addressee =
            Addressee { severity: AlertSeverity::Page, service: "x", owner: None, slo: "x/y", labels: &labels };
        for (outside, at, expected, waits) in [
            (Outside::Wait, "2026-11-20T12:00:00Z", "hook", false),
            (Outside::Wait, "2026-11-20T20:00:00Z", "", true),
            (Outside::Skip, "2026-11-20T12:00:00Z", "hook", false),
            (Outside::Skip, "2026-11-20T20:00:00Z", "stdout", false),
        ] {
            let config = config(&[daily(outside), route(None, &["stdout"], false)]);
            let ways = ways(&config, addressee, at.parse().unwrap());
            assert_eq!((names(&ways).join(" ").as_str(), ways.waits()), (expected, waits), "{outside:?} {at}");
            assert!(!ways.lead_nowhere());
        }
    }
}
