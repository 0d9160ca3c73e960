//! Recording rules: events of each window, and the figures of `/metrics/slos` under their names there.

use std::collections::BTreeMap;

use crate::engine::definition::Kind;
use crate::ruler::document::{Makes, Rule};
use crate::ruler::events::{BAD_SLICE, Side, TOTAL_SLICE, by, counted, presence, slice};
use crate::ruler::note::Notes;
use crate::ruler::scope::{Part, Parts, series};
use crate::ruler::window::{Way, Windows, short_of};
use crate::ruler::{Item, Ruler, WINDOW};
use crate::spec::meant::{Absent, Alive, Numerator, Sli};
use crate::units::Length;

/// Share of bad events over a window.
pub(super) const ERROR_RATIO: &str = "slo_error_ratio";
/// Share of the budget that is left.
pub(super) const REMAINING: &str = "slo_error_budget_remaining_ratio";
/// How many series of the total there are.
pub(super) const PRESENCE: &str = "slo:total_series:count";
/// The highest value of `alive`.
pub(super) const ALIVE: &str = "slo:alive:max";

/// The record of all events in a window.
pub(super) fn total(length: Length) -> String {
    format!("slo:total_events:increase{length}")
}

/// The record of bad events in a window.
pub(super) fn bad(length: Length) -> String {
    format!("slo:bad_events:increase{length}")
}

fn good(length: Length) -> String {
    format!("slo:good_events:increase{length}")
}

/// The measured share of the period: time without a recorded increase is filled with the traffic of the rest
/// (SEMANTICS 4). `None` for a period that is counted from the raw series.
pub(super) fn measured(part: &Part<'_>) -> Option<String> {
    match Way::of(part.definition.window, part.definition.slice.length()) {
        Way::Direct(_) => None,
        Way::Sum { step, count } => {
            let recorded = part.series(&total(step), &[]);
            Some(format!("count_over_time({recorded}[{}:{step}]) / {count}", short_of(step * count)))
        }
    }
}

/// All recording rules of an SLO.
pub(super) fn records(item: &Item<'_>, ruler: Ruler, parts: &Parts<'_>, notes: &mut Notes) -> Vec<Rule> {
    let writer = Writer { item, ruler, parts };
    let windows = Windows::of(item.definition);
    let mut all = writer.slices(notes);
    for length in &windows.recorded {
        all.extend(writer.events(*length));
    }
    all.extend(windows.shown.iter().map(|length| writer.ratio(*length)));
    all.push(writer.burn_rate());
    all.push(writer.objective());
    all.push(writer.remaining());
    all.extend(writer.silence());
    all
}

struct Writer<'a> {
    item: &'a Item<'a>,
    ruler: Ruler,
    parts: &'a Parts<'a>,
}

impl Writer<'_> {
    fn record(&self, name: impl Into<String>, expression: String) -> Rule {
        let id = &self.item.slo.id;
        let labels =
            BTreeMap::from([("slo_service".to_owned(), id.service.clone()), ("slo_name".to_owned(), id.name.clone())]);
        Rule { makes: Makes::Record(name.into()), expression, labels, comments: Vec::new() }
    }

    fn series(&self, metric: &str) -> String {
        series(&self.item.slo.id, metric, &[])
    }

    /// What is judged in slices has one or no bad event a slice and series.
    fn slices(&self, notes: &mut Notes) -> Vec<Rule> {
        let Some((bad, total)) = slice(self.item, self.ruler) else { return Vec::new() };
        if matches!(self.item.slo.sli, Sli::Gauge { absent: Absent::Bad, .. }) && !self.item.slo.by.is_empty() {
            notes.add(
                &self.item.slo.id,
                "`absent: bad` is not expressed: a rule does not know which groups there should be",
            );
        }
        vec![self.record(TOTAL_SLICE, total), self.record(BAD_SLICE, bad)]
    }

    /// All, (good) and bad events of a window.
    fn events(&self, length: Length) -> Vec<Rule> {
        let way = Way::of(length, self.item.definition.slice.length());
        let mut rules = vec![self.record(total(length), self.side(way, Side::Total, total))];
        match self.item.definition.numerator {
            Numerator::Bad => rules.push(self.record(bad(length), self.numerator(way, length, bad))),
            Numerator::Good => {
                rules.push(self.record(good(length), self.numerator(way, length, good)));
                let (total, good) = (self.series(&total(length)), self.series(&good(length)));
                rules.push(self.record(bad(length), format!("clamp_min({total} - {good}, 0)")));
            }
        }
        rules
    }

    fn side(&self, way: Way, side: Side, name: impl Fn(Length) -> String) -> String {
        match way {
            Way::Direct(length) => counted(self.item, self.ruler, side, length),
            Way::Sum { step, count } => {
                format!("sum_over_time({}[{}:{step}])", self.series(&name(step)), short_of(step * count))
            }
        }
    }

    /// Where there are events and none that the numerator selects, it is 0.
    fn numerator(&self, way: Way, length: Length, name: impl Fn(Length) -> String) -> String {
        let counted = self.side(way, Side::Numerator, name);
        match way {
            Way::Sum { .. } => counted,
            Way::Direct(_) => {
                let on = self.item.slo.by.join(", ");
                format!("{counted}\nor on ({on}) {} * 0", self.series(&total(length)))
            }
        }
    }

    /// `min(1, bad / total)`, 0 without traffic.
    fn ratio(&self, length: Length) -> Rule {
        let (bad, total) = (self.series(&bad(length)), self.series(&total(length)));
        let mut rule = self.record(ERROR_RATIO, format!("clamp_max({bad} / ({total} > 0), 1)\nor {total} * 0"));
        rule.labels.insert(WINDOW.to_owned(), length.to_string());
        rule
    }

    /// All windows at once: they keep their label.
    fn burn_rate(&self) -> Rule {
        let of = |part: &Part<'_>| format!("{} / {}", part.series(ERROR_RATIO, &[]), part.definition.budget);
        self.record("slo_burn_rate", self.parts.join(of))
    }

    fn objective(&self) -> Rule {
        let all = total(self.item.definition.window);
        let expression = if self.item.slo.by.is_empty() {
            format!("vector({})", self.item.slo.objective.good_ratio())
        } else {
            self.parts.join(|part| format!("{} * 0 + {}", part.series(&all, &[]), part.objective))
        };
        self.record("slo_objective_ratio", expression)
    }

    /// `1 - bad / (B * N(W))` of SEMANTICS 4.
    fn remaining(&self) -> Rule {
        let period = self.item.definition.window;
        let expression = self.parts.join(|part| {
            let (bad, all) = (part.series(&bad(period), &[]), part.series(&total(period), &[]));
            let measured = measured(part).map(|measured| format!(" * {measured}")).unwrap_or_default();
            format!("1 - {bad} / ({all} > 0){measured} / {}\nor {all} * 0 + 1", part.definition.budget)
        });
        self.record(REMAINING, expression)
    }

    /// What the alerts on silence look at.
    fn silence(&self) -> Vec<Rule> {
        let looks = |kind: &Kind| matches!(kind, Kind::Down { .. } | Kind::NoData { .. } | Kind::NoTraffic { .. });
        if !self.item.definition.tiers.iter().any(|tier| looks(&tier.kind)) {
            return Vec::new();
        }
        let mut rules = vec![self.record(PRESENCE, presence(self.item, self.ruler))];
        if let Alive::Selector(alive) = &self.item.slo.alive {
            rules.push(self.record(ALIVE, format!("max{} ({alive})", by(self.item))));
        }
        rules
    }
}
