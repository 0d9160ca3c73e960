//! What of a blueprint runs beside its pollers: the receivers of the outbox, heartbeats and reports.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::runtime::blueprint::Blueprint;
use crate::runtime::core::Core;
use crate::runtime::entry::SharedEntry;
use crate::runtime::live::sinks;
use crate::runtime::outbox::Receivers;
use crate::runtime::poller::Pace;
use crate::runtime::{reports, watchdog};
use crate::units::SloId;

/// Whom the outbox tells.
pub(super) fn receivers(blueprint: &Blueprint) -> Receivers {
    Receivers {
        sinks: blueprint.sinks.clone(),
        fallback: blueprint.config.fallback.clone(),
        others: sinks::stand_ins(&blueprint.config),
        external_labels: blueprint.config.server.external_labels.clone(),
    }
}

/// What a blueprint tells by itself: heartbeats and reports; a look without a service tells nothing.
pub(super) fn watchdogs(
    core: &Arc<Core>,
    blueprint: &Blueprint,
    entries: &BTreeMap<SloId, SharedEntry>,
    (pace, stop): (Pace, &CancellationToken),
) -> Vec<JoinHandle<()>> {
    if pace != Pace::Service {
        return Vec::new();
    }
    let mut tasks = watchdog::start(core, blueprint, stop);
    tasks.extend(reports::start(core, blueprint, entries, stop));
    tasks
}
