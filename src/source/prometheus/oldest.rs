//! The oldest sample that a store still has of a selector.
//!
//! Reading everything to find out where it begins would cost as much as the history itself. So the store is looked at
//! every 6 h (one sample a series each), then every 5 min before the oldest hit, and the raw samples of the first 5 min
//! that have any say the time.

use crate::source::SourceError;
use crate::source::prometheus::api::{Api, MAX_POINTS};
use crate::spec::selector::Selector;
use crate::units::{Length, Timestamp};

const COARSE: Length = Length::from_hours(6);
const FINE: Length = Length::from_minutes(5);

/// Time of the oldest sample in `(since, until]`.
pub(super) async fn oldest(
    api: &Api,
    selector: &Selector,
    since: Timestamp,
    until: Timestamp,
) -> Result<Option<Timestamp>, SourceError> {
    // The newest moment is looked at too: a store may hold less than 6 h.
    let Some(seen) = first_hit(api, selector, since, until, COARSE).await? else { return Ok(None) };
    let begin = (seen - COARSE).max(since);
    let Some(fine) = first_hit(api, selector, begin, seen, FINE).await? else { return Ok(None) };
    // The first 5 min may reach back beyond `since` and have samples only there, so the next ones are read with them.
    let answer = api.samples(selector, (fine - FINE).max(since), (fine + FINE).min(until)).await?;
    Ok(answer.series.iter().filter_map(|series| series.samples.first()).map(|sample| sample.at).min())
}

/// The first of the times `until - n * step` after `since` that has a sample in the 5 min up to it.
async fn first_hit(
    api: &Api,
    selector: &Selector,
    since: Timestamp,
    until: Timestamp,
    step: Length,
) -> Result<Option<Timestamp>, SourceError> {
    let promql = format!("count(count_over_time({selector}[{FINE}]))");
    let steps = (until.since(since).millis() - 1).max(0) / step.millis();
    let mut first = until - step * steps;
    while first <= until {
        let last = (first + step * (MAX_POINTS - 1)).min(until);
        let values = api.range(&promql, first, last, step).await?;
        if let Some(hit) = values.iter().flat_map(|value| &value.points).map(|(at, _)| *at).min() {
            return Ok(Some(hit));
        }
        first = first + step * MAX_POINTS;
    }
    Ok(None)
}
