//! A person ends an alert between two slice ends: worked out beside what runs, and taken once it is written.

use crate::engine::verdict::Verdict;
use crate::policy::book::{AlertBook, Closer};
use crate::policy::closed;
use crate::policy::instance::key;
use crate::policy::machine::Setting;
use crate::policy::route::Heard;
use crate::runtime::entry::{Entry, drained};
use crate::runtime::evaluation::Evaluated;
use crate::units::{InstanceId, Timestamp};

/// What comes of an alert that a person ends.
pub struct Ending {
    /// The alerts as they are then.
    pub book: AlertBook,
    /// What has to be told and written.
    pub evaluated: Evaluated,
    /// What its condition says, where that still holds.
    pub still: Option<String>,
}

/// What comes of it where a person ends the firing alert `id` now: nothing is changed until it is taken ([`take`]).
/// `None`: no such alert fires here.
#[must_use]
pub fn closed(entry: &Entry, id: &str, now: Timestamp, closer: Closer<'_>) -> Option<Ending> {
    entry.with(|inner| {
        let setting = Setting { subject: &inner.subject, page_can_be_told: Heard::Always, source_alert: None };
        let (state, mut book) = (&inner.state, inner.book.clone());
        let alert = book.alerts().find(|alert| alert.id == id)?;
        let (key, instance) = (key(alert), alert.slo.parse::<InstanceId>().ok());
        let verdict = instance.as_ref().and_then(|id| {
            let (mut verdict, instance) = (Verdict::default(), state.instance(&id.group)?);
            state.judge(instance, book.firing(state.definition(), &id.group), &mut verdict);
            verdict.forecast = Some(instance.forecast());
            Some(verdict)
        });
        let still = verdict
            .as_ref()
            .zip(instance.as_ref())
            .and_then(|(verdict, id)| closed::still(state.definition().of_group(&id.group), verdict, key));
        let effects = book.close(&setting, id, state.as_of().unwrap_or(now), verdict.as_ref(), closer)?;
        let commit = drained(entry.id(), &mut book);
        Some(Ending { book, evaluated: Evaluated { effects, commit }, still })
    })
}

/// Goes on with these alerts.
pub fn take(entry: &Entry, book: AlertBook) {
    entry.with(|inner| inner.book = book);
}
