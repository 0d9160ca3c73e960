//! Amounts on their way into slices: collected first, applied as one difference per instance.
//!
//! Taking back and booking anew mostly cancel out, so only what really changed reaches the cells.

use std::collections::BTreeMap;

use crate::engine::instance::Instance;
use crate::engine::sums::Sums;
use crate::units::Timestamp;

/// An amount for one slice of one instance; negative where it is taken back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Booking {
    /// Place of the instance.
    pub(crate) instance: u32,
    /// The slice's end.
    pub(crate) slice: Timestamp,
    /// Events of the numerator and all events.
    pub(crate) amounts: (f64, f64),
}

/// Where pairs over more than `G` were booked: series and time of the newer sample, and the slice.
pub(crate) type Folds = BTreeMap<(u64, Timestamp), Timestamp>;

/// Applies all bookings.
pub(crate) fn apply(instances: &mut [Instance], bookings: &mut [Booking]) {
    bookings.sort_unstable_by_key(|booking| (booking.instance, booking.slice));
    for part in bookings.chunk_by(|a, b| a.instance == b.instance) {
        let changes = cumulative(part);
        let (Some((first, _)), Some((last, _))) = (changes.first(), changes.last()) else { continue };
        let place = part.first().and_then(|booking| usize::try_from(booking.instance).ok());
        let Some(instance) = place.and_then(|place| instances.get_mut(place)) else { continue };
        instance.windows.adjust(*first, |end| {
            let before = changes.partition_point(|(slice, _)| *slice <= end);
            before.checked_sub(1).and_then(|index| changes.get(index)).map_or(Sums::ZERO, |(_, sums)| *sums)
        });
        instance.touch(*first, *last);
    }
}

/// Cumulative changes by slice, without slices that do not change.
fn cumulative(part: &[Booking]) -> Vec<(Timestamp, Sums)> {
    let mut sums = Sums::ZERO;
    let mut changes = Vec::new();
    for slice in part.chunk_by(|a, b| a.slice == b.slice) {
        let before = sums;
        for booking in slice {
            sums.events += booking.amounts.0;
            sums.total += booking.amounts.1;
        }
        if !sums.minus(before).is_zero()
            && let Some(first) = slice.first()
        {
            changes.push((first.slice, sums));
        }
    }
    changes
}
