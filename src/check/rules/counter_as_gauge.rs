//! `counter_as_gauge`: the value of a counter is judged as it stands.

use crate::check::queries;
use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::meant::Sli;

/// A counter's value judged as it stands.
pub const RULE: Rule = Rule {
    code: codes::COUNTER_AS_GAUGE,
    severity: Severity::Warning,
    page: "The value of a counter says how long its process has run, not how well: it grows until the process restarts, and
then begins at 0. A gauge that compares it with a bound is good first and bad for ever after.

Put it under a function, as in `increase(errors_total[5m])`, or count it with `events`.",
    failing: Some(Failing {
        line: 8,
        column: 30,
        text: r"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: errors
    objective: 99.9%
    sli: {gauge: {query: sum(errors_total), below: 100}}
",
    }),
    passing: Some(
        r"version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: errors
    objective: 99.9%
    sli: {gauge: {query: 'sum(increase(errors_total[5m]))', below: 100}}
",
    ),
    lint: Some(lint),
};

/// Endings of names that Prometheus' conventions keep for counters. (`_sum` and `_count` stand for gauges too often.)
const COUNTERS: [&str; 2] = ["_total", "_bucket"];

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    for slo in &set.slos {
        let Sli::Gauge { query, .. } = &slo.slo.sli else { continue };
        let selected = queries::parse(query).map(|query| queries::selected(&query)).unwrap_or_default();
        let bare = selected.into_iter().filter(|selected| selected.function.is_none()).map(|selected| selected.metric);
        if let Some(metric) = bare.into_iter().find(|name| COUNTERS.iter().any(|ending| name.ends_with(ending))) {
            let message = format!("`{metric}` looks like a counter, and its value is judged as it stands");
            let finding = Diagnostic::warning(codes::COUNTER_AS_GAUGE, message)
                .with_help("put it under a function such as increase(..[5m]), or count it with `events`")
                .of(slo.slo.id.clone());
            found.push(slo.total_place().mark_word(finding, &metric));
        }
    }
}
