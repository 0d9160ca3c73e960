//! The page `/metrics/slos` (INTERFACES 4), in Prometheus' text format 0.0.4.
//!
//! Written by hand: the label names are the users' own, and all samples of a family have to stand together, so each
//! family has its own text, filled instance by instance. Invariants: `HELP` and `TYPE` once for each family; values
//! are the shortest decimals that read back; label values are escaped; a group's label that would clash with one of
//! ours is written as `exported_` and its name, as Prometheus does; a window in which nothing was measured has a coverage
//! and no ratio, and a period in which nothing was has no budget: 0 and 1 would be claims.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::engine::verdict::WindowFigures;
use crate::policy::alert::{AlertState, WindowView};
use crate::runtime::service::InstanceView;
use crate::units::Labels;

/// Families in the order of the page: name, type, help.
const FAMILIES: [(&str, &str, &str); 7] = [
    ("slo_objective_ratio", "gauge", "Share of events that must be good."),
    ("slo_error_ratio", "gauge", "Share of bad events over the window."),
    ("slo_burn_rate", "gauge", "Error ratio over the window by the error budget: 1 spends it in exactly the period."),
    ("slo_error_budget_remaining_ratio", "gauge", "Share of the error budget that is left, negative when overspent."),
    ("slo_events_total", "counter", "Events since the service first judged the SLO, by outcome."),
    ("slo_alert_state", "gauge", "State of the alert: 0 inactive, 1 pending, 2 firing."),
    ("slo_coverage_ratio", "gauge", "Measured share of the window."),
];

const OBJECTIVE: usize = 0;
const ERROR_RATIO: usize = 1;
const BURN_RATE: usize = 2;
const REMAINING: usize = 3;
const EVENTS: usize = 4;
const ALERT_STATE: usize = 5;
const COVERAGE: usize = 6;

/// Labels that the page sets itself.
const OWN_LABELS: [&str; 7] = ["slo_service", "slo_name", "window", "outcome", "severity", "kind", "__name__"];

/// The page as it grows.
#[derive(Debug, Default)]
pub struct Page {
    samples: [String; FAMILIES.len()],
}

/// What a window gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Share of bad events.
    pub ratio: f64,
    /// Burn rate.
    pub rate: f64,
    /// Measured share of the window.
    pub coverage: f64,
    /// Anything was measured in it; where not, the other figures say nothing.
    pub measured: bool,
}

impl Figures {
    /// Those of a window.
    #[must_use]
    pub fn of(window: &WindowFigures) -> Self {
        let WindowFigures { share, rate, coverage, .. } = *window;
        Self { ratio: share, rate, coverage, measured: window.is_measured() }
    }
}

impl Page {
    /// Adds an instance.
    pub fn add(&mut self, view: &InstanceView) {
        let labels = labels(view);
        self.sample(OBJECTIVE, &labels, "", view.objective);
        for (length, figures) in windows(view) {
            let window = format!(",window=\"{length}\"");
            if figures.measured {
                self.sample(ERROR_RATIO, &labels, &window, figures.ratio);
                self.sample(BURN_RATE, &labels, &window, figures.rate);
            }
            self.sample(COVERAGE, &labels, &window, figures.coverage);
        }
        if view.is_known() {
            self.sample(REMAINING, &labels, "", view.budget.remaining);
        }
        self.sample(EVENTS, &labels, ",outcome=\"good\"", view.counted.good);
        self.sample(EVENTS, &labels, ",outcome=\"bad\"", view.counted.bad);
        for ((severity, kind), state) in alert_states(view) {
            self.sample(ALERT_STATE, &labels, &format!(",severity=\"{severity}\",kind=\"{kind}\""), state);
        }
    }

    /// The texts of all families, to be written one after the other.
    pub fn families(self) -> Vec<String> {
        FAMILIES
            .into_iter()
            .zip(self.samples)
            .map(|((name, kind, help), samples)| format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}"))
            .collect()
    }

    fn sample(&mut self, family: usize, labels: &str, more: &str, value: f64) {
        if let (Some(samples), Some((name, ..))) = (self.samples.get_mut(family), FAMILIES.get(family)) {
            // Writing into a string does not fail. `+ 0.0` turns -0 into 0.
            let _ = writeln!(samples, "{name}{{{labels}{more}}} {}", value + 0.0);
        }
    }
}

/// `slo_service`, `slo_name` and the group's labels, without braces.
fn labels(view: &InstanceView) -> String {
    let ours = Labels::from([("slo_service", view.id.slo.service.as_str()), ("slo_name", view.id.slo.name.as_str())]);
    let group: Labels = view
        .id
        .group
        .iter()
        .map(|(name, value)| {
            let clashes = OWN_LABELS.contains(&name);
            (if clashes { format!("exported_{name}") } else { name.to_owned() }, value.to_owned())
        })
        .collect();
    if group.is_empty() { ours.to_string() } else { format!("{ours},{group}") }
}

/// Every window that a tier looks at, and the period, by length as written.
pub fn windows(view: &InstanceView) -> Vec<(String, Figures)> {
    let mut windows: Vec<(String, Figures)> = Vec::new();
    let mut add = |length: String, figures: Figures| {
        if windows.iter().all(|(known, _)| *known != length) {
            windows.push((length, figures));
        }
    };
    for tier in &view.tiers {
        for window in [&tier.confirm, &tier.over].into_iter().flatten() {
            let WindowView { ratio, rate, coverage, total, .. } = *window;
            add(window.length.clone(), Figures { ratio, rate, coverage, measured: coverage > 0.0 || total > 0.0 });
        }
    }
    for window in view.burn.iter().chain([&view.budget.window]) {
        add(window.length.to_string(), Figures::of(window));
    }
    windows
}

/// The highest state of the tiers of a severity and kind: 0 inactive, 1 pending, 2 firing.
fn alert_states(view: &InstanceView) -> BTreeMap<(&'static str, &str), f64> {
    let mut states: BTreeMap<(&'static str, &str), f64> = BTreeMap::new();
    for tier in &view.tiers {
        let state = match tier.state {
            AlertState::Inactive | AlertState::Resolved => 0.0,
            AlertState::Pending => 1.0,
            AlertState::Firing => 2.0,
        };
        let held = states.entry((tier.severity.name(), tier.kind.as_str())).or_default();
        *held = held.max(state);
    }
    states
}
