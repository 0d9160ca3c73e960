//! `cannot_match`: one side of an SLI selects what the other never does.

use crate::check::queries::{self, Selected};
use crate::check::rule::{Failing, Rule};
use crate::check::set::{Set, SloAt};
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::meant::{Numerator, Sli};
use crate::spec::selector::{Matcher, Operation};
use crate::units::Labels;

/// Bad (or good) selects what the total never selects.
pub const RULE: Rule = Rule {
    code: codes::CANNOT_MATCH,
    severity: Severity::Error,
    page: "A matcher of `bad` (or `good`) contradicts one of `total`: no series is in both, so the failures of one
thing are divided by the requests of another.

On the labels that say what is measured (`job`, `namespace`, `instance`, `cluster`, `service` and those of
`by`) this is an error where both sides use one metric, else a warning.",
    failing: Some(Failing {
        line: 10,
        column: 14,
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
        total: requests_total{job="shpo"}
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

/// Labels that say which thing is measured.
const TARGET: [&str; 5] = ["job", "namespace", "instance", "cluster", "service"];

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    for slo in &set.slos {
        if let Some((events, total)) = sides(&slo.slo.sli)
            && let Some((ours, theirs)) = contradiction(&events.matchers, &total.matchers)
        {
            found.push(finding(slo, events.metric == total.metric, ours, theirs));
        }
    }
}

fn finding(slo: &SloAt<'_>, same_metric: bool, ours: &Matcher, theirs: &Matcher) -> Diagnostic {
    let side = match slo.slo.sli {
        Sli::Exact { numerator: Numerator::Bad, .. } | Sli::Pushdown { numerator: Numerator::Bad, .. } => "bad",
        _ => "good",
    };
    let message = format!("`{side}` asks for `{ours}` and `total` for `{theirs}`: no series is in both");
    let target = TARGET.contains(&ours.name.as_str()) || slo.slo.by.contains(&ours.name);
    let native = slo.origin().is_none(); // other tools take it
    let make = if same_metric && target && native { Diagnostic::error } else { Diagnostic::warning };
    let mut finding = make(codes::CANNOT_MATCH, message)
        .with_help(format!("let both sides select `{}` alike", ours.name))
        .of(slo.slo.id.clone());
    finding.related.push((slo.total_place().place(), "the total".to_owned()));
    slo.events_place().mark(finding)
}

/// The selectors of both sides, where each side has one.
fn sides(sli: &Sli) -> Option<(Selected, Selected)> {
    let only = |text: &str| -> Option<Selected> {
        let mut found = queries::selected(&queries::parse(text)?);
        (found.len() == 1).then(|| found.pop()).flatten()
    };
    match sli {
        Sli::Exact { events, total, .. } => Some((events.into(), total.into())),
        Sli::Pushdown { events, total, .. } => Some((only(&events.text)?, only(&total.text)?)),
        Sli::Gauge { .. } | Sli::Ratio { .. } => None,
    }
}

/// Two matchers on one label of which one demands a value that the other refuses.
fn contradiction<'a>(ours: &'a [Matcher], theirs: &'a [Matcher]) -> Option<(&'a Matcher, &'a Matcher)> {
    let pairs = ours.iter().flat_map(|ours| theirs.iter().map(move |theirs| (ours, theirs)));
    pairs.into_iter().find(|(ours, theirs)| {
        ours.name == theirs.name && (demands_refused(ours, theirs) || demands_refused(theirs, ours))
    })
}

fn demands_refused(demand: &Matcher, other: &Matcher) -> bool {
    demand.operation == Operation::Equal
        && !other.matches(&Labels::from([(demand.name.as_str(), demand.value.as_str())]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(name: &str, operation: Operation, value: &str) -> Matcher {
        Matcher::new(name, operation, value).unwrap()
    }

    #[test]
    fn only_a_demanded_value_can_be_refused() {
        let eu = [matcher("region", Operation::Equal, "eu")];
        for (operation, value, contradicts) in [
            (Operation::Equal, "us", true),
            (Operation::Equal, "eu", false),
            (Operation::NotEqual, "eu", true),
            (Operation::NotEqual, "us", false),
            (Operation::Match, "us|ap", true),
            (Operation::Match, "e.", false),
            (Operation::NotMatch, "e.", true),
        ] {
            let other = [matcher("region", operation, value)];
            assert_eq!(contradiction(&eu, &other).is_some(), contradicts, "{}", other[0]);
            assert_eq!(contradiction(&other, &eu).is_some(), contradicts, "{}", other[0]);
        }
        let codes = [matcher("code", Operation::Match, "5..")];
        assert!(contradiction(&codes, &[matcher("code", Operation::Match, "2..")]).is_none());
    }
}
