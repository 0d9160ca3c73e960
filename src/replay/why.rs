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
    /// Times in which rules there were pending and did not fire.
    pub pending: &'a [ForeignAlert],
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
                let why = ours.first().map(|ours| self.only_here(ours, figures)).unwrap_or_default();
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
            (Some(held), _) => unsent(held),
            (None, Some(watch)) => self.not_met(theirs, watch),
            (None, None) => String::new(),
        };
        for figure in figures.iter().filter_map(|figure| rule_figure(figure, self.definition)) {
            why = format!("{why}; {figure}");
        }
        why
    }

    /// Why nothing fired there, as far as the series there tell.
    fn only_here(&self, ours: &Told, figures: &[RuleFigure]) -> String {
        let waits = self.pending.iter().filter(|wait| overlap(wait, ours, &self.definition.by, self.end));
        let mut there: Vec<String> = waits
            .map(|wait| {
                let until = wait.resolved_at.map_or_else(|| "the end".to_owned(), clock);
                format!("there it was pending from {} to {until} and did not fire (`for`)", clock(wait.fired_at))
            })
            .collect();
        there.extend(figures.iter().filter_map(|figure| rule_figure(figure, self.definition)));
        let there = if there.is_empty() { "no alert there overlaps it".to_owned() } else { there.join("; ") };
        format!("{}; {there}", ours.reason)
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

/// Under what an alert was held back until it ended.
fn unsent(held: &Told) -> String {
    let until = held.resolved_at.map_or_else(|| "the end".to_owned(), clock);
    let under = held.held_back_by.as_deref().unwrap_or("a page");
    format!("held back here under `{under}`: it matched from {} and ended at {until} unsent", clock(held.started_at))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::alert::AlertKind;
    use crate::policy::machine::kit::{burn, definition};
    use crate::spec::policy::Gates;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(36_000 + seconds)
    }

    fn window(length: &str, bad: f64, total: f64, coverage: f64) -> WindowFigures {
        let length: Length = length.parse().unwrap();
        let share = bad / total;
        let (from, measured) = (at(0) - length, Length::from_seconds(60));
        WindowFigures { length, from, to: at(0), bad, total, measured, coverage, share, rate: share / 0.001 }
    }

    fn look(seconds: i64, over: WindowFigures, confirm: WindowFigures) -> Look {
        Look {
            at: at(seconds),
            group: Labels::new(),
            tier: 0,
            threshold: Some(0.0144),
            condition: Condition::Measured,
            over: Some(over),
            confirm: Some(confirm),
            matches: false,
            gates_hold: true,
        }
    }

    fn theirs(from: i64, to: i64) -> ForeignAlert {
        ForeignAlert {
            labels: Labels::from([("alertname", "X")]),
            severity: Some(AlertSeverity::Page),
            fired_at: at(from),
            resolved_at: Some(at(to)),
            pending_since: None,
            cut: false,
        }
    }

    fn ours(severity: AlertSeverity, from: i64, to: i64) -> Told {
        Told {
            id: "shop/a/page/burn/1".to_owned(),
            group: Labels::new(),
            severity,
            kind: AlertKind::Burn,
            started_at: at(from),
            fired_at: at(from),
            told_at: Some(at(from)),
            resolved_at: Some(at(to)),
            ended_by: None,
            reason: "it burns".to_owned(),
            end_reason: None,
            peak_burn: None,
            held_back_by: None,
            windows: vec!["1h".to_owned(), "5m".to_owned()],
        }
    }

    /// The one difference of these, `watch` being of the first alert there.
    fn why(there: &[ForeignAlert], here: &[Told], watch: impl Fn(&mut Watch), figures: &[RuleFigure]) -> Difference {
        let gates = Gates { min_bad: 3.0, for_: Length::from_minutes(2), hold: 0.5, ..Gates::default() };
        let definition = definition(vec![burn(AlertSeverity::Page, 14.4, "1h", "5m", gates)], &[]);
        let mut watches: Vec<Watch> = there.iter().map(|alert| alert.watch(&[], at(9_000))).collect();
        watches.iter_mut().take(1).for_each(watch);
        let (there, here, end) = (there, here, at(9_000));
        let histories = Histories { definition: &definition, there, watches: &watches, pending: &[], here, end };
        let pairings = crate::replay::matching::pair(there, here, &[], end);
        assert_eq!(pairings.len(), 1);
        histories.difference(&pairings[0], figures)
    }

    #[test]
    fn what_fired_there_only_says_what_was_short_here() {
        let low = look(30, window("1h", 9.8, 1_000.0, 1.0), window("5m", 2.0, 100.0, 1.0));
        let near = |look: Look| move |watch: &mut Watch| watch.closest = Some(look.clone());
        let said = why(&[theirs(0, 600)], &[], near(low.clone()), &[]);
        assert_eq!((said.kind, said.lead_seconds), (DifferenceKind::OnlyThere, None));
        assert_eq!(
            said.why,
            "threshold not met: burn 9.8 over 1h (9.8 of 1000) and 14.4 over 5m (2 of 100) of 14.4 at 10:00:30, \
             the closest it came"
                .replace("14.4 over", "20 over")
        );
        let gated =
            Look { matches: true, gates_hold: false, ..look(30, window("1h", 1.0, 50.0, 1.0), low.over.unwrap()) };
        let said = why(
            &[theirs(0, 600)],
            &[],
            |watch| (watch.gated, watch.first) = (Some(gated.clone()), Some(gated.clone())),
            &[],
        );
        assert_eq!(said.why, "`min_bad` 3: 1 bad event in 1h");
        let waits = Look { gates_hold: true, ..gated.clone() };
        let said = why(&[theirs(0, 60)], &[], |watch| watch.waited = Some(waits.clone()), &[]);
        assert!(said.why.starts_with("it matched and waited for 2m: burn 20 over 1h (1 of 50)"), "{}", said.why);
        let young = look(30, window("1h", 20.0, 1_000.0, 0.18), window("5m", 20.0, 100.0, 1.0));
        let said = why(&[theirs(0, 60)], &[], |watch| watch.unmeasured = Some(young.clone()), &[]);
        assert!(
            said.why.starts_with("unmeasured time counts as clean: 18% of 1h measured, burn 3.6 over 1h (20 of 1000)"),
            "{}",
            said.why
        );
        assert_eq!(why(&[theirs(0, 60)], &[], |_| {}, &[]).why, "nothing of it was known here: no instance had data");
        let mut ticket = theirs(0, 60);
        ticket.severity = Some(AlertSeverity::Ticket);
        assert_eq!(why(&[ticket], &[], |_| {}, &[]).why, "the policy here has no tier of severity `ticket`");
    }

    #[test]
    fn a_figure_of_a_rule_there_is_told_beside() {
        let low = look(30, window("1h", 14.3, 1_000.0, 1.0), window("5m", 2.0, 100.0, 1.0));
        let of = |value: Option<f64>, exists: bool| RuleFigure {
            series: "slo:sli_error:ratio_rate1h".to_owned(),
            at: at(0),
            value,
            exists,
        };
        let said =
            |figure: RuleFigure| why(&[theirs(0, 600)], &[], |watch| watch.first = Some(low.clone()), &[figure]).why;
        assert!(
            said(of(Some(0.0145), true))
                .ends_with("there `slo:sli_error:ratio_rate1h` was 0.0145 at 10:00:00, burn 14.5")
        );
        assert!(said(of(None, true)).ends_with("had no value (NaN or no series) at 10:00:00"));
        assert!(!said(of(None, false)).contains("ratio_rate"));
    }

    #[test]
    fn what_fired_on_both_sides_says_who_was_first_and_why() {
        let page = ours(AlertSeverity::Page, 0, 1_200);
        let mut there = theirs(90, 600);
        there.pending_since = Some(at(30));
        let said = why(&[there], std::slice::from_ref(&page), |_| {}, &[]);
        assert_eq!((said.kind, said.lead_seconds), (DifferenceKind::Both, Some(90.0)));
        assert_eq!(said.why, "earlier here by 1m30s: it burns; there it was pending for 1m (`for`), since 10:00:30");

        let low = look(-60, window("1h", 10.0, 1_000.0, 1.0), window("5m", 2.0, 100.0, 1.0));
        let flaps = [theirs(-75, 0), theirs(60, 120), theirs(300, 360)];
        let said = why(&flaps, std::slice::from_ref(&page), |watch| watch.first = Some(low.clone()), &[]);
        assert_eq!(said.lead_seconds, Some(-75.0));
        assert_eq!(
            said.why,
            "later here by 1m15s: at 09:59:00 threshold not met: burn 10 over 1h (10 of 1000) and 20 over 5m (2 of 100) \
             of 14.4; 3 alerts there, 1 here: here it ends once it is known false at 50% of the threshold, not with the \
             first quiet confirm window"
        );

        let mut cut = theirs(-75, 600);
        cut.cut = true;
        assert_eq!(why(&[cut], &[page], |_| {}, &[]).lead_seconds, None);
    }

    #[test]
    fn what_was_held_back_is_a_reason() {
        let mut held = ours(AlertSeverity::Page, 0, 1_200);
        (held.told_at, held.held_back_by) = (None, Some("shop/parent/page/burn/1".to_owned()));
        let said = why(&[theirs(30, 600)], &[held.clone()], |_| {}, &[]);
        assert_eq!(
            said.why,
            "held back here under `shop/parent/page/burn/1`: it matched from 10:00:00 and ended at 10:20:00 unsent"
        );
        held.told_at = Some(at(900));
        let said = why(&[theirs(30, 600)], &[held], |_| {}, &[]);
        assert_eq!(said.lead_seconds, Some(-870.0));
        assert_eq!(
            said.why,
            "later here by 14m30s: matched since 10:00:00, held back under `shop/parent/page/burn/1` until 10:15:00"
        );
    }

    #[test]
    fn what_fired_here_only_says_what_is_known_of_there() {
        let said = why(&[], &[ours(AlertSeverity::Page, 0, 1_200)], |_| {}, &[]);
        assert_eq!((said.kind, said.why.as_str()), (DifferenceKind::OnlyHere, "it burns; no alert there overlaps it"));
    }
}
