//! `unreachable_route`: a route behind one that takes everything it would.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, Set};
use crate::config::meant::{Outside, Route};
use crate::diag::{Diagnostic, Severity, codes};

/// A route behind one that takes everything it would.
pub const RULE: Rule = Rule {
    code: codes::UNREACHABLE_ROUTE,
    severity: Severity::Warning,
    page: "The first route that matches wins, and only `continue: true` goes on. A route before this one matches
everything that this one would, so its sinks are never told.

Put the narrower route first, or write `continue: true` into the wider one where both are meant.",
    failing: Some(Failing {
        line: 7,
        column: 5,
        text: r##"version: config/v1
owners: {web: {page: [hook], ticket: [hook], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}, out: {type: stdout}}
routes:
  - {match: {}, to: [hook]}
  - {match: {severity: page}, to: [out]}
"##,
    }),
    passing: Some(
        r##"version: config/v1
owners: {web: {page: [hook], ticket: [hook], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}, out: {type: stdout}}
routes:
  - {match: {severity: page}, to: [out], continue: true}
  - {match: {}, to: [hook]}
"##,
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    let Some(config) = &set.config else { return };
    let routes = &config.config.routes;
    let items: Vec<At<'_>> = config.at.find(&["routes"]).into_iter().flat_map(At::items).collect();
    // What a route with a mistake was meant to take is not known.
    let sound: Vec<bool> = items.iter().map(|item| set.is_sound(*item)).collect();
    for (index, (route, at)) in routes.iter().zip(&items).enumerate().filter(|(index, _)| is_at(&sound, *index)) {
        let before =
            routes.iter().take(index).enumerate().position(|(earlier, before)| {
                is_at(&sound, earlier) && ends_here(before) && takes_all_of(before, route)
            });
        if let Some(before) = before {
            let message = format!("this route is never reached: route {} takes all that it would", before + 1);
            let help = "put the narrower route first, or let the wider one `continue`";
            found.push(at.mark(Diagnostic::warning(codes::UNREACHABLE_ROUTE, message).with_help(help)));
        }
    }
}

fn is_at(all: &[bool], index: usize) -> bool {
    all.get(index).is_some_and(|is| *is)
}

/// Whether what a route takes goes no further, at any hour.
fn ends_here(route: &Route) -> bool {
    !route.continue_ && (route.active.is_none() || route.outside == Outside::Wait)
}

/// Whether a route takes everything that another one does.
fn takes_all_of(wide: &Route, narrow: &Route) -> bool {
    (wide.severity.is_none() || wide.severity == narrow.severity)
        && (wide.service.is_none() || wide.service == narrow.service)
        && (wide.owner.is_none() || wide.owner == narrow.owner)
        && (wide.slo.is_none() || wide.slo.as_deref() == Some("*") || wide.slo == narrow.slo)
        && wide.labels.iter().all(|matcher| narrow.labels.contains(matcher))
}
