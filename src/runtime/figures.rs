//! Open alerts as they stand now, for the desk that tells them again and for those who look.
//!
//! Asked with the desk's lock held: it takes the lock of one SLO, or that of the sources' states, for as long as it takes
//! to read, and whoever holds one of those never waits for the desk. Nothing is read from the store.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use crate::policy::alert::{Alert, AlertKind, AlertState};
use crate::policy::current::{Depth, Figures};
use crate::policy::notification::Notification;
use crate::policy::reason;
use crate::policy::subject::SOURCE_SERVICE;
use crate::runtime::core::Core;
use crate::runtime::entry::{Entry, SharedEntry};
use crate::units::{InstanceId, SloId, Timestamp};

/// Which alert is asked about.
#[derive(Clone, Copy)]
struct Open<'a> {
    id: &'a str,
    slo: &'a str,
    kind: AlertKind,
    started_at: Timestamp,
}

impl Core {
    /// From now on these run.
    pub fn know_entries(&self, entries: &BTreeMap<SloId, SharedEntry>) {
        *self.entries.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(entries.clone());
    }

    /// How an alert stands that was told earlier and fires; `None`: nobody can say, as before the first tick.
    #[must_use]
    pub fn figures(&self, about: &Notification, depth: Depth) -> Option<Figures> {
        let Notification { alert_id, slo, kind, started_at, .. } = about;
        self.figures_of(Open { id: alert_id, slo, kind: *kind, started_at: *started_at }, depth)
    }

    /// Puts the figures of now into an alert that is open.
    pub fn show_as_of_now(&self, alert: &mut Alert) {
        if !matches!(alert.state, AlertState::Firing | AlertState::Pending) {
            return;
        }
        let Alert { id, slo, kind, started_at, .. } = &*alert;
        let figures = self.figures_of(Open { id, slo, kind: *kind, started_at: *started_at }, Depth::Evidence);
        if let Some(figures) = figures.filter(|figures| alert.as_of.is_none_or(|as_of| figures.as_of >= as_of)) {
            figures.show(alert);
        }
    }

    fn figures_of(&self, about: Open<'_>, depth: Depth) -> Option<Figures> {
        if about.kind == AlertKind::Source {
            return self.source_figures(about);
        }
        let instance: InstanceId = about.slo.parse().ok()?;
        let entries = Arc::clone(&self.entries.read().unwrap_or_else(PoisonError::into_inner));
        let entry = entries.get(&instance.slo)?;
        // A bug in one SLO's figures must not keep the desk from telling.
        catch_unwind(AssertUnwindSafe(|| entry.figures(&instance, about.id, depth))).ok().flatten()
    }

    /// Of a source that does not answer.
    fn source_figures(&self, about: Open<'_>) -> Option<Figures> {
        let name = about.slo.strip_prefix(SOURCE_SERVICE)?.strip_prefix('/')?;
        let known = |health: &crate::runtime::health::SourceHealth| {
            Some((health.failing_until?, health.problem().unwrap_or_default().to_owned()))
        };
        let (as_of, problem) = self.look_at(name, known)??;
        let reason = reason::source_fails(name, about.started_at, as_of, &problem);
        Some(Figures { as_of, reason: Some(reason), ..Figures::default() })
    }
}

impl Entry {
    /// How an open alert of an instance stands; `None` also while it is evaluated, for whom that holds up may hold the
    /// desk: the last figures stand then.
    fn figures(&self, instance: &InstanceId, id: &str, depth: Depth) -> Option<Figures> {
        let asked = (id, depth);
        self.with_if_free(|inner| inner.book.figures(&inner.subject, &inner.state, &instance.group, asked))?
    }
}
