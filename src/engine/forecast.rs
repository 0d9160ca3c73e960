//! When the budget will be gone, and when it will be back (SEMANTICS 7).
//!
//! Why not `remaining * W / burn`: in a rolling window old failures expire. The past is walked hour by hour: an hour
//! leaves whole, on the hour; in between bad and all events are straight lines, so a crossing is a quotient. Past
//! unmeasured time is filled as in `N(W)`. Worked: half of the budget spent in one hour that leaves in 24 h, then burn 2:
//! `2 h / 720 = 1` at 360 h, not the 180 h that the short formula gives.
//!
//! Cost: linear in the hours that are looked at; a tier looks no further than its `within`. Invariant: it never moves
//! anything; it is worked out when asked for.

use crate::engine::gamma::quantile;
use crate::engine::instance::Instance;
use crate::engine::sums::Sums;
use crate::engine::verdict::{Budget, WindowFigures};
use crate::engine::windows::HOUR;
use crate::units::{Length, Timestamp, exceeds};

/// The lookback of the forecast that is shown; shorter periods look back a 120th of themselves.
const LOOKBACK: Length = Length::from_hours(6);
/// As many lookbacks make a period of 30 d.
const LOOKBACKS: i64 = 120;

/// When the budget ends at the burn of the lookback, if ever within a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// Nothing of it is left now.
    pub exhausted: bool,
    /// When it will be gone; `None`: not within a period, gone already, or nothing was measured in the lookback.
    pub exhausts_at: Option<Timestamp>,
    /// When an exhausted one will be back; `None` likewise.
    pub recovers_at: Option<Timestamp>,
    /// What the burn is taken from.
    pub lookback: Length,
    /// Something was measured in the lookback; else nothing is said of what is ahead.
    pub known: bool,
}

/// When the budget is gone with some likelihood: the bad rate of the lookback is only a sample. `None`: not within a
/// period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LikelyEnds {
    /// One in ten: gone by then.
    pub p10: Option<Timestamp>,
    /// As likely as not.
    pub p50: Option<Timestamp>,
    /// Nine in ten.
    pub p90: Option<Timestamp>,
}

/// How fast events come, per millisecond of measured time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rates {
    /// Bad ones.
    pub(crate) bad: f64,
    /// All.
    pub(crate) total: f64,
}

impl Rates {
    /// Those of a window; `None` where nothing of it is measured.
    pub(crate) fn of(window: &WindowFigures) -> Option<Self> {
        let measured = window.measured.millis() as f64;
        (measured > 0.0).then(|| Self { bad: window.bad / measured, total: window.total / measured })
    }
}

/// The lookback of a period: 6 h, and a 120th where it is shorter than 30 d.
#[must_use]
pub fn lookback_of(period: Length) -> Length {
    LOOKBACK.min(Length::from_millis(period.millis() / LOOKBACKS))
}

impl Instance {
    /// The forecast at the watermark.
    #[must_use]
    pub fn forecast(&self) -> Forecast {
        let lookback = lookback_of(self.definition.window);
        let budget = self.budget();
        let past = Past::of(self, &budget);
        let exhausted = past.is_exhausted();
        let forecast = Forecast { exhausted, lookback, ..Forecast::default() };
        match Rates::of(&self.window(lookback)) {
            None => forecast,
            Some(rates) if exhausted => {
                Forecast { recovers_at: self.ahead(past.recovery(rates)), known: true, ..forecast }
            }
            Some(rates) => {
                let end = past.exhaustion(rates, self.definition.window);
                Forecast { exhausts_at: self.ahead(end), known: true, ..forecast }
            }
        }
    }

    /// The quantiles of the time at which the budget is gone, from a Gamma posterior on the bad rate; `None` where it is
    /// gone, and where the lookback had no events.
    #[must_use]
    pub fn likely_ends(&self) -> Option<LikelyEnds> {
        let window = self.window(lookback_of(self.definition.window));
        let budget = self.budget();
        let past = Past::of(self, &budget);
        let rates = Rates::of(&window).filter(|_| window.total > 0.0 && !past.is_exhausted())?;
        let measured = window.measured.millis() as f64;
        let likely = |p: f64| {
            let bad = quantile(window.bad + 0.5, p) / measured;
            self.ahead(past.exhaustion(Rates { bad, ..rates }, self.definition.window))
        };
        // The more failures, the sooner: P10 of the time is at P90 of the rate.
        Some(LikelyEnds { p10: likely(0.9), p50: likely(0.5), p90: likely(0.1) })
    }

    fn ahead(&self, millis: Option<f64>) -> Option<Timestamp> {
        millis.map(|millis| self.as_of() + rounded(millis))
    }
}

/// Milliseconds as a length.
pub(crate) fn rounded(millis: f64) -> Length {
    #[expect(clippy::cast_possible_truncation, reason = "at most a period of milliseconds")]
    let whole = millis.round() as i64;
    Length::from_millis(whole)
}

/// What the period holds, and how it leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Past<'a> {
    instance: &'a Instance,
    /// Begin of the period.
    from: Timestamp,
    /// Events per millisecond of unmeasured time.
    filled: f64,
}

/// A stretch of the future within which nothing leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Segment {
    /// Milliseconds from now, inclusive.
    begin: f64,
    /// Milliseconds from now, exclusive unless it is the last.
    end: f64,
    /// Past bad events that are still in the period.
    bad: f64,
    /// All past events that are, unmeasured time filled.
    total: f64,
}

impl<'a> Past<'a> {
    /// The past of `instance`, given its budget at the watermark.
    pub(crate) fn of(instance: &'a Instance, budget: &Budget) -> Self {
        let window = &budget.window;
        let filled = Rates::of(window).map_or(0.0, |rates| rates.total);
        Self { instance, from: window.from, filled }
    }

    /// Whether nothing is left now: `bad >= B * N(W)`. Without failures nothing is ever gone.
    pub(crate) fn is_exhausted(&self) -> bool {
        let nothing_new = Rates { bad: 0.0, total: 0.0 };
        self.segments().next().is_some_and(|segment| self.is_gone(&segment, 0.0, nothing_new))
    }

    /// The least time, in milliseconds from now, at which the budget is gone at these rates, and at most `within`.
    pub(crate) fn exhaustion(&self, rates: Rates, within: Length) -> Option<f64> {
        let within = within.min(self.instance.definition.window).millis() as f64;
        let slope = rates.bad - self.instance.definition.budget * rates.total;
        for segment in self.segments().take_while(|segment| segment.begin <= within) {
            if self.is_gone(&segment, segment.begin, rates) {
                return Some(segment.begin);
            }
            if slope > 0.0 {
                let crossing = self.left(&segment) / slope;
                if crossing < segment.end {
                    return (crossing <= within).then_some(crossing.max(segment.begin));
                }
            }
        }
        None
    }

    /// The least time, in milliseconds from now, at which some of the budget is back at these rates.
    fn recovery(&self, rates: Rates) -> Option<f64> {
        let slope = self.instance.definition.budget * rates.total - rates.bad;
        for segment in self.segments() {
            if !self.is_gone(&segment, segment.begin, rates) {
                return Some(segment.begin);
            }
            if slope > 0.0 {
                let crossing = -self.left(&segment) / slope;
                if crossing < segment.end {
                    return Some(crossing.max(segment.begin));
                }
            }
        }
        None
    }

    /// `B * total - bad` of what is still in the period.
    fn left(&self, segment: &Segment) -> f64 {
        self.instance.definition.budget * segment.total - segment.bad
    }

    fn is_gone(&self, segment: &Segment, time: f64, rates: Rates) -> bool {
        let bad = segment.bad + rates.bad * time;
        let allowed = self.instance.definition.budget * (segment.total + rates.total * time);
        bad > 0.0 && !exceeds(allowed, bad)
    }

    /// From now on, hour by hour, as long as a period.
    fn segments(&self) -> impl Iterator<Item = Segment> {
        let instance = self.instance;
        let (end, period) = (instance.as_of(), instance.definition.window);
        let mut edge = self.from;
        let (_, mut before) = instance.windows.begin(period);
        let mut begin = 0.0;
        let filled = self.filled;
        std::iter::from_fn(move || {
            if begin > period.millis() as f64 {
                return None;
            }
            let next = edge.floor_to(HOUR) + HOUR;
            let leaves = (next.millis() - end.millis() + period.millis()) as f64;
            let inside = instance.windows.head().minus(before);
            let unmeasured = end.since(edge).millis() - instance.measured(inside).millis();
            let segment = Segment {
                begin,
                end: leaves,
                bad: instance.bad(inside),
                total: inside.total + filled * unmeasured.max(0) as f64,
            };
            edge = next;
            before = sums_before(instance, next).unwrap_or(before);
            begin = leaves;
            Some(segment)
        })
    }
}

/// Sums up to an edge; one that lies ahead holds everything.
fn sums_before(instance: &Instance, edge: Timestamp) -> Option<Sums> {
    instance.windows.sums_at(edge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::definition::{Definition, Kind, Tier};
    use crate::engine::fixture::{answer, at, definition, state};
    use crate::engine::state::SloState;
    use crate::engine::verdict::{HourBucket, TierSet, Verdict};
    use crate::spec::policy::{AlertSeverity, Gates};
    use crate::units::Labels;

    /// Events of every hour.
    const EVENTS: f64 = 100_000.0;
    const HOUR_SECONDS: i64 = 3_600;
    const PERIOD: i64 = 720;
    /// On the hour, so that hours leave at whole numbers.
    const NOW: i64 = 1_000 * HOUR_SECONDS;

    /// 99.9% over 30 d; of the hour that leaves in `n` hours `bad(n)` events are bad.
    fn past(definition: Definition, bad: impl Fn(i64) -> f64) -> SloState {
        let mut state = state(definition);
        state.advance(&answer(&[], NOW - 30, NOW), at(NOW));
        let hour = |number: i64| HourBucket {
            end: at(NOW - (PERIOD - number) * HOUR_SECONDS),
            events: bad(number),
            total: EVENTS,
            measured: HOUR,
        };
        let hours: Vec<HourBucket> = (1..=PERIOD).map(hour).collect();
        state.restore_hours(&Labels::new(), &hours, at(NOW));
        state
    }

    fn hours(millis: Option<f64>) -> Option<f64> {
        millis.map(|millis| millis / 3_600_000.0)
    }

    /// When it is gone, and when it is back, at a constant burn; in hours.
    fn ahead(state: &SloState, burn: f64) -> (Option<f64>, Option<f64>) {
        let instance = state.instance(&Labels::new()).unwrap();
        let past = Past::of(instance, &instance.budget());
        let total = EVENTS / 3_600_000.0;
        let rates = Rates { bad: burn * 0.001 * total, total };
        let gone = hours(past.exhaustion(rates, instance.definition.window));
        (gone, if past.is_exhausted() { hours(past.recovery(rates)) } else { None })
    }

    fn assert_near(found: Option<f64>, expected: Option<f64>) {
        let near = match (found, expected) {
            (Some(found), Some(expected)) => (found - expected).abs() < 1e-6,
            (found, expected) => found == expected,
        };
        assert!(near, "{found:?}, expected {expected:?}");
    }

    /// Bad events of an hour that spend this share of the whole budget.
    fn of_budget(share: f64) -> f64 {
        share * 0.001 * EVENTS * PERIOD as f64
    }

    /// SEMANTICS 7, the table.
    #[test]
    fn the_table_of_semantics() {
        let clean = past(definition(), |_| 0.0);
        assert_near(ahead(&clean, 20.0).0, Some(36.0));
        let half = past(definition(), |leaves| if leaves == 24 { of_budget(0.5) } else { 0.0 });
        assert_near(ahead(&half, 0.75).0, None);
        assert_near(ahead(&half, 2.0).0, Some(360.0));
        let old = past(definition(), |leaves| if leaves <= 200 { 3.0 * 0.001 * EVENTS } else { 0.0 });
        assert_near(ahead(&old, 1.2).0, Some(600.0));
        let over = past(definition(), |leaves| if leaves == 601 { of_budget(1.25) } else { 0.0 });
        assert_near(ahead(&over, 0.5).1, Some(601.0));
        assert_near(ahead(&over, 0.5).0, Some(0.0));
    }

    #[test]
    fn what_the_whole_period_says_is_not_known_false_before_it_is_read() {
        let lookback = Length::from_hours(6);
        let tier = |kind| Tier { severity: AlertSeverity::Ticket, kind, gates: Gates::default() };
        let within = Length::from_hours(72);
        let tiers = vec![
            tier(Kind::BudgetLeft { below: 0.25 }),
            tier(Kind::Exhausts { within, lookback, min_burn: 1.0, threshold: 0.001 }),
        ];
        let mut state = past(Definition { tiers, ..definition() }, |_| 0.0);
        let known_false = |state: &SloState| {
            let mut verdict = Verdict::default();
            state.judge(state.instance(&Labels::new()).unwrap(), TierSet(0b11), &mut verdict);
            verdict.tiers.iter().map(|tier| (tier.matches, tier.known_false)).collect::<Vec<_>>()
        };
        assert_eq!(known_false(&state), [(false, true), (false, true)]);
        state.await_history(true);
        assert_eq!(known_false(&state), [(false, false), (false, false)]);
    }

    #[test]
    fn equality_is_gone_and_nothing_is_never_gone() {
        let all = past(definition(), |leaves| if leaves == 700 { of_budget(1.0) } else { 0.0 });
        assert_near(ahead(&all, 0.0).0, Some(0.0));
        let none = past(definition(), |_| 0.0);
        assert_near(ahead(&none, 0.0).0, None);
        assert_near(ahead(&none, 0.999).0, None);
        // A burn of 1 spends exactly all of it in a period.
        assert_near(ahead(&none, 1.0).0, Some(720.0));
    }

    #[test]
    fn hours_leave_on_the_hour_and_in_between_there_are_straight_lines() {
        // 90% spent in the hour that leaves in 10 h, then burn 30: 0.9 + 30 h / 720 passes 1 + what traffic adds until
        // an hour leaves, which is `h - floor(h)` hours of 720.
        let state = past(definition(), |leaves| if leaves == 10 { of_budget(0.9) } else { 0.0 });
        let expected = (0.1 * 720.0 - 2.0) / 29.0;
        assert_near(ahead(&state, 30.0).0, Some(expected));
        assert!(expected > 2.0 && expected < 3.0);
    }

    #[test]
    fn unmeasured_past_is_filled_like_the_budget() {
        // Only the newest half is known: a burn of 2 over all of it has spent as much as it would have of the whole.
        let mut state = state(definition());
        state.advance(&answer(&[], NOW - 30, NOW), at(NOW));
        let hour = |number: i64| HourBucket {
            end: at(NOW - (PERIOD - number) * HOUR_SECONDS),
            events: 0.5 * 0.001 * EVENTS,
            total: EVENTS,
            measured: HOUR,
        };
        let hours: Vec<HourBucket> = (361..=PERIOD).map(hour).collect();
        state.restore_hours(&Labels::new(), &hours, at(NOW));
        // 25% spent. Filled hours leave without failures: 0.25 + 3 h / 720 = 1.
        assert_near(ahead(&state, 3.0).0, Some(180.0));
        // After 360 h the failures leave as well: 0.25 + 1.25 h / 720 - 0.5 (h - 360) / 720 = 1.
        assert_near(ahead(&state, 1.25).0, Some(480.0));
    }

    #[test]
    fn the_forecast_that_is_shown_takes_the_burn_of_its_lookback() {
        let state = past(definition(), |leaves| if leaves > 714 { 20.0 * 0.001 * EVENTS } else { 0.0 });
        let instance = state.instance(&Labels::new()).unwrap();
        let forecast = instance.forecast();
        assert_eq!((forecast.exhausted, forecast.lookback), (false, Length::from_hours(6)));
        // 6 of 36 h have gone by.
        assert_eq!(forecast.exhausts_at, Some(at(NOW + 30 * HOUR_SECONDS)));
        let likely = instance.likely_ends().unwrap();
        let [p10, p50, p90] = [likely.p10, likely.p50, likely.p90].map(Option::unwrap);
        assert!(p10 < p50 && p50 < p90);
        // 12,000 failures are known to 1.2%.
        let half_day = Length::from_minutes(30);
        assert!(p90.since(p10) < half_day * 2, "{p10} {p90}");
        let lookbacks = [30, 28, 7, 1].map(|days| lookback_of(Length::from_days(days)).to_string());
        assert_eq!(lookbacks, ["6h", "5h36m", "1h24m", "12m"]);
    }

    #[test]
    fn what_is_exhausted_comes_back_and_what_is_unknown_is_not_said() {
        let over = past(definition(), |leaves| if leaves == 601 { of_budget(1.25) } else { 0.0 });
        let instance = over.instance(&Labels::new()).unwrap();
        let forecast = instance.forecast();
        assert_eq!(forecast.recovers_at, Some(at(NOW + 601 * HOUR_SECONDS)));
        assert_eq!((forecast.exhausted, forecast.exhausts_at, instance.likely_ends()), (true, None, None));
        let mut empty = state(definition());
        empty.advance(&answer(&[], NOW - 30, NOW), at(NOW));
        let nothing = Forecast { lookback: Length::from_hours(6), ..Forecast::default() };
        assert_eq!(empty.instance(&Labels::new()).unwrap().forecast(), nothing);
    }

    #[test]
    fn without_failures_only_the_unlikely_end_is_ahead() {
        // 100 events an hour: the budget is 72, and 1.3528 in 6 h would be a burn of 2.25.
        let mut state = state(definition());
        state.advance(&answer(&[], NOW - 30, NOW), at(NOW));
        let hour = |number: i64| HourBucket {
            end: at(NOW - (PERIOD - number) * HOUR_SECONDS),
            events: 0.0,
            total: 100.0,
            measured: HOUR,
        };
        let hours: Vec<HourBucket> = (1..=PERIOD).map(hour).collect();
        state.restore_hours(&Labels::new(), &hours, at(NOW));
        let instance = state.instance(&Labels::new()).unwrap();
        let likely = instance.likely_ends().unwrap();
        assert_eq!((instance.forecast().exhausts_at, likely.p50, likely.p90), (None, None, None));
        let p10 = likely.p10.unwrap().since(at(NOW)).seconds_f64() / 3_600.0;
        // 1.3528 h / 6 = 72 + 0.1 (h - floor h)
        assert!((p10 - 72.0 * 6.0 / 1.3528).abs() < 0.5, "{p10}");
    }
}
