//! A person ends an alert between two slice ends: worked out beside what runs, and taken once it is written.

use crate::engine::verdict::Verdict;
use crate::policy::book::{AlertBook, Closer};
use crate::policy::machine::Setting;
use crate::policy::route::Heard;
use crate::runtime::entry::{Entry, drained};
use crate::runtime::evaluation::Evaluated;
use crate::units::{InstanceId, Timestamp};

/// What comes of it where a person ends the firing alert `id` now, and the alerts as they are then: nothing is changed
/// until they are taken ([`take`]). `None`: no such alert fires here.
#[must_use]
pub fn closed(entry: &Entry, id: &str, now: Timestamp, closer: Closer<'_>) -> Option<(AlertBook, Evaluated)> {
    entry.with(|inner| {
        let setting = Setting { subject: &inner.subject, page_can_be_told: Heard::Always, source_alert: None };
        let (state, mut book) = (&inner.state, inner.book.clone());
        let instance = book.alerts().find(|alert| alert.id == id)?.slo.parse::<InstanceId>().ok();
        let verdict = instance.and_then(|id| {
            let (mut verdict, instance) = (Verdict::default(), state.instance(&id.group)?);
            state.judge(instance, book.firing(state.definition(), &id.group), &mut verdict);
            verdict.forecast = Some(instance.forecast());
            Some(verdict)
        });
        let effects = book.close(&setting, id, state.as_of().unwrap_or(now), verdict.as_ref(), closer)?;
        let commit = drained(entry.id(), &mut book);
        Some((book, Evaluated { effects, commit }))
    })
}

/// Goes on with these alerts.
pub fn take(entry: &Entry, book: AlertBook) {
    entry.with(|inner| inner.book = book);
}
