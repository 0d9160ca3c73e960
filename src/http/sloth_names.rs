//! Sloth's series on the page `/metrics/slos` (`compat: sloth`), so that its users' dashboards and recording rules work on.
//!
//! Names and labels are those of Sloth's recording rules (its `sloth_slo_info` too); the numbers are ours: event-weighted,
//! and over windows of data that is there. All SLOs have them, whatever file they come from: `sloth_id` is service and
//! name with a hyphen. As in Sloth, the user's labels win over `sloth_*`, burn rates carry `sloth_window`, and what is left
//! of the budget is `1 - slo:period_burn_rate:ratio`. A window without data has no series, where Sloth's is NaN. As in
//! Sloth, an SLO of a Sloth file has all windows of its catalogue, whatever alerts are disabled; others those of their tiers.
//! Invariant: two instances never make one series; a group's label that clashes is written as `exported_` and its name.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::http::exposition::{Figures, windows};
use crate::runtime::service::InstanceView;
use crate::units::{Labels, Length, portable_name};

/// Decimals that objectives are written with at most; what a subtraction leaves behind them is taken off.
const DECIMALS: f64 = 1e12;

/// One day.
const DAY_SECONDS: f64 = 86_400.0;

/// The families as they grow, by name.
#[derive(Debug, Default)]
pub struct SlothPage {
    families: BTreeMap<String, (String, String)>,
}

impl SlothPage {
    /// Adds an instance.
    pub fn add(&mut self, view: &InstanceView) {
        let labels = labels(view);
        let (objective, budget) = (decimal(view.objective), decimal(1.0 - view.objective));
        self.sample("slo:objective:ratio", "Share of events that must be good.", &labels, objective);
        self.sample("slo:error_budget:ratio", "Share of events that may be bad.", &labels, budget);
        let days = view.window.seconds_f64() / DAY_SECONDS;
        self.sample("slo:time_period:days", "Length of the period in days.", &labels, days);
        let mut info = labels.clone();
        let objective_percent = decimal(view.objective * 100.0).to_string();
        info.extend(
            [
                ("sloth_version", concat!("slo-", env!("CARGO_PKG_VERSION"))),
                ("sloth_mode", "slo"),
                ("sloth_spec", "slo/v1"),
                ("sloth_objective", &objective_percent),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        self.sample("sloth_slo_info", "What is known of the SLO, as labels.", &info, 1.0);

        let known = measured(view);
        for (length, figures) in &known {
            let name = format!("slo:sli_error:ratio_rate{}", prometheus_text(*length));
            let help = "Share of bad events over the window.";
            self.sample(&name, help, &windowed(&labels, *length), figures.ratio);
        }
        // Sloth's is the short window of its quick page tier; elsewhere the shortest of all.
        let quick = view.recorded.first().map(|window| window.length);
        let quick = quick.or_else(|| known.keys().next().copied()).filter(|length| *length < view.window);
        if let Some((length, figures)) = quick.and_then(|length| known.get_key_value(&length)) {
            let help = "Burn rate now: 1 spends the budget in exactly the period.";
            self.sample("slo:current_burn_rate:ratio", help, &windowed(&labels, *length), figures.rate);
        }
        if let Some((length, figures)) = known.get_key_value(&view.window) {
            let labels = windowed(&labels, *length);
            let (help, left) = ("Burn rate over the period.", "Share of the budget that is left.");
            self.sample("slo:period_burn_rate:ratio", help, &labels, figures.rate);
            self.sample("slo:period_error_budget_remaining:ratio", left, &labels, 1.0 - figures.rate);
        }
    }

    /// The texts of all families, to be written one after the other.
    pub fn families(self) -> Vec<String> {
        let text = |(name, (help, samples))| format!("# HELP {name} {help}\n# TYPE {name} gauge\n{samples}");
        self.families.into_iter().map(text).collect()
    }

    fn sample(&mut self, name: &str, help: &str, labels: &BTreeMap<String, String>, value: f64) {
        let labels: Labels = labels.clone().into_iter().collect();
        let (_, samples) = self.families.entry(name.to_owned()).or_insert_with(|| (help.to_owned(), String::new()));
        // Writing into a string does not fail. `+ 0.0` turns -0 into 0.
        let _ = writeln!(samples, "{name}{{{labels}}} {}", value + 0.0);
    }
}

/// Sloth's labels, overridden by the user's, with the group's.
fn labels(view: &InstanceView) -> BTreeMap<String, String> {
    let slo = &view.id.slo;
    let own = [
        ("sloth_id", format!("{}-{}", slo.service, slo.name)),
        ("sloth_service", slo.service.clone()),
        ("sloth_slo", slo.name.clone()),
    ];
    let mut labels: BTreeMap<String, String> = own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let users = view.labels.iter().filter(|(_, value)| !value.is_empty());
    labels.extend(users.map(|(name, value)| (portable_name(name), value.clone())));
    for (name, value) in view.id.group.iter() {
        let mut name = name.to_owned();
        while labels.contains_key(&name) || name == "sloth_window" {
            name.insert_str(0, "exported_");
        }
        labels.insert(name, value.to_owned());
    }
    labels
}

fn windowed(labels: &BTreeMap<String, String>, length: Length) -> BTreeMap<String, String> {
    let mut labels = labels.clone();
    labels.insert("sloth_window".to_owned(), prometheus_text(length));
    labels
}

/// All windows in which something was measured: of the tiers, whatever else Sloth records for the file, and the period.
fn measured(view: &InstanceView) -> BTreeMap<Length, Figures> {
    let judged = windows(view).into_iter().filter_map(|(length, figures)| Some((length.parse().ok()?, figures)));
    let recorded = view.recorded.iter().map(|window| (window.length, Figures::of(window)));
    recorded.chain(judged).filter(|(_, figures)| figures.measured).collect()
}

/// A length as Prometheus prints it: whole years and weeks as such (`4w`, `1w`), else days and below (`30d`, `1d12h`).
fn prometheus_text(length: Length) -> String {
    for (unit, days) in [("y", 365), ("w", 7)] {
        let unit_length = Length::from_days(days);
        if length > Length::ZERO && length.is_multiple_of(unit_length) {
            return format!("{}{unit}", length.count_of(unit_length));
        }
    }
    length.to_string()
}

fn decimal(value: f64) -> f64 {
    (value * DECIMALS).round() / DECIMALS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_printed_as_prometheus_prints_them() {
        for (length, text) in [
            ("5m", "5m"),
            ("28d", "4w"),
            ("7d", "1w"),
            ("30d", "30d"),
            ("36h", "1d12h"),
            ("90d", "90d"),
            ("365d", "1y"),
        ] {
            assert_eq!(prometheus_text(length.parse().unwrap()), text);
        }
    }

    #[test]
    fn what_a_subtraction_leaves_is_taken_off() {
        for (objective, budget) in [(0.999, 0.001), (0.9999, 0.0001), (0.99, 0.01), (0.9, 0.1), (0.999_95, 0.000_05)] {
            assert_eq!(decimal(1.0 - objective).to_bits(), f64::to_bits(budget));
        }
        assert_eq!(decimal(0.9995 * 100.0).to_string(), "99.95");
    }
}
