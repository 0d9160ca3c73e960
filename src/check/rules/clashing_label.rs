//! `clashing_label`: a label that an alert carries already.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, Set, SloAt};
use crate::diag::{Diagnostic, Severity, codes};

/// A label that an alert carries already.
pub const RULE: Rule = Rule {
    code: codes::CLASHING_LABEL,
    severity: Severity::Error,
    page: "Every alert carries `alertname`, `severity`, `slo_severity`, `slo_service`, `slo_name` and `owner`, the
labels of its group (`by`) and the configured `external_labels`. A label of the same name, written for the
SLO, would replace one of them: routes would miss the alert, and two alerts could become one.

Choose another name. Labels of `by` must not take these names either, nor those of `external_labels`.",
    failing: Some(Failing {
        line: 4,
        column: 10,
        text: r#"version: slo/v1
service: shop
owner: web
labels: {severity: high}
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    sli:
      events:
        bad: requests_total{job="shop", code=~"5.."}
        total: requests_total{job="shop"}
"#,
    }),
    passing: Some(
        r#"version: slo/v1
service: shop
owner: web
labels: {importance: high}
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

/// Labels that an alert carries whatever the files say (INTERFACES 5).
pub(in crate::check) const RESERVED: [&str; 6] =
    ["alertname", "severity", "slo_severity", "slo_service", "slo_name", "owner"];

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    let external: Vec<&str> =
        set.config.iter().flat_map(|config| config.config.server.external_labels.keys().map(String::as_str)).collect();
    for label in
        set.config.iter().filter_map(|config| config.at.find(&["server", "external_labels"])).flat_map(At::items)
    {
        if let Some(name) = label.key().filter(|name| RESERVED.contains(name)) {
            found.push(at_key(label, finding(name, "every alert carries a label of this name")));
        }
    }
    for slo in &set.slos {
        found.extend(of_slo(slo, &external));
    }
}

fn of_slo(slo: &SloAt<'_>, external: &[&str]) -> Vec<Diagnostic> {
    let outside = |name: &str| -> Option<&'static str> {
        if RESERVED.contains(&name) && slo.origin().is_none() {
            // Alerts of foreign files carry the labels of their tool, which users may override.
            Some("every alert carries a label of this name")
        } else if external.contains(&name) {
            Some("`external_labels` adds a label of this name")
        } else {
            None
        }
    };
    let mut found = Vec::new();
    let root = slo.at.root();
    let shared = root.find(&["labels"]).or_else(|| root.find(&["spec", "labels"]));
    let labels = [shared, slo.at.find(&["labels"]), slo.at.find(&["alerting", "labels"])];
    for label in labels.into_iter().flatten().flat_map(At::items) {
        let Some(name) = label.key() else { continue };
        let grouped = slo.slo.by.iter().any(|by| by == name).then_some("the group has a label of this name");
        if let Some(reason) = outside(name).or(grouped) {
            let severity = if slo.origin().is_some() { Severity::Warning } else { Severity::Error };
            found.push(at_key(label, Diagnostic { severity, ..finding(name, reason) }));
        }
    }
    for by in slo.at.find(&["by"]).into_iter().flat_map(At::items) {
        if let Some((name, reason)) = by.text().and_then(|name| Some((name, outside(name)?))) {
            found.push(by.mark(finding(name, reason).of(slo.slo.id.clone())));
        }
    }
    found
}

fn finding(name: &str, reason: &str) -> Diagnostic {
    Diagnostic::error(codes::CLASHING_LABEL, format!("label `{name}` clashes: {reason}"))
        .with_help("choose another name")
}

fn at_key(label: At<'_>, finding: Diagnostic) -> Diagnostic {
    label.mark_at(finding, label.key_place())
}
