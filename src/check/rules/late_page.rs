//! `late_page`: pages that a group holds back for long.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, Set};
use crate::config::meant::Route;
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::policy::AlertSeverity;
use crate::units::Length;

/// Pages that a group holds back for long.
pub const RULE: Rule = Rule {
    code: codes::LATE_PAGE,
    severity: Severity::Warning,
    page: "`group_wait` is how long the first alert of a group waits for others, and `group_interval` how long one waits that
joins a group that was told already. This route takes pages, and a page that waits for more than 5 min is late: a budget of
30 days burns up in less than an hour at a thousandfold burn.

Give pages a route of their own with short times (30 s and 5 min are the defaults), and tickets the long ones.",
    failing: Some(Failing {
        line: 4,
        column: 64,
        text: r#"version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {out: {type: stdout}}
routes: [{match: {}, to: [out], group_by: [owner], group_wait: 5h}]
"#,
    }),
    passing: Some(
        r#"version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {out: {type: stdout}}
routes:
  - {match: {severity: page}, to: [out], group_by: [owner], group_wait: 1m}
  - {match: {}, to: [out], group_by: [owner], group_wait: 5h}
"#,
    ),
    lint: Some(lint),
};

/// A page that a person hears of after this is late.
const LATE: Length = Length::from_minutes(5);

/// Whether no page goes further, at any hour.
fn takes_every_page(route: &Route) -> bool {
    let Route { severity, service, owner, slo, labels, continue_, active, .. } = route;
    let narrow = service.is_some() || owner.is_some() || slo.is_some() || !labels.is_empty();
    severity.is_none_or(|severity| severity == AlertSeverity::Page) && !narrow && !*continue_ && active.is_none()
}

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    let Some(config) = &set.config else { return };
    let items: Vec<At<'_>> = config.at.find(&["routes"]).into_iter().flat_map(At::items).collect();
    let routes = &config.config.routes;
    for (index, (route, at)) in routes.iter().zip(&items).enumerate() {
        let Some(grouping) = route.grouping.as_ref().filter(|_| set.is_sound(*at)) else { continue };
        // A route before that takes all pages leaves none for this one.
        let left = !routes.iter().take(index).any(takes_every_page);
        if !left || route.severity.is_some_and(|severity| severity != AlertSeverity::Page) {
            continue;
        }
        for (key, length) in [("group_wait", grouping.wait), ("group_interval", grouping.interval)] {
            if length > LATE {
                let message = format!("with `{key}: {length}` a page may be told {length} late");
                let finding = Diagnostic::warning(codes::LATE_PAGE, message)
                    .with_help("give pages a route of their own, with 5 min at most");
                found.push(at.nearest(&[key]).mark(finding));
            }
        }
    }
}
