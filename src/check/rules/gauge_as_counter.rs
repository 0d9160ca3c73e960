//! `gauge_as_counter`: a metric that does not look like a counter is counted.

use crate::check::queries::{self, Selected};
use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, Set};
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::meant::Sli;
use crate::units::SloId;

/// A name that is no counter's, counted.
pub const RULE: Rule = Rule {
    code: codes::GAUGE_AS_COUNTER,
    severity: Severity::Warning,
    page: "Counts come from the increase of counters. A metric whose name ends in none of `_total`, `_count`, `_sum`
and `_bucket` is most likely a gauge, and every time a gauge falls the difference is taken for a restart:
events are invented.

Use the counter. Where the metric is a counter with an unusual name, the warning may be lived with.",
    failing: Some(Failing {
        line: 11,
        column: 16,
        text: r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli:
      events:
        bad: requests_total{job="shop", code=~"5.."}
        total: requests_in_flight{job="shop"}
"#,
    }),
    passing: Some(
        r#"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli:
      events:
        bad: requests_total{job="shop", code=~"5.."}
        total: requests_total{job="shop"}
"#,
    ),
    lint: Some(lint),
};

/// Endings of names that Prometheus' conventions keep for counters.
const COUNTERS: [&str; 4] = ["_total", "_count", "_sum", "_bucket"];
/// Functions that take the increase of a counter.
const FUNCTIONS: [&str; 3] = ["rate", "irate", "increase"];

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    for slo in &set.slos {
        let sides = match &slo.slo.sli {
            Sli::Exact { events, total, .. } => [vec![events.metric.clone()], vec![total.metric.clone()]],
            Sli::Pushdown { events, total, .. } => [counted(&events.text), counted(&total.text)],
            Sli::Gauge { .. } | Sli::Ratio { .. } => continue,
        };
        for (metrics, at) in sides.iter().zip([slo.events_place(), slo.total_place()]) {
            for metric in metrics.iter().filter(|metric| !is_counter(metric)) {
                found.push(finding(&slo.slo.id, metric, at));
            }
        }
    }
}

fn finding(slo: &SloId, metric: &str, at: At<'_>) -> Diagnostic {
    let message = format!("`{metric}` does not look like a counter, and its increase is counted");
    let finding = Diagnostic::warning(codes::GAUGE_AS_COUNTER, message)
        .with_help("counters end in `_total`, `_count`, `_sum` or `_bucket`")
        .of(slo.clone());
    at.mark_word(finding, metric)
}

/// Metrics under a function that counts, each once.
fn counted(text: &str) -> Vec<String> {
    if text.contains("histogram_count") {
        // The rate of a native histogram, whose name has no ending.
        return Vec::new();
    }
    let selected = queries::parse(text).map(|query| queries::selected(&query)).unwrap_or_default();
    let under = |selected: &Selected| selected.function.as_deref().is_some_and(|name| FUNCTIONS.contains(&name));
    let mut metrics: Vec<String> =
        selected.into_iter().filter(under).map(|selected| selected.metric).filter(|name| !name.is_empty()).collect();
    metrics.sort_unstable();
    metrics.dedup();
    metrics
}

fn is_counter(metric: &str) -> bool {
    COUNTERS.iter().any(|ending| metric.ends_with(ending))
}
