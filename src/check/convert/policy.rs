//! Policies of converted SLOs: the presets by name, all others written out.

use std::fmt::Write;

use rust_decimal::Decimal;

use crate::check::convert::write::scalar;
use crate::check::load::Loaded;
use crate::spec::meant::{Mode, Slo};
use crate::spec::policy::{AlertSeverity, BurnThreshold, Gates, Policy, PolicyTier, TierKind};
use crate::spec::preset::presets;
use crate::units::Length;

/// Policies that are written out, in the order in which they were needed.
#[derive(Debug, Default)]
pub(super) struct Policies {
    written: Vec<Policy>,
}

impl Policies {
    pub(super) fn count(&self) -> usize {
        self.written.len()
    }

    /// The documents of those needed since there were `known`; none or one.
    pub(super) fn since(&self, known: usize) -> Option<String> {
        let new = self.written.get(known..).filter(|new| !new.is_empty())?;
        Some(new.iter().fold("version: policy/v1\npolicies:\n".to_owned(), |text, policy| text + &written(policy)))
    }

    /// The name of an SLO's policy, which is noted where it has to be written out; `None`: it has no alerts.
    pub(super) fn name_of(&mut self, slo: &Slo, loaded: &Loaded) -> Option<String> {
        if slo.alerting.mode == Mode::Off {
            return None;
        }
        let policy = &slo.alerting.policy;
        // A policy of the user's own that takes the name of a preset stays where it is.
        let is_known = |known: &Policy| known.name == policy.name && known.says_the_same(policy);
        let in_file = loaded.policies.get(&policy.name).is_some_and(|known| is_known(known));
        let is_made = !presets().contains_key(&policy.name);
        if in_file && !is_made {
            return Some(policy.name.clone());
        }
        let (_, tiers) = policy.tiers_for(slo.window)?;
        let wanted = Policy { tiers: tiers.to_vec(), periods: Vec::new(), ..Policy::clone(policy) };
        if let Some(same) = self.written.iter().find(|known| known.says_the_same(&wanted)) {
            return Some(same.name.clone());
        }
        let stem = described(&policy.name, tiers);
        let (mut name, mut number) = (stem.clone(), 2);
        while self.written.iter().any(|known| known.name == name) {
            name = format!("{stem}-{number}");
            number += 1;
        }
        self.written.push(Policy { name: name.clone(), ..wanted });
        Some(name)
    }

    /// The name under which an SLO's policy stands, once all are known.
    pub(super) fn known(&self, slo: &Slo) -> String {
        let tiers = slo.alerting.policy.tiers_for(slo.window).map(|(_, tiers)| tiers).unwrap_or_default();
        let found = self.written.iter().find(|known| known.tiers == tiers);
        found.map_or_else(|| slo.alerting.policy.name.clone(), |known| known.name.clone())
    }
}

/// A name that says how the policy differs from its preset: `sloth-ticket`, `pyrra-absent-3m`.
fn described(base: &str, tiers: &[PolicyTier]) -> String {
    let is_burn = |tier: &&PolicyTier| matches!(tier.kind, TierKind::Burn { .. });
    let has = |severity| tiers.iter().filter(is_burn).any(|tier| tier.severity == severity);
    let mut name = base.to_owned();
    match (has(AlertSeverity::Page), has(AlertSeverity::Ticket)) {
        (true, false) => name.push_str("-page"),
        (false, true) => name.push_str("-ticket"),
        (false, false) => name.push_str("-only"),
        (true, true) => {}
    }
    let absent = tiers.iter().find_map(|tier| match tier.kind {
        TierKind::NoData { after } => Some(after),
        _ => None,
    });
    if let Some(after) = absent {
        // Writing to a string cannot fail.
        let _ = write!(name, "-absent-{after}");
    }
    name
}

fn written(policy: &Policy) -> String {
    let mut text = format!("  - name: {}\n    description: {}\n", policy.name, scalar(&policy.description));
    // Writing to a string cannot fail.
    if let Some(on_deploy) = &policy.on_deploy {
        let severities: Vec<&str> = on_deploy.severities.iter().map(|severity| severity.name()).collect();
        let _ = writeln!(text, "    on_deploy: {{hold: {}, severities: [{}]}}", on_deploy.hold, severities.join(", "));
    }
    if let Some(below) = policy.scale_below {
        let _ = writeln!(text, "    scale_below: {below}");
    }
    text += "    tiers:\n";
    for tier in &policy.tiers {
        let _ = writeln!(text, "      - {{severity: {}, {}{}}}", tier.severity.name(), kind(&tier.kind), gates(tier));
    }
    text
}

fn percent(share: Decimal) -> String {
    format!("{}%", (share * Decimal::ONE_HUNDRED).normalize())
}

fn kind(kind: &TierKind) -> String {
    match kind {
        TierKind::Burn { threshold, over, confirm } => {
            let threshold = match threshold {
                BurnThreshold::Factor(factor) => format!("factor: {}", factor.normalize()),
                BurnThreshold::Spend(share) => format!("spend: {}", percent(*share)),
            };
            let confirm = confirm.map_or_else(String::new, |confirm| format!(", confirm: {confirm}"));
            format!("burn: {{{threshold}, over: {over}{confirm}}}")
        }
        TierKind::Exhausts { within, lookback, min_burn } => {
            format!("exhausts: {{within: {within}, lookback: {lookback}, min_burn: {}}}", min_burn.normalize())
        }
        TierKind::BudgetLeft { below } => format!("budget_left: {{below: {}}}", percent(*below)),
        TierKind::BudgetDrop { drop, over } => format!("budget_drop: {{drop: {}, over: {over}}}", percent(*drop)),
        TierKind::SliBelow { target, over } => format!("sli_below: {{target: {target}, over: {over}}}"),
        TierKind::NoTraffic { over, min_total } => format!("no_traffic: {{over: {over}, min_total: {min_total}}}"),
        TierKind::Down { after } => format!("down: {{after: {after}}}"),
        TierKind::NoData { after } => format!("no_data: {{after: {after}}}"),
    }
}

/// The gates that are not open.
fn gates(tier: &PolicyTier) -> String {
    let (gates, open) = (&tier.gates, Gates::default());
    let mut parts = vec![String::new()];
    let mut length = |key: &str, length: Length| {
        if length > Length::ZERO {
            parts.push(format!("{key}: {length}"));
        }
    };
    length("for", gates.for_);
    length("keep_firing_for", gates.keep_firing_for);
    parts.extend(tier.for_part.map(|part| format!("for: W/{part}")));
    parts.extend((gates.min_bad > open.min_bad).then(|| format!("min_bad: {}", gates.min_bad)));
    parts.extend((gates.min_total > open.min_total).then(|| format!("min_total: {}", gates.min_total)));
    parts.extend((gates.hold < open.hold).then(|| format!("hold: {}%", gates.hold * 100.0)));
    parts.join(", ")
}
