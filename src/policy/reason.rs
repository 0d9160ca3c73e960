//! Why an alert changed its state, in words and numbers: one sentence each.
//!
//! Figures are those of the slice end that decided, shown with few digits (`figure`); the condition that was decided on
//! is the one that is told, with coverage where it took part. No decision is taken here.

use crate::engine::definition::{Kind, Tier};
use crate::engine::verdict::{Condition, TierVerdict, WindowFigures};
use crate::policy::ahead;
use crate::policy::figure::{above, at_or_below, clock, count, limit, percent, rough_percent, significant};
use crate::units::{Labels, Length, Objective, Timestamp, exceeds};

/// Coverage from which a window counts as known (SEMANTICS 3).
const KNOWN_COVERAGE: f64 = 0.9;

/// From here on a window is called complete: less than half a second of 5 min is missing.
const COMPLETE: f64 = 0.999;

/// How many groups a sentence names before it counts the rest.
const NAMED_GROUPS: usize = 5;

/// How long a tier has been at it.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// First slice end that matched (or was known false).
    pub since: Timestamp,
    /// First slice end of the present run of idle ones.
    pub idle_since: Option<Timestamp>,
    /// The slice end that decides.
    pub at: Timestamp,
    /// What is bad is a share of the time, not of requests.
    pub time_weighted: bool,
}

/// Why a tier matches.
#[must_use]
pub fn matched(tier: &Tier, verdict: &TierVerdict, objective: Option<Objective>, run: Run) -> String {
    let wanted = verdict.false_pages.map_or_else(String::new, |figure| {
        let (least, expected) = (count(figure.min_bad), significant(figure.expected, 2));
        format!("; {least} bad events were wanted, by chance {expected} times in {}", figure.within)
    });
    let why = match tier.kind {
        Kind::Burn { factor, .. } => burning(verdict, factor, objective, run.time_weighted),
        Kind::Down { .. } => {
            let length = run.at.since(run.since);
            let how_long = if length == Length::ZERO { String::new() } else { format!(" for {length}") };
            format!("down{how_long}: `alive` is 0 or gone, and nothing is measured since {}", run.since)
        }
        Kind::Exhausts { .. }
        | Kind::BudgetLeft { .. }
        | Kind::BudgetDrop { .. }
        | Kind::SliBelow { .. }
        | Kind::NoTraffic { .. } => ahead::matched(tier, verdict, run.time_weighted),
        Kind::NoData { .. } => {
            let length = run.at.since(run.idle_since.unwrap_or(run.since));
            format!("no data for {length}: `total` selects nothing, in an hour that usually has events")
        }
    };
    format!("{why}{wanted}")
}

/// Why a tier waits: why it matches, and for how long it has to.
#[must_use]
pub fn waits(matched: &str, tier: &Tier) -> String {
    let fires = match tier.kind {
        Kind::NoData { after } => after.max(tier.gates.for_),
        _ => crate::policy::tier::wait(tier),
    };
    format!("{matched}; fires after {fires}")
}

/// `100% of requests failed over 5m and 16.2% over 1h: burn 1000 and 162, both above 14.4 (objective 99.9%)`.
fn burning(verdict: &TierVerdict, factor: f64, objective: Option<Objective>, time_weighted: bool) -> String {
    let windows: Vec<&WindowFigures> = verdict.confirm.iter().chain(&verdict.over).collect();
    let shares = shares(&windows, time_weighted);
    let rates = windows.iter().map(|window| above(window.rate * window.coverage, factor));
    let rates = rates.collect::<Vec<_>>().join(" and ");
    let both = if windows.len() > 1 { "both above" } else { "above" };
    let objective = objective.map_or_else(String::new, |objective| format!(" (objective {objective})"));
    let clean = clean(&windows);
    format!("{shares}: burn {rates}, {both} {}{objective}{clean}", limit(factor))
}

/// Why a tier still fires that does not match any more, and is not over either; `None` where there are no words for that.
/// `0% of requests failed over 5m and 8.2% over 1h: burn 0 and 82, not both above 14.4 any more (objective 99.9%); it ends
/// when that is sure to last`.
#[must_use]
pub fn lingers(
    tier: &Tier,
    verdict: &TierVerdict,
    objective: Option<Objective>,
    time_weighted: bool,
) -> Option<String> {
    let Kind::Burn { factor, .. } = tier.kind else { return None };
    let windows: Vec<&WindowFigures> = verdict.confirm.iter().chain(&verdict.over).collect();
    let rate = |window: &&WindowFigures| {
        let rate = window.rate * window.coverage;
        if exceeds(rate, factor) { above(rate, factor) } else { at_or_below(rate, factor) }
    };
    let rates = windows.iter().map(rate).collect::<Vec<_>>().join(" and ");
    let both = if windows.len() > 1 { "not both above" } else { "not above" };
    let objective = objective.map_or_else(String::new, |objective| format!(" (objective {objective})"));
    let (shares, clean) = (shares(&windows, time_weighted), clean(&windows));
    let bound = limit(factor);
    Some(format!(
        "{shares}: burn {rates}, {both} {bound} any more{objective}; it ends when that is sure to last{clean}"
    ))
}

/// `100% of requests failed over 5m and 16.2% over 1h`.
fn shares(windows: &[&WindowFigures], time_weighted: bool) -> String {
    let share = |(index, window): (usize, &&WindowFigures)| {
        let failed = match (index, time_weighted) {
            (0, false) => " of requests failed",
            (0, true) => " of the time was bad",
            _ => "",
        };
        format!("{}{failed} over {}", percent(window.share), window.length)
    };
    windows.iter().enumerate().map(share).collect::<Vec<_>>().join(" and ")
}

/// That unmeasured time took part, where it did.
fn clean(windows: &[&WindowFigures]) -> String {
    unmeasured(windows).map_or_else(String::new, |text| format!("; unmeasured time counts as clean: {text}"))
}

/// `48% of 1h measured`, of the windows that are not complete.
pub(super) fn unmeasured(windows: &[&WindowFigures]) -> Option<String> {
    let parts: Vec<String> = windows
        .iter()
        .filter(|window| window.coverage < COMPLETE)
        .map(|window| format!("{} of {} measured", rough_percent(window.coverage), window.length))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// Why a tier is known false.
#[must_use]
pub fn known_false(tier: &Tier, verdict: &TierVerdict, condition: Condition, run: Run) -> String {
    let length = run.at.since(run.since);
    let over = match tier.kind {
        Kind::Burn { .. } => "no longer burning too fast",
        Kind::SliBelow { .. } => "back at its target",
        _ => "over",
    };
    let held = if length == Length::ZERO { over.to_owned() } else { format!("{over}, for {length} now") };
    match tier.kind {
        Kind::Burn { factor, threshold, .. } => {
            let bound = tier.gates.hold * factor;
            let decides = |window: &&WindowFigures| {
                window.coverage >= KNOWN_COVERAGE && !exceeds(window.share, tier.gates.hold * threshold)
            };
            let resolve = verdict.resolve.as_ref().filter(|window| window.total > 0.0).filter(decides);
            match resolve.or(verdict.over.as_ref()) {
                Some(window) if run.time_weighted => format!(
                    "{held}: {} of the time was bad over {}, burn {} at or below {}",
                    percent(window.share),
                    window.length,
                    at_or_below(window.rate, bound),
                    limit(bound)
                ),
                Some(window) if window.total <= 0.0 => {
                    format!("{held}: {}", failed(window))
                }
                Some(window) => format!(
                    "{held}: {}, burn {} at or below {}",
                    failed(window),
                    at_or_below(window.rate, bound),
                    limit(bound)
                ),
                None => held,
            }
        }
        Kind::Down { .. } if condition == Condition::Idle => format!("{held}: `alive` is above 0 again"),
        Kind::Exhausts { .. }
        | Kind::BudgetLeft { .. }
        | Kind::BudgetDrop { .. }
        | Kind::SliBelow { .. }
        | Kind::NoTraffic { .. } => format!("{held}{}", ahead::known_false(tier, verdict, run.time_weighted)),
        Kind::Down { .. } | Kind::NoData { .. } => format!("{held}: events are measured again"),
    }
}

/// `80 of 1000 requests failed over 5m`; `no requests over 5m, so none failed`.
pub(super) fn failed(window: &WindowFigures) -> String {
    if window.total > 0.0 {
        format!("{} of {} requests failed over {}", count(window.bad), count(window.total), window.length)
    } else {
        format!("no requests over {}, so none failed", window.length)
    }
}

/// Why the alert that names the silent groups of an SLO fires.
#[must_use]
pub fn groups_silent(kind: Kind, groups: &[Labels]) -> String {
    let what = match kind {
        Kind::Down { after } => format!("down for {after} or longer"),
        Kind::NoData { after } => format!("without data for {after} or longer"),
        _ => "silent".to_owned(),
    };
    let names: Vec<String> = groups.iter().take(NAMED_GROUPS).map(|group| format!("{{{group}}}")).collect();
    let more = match groups.len().saturating_sub(NAMED_GROUPS) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (noun, verb) = if groups.len() == 1 { ("group", "is") } else { ("groups", "are") };
    format!("{} {noun} {verb} {what} while others are measured: {}{more}", groups.len(), names.join(", "))
}

/// Why that alert ends.
#[must_use]
pub fn groups_back() -> String {
    "over: every group it named is known again".to_owned()
}

/// Why a source's alert waits or fires.
#[must_use]
pub fn source_fails(source: &str, since: Timestamp, at: Timestamp, error: &str) -> String {
    format!("source `{source}` has not answered since {since}, for {}: {error}", at.since(since))
}

/// Why a source's alert ends.
#[must_use]
pub fn source_answers(source: &str, since: Timestamp, at: Timestamp) -> String {
    format!("source `{source}` answers again, after {}", at.since(since))
}

/// Why an alert ends whose tier, or whose SLO, is no longer there.
#[must_use]
pub fn withdrawn(what: &str) -> String {
    format!("withdrawn: {what} left the files")
}

/// Why an alert ends that a person closed.
#[must_use]
pub fn closed(by: &str, note: &str) -> String {
    if note.is_empty() { format!("closed by {by}") } else { format!("closed by {by}: {note}") }
}

/// Why an alert is frozen, first: `before`, what was known until then, must not read as of now.
#[must_use]
pub fn frozen(blind: bool, before: &str) -> String {
    let why = if blind { "the source does not answer" } else { "the data neither confirms nor denies it" };
    format!("frozen: {why}; before that: {before}")
}

/// The same where it is known since when there is nothing: `frozen since 01:13 UTC: no data; before that: 30% ..`.
#[must_use]
pub fn frozen_since(blind: bool, (since, at): (Timestamp, Timestamp), before: &str) -> String {
    let why = if blind { "the source does not answer" } else { "no data" };
    let since = clock(since, at.since(since) >= Length::from_days(1));
    format!("frozen since {since} UTC: {why}; before that: {before}")
}

/// What the windows of a burn tier held, without saying how that stands to the threshold: `30% of requests failed over 5m
/// and 12% over 1h: burn 300 and 120 (objective 99.9%)`.
#[must_use]
pub fn stood(tier: &Tier, verdict: &TierVerdict, objective: Option<Objective>, time_weighted: bool) -> Option<String> {
    let Kind::Burn { .. } = tier.kind else { return None };
    let windows: Vec<&WindowFigures> = verdict.confirm.iter().chain(&verdict.over).collect();
    let rates = windows.iter().map(|window| significant(window.rate * window.coverage, 3)).collect::<Vec<_>>();
    let objective = objective.map_or_else(String::new, |objective| format!(" (objective {objective})"));
    Some(format!("{}: burn {}{objective}", shares(&windows, time_weighted), rates.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::policy::{AlertSeverity, Gates};

    fn tier() -> Tier {
        let kind = Kind::Burn {
            over: Length::from_hours(1),
            confirm: Some(Length::from_minutes(5)),
            factor: 14.4,
            threshold: 0.0144,
        };
        Tier { severity: AlertSeverity::Page, kind, gates: Gates { hold: 0.5, ..Gates::default() } }
    }

    fn window(length: &str, bad: f64, total: f64, coverage: f64) -> WindowFigures {
        let share = bad / total;
        let rate = share / 0.001;
        WindowFigures { length: length.parse().unwrap(), bad, total, coverage, share, rate, ..WindowFigures::default() }
    }

    fn run(since: i64, at: i64) -> Run {
        Run {
            since: Timestamp::from_seconds(since),
            idle_since: None,
            at: Timestamp::from_seconds(at),
            time_weighted: false,
        }
    }

    #[test]
    fn a_burn_is_told_with_both_windows_and_the_objective() {
        let verdict = TierVerdict {
            over: Some(window("1h", 5_832.0, 36_000.0, 1.0)),
            confirm: Some(window("5m", 3_000.0, 3_000.0, 1.0)),
            ..TierVerdict::default()
        };
        assert_eq!(
            matched(&tier(), &verdict, Some("99.9%".parse().unwrap()), run(0, 0)),
            "100% of requests failed over 5m and 16.2% over 1h: burn 1000 and 162, both above 14.4 (objective 99.9%)"
        );
    }

    #[test]
    fn what_is_weighted_by_time_speaks_of_time() {
        let mut verdict = TierVerdict {
            over: Some(window("1h", 19.0, 120.0, 1.0)),
            confirm: Some(window("5m", 10.0, 10.0, 1.0)),
            ..TierVerdict::default()
        };
        let run = Run { time_weighted: true, ..run(0, 0) };
        assert_eq!(
            matched(&tier(), &verdict, None, run),
            "100% of the time was bad over 5m and 15.8% over 1h: burn 1000 and 158, both above 14.4"
        );
        verdict.resolve = Some(window("5m", 0.0, 10.0, 1.0));
        assert_eq!(
            known_false(&tier(), &verdict, Condition::Measured, run),
            "no longer burning too fast: 0% of the time was bad over 5m, burn 0 at or below 7.2"
        );
    }

    #[test]
    fn unmeasured_time_that_took_part_is_told() {
        let verdict = TierVerdict {
            over: Some(window("1h", 600.0, 600.0, 1.0 / 6.0)),
            confirm: Some(window("5m", 300.0, 300.0, 1.0)),
            ..TierVerdict::default()
        };
        assert_eq!(
            matched(&tier(), &verdict, Some("99.9%".parse().unwrap()), run(0, 0)),
            "100% of requests failed over 5m and 100% over 1h: burn 1000 and 167, both above 14.4 (objective 99.9%); \
             unmeasured time counts as clean: 17% of 1h measured"
        );
    }

    #[test]
    fn known_false_names_the_window_that_decided() {
        let mut verdict = TierVerdict {
            over: Some(window("1h", 600.0, 36_000.0, 1.0)),
            resolve: Some(window("5m", 0.0, 5_120.0, 1.0)),
            ..TierVerdict::default()
        };
        let text = |verdict: &TierVerdict, since| known_false(&tier(), verdict, Condition::Measured, run(since, 300));
        assert_eq!(
            text(&verdict, 300),
            "no longer burning too fast: 0 of 5120 requests failed over 5m, burn 0 at or below 7.2"
        );
        assert_eq!(
            text(&verdict, 0),
            "no longer burning too fast, for 5m now: 0 of 5120 requests failed over 5m, burn 0 at or below 7.2"
        );
        verdict.resolve = Some(window("5m", 0.0, 5_120.0, 0.5));
        verdict.over = Some(window("1h", 3.0, 36_000.0, 0.95));
        assert_eq!(
            text(&verdict, 300),
            "no longer burning too fast: 3 of 36000 requests failed over 1h, burn 0.0833 at or below 7.2"
        );
        verdict.over = Some(window("1h", 0.0, 0.0, 1.0));
        assert_eq!(text(&verdict, 300), "no longer burning too fast: no requests over 1h, so none failed");
    }

    #[test]
    fn silence_is_told_with_its_length() {
        let down = Tier { kind: Kind::Down { after: Length::from_minutes(3) }, ..tier() };
        let verdict = TierVerdict::default();
        let matched_down = matched(&down, &verdict, None, run(0, 180));
        assert_eq!(
            matched_down,
            "down for 3m: `alive` is 0 or gone, and nothing is measured since 1970-01-01T00:00:00Z"
        );
        let waiting = waits(&matched(&down, &verdict, None, run(60, 60)), &down);
        assert_eq!(
            waiting,
            "down: `alive` is 0 or gone, and nothing is measured since 1970-01-01T00:01:00Z; fires after 3m"
        );
        let groups = [Labels::from([("region", "eu")]), Labels::from([("region", "us")])];
        assert_eq!(
            groups_silent(down.kind, &groups),
            r#"2 groups are down for 3m or longer while others are measured: {region="eu"}, {region="us"}"#
        );
        assert_eq!(known_false(&down, &verdict, Condition::Idle, run(5, 5)), "over: `alive` is above 0 again");
    }
}
