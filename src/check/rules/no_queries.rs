//! `no_queries`: PromQL for a source that evaluates none.

use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::config::meant::SourceKind;
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::meant::Sli;

/// PromQL for a source that evaluates none.
pub const RULE: Rule = Rule {
    code: codes::NO_QUERIES,
    severity: Severity::Error,
    page: "A scraped page has samples and evaluates no queries. Only plain selectors can be counted there: `gauge`, `probe`,
`ratio`, native histograms and queries with `$window` need a store (Prometheus and its kin).

Name such a source with `source`, or write plain selectors.",
    failing: Some(Failing {
        line: 14,
        column: 5,
        text: r##"version: config/v1
owners: {web: {page: [hook], ticket: [hook], contact: "#web"}}
sources: {app: {type: scrape, targets: [http://127.0.0.1:8080/metrics]}}
sinks: {hook: {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}, am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}
routes: [{match: {}, to: [hook, am]}]
---
version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: queue
    objective: 99.9%
    sli: {gauge: {query: queue_length, below: 100}}
"##,
    }),
    passing: Some(
        r##"version: config/v1
owners: {web: {page: [hook], ticket: [hook], contact: "#web"}}
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: webhook, url: https://hooks.example/slo, secret: {env: HOOK_SECRET}}, am: {type: alertmanager, urls: [http://127.0.0.1:9093]}}
routes: [{match: {}, to: [hook, am]}]
---
version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: queue
    objective: 99.9%
    sli: {gauge: {query: queue_length, below: 100}}
"##,
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    let Some(config) = &set.config else { return };
    let scraped = |source: &str| {
        let source = config.config.sources.get(source);
        source.is_some_and(|source| matches!(source.kind, SourceKind::Scrape { .. }))
    };
    for slo in set.slos.iter().filter(|slo| scraped(&slo.slo.source)) {
        let kind = match slo.slo.sli {
            Sli::Exact { .. } => continue,
            Sli::Pushdown { .. } => "a query with `$window`",
            Sli::Gauge { .. } => "a gauge",
            Sli::Ratio { .. } => "a ratio",
        };
        let message = format!("`{}` is a scraped page and evaluates no queries, and this is {kind}", slo.slo.source);
        let finding = Diagnostic::error(codes::NO_QUERIES, message)
            .with_help("name a store with `source`, or count plain selectors")
            .of(slo.slo.id.clone());
        found.push(slo.at.nearest(&["sli"]).mark(finding));
    }
}
