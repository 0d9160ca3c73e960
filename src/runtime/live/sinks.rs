//! The sinks as shown: what waits for each, and how its newest try ended; and when what they log in with changes.

use std::collections::BTreeMap;

use crate::config::meant::{SecretRef, SinkConfig};
use crate::runtime::blueprint::Blueprint;
use crate::runtime::outbox::gate::{Gates, LastOutcome};
use crate::runtime::service::{GateView, SinkView};
use crate::runtime::watch;
use crate::sink::Sink;
use crate::store::{Attempt, DeliveryFilter, DeliveryState, Store, StoreError};
use crate::units::Timestamp;

/// Rows among which the newest try is looked for: the newest row may wait behind older ones.
const ROWS: usize = 20;

/// A number of each sink that changes when one of its secret files does, by name.
pub(super) fn keys(blueprint: &Blueprint) -> BTreeMap<String, u64> {
    let file = |secret: &SecretRef| match secret {
        SecretRef::File(path) => Some(path.clone()),
        SecretRef::Env(_) => None,
    };
    let key = |sink: &SinkConfig| {
        let files: Vec<_> = sink.secrets().into_iter().filter_map(file).collect();
        (!files.is_empty()).then(|| watch::fingerprint(&files))
    };
    blueprint.config.sinks.iter().filter_map(|(name, sink)| Some((name.clone(), key(sink)?))).collect()
}

/// All of them, by name.
pub(super) async fn views(
    blueprint: &Blueprint,
    store: &dyn Store,
    gates: &Gates,
    now: Timestamp,
) -> Result<Vec<SinkView>, StoreError> {
    let standing = gates.view(now);
    let mut views = Vec::new();
    for (name, config) in &blueprint.config.sinks {
        let backlog = store.backlog(name, now).await?;
        let filter = DeliveryFilter { sink: Some(name.clone()), ..DeliveryFilter::default() };
        let rows = store.deliveries(&filter, ROWS).await?;
        let last: Option<Attempt> = rows.into_iter().flat_map(|row| row.attempts).max_by_key(|attempt| attempt.at);
        let done = DeliveryFilter { state: Some(DeliveryState::Done), ..filter };
        let done = store.deliveries(&done, ROWS).await?;
        let stands = standing.iter().find(|stands| stands.name == *name);
        let failure = stands.and_then(|stands| stands.failure.clone()).map(attempt);
        views.push(SinkView {
            name: name.clone(),
            kind: config.name().to_owned(),
            destination: destination(config, blueprint.sinks.get(name)),
            pending: backlog.pending,
            oldest: backlog.oldest.map(|oldest| now.since(oldest)),
            last: stands.and_then(|stands| stands.last.clone()).map(attempt).or(last).or_else(|| failure.clone()),
            failure,
            last_success_at: done.iter().flat_map(|row| &row.attempts).map(|attempt| attempt.at).max(),
            attention: stands.and_then(|stands| stands.alarm.clone()),
            gate: stands.map_or(GateView::Open, |stands| stands.gate),
            failures: stands.map_or(0, |stands| stands.failures),
        });
    }
    Ok(views)
}

fn attempt(of: LastOutcome) -> Attempt {
    let LastOutcome { at, outcome, message } = of;
    Attempt { at, outcome, message }
}

/// What a sink says of itself; of a state that is told to several peers their hosts.
fn destination(config: &SinkConfig, sink: Option<&Sink>) -> Option<String> {
    match (config, sink) {
        (SinkConfig::Alertmanager { urls, .. }, _) => {
            Some(urls.iter().map(|url| host(url)).collect::<Vec<_>>().join(", "))
        }
        (_, Some(Sink::Event(sink))) => sink.destination(),
        _ => None,
    }
}

/// Host and port of an address.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}
