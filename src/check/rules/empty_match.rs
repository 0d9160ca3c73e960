//! `empty_match`: a route asks for what no loaded SLO has.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, ConfigAt, Set};
use crate::check::suggestion;
use crate::config::meant::Route;
use crate::diag::{Diagnostic, Severity, codes};
use crate::policy::route::is_like;
use crate::policy::subject::{SEVERITY_LABEL, SOURCE_SERVICE, Subject};
use crate::spec::meant::Slo;
use crate::spec::policy::AlertSeverity;
use crate::spec::selector::{Matcher, Operation};
use crate::units::Labels;

/// A route asks for what no loaded SLO has.
pub const RULE: Rule = Rule {
    code: codes::EMPTY_MATCH,
    severity: Severity::Warning,
    page: "`match` of a route asks for a service, an SLO, an owner, a label or a severity that no loaded SLO has and no source's
own alert either. A slip in a name, most often, or an SLO that has left: what was meant for this route's sinks goes to a
later route, or to nobody.

`service` and `owner` are whole names; `slo` is `SERVICE/NAME` with `*` for any letters; `labels` are those of the files,
of groups and of `server.external_labels`, with `slo_service`, `slo_name`, `slo_severity`, `owner` and `alertname`.
Where only some of the files are checked, nothing is said.",
    failing: Some(Failing {
        line: 5,
        column: 23,
        text: r#"version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}
routes:
  - {match: {service: shpo}, to: [am]}
  - {match: {}, to: [am]}
---
version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
"#,
    }),
    passing: Some(
        r#"version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}
routes:
  - {match: {service: shop}, to: [am]}
  - {match: {}, to: [am]}
---
version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli: {events: {bad: 'requests_total{job="shop", code=~"5.."}', total: 'requests_total{job="shop"}'}}
"#,
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    let Some(config) = &set.config else { return };
    if set.slos.is_empty() || !set.knows_all_slos() {
        return;
    }
    let known = Known::of(set, config);
    let items = config.at.find(&["routes"]).into_iter().flat_map(At::items);
    for (route, at) in config.config.routes.iter().zip(items).filter(|(_, at)| set.is_sound(*at)) {
        let Some(wanted) = at.find(&["match"]) else { continue };
        let told = found.len();
        known.look(route, wanted, config, found);
        if found.len() == told && !known.beings.iter().any(|being| being.is_taken_by(route)) {
            let message = "no loaded SLO has all that this route asks for";
            let help = "each of them is there, but not together; one route each may be meant";
            found.push(wanted.mark(Diagnostic::warning(codes::EMPTY_MATCH, message).with_help(help)));
        }
    }
}

/// What alerts: an SLO, or a source.
struct Being {
    service: String,
    id: String,
    owner: Option<String>,
    severities: Vec<AlertSeverity>,
    /// Those that are known before anything fires.
    labels: BTreeMap<String, String>,
    /// Those whose values are known only then.
    open: BTreeSet<String>,
}

impl Being {
    fn of(slo: &Slo, severities: Vec<AlertSeverity>, config: &ConfigAt<'_>) -> Self {
        let subject = Subject::of(slo, &config.config.server.external_labels);
        let labels = subject.shared_labels(&Labels::default());
        let open = subject.label_names(&slo.by).into_iter();
        let open = open.filter(|name| slo.by.contains(name) || !labels.contains_key(name)).collect();
        Self {
            service: slo.id.service.clone(),
            id: slo.id.to_string(),
            owner: slo.owner.clone(),
            severities,
            labels,
            open,
        }
    }

    fn of_source(name: &str, severity: AlertSeverity, config: &ConfigAt<'_>) -> Self {
        let subject = Subject::source(name, &config.config.server.external_labels);
        Self {
            service: SOURCE_SERVICE.to_owned(),
            id: subject.id.to_string(),
            owner: None,
            severities: vec![severity],
            labels: subject.shared_labels(&Labels::default()),
            open: BTreeSet::from(["alertname".to_owned(), SEVERITY_LABEL.to_owned()]),
        }
    }

    /// Whether a matcher may hold for one of its alerts.
    fn may_have(&self, matcher: &Matcher) -> bool {
        self.open.contains(&matcher.name) || matcher.allows(self.labels.get(&matcher.name).map_or("", String::as_str))
    }

    fn is_called(&self, pattern: &str) -> bool {
        // Groups are known only when they are there.
        is_like(&self.id, pattern) || pattern.split_once('{').is_some_and(|(slo, _)| is_like(&self.id, slo))
    }

    fn is_taken_by(&self, route: &Route) -> bool {
        route.severity.is_none_or(|severity| self.severities.contains(&severity))
            && route.service.as_ref().is_none_or(|service| *service == self.service)
            && route.owner.as_ref().is_none_or(|owner| self.owner.as_ref() == Some(owner))
            && route.slo.as_ref().is_none_or(|pattern| self.is_called(pattern))
            && route.labels.iter().all(|matcher| self.may_have(matcher))
    }
}

/// All that alerts.
struct Known {
    beings: Vec<Being>,
}

impl Known {
    fn of(set: &Set<'_>, config: &ConfigAt<'_>) -> Self {
        let slos = set.slos.iter().map(|slo| Being::of(slo.slo, slo.severities(), config));
        let sources = config.config.sources.iter();
        let sources = sources.map(|(name, source)| Being::of_source(name, source.alert_severity, config));
        Self { beings: slos.chain(sources).collect() }
    }

    /// Each key of `match` by itself.
    fn look(&self, route: &Route, wanted: At<'_>, config: &ConfigAt<'_>, found: &mut Vec<Diagnostic>) {
        let mut tell = |key: &str, message: String, help: String| {
            let at = wanted.nearest(&[key]);
            found.push(at.mark(Diagnostic::warning(codes::EMPTY_MATCH, message).with_help(help)));
        };
        if let Some(service) = route.service.as_deref().filter(|name| !self.any(|being| being.service == *name)) {
            let help = suggestion::help(service, self.names(|being| Some(&being.service)).iter().copied(), "services");
            tell("service", format!("no loaded SLO is of the service `{service}`"), help);
        }
        // Of an owner that the configuration does not have it was told already.
        let owners = &config.config.owners;
        let listed = |name: &str| owners.is_empty() || owners.contains_key(name);
        let unowned = |name: &&str| listed(name) && !self.any(|being| being.owner.as_deref() == Some(*name));
        if let Some(owner) = route.owner.as_deref().filter(unowned) {
            let help =
                suggestion::help(owner, self.names(|being| being.owner.as_deref()).iter().copied(), "owners of SLOs");
            tell("owner", format!("no loaded SLO has the owner `{owner}`"), help);
        }
        if let Some(pattern) = route.slo.as_deref().filter(|pattern| !self.any(|being| being.is_called(pattern))) {
            let near = suggestion::closest(pattern, self.names(|being| Some(&being.id)));
            let help = near.map_or_else(
                || "write SERVICE/NAME with `*` for any letters, such as checkout/*".to_owned(),
                |id| format!("did you mean `{id}`?"),
            );
            tell("slo", format!("no SLO is `{pattern}`"), help);
        }
        if let Some(severity) = route.severity.filter(|severity| !self.any(|being| being.severities.contains(severity)))
        {
            let help = "take the route out, or use a policy with tiers of that severity".to_owned();
            tell("severity", format!("no policy of a loaded SLO has a {}", severity.name()), help);
        }
        for matcher in route.labels.iter().filter(|matcher| !self.any(|being| being.may_have(matcher))) {
            let (message, help) = self.label(matcher);
            tell("labels", message, help);
        }
    }

    /// What is to be said of a matcher that holds for nothing.
    fn label(&self, matcher: &Matcher) -> (String, String) {
        let Matcher { name, operation, value, .. } = matcher;
        let values = self.names(|being| being.labels.get(name).map(String::as_str));
        if values.is_empty() {
            let names: BTreeSet<&str> = self
                .beings
                .iter()
                .flat_map(|being| being.labels.keys().chain(&being.open))
                .map(String::as_str)
                .collect();
            let message = format!("no alert of a loaded SLO has the label `{name}`");
            return (message, suggestion::help(name, names.iter().copied(), "labels"));
        }
        let message = format!("no alert of a loaded SLO has `{name}{operation}\"{value}\"`");
        let help = match operation {
            Operation::Equal => suggestion::help(value, values.iter().copied(), "values"),
            _ => format!(
                "its values: {}",
                values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
            ),
        };
        (message, help)
    }

    fn any(&self, is: impl Fn(&Being) -> bool) -> bool {
        self.beings.iter().any(is)
    }

    /// Each once, ascending.
    fn names<'a>(&'a self, name: impl Fn(&'a Being) -> Option<&'a str>) -> BTreeSet<&'a str> {
        self.beings.iter().filter_map(name).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::check::{judge, load};
    use crate::diag::codes;
    use crate::units::Day;
    use crate::yaml::SourceText;

    const SLO: &str = "---\nversion: slo/v1\nservice: shop\nowner: web\nlabels: {team: web}\n\
        links: {runbook: https://wiki.example/shop}\nslos:\n  - name: availability\n    objective: 99.9%\n    by: [region]\n    \
        sli: {events: {bad: 'r_total{code=~\"5..\"}', total: r_total}}\n";

    fn found(wanted: &str) -> Vec<String> {
        let config = "version: config/v1\nsinks: {am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}\n\
            server: {external_labels: {cluster: eu1}}\n";
        let text = format!("{config}routes: [{{match: {wanted}, to: [am]}}, {{match: {{}}, to: [am]}}]\n{SLO}");
        let loaded = load::load(&[SourceText::named("f", text)]);
        assert!(!loaded.has_errors(), "{:?}", loaded.findings);
        let findings = judge(&loaded, Day::default());
        let of_ours = findings.into_iter().filter(|finding| finding.code == codes::EMPTY_MATCH);
        of_ours.map(|finding| format!("{}: {}", finding.message, finding.help.unwrap_or_default())).collect()
    }

    #[test]
    fn what_an_slo_or_a_source_has_is_matched() {
        for wanted in [
            "{service: shop}",
            "{service: source}",
            "{slo: 'shop/*'}",
            "{slo: 'shop/availability{region=\"eu\"}'}",
            "{slo: source/prometheus}",
            "{owner: web, severity: page}",
            "{labels: {team: web, cluster: eu1}}",
            "{labels: {region: anything}}",
            "{labels: {slo_severity: page, slo_service: shop}}",
            "{labels: [team!=shop]}",
            "{labels: [nothing=~\"a?\"]}",
        ] {
            assert_eq!(found(wanted), Vec::<String>::new(), "{wanted}");
        }
    }

    #[test]
    fn what_nothing_has_is_told_with_what_may_be_meant() {
        for (wanted, expected) in [
            ("{service: shpo}", "no loaded SLO is of the service `shpo`: did you mean `shop`?"),
            ("{slo: shop/nosuch}", "no SLO is `shop/nosuch`: write SERVICE/NAME"),
            ("{slo: shop/availabilty}", "no SLO is `shop/availabilty`: did you mean `shop/availability`?"),
            ("{owner: wbe}", "no loaded SLO has the owner `wbe`: did you mean `web`?"),
            ("{labels: {taem: web}}", "no alert of a loaded SLO has the label `taem`: did you mean `team`?"),
            ("{labels: {team: wbe}}", "no alert of a loaded SLO has `team=\"wbe\"`: did you mean `web`?"),
            ("{severity: notice}", "no policy of a loaded SLO has a notice"),
            ("{service: source, owner: web}", "no loaded SLO has all that this route asks for"),
        ] {
            let lines = found(wanted);
            assert!(lines.len() == 1 && lines[0].starts_with(expected), "{wanted}: {lines:?}");
        }
    }
}
