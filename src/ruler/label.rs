//! Names, labels and annotations of alerts: those that `slo run` sends, in the form that rulers take.
//!
//! Rulers render templates in labels and annotations: text of native files is escaped, text of another tool's files is
//! a template already. Names that rulers refuse get `_` for what does not fit, as towards Alertmanager.

use std::collections::BTreeMap;

use crate::engine::definition::Kind;
use crate::policy::alert::AlertKind;
use crate::policy::figure::{count, percent};
use crate::policy::subject::{Subject, labels_of};
use crate::ruler::template::is_sound;
use crate::ruler::{Item, Terms};
use crate::spec::meant::ForeignAlert;
use crate::spec::policy::AlertSeverity;
use crate::units::Labels;

/// How an alert is called and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Naming {
    /// `alertname`.
    pub(super) name: String,
    /// Without the group's labels.
    pub(super) labels: BTreeMap<String, String>,
    /// What it says.
    pub(super) annotations: BTreeMap<String, String>,
    /// Labels of the recorded series that the alert must not have.
    pub(super) dropped: &'static str,
    /// Labels and annotations of the file whose templates no ruler would take: written as text.
    pub(super) unsound: Vec<String>,
}

/// The names of the alert of this severity and kind, made of tiers of these kinds.
pub(super) fn naming(
    item: &Item<'_>,
    terms: Terms<'_>,
    severity: AlertSeverity,
    kind: AlertKind,
    tiers: &[Kind],
) -> Naming {
    let silence = matches!(kind, AlertKind::Down | AlertKind::NoData);
    let foreign = item.slo.alerting.foreign.as_deref();
    let named = foreign
        .and_then(|foreign| foreign.alerts.iter().find(|alert| alert.severity == severity && alert.silence == silence));
    named.map_or_else(|| native(item, terms, severity, kind, tiers), of_another_tool)
}

fn of_another_tool(alert: &ForeignAlert) -> Naming {
    let both = alert.labels.iter().chain(&alert.annotations);
    let unsound = both.filter(|(_, text)| !is_sound(text)).map(|(name, _)| name.clone()).collect();
    let written = |map: &BTreeMap<String, String>| {
        let (sound, other) = map.clone().into_iter().partition(|(_, text)| is_sound(text));
        let mut all: BTreeMap<String, String> = sound;
        all.extend(escaped(other));
        valid(all)
    };
    Naming {
        name: alert.name.clone(),
        labels: written(&alert.labels),
        annotations: written(&alert.annotations),
        dropped: "window, slo_service, slo_name",
        unsound,
    }
}

fn native(item: &Item<'_>, terms: Terms<'_>, severity: AlertSeverity, kind: AlertKind, tiers: &[Kind]) -> Naming {
    let subject = Subject::of(item.slo, &BTreeMap::new());
    let mut labels = labels_of(&subject.shared_labels(&Labels::new()), severity, kind);
    let name = labels.remove("alertname").unwrap_or_else(|| kind.alert_name().to_owned());
    let written = terms.severity.get(&severity).map_or(severity.name(), String::as_str);
    labels.insert("severity".to_owned(), written.to_owned());
    let annotations = annotations(item, tiers);
    Naming {
        name,
        labels: valid(escaped(labels)),
        annotations: valid(annotations),
        dropped: "window",
        unsound: Vec::new(),
    }
}

/// What is the matter, and how that shows, where a tier of this kind fires.
fn words(item: &Item<'_>, tier: Kind) -> (&'static str, String) {
    let (objective, window) = (item.slo.objective, item.slo.window);
    match tier {
        Kind::Burn { .. } | Kind::SliBelow { .. } => (
            "burns its error budget too fast",
            format!("{{{{ $value | humanizePercentage }}}} of events are bad (objective {objective})"),
        ),
        Kind::BudgetLeft { below } => (
            "is running out of its error budget",
            format!("less than {} of its error budget over {window} is left", percent(below)),
        ),
        Kind::BudgetDrop { drop, over } => (
            "has spent much of its error budget",
            format!("more than {} of its error budget over {window} was spent within {over}", percent(drop)),
        ),
        // No rule is made of it.
        Kind::Exhausts { within, .. } => {
            ("is running out of its error budget", format!("it will be gone within {within}"))
        }
        Kind::Down { .. } => ("has no target that is up", "no target answers, and nothing is measured".to_owned()),
        Kind::NoData { .. } => (
            "has no data where there usually is some",
            "nothing is measured, and at this time of the day there were events".to_owned(),
        ),
        Kind::NoTraffic { over, min_total } => {
            let events = if min_total > 0.0 { format!("at most {}", count(min_total)) } else { "no".to_owned() };
            ("has too little traffic", format!("it is measured, and has had {events} events within {over}"))
        }
    }
}

/// Each once, any of them.
fn any_of<T: AsRef<str>>(all: impl IntoIterator<Item = T>) -> String {
    let mut once: Vec<T> = Vec::new();
    for one in all {
        if once.iter().all(|known| known.as_ref() != one.as_ref()) {
            once.push(one);
        }
    }
    once.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", or ")
}

/// Ours first, then links and what the files say, which win.
fn annotations(item: &Item<'_>, tiers: &[Kind]) -> BTreeMap<String, String> {
    let (what, reasons): (Vec<&str>, Vec<String>) = tiers.iter().map(|tier| words(item, *tier)).unzip();
    let (what, reason) = (any_of(what), any_of(reasons));
    let mut all = escaped(item.slo.links.clone());
    if let Some(runbook) = all.get("runbook").cloned() {
        // The name under which tools around Alertmanager look for it.
        all.insert("runbook_url".to_owned(), runbook);
    }
    let mut ours =
        BTreeMap::from([("summary".to_owned(), format!("{} {what}", instance(item))), ("reason".to_owned(), reason)]);
    ours.extend(all);
    ours.extend(escaped(item.slo.alerting.annotations.clone()));
    ours
}

/// `checkout/availability{region="{{ $labels.region }}"}`.
fn instance(item: &Item<'_>) -> String {
    if item.slo.by.is_empty() {
        return item.slo.id.to_string();
    }
    let mut by = item.slo.by.clone();
    by.sort_unstable();
    let group: Vec<String> = by.iter().map(|label| format!("{label}=\"{{{{ $labels.{label} }}}}\"")).collect();
    format!("{}{{{}}}", item.slo.id, group.join(","))
}

/// Text that is no template.
fn escaped(map: BTreeMap<String, String>) -> BTreeMap<String, String> {
    map.into_iter().map(|(name, value)| (name, value.replace("{{", "{{\"{{\"}}"))).collect()
}

/// Names that every ruler takes; what is empty is no label.
fn valid(map: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut valid = BTreeMap::new();
    // Names that are valid as written first: they keep their names.
    let (fine, others): (Vec<_>, Vec<_>) = map.into_iter().partition(|(name, _)| valid_name(name) == *name);
    for (name, value) in fine.into_iter().chain(others).filter(|(_, value)| !value.is_empty()) {
        let mut name = valid_name(&name);
        while valid.contains_key(&name) {
            name.push('_');
        }
        valid.insert(name, value);
    }
    valid
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`.
fn valid_name(name: &str) -> String {
    let valid: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if valid.starts_with(|c: char| c.is_ascii_digit()) || valid.is_empty() { format!("_{valid}") } else { valid }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_valid_and_stay_apart() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let made = valid(map(&[("app.io/team", "a"), ("app_io_team", "b"), ("1st", "c"), ("none", "")]));
        assert_eq!(made, map(&[("app_io_team", "b"), ("app_io_team_", "a"), ("_1st", "c")]));
        assert_eq!(escaped(map(&[("a", "{{ $value }}")]))["a"], "{{\"{{\"}} $value }}");
    }
}
