//! `uneven_window`: a window that is no whole number of slices.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{Set, SloAt};
use crate::check::tiers::{of_slo, other_windows, placed};
use crate::diag::{Diagnostic, Severity, codes};
use crate::spec::policy::{Policy, PolicyLength, TierKind};
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
    if !set.is_config_sound(&["slice"]) {
        return;
    }
    let slice = set.slice();
    for policy in &set.policies {
        // Parts of the period are whole minutes, seen through the SLOs below.
        let fixed = |length| if let PolicyLength::Fixed(length) = length { Some(length) } else { None };
        for (place, tier) in placed(policy.policy) {
            let TierKind::Burn { over, confirm, .. } = tier.kind else { continue };
            for (key, length) in uneven(fixed(over), confirm.and_then(fixed), slice) {
                found.push(policy.tier(place).nearest(&["burn", key]).mark(finding(key, length, slice)));
            }
        }
        for window in other_windows(policy.policy) {
            if let Some(length) = fixed(window.length).filter(|length| !length.is_multiple_of(slice)) {
                let at = policy.tier(window.place).nearest(&window.keys);
                found.push(at.mark(finding(window.keys[1], length, slice)));
            }
        }
    }
    for slo in &set.slos {
        if !slo.slo.window.is_multiple_of(slice) {
            found.push(slo.blame("window", finding("window", slo.slo.window, slice)));
        }
        // The windows of a preset, and parts of the period, depend on the SLO; all others were looked at above.
        if slo.alerts() && (set.policy_of(slo.slo).is_none() || has_parts(&slo.slo.alerting.policy)) {
            found.extend(of_preset(slo, slice));
        }
    }
}

/// Whether a burn tier has a window that is a part of the period.
fn has_parts(policy: &Policy) -> bool {
    let is_part = |length: PolicyLength| matches!(length, PolicyLength::Part(_));
    policy.all_tiers().any(|tier| {
        matches!(tier.kind, TierKind::Burn { over, confirm, .. } if is_part(over) || confirm.is_some_and(is_part))
    })
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
