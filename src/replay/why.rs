//! Why alerts there and here differ, in words and numbers: of each pairing one sentence or two.
//!
//! The figures are the engine's own at that time, noted on the way by `watch`; of the rules there only what their series
//! say is told (when they fired, that they were pending, what their recording rule had). Nothing is guessed: where
//! neither side tells a reason, the sentence says what is known. Invariant: a figure said to be below a threshold is
//! shown below it.

use serde::Serialize;

use crate::engine::definition::{Definition, Kind, Tier};
use crate::engine::verdict::{Condition, WindowFigures};
use crate::policy::figure::{above, at_or_below, count, limit, percent, rough_percent, significant};
use crate::policy::tier::wait;
use crate::replay::foreign::ForeignAlert;
use crate::replay::matching::{Pairing, overlap};
use crate::replay::told::Told;
use crate::replay::watch::{Look, Watch};
use crate::spec::policy::AlertSeverity;
use crate::units::{Labels, Length, Timestamp, exceeds};

/// From this coverage on a window is called measured.
const COMPLETE: f64 = 0.999;

/// Where alerts differ, and why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// `both`, `only_there`, `only_here`.
    pub kind: DifferenceKind,
    /// Who is told; `None` where only an alert there is, and its labels do not say.
    pub severity: Option<AlertSeverity>,
    /// The group that it is about.
    pub group: Labels,
    /// How much earlier it was sent here than it fired there; negative: later. `None` where one side is missing, or
    /// fired already when the look began.
    pub lead_seconds: Option<f64>,
    /// The alerts there.
    pub there: Vec<Span>,
    /// The alerts here, by id and time.
    pub here: Vec<Span>,
    /// In words and numbers.
    pub why: String,
}

/// On which side an alert was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// There and here.
    Both,
    /// There only.
    OnlyThere,
    /// Here only.
    OnlyHere,
}

/// One alert by its name and time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Span {
    /// The alert's id here, its `alertname` there.
    pub name: String,
    /// When it fired.
    pub fired_at: Timestamp,
    /// When it ended; `None` where it still fired at the end.
    pub resolved_at: Option<Timestamp>,
}

/// What a recording rule there had at a time: Sloth's error ratio over one window.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleFigure {
    /// The series' name.
    pub series: String,
    /// When.
    pub at: Timestamp,
    /// Its value; `None`: no series, or NaN.
    pub value: Option<f64>,
    /// Whether the series had values at other times of the look.
    pub exists: bool,
}

/// What is worth asking of the recording rules there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleQuestion {
    /// The rule's window, as written.
    pub window: String,
    /// When.
    pub at: Timestamp,
}

/// Everything known of one SLO after a replay.
#[derive(Clone, Copy, Debug)]
pub struct Histories<'a> {
    /// Its definition.
    pub definition: &'a Definition,
    /// Alerts there.
    pub there: &'a [ForeignAlert],
    /// What was noted of them, in the same places.
    pub watches: &'a [Watch],
    /// Alerts here, those that were never sent too.
    pub here: &'a [Told],
    /// End of the replay.
    pub end: Timestamp,
}

impl Histories<'_> {
    /// What the rules there should be asked for: where it fired there only, the windows that came closest here; where it
    /// fired here first or only, the windows of the tier that did.
    #[must_use]
    pub fn recorded(&self, pairing: &Pairing) -> Vec<RuleQuestion> {
        let there = pairing.there.first().and_then(|place| self.there.get(*place));
        let here = pairing.here.first().and_then(|place| self.here.get(*place));
        let ask = |windows: Vec<String>, at: Timestamp| {
            windows.into_iter().map(|window| RuleQuestion { window, at }).collect()
        };
        match (there, here) {
            (Some(theirs), None) => {
                let watch = pairing.there.first().and_then(|place| self.watches.get(*place));
                let look = watch.and_then(|watch| watch.first.as_ref().or(watch.closest.as_ref()));
                let windows = look.map(|look| look.over.iter().chain(&look.confirm).map(|w| w.length.to_string()));
                ask(windows.map(Iterator::collect).unwrap_or_default(), theirs.fired_at)
            }
            (Some(theirs), Some(ours)) if ours.fired_at >= theirs.fired_at || theirs.cut => Vec::new(),
            (_, Some(ours)) => ask(ours.windows.clone(), ours.fired_at),
            (None, None) => Vec::new(),
        }
    }

    /// The difference that a pairing is. `figures` are those of rules there when it fired here (or there, where it did
    /// only there).
    #[must_use]
    pub fn difference(&self, pairing: &Pairing, figures: &[RuleFigure]) -> Difference {
        let there: Vec<&ForeignAlert> = pairing.there.iter().filter_map(|place| self.there.get(*place)).collect();
        let here: Vec<&Told> = pairing.here.iter().filter_map(|place| self.here.get(*place)).collect();
        let watch = pairing.there.first().and_then(|place| self.watches.get(*place));
        let (kind, lead, why) = match (there.as_slice(), here.as_slice()) {
            ([theirs, ..], [ours, ..]) => {
                let lead = lead(theirs, ours);
                (DifferenceKind::Both, lead, self.both(&there, &here, watch, lead, figures))
            }
            ([theirs, ..], []) => (DifferenceKind::OnlyThere, None, self.only_there(theirs, watch, figures)),
            (_, ours) => {
                let why = ours.first().map(|ours| only_here(ours, self.definition, figures)).unwrap_or_default();
                (DifferenceKind::OnlyHere, None, why)
            }
        };
        let severity = here.first().map(|told| told.severity).or(there.first().and_then(|theirs| theirs.severity));
        let group = match (here.first(), there.first()) {
            (Some(told), _) => told.group.clone(),
            (None, Some(theirs)) => theirs.group(&self.definition.by),
            (None, None) => Labels::new(),
        };
        Difference {
            kind,
            severity,
            group,
            lead_seconds: lead,
            there: there.iter().map(|theirs| span(theirs.name(), theirs.fired_at, theirs.resolved_at)).collect(),
            here: here.iter().map(|told| span(&told.id, told.fired_at, told.resolved_at)).collect(),
            why,
        }
    }

    fn both(
        &self,
        there: &[&ForeignAlert],
        here: &[&Told],
        watch: Option<&Watch>,
        lead: Option<f64>,
        figures: &[RuleFigure],
    ) -> String {
        let (Some(theirs), Some(ours)) = (there.first(), here.first()) else { return String::new() };
        let mut parts = Vec::new();
        match lead {
            None => parts.push("it fired already when the look began".to_owned()),
            Some(lead) if lead > 0.0 => {
                parts.push(format!("earlier here by {}: {}", seconds(lead), ours.reason));
                if let Some(since) = theirs.pending_since {
                    let waited = theirs.fired_at.since(since);
                    parts.push(format!("there it was pending for {waited} (`for`), since {}", clock(since)));
                }
                parts.extend(figures.iter().filter_map(|figure| rule_figure(figure, self.definition)));
            }
            Some(lead) if lead < 0.0 => {
                let begin = format!("later here by {}", seconds(-lead));
                parts.push(match (ours.told_at, &ours.held_back_by) {
                    (Some(told), Some(under)) if told > ours.fired_at => format!(
                        "{begin}: matched since {}, held back under `{under}` until {}",
                        clock(ours.fired_at),
                        clock(told)
                    ),
                    _ => match watch.and_then(|watch| watch.first.as_ref()) {
                        Some(look) if look.at < ours.fired_at => {
                            format!("{begin}: at {} {}", clock(look.at), self.short_of(look))
                        }
                        // It had been decided at the first slice end after theirs.
                        _ => format!("{begin}, which is the way to the next slice end"),
                    },
                });
            }
            Some(_) => parts.push("at the same time".to_owned()),
        }
        parts.extend(self.flaps(there, here));
        parts.join("; ")
    }

    /// Why there are more alerts on one side.
    fn flaps(&self, there: &[&ForeignAlert], here: &[&Told]) -> Option<String> {
        if there.len() == here.len() {
            return None;
        }
        let numbers = format!("{} there, {} here", counted(there.len(), "alert"), here.len());
        let severity = here.first().map(|told| told.severity);
        let tier = self
            .definition
            .tiers
            .iter()
            .find(|tier| Some(tier.severity) == severity && matches!(tier.kind, Kind::Burn { .. }));
        let rule = tier.filter(|_| there.len() > here.len()).map(|tier| {
            let mut rule =
                format!(": here it ends once it is known false at {} of the threshold", rough_percent(tier.gates.hold));
            if tier.gates.keep_firing_for > Length::ZERO {
                rule = format!("{rule} for {}", tier.gates.keep_firing_for);
            }
            rule + ", not with the first quiet confirm window"
        });
        Some(numbers + &rule.unwrap_or_default())
    }

    /// Why nothing was sent here.
    fn only_there(&self, theirs: &ForeignAlert, watch: Option<&Watch>, figures: &[RuleFigure]) -> String {
        let held =
            self.here.iter().find(|told| !told.was_told() && overlap(theirs, told, &self.definition.by, self.end));
        let mut why = match (held, watch) {
            (Some(held), _) => self.held(held),
            (None, Some(watch)) => self.not_met(theirs, watch),
            (None, None) => "nothing was looked at here".to_owned(),
        };
        for figure in figures.iter().filter_map(|figure| rule_figure(figure, self.definition)) {
            why = format!("{why}; {figure}");
        }
        why
    }

    fn held(&self, held: &Told) -> String {
        let until = held.resolved_at.map_or_else(|| "the end".to_owned(), clock);
        let under = held.held_back_by.as_deref().unwrap_or("a page");
        format!(
            "held back here under `{under}`: it matched from {} and ended at {until} unsent",
            clock(held.started_at)
        )
    }

    /// What kept every tier from firing, the one that came furthest first.
    fn not_met(&self, theirs: &ForeignAlert, watch: &Watch) -> String {
        if let Some(severity) = theirs.severity
            && !self.definition.tiers.iter().any(|tier| tier.severity == severity)
        {
            return format!("the policy here has no tier of severity `{}`", severity.name());
        }
        let furthest = [&watch.waited, &watch.gated, &watch.unmeasured, &watch.closest].into_iter().flatten().next();
        let Some(look) = furthest else {
            return "nothing of it was known here: no instance had data".to_owned();
        };
        format!("{}{}", self.short_of(look), when(look, watch))
    }

    /// What a tier lacked at a slice end at which it did not fire.
    fn short_of(&self, look: &Look) -> String {
        let Some(tier) = self.definition.tiers.get(look.tier) else { return String::new() };
        let whose = if look.group.is_empty() { String::new() } else { format!("{{{}}} ", look.group) };
        let text = if look.matches && !look.gates_hold {
            gate(tier, look)
        } else if look.matches {
            format!("it matched and waited for {}: {}", wait(tier), reached(tier, look))
        } else if look.over.is_some_and(|over| over.measured == Length::ZERO) {
            "nothing was measured here".to_owned()
        } else if look.threshold.is_some() && exceeds(look.reached_if_measured(), 1.0) {
            format!("unmeasured time counts as clean: {}, {}", measured(look), reached(tier, look))
        } else {
            format!("threshold not met: {}", reached(tier, look))
        };
        whose + &text
    }
}

/// How much earlier it was sent here, in seconds.
fn lead(theirs: &ForeignAlert, ours: &Told) -> Option<f64> {
    let told = ours.told_at.unwrap_or(ours.fired_at);
    (!theirs.cut).then(|| theirs.fired_at.seconds_f64() - told.seconds_f64())
}

/// Why nothing fired there, as far as the series there tell.
fn only_here(ours: &Told, definition: &Definition, figures: &[RuleFigure]) -> String {
    let figures: Vec<String> = figures.iter().filter_map(|figure| rule_figure(figure, definition)).collect();
    let there = if figures.is_empty() { "no alert there overlaps it".to_owned() } else { figures.join("; ") };
    format!("{}; {there}", ours.reason)
}

/// `there slo:sli_error:ratio_rate1h was 0.0121 (burn 12.1)`.
fn rule_figure(figure: &RuleFigure, definition: &Definition) -> Option<String> {
    let name = format!("there `{}`", figure.series);
    match figure.value {
        Some(value) => {
            let rate = significant(value / definition.budget, 3);
            Some(format!("{name} was {} at {}, burn {rate}", significant(value, 3), clock(figure.at)))
        }
        None if figure.exists => Some(format!("{name} had no value (NaN or no series) at {}", clock(figure.at))),
        None => None,
    }
}

/// The gate that did not hold: `min_bad` 3: 1 bad event in 1h.
fn gate(tier: &Tier, look: &Look) -> String {
    let gates = &tier.gates;
    let plural = |figure: f64, one: &str| if count(figure) == "1" { one.to_owned() } else { format!("{one}s") };
    let had = look.over.map(|over| {
        let (bad, total) = (plural(over.bad, "bad event"), plural(over.total, "event"));
        (
            over,
            format!("{} {bad} in {}", count(over.bad), over.length),
            format!("{} {total} in {}", count(over.total), over.length),
        )
    });
    match had {
        Some((over, bad, _)) if over.bad < gates.min_bad => format!("`min_bad` {}: {bad}", count(gates.min_bad)),
        Some((over, _, total)) if over.total < gates.min_total => {
            format!("`min_total` {}: {total}", count(gates.min_total))
        }
        Some((_, bad, _)) if gates.max_false_pages.is_some() => format!("`max_false_pages`: only {bad}"),
        _ if gates.active.is_some() => "outside of its `active` times".to_owned(),
        _ => "its gates do not hold".to_owned(),
    }
}

/// How far it came: `burn 9.8 over 1h and 12 over 5m of 14.4`, unmeasured time taken as clean.
fn reached(tier: &Tier, look: &Look) -> String {
    let windows = look.over.iter().chain(&look.confirm);
    let events = |window: &WindowFigures| format!("({} of {})", count(window.bad), count(window.total));
    match tier.kind {
        Kind::Burn { factor, .. } => {
            let rate = |window: &WindowFigures| {
                let rate = window.rate * window.coverage;
                let shown = if exceeds(rate, factor) { above(rate, factor) } else { at_or_below(rate, factor) };
                format!("{shown} over {} {}", window.length, events(window))
            };
            format!("burn {} of {}", windows.map(rate).collect::<Vec<_>>().join(" and "), limit(factor))
        }
        Kind::Down { .. } | Kind::NoData { .. } => condition(look.condition).to_owned(),
        _ => {
            let share =
                |window: &WindowFigures| format!("{} over {} {}", percent(window.share), window.length, events(window));
            format!("bad share {}", windows.map(share).collect::<Vec<_>>().join(" and "))
        }
    }
}

const fn condition(condition: Condition) -> &'static str {
    match condition {
        Condition::Measured => "events were measured here",
        Condition::NoTraffic => "measured here, without an event",
        Condition::Idle => "no data here, and the target is not known to be down",
        Condition::Down => "down here",
    }
}

/// `18% of 1h measured`, of the windows that are not whole.
fn measured(look: &Look) -> String {
    let windows = look.over.iter().chain(&look.confirm).filter(|window| window.coverage < COMPLETE);
    let parts: Vec<String> =
        windows.map(|window| format!("{} of {} measured", rough_percent(window.coverage), window.length)).collect();
    parts.join(" and ")
}

/// When a look was, beside the time that the alert fired there.
fn when(look: &Look, watch: &Watch) -> String {
    if watch.first.as_ref().is_some_and(|first| first.at == look.at) {
        String::new()
    } else {
        format!(" at {}, the closest it came", clock(look.at))
    }
}

fn span(name: &str, fired_at: Timestamp, resolved_at: Option<Timestamp>) -> Span {
    Span { name: name.to_owned(), fired_at, resolved_at }
}

/// `2m30s`, `4.5s`.
fn seconds(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "differences of days")]
    let millis = (seconds * 1_000.0).round() as i64;
    Length::from_millis(millis).to_string()
}

/// The time of day, UTC.
fn clock(at: Timestamp) -> String {
    at.to_utc().format("%H:%M:%S").to_string()
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
