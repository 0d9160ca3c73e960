//! `uneven_window`: a window that is no whole number of slices.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{Set, SloAt};
use crate::check::tiers::of_slo;
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::policy::{PolicyLength, TierKind};
use crate::units::Length;

/// A window that is no whole number of slices.
pub const RULE: Rule = Rule {
    code: codes::UNEVEN_WINDOW,
    severity: Severity::Warning,
    page: "Windows begin and end where slices do. A length that is no multiple of the slice is rounded up to the next
one, so the window that is judged is longer than the one that was written.

Use a multiple of the slice (30 s by default).",
    failing: Some(Failing {
        line: 5,
        column: 68,
        text: r"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page,   burn: {factor: 14.4, over: 1h, confirm: 5m10s}}
      - {severity: page,   burn: {factor: 6,    over: 6h, confirm: 30m}}
      - {severity: ticket, burn: {factor: 1,    over: 3d, confirm: 6h}}
",
    }),
    passing: Some(
        r"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page,   burn: {factor: 14.4, over: 1h, confirm: 5m}}
      - {severity: page,   burn: {factor: 6,    over: 6h, confirm: 30m}}
      - {severity: ticket, burn: {factor: 1,    over: 3d, confirm: 6h}}
",
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    let slice = set.slice();
    for policy in &set.policies {
        for (index, tier) in policy.policy.tiers.iter().enumerate() {
            let TierKind::Burn { over, confirm, .. } = tier.kind else { continue };
            let fixed = |length| match length {
                PolicyLength::Fixed(length) => Some(length),
                // Whole minutes, which every slice divides or is a multiple of; seen through the SLOs where not.
                PolicyLength::Part(_) => None,
            };
            for (key, length) in uneven(fixed(over), confirm.and_then(fixed), slice) {
                found.push(policy.tier(index).nearest(&["burn", key]).mark(finding(key, length, slice)));
            }
        }
    }
    for slo in &set.slos {
        if !slo.slo.window.is_multiple_of(slice) {
            found.push(slo.blame("window", finding("window", slo.slo.window, slice)));
        }
        // The windows of a preset depend on the SLO's period; those of the files were looked at above.
        if slo.alerts() && set.policy_of(slo.slo).is_none() {
            found.extend(of_preset(slo, slice));
        }
    }
}

fn of_preset(slo: &SloAt<'_>, slice: Length) -> Vec<Diagnostic> {
    let policy = &slo.slo.alerting.policy;
    let mut found = Vec::new();
    for tier in of_slo(slo) {
        for (key, length) in uneven(Some(tier.over), tier.confirm, slice) {
            let mut finding = finding(key, length, slice).of(slo.slo.id.clone());
            finding.message = format!("{} of {}", finding.message, tier.named(&policy.name));
            found.push(slo.policy_place().mark(finding));
        }
    }
    found
}

fn uneven(
    over: Option<Length>,
    confirm: Option<Length>,
    slice: Length,
) -> impl Iterator<Item = (&'static str, Length)> {
    let windows = [("over", over), ("confirm", confirm)];
    windows
        .into_iter()
        .filter_map(|(key, length)| Some((key, length?)))
        .filter(move |(_, length)| !length.is_multiple_of(slice))
}

fn finding(key: &str, length: Length, slice: Length) -> Diagnostic {
    let rounded = slice * (length.count_of(slice) + 1);
    Diagnostic::warning(codes::UNEVEN_WINDOW, format!("`{key}: {length}` is not a multiple of the slice of {slice}"))
        .with_help(format!("it would be judged over {rounded}; write that, or another multiple of {slice}"))
}
