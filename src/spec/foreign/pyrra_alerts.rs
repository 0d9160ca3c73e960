//! `alerting` of a Pyrra SLO, with the labels and annotations of its alerts.
//!
//! Pyrra writes four burn-rate alerts of one name and one or two for absent metrics. Here two of the four are one page,
//! the others one ticket; the alert for absence pages as `no_data` and as `down`, after the time that a total outage
//! takes to fire the fastest tier: `14 * B * W/672` in whole seconds, and that tier's `for`, in whole minutes.
//! Worked, 28 d at 99.9%: 50 s + 2 min is 3 min.

use std::collections::BTreeMap;
use std::sync::Arc;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use crate::diag::{Diagnostic, codes};
use crate::spec::foreign::pyrra_indicator::Indicator;
use crate::spec::foreign::{Unknown, flag, mapping, not_honoured, preset, text};
use crate::spec::meant::{Alerting, Foreign, ForeignAlert, Mode, Origin};
use crate::spec::policy::{AlertSeverity, Gates, Policy, PolicyTier, TierKind};
use crate::spec::selector::Operation;
use crate::spec::slos::Surroundings;
use crate::units::{Length, Objective};
use crate::yaml::{NodeId, Reader};

/// Name of the preset.
const POLICY: &str = "pyrra";
/// Names and severities where the file gives none.
const NAME: &str = "ErrorBudgetBurn";
const ABSENT_NAME: &str = "SLOMetricAbsent";
const CRITICAL: &str = "critical";
const WARNING: &str = "warning";

/// What the metadata passes on to every alert.
#[derive(Clone, Debug)]
pub(super) struct Propagated {
    /// `pyrra.dev/` labels without the prefix.
    pub(super) labels: BTreeMap<String, String>,
    /// `pyrra.dev/` annotations without the prefix.
    pub(super) annotations: BTreeMap<String, String>,
}

/// Reads `alerting` of `spec`; `terms` are the objective and the window, where both could be read.
pub(super) fn read_alerting(
    reader: &mut Reader<'_>,
    spec: NodeId,
    name: &str,
    propagated: &Propagated,
    indicator: Option<&Indicator>,
    terms: Option<(Objective, Length)>,
    around: &Surroundings<'_>,
) -> Option<Alerting> {
    let known = ["disabled", "burnrates", "absent", "name", "absentName", "severities"];
    let node = mapping(reader, spec, "alerting", &known, Unknown::Refused);
    let mut on = |key: &str| node.and_then(|node| flag(reader, node, key));
    let disabled = on("disabled") == Some(true);
    let burns = on("burnrates") != Some(false) && !disabled;
    let absent = on("absent") != Some(false);
    if disabled && let Some(node) = node {
        let message = "`disabled` is deprecated in Pyrra, and switches the burn rates off only";
        let finding = Diagnostic::info(codes::NOT_HONOURED, message).with_help("write `burnrates: false`");
        reader.report_in(node, "disabled", finding);
    }
    let severities = read_severities(reader, node);
    let mut named =
        |key: &str, default: &str| node.and_then(|node| text(reader, node, key)).unwrap_or(default).to_owned();
    let (alert_name, absent_name) = (named("name", NAME), named("absentName", ABSENT_NAME));
    let (indicator, (objective, window)) = (indicator?, terms?);
    let after = (absent && indicator.absent).then(|| absent_after(objective, window));
    let policy = policy(around, burns, after)?;
    let labels = labels(name, propagated, indicator);
    let alert = |severity: AlertSeverity, silence: bool, name: &str, label: &str| {
        let mut labels = labels.clone();
        labels.insert("severity".to_owned(), label.to_owned());
        let annotations = propagated.annotations.clone();
        ForeignAlert { severity, silence, name: name.to_owned(), labels, annotations }
    };
    let mut alerts = Vec::new();
    if burns {
        alerts.push(alert(AlertSeverity::Page, false, &alert_name, &severities.page));
        alerts.push(alert(AlertSeverity::Ticket, false, &alert_name, &severities.ticket));
    }
    if after.is_some() {
        alerts.push(alert(AlertSeverity::Page, true, &absent_name, &severities.absent));
    }
    Some(Alerting {
        mode: if policy.all_tiers().next().is_none() { Mode::Off } else { around.mode },
        policy,
        labels: BTreeMap::new(),
        annotations: propagated.annotations.clone(),
        foreign: Some(Arc::new(Foreign { origin: Origin::Pyrra, alerts, recorded: Vec::new() })),
    })
}

/// Values of the label `severity`.
struct Severities {
    page: String,
    ticket: String,
    absent: String,
}

/// `severities`: there is one page and one ticket, so two of the four are told where they differ.
fn read_severities(reader: &mut Reader<'_>, alerting: Option<NodeId>) -> Severities {
    let known = ["fastBurn", "mediumBurn", "slowBurn", "longTermBurn", "absent"];
    let node = alerting.and_then(|node| mapping(reader, node, "severities", &known, Unknown::Refused));
    let mut read =
        |key: &str, default: &str| node.and_then(|node| text(reader, node, key)).unwrap_or(default).to_owned();
    let severities = Severities {
        page: read("fastBurn", CRITICAL),
        ticket: read("slowBurn", WARNING),
        absent: read("absent", CRITICAL),
    };
    let pairs = [
        ("mediumBurn", read("mediumBurn", CRITICAL), "fastBurn", &severities.page, "page"),
        ("longTermBurn", read("longTermBurn", WARNING), "slowBurn", &severities.ticket, "ticket"),
    ];
    let Some(node) = node else { return severities };
    let document = reader.document();
    for (key, severity, other, sent, alert) in pairs {
        if severity != *sent {
            let message = format!("`{key}` is `{severity}`, and the {alert} that it is part of carries `{sent}`");
            let written = if document.child(node, key).is_some() { key } else { other };
            let help = format!("`{key}` and `{other}` are one alert here; give both one severity");
            reader.report_in(node, written, not_honoured(message).with_help(help));
        }
    }
    severities
}

/// The labels of every alert but `severity`: later ones win, as in Pyrra.
fn labels(name: &str, propagated: &Propagated, indicator: &Indicator) -> BTreeMap<String, String> {
    let mut labels = propagated.labels.clone();
    labels.insert("slo".to_owned(), name.to_owned());
    for matcher in &indicator.matchers {
        let grouped = indicator.by.contains(&matcher.name);
        if matcher.operation == Operation::Equal && !grouped && !matcher.value.is_empty() {
            labels.insert(matcher.name.clone(), matcher.value.clone());
        }
    }
    labels
}

/// After how long Pyrra says that a metric is absent.
fn absent_after(objective: Objective, window: Length) -> Length {
    let minutes = |part: i64| {
        let unit = part * Length::from_minutes(1).millis();
        (2 * window.millis() + unit) / (2 * unit)
    };
    let (long, for_) = (Length::from_minutes(minutes(672)), Length::from_minutes(minutes(20_160)));
    let outage = Decimal::from(14) * objective.budget() * Decimal::from(long.millis()) / Decimal::ONE_THOUSAND;
    let whole = Length::from_seconds(outage.trunc().to_i64().unwrap_or_default()) + for_;
    let minute = Length::from_minutes(1).millis();
    Length::from_minutes(((2 * whole.millis() + minute) / (2 * minute)).max(1))
}

/// The preset, without its burn tiers or with tiers for absence.
fn policy(around: &Surroundings<'_>, burns: bool, after: Option<Length>) -> Option<Arc<Policy>> {
    let preset = preset(POLICY, around)?;
    if burns && after.is_none() {
        return Some(preset);
    }
    let mut policy = Policy::clone(&preset);
    if !burns {
        policy.tiers.clear();
        policy.periods.clear();
    }
    for kind in after.iter().flat_map(|after| [TierKind::NoData { after: *after }, TierKind::Down { after: *after }]) {
        let tier = PolicyTier { severity: AlertSeverity::Page, kind, gates: Gates::default(), for_part: None };
        policy.tiers.push(tier);
    }
    Some(Arc::new(policy))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of Pyrra's own documentation for 28 days.
    #[test]
    fn absence_is_told_as_soon_as_an_outage_would_be() {
        for (objective, window, minutes) in
            [("99%", 28, 10), ("99.5%", 28, 6), ("99.9%", 28, 3), ("99.9%", 7, 1), ("99.99%", 28, 2)]
        {
            let after = absent_after(objective.parse().unwrap(), Length::from_days(window));
            assert_eq!(after, Length::from_minutes(minutes), "{objective} {window}d");
        }
    }
}
