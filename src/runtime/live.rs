//! The running service: what is loaded, who polls it, and what is seen of it from outside. `reload` replaces it.

mod acts;
mod answers;
mod parts;
mod pending;
mod reload;
mod silences;
mod sinks;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::meant::Compat;
use crate::engine::verdict::WindowFigures;
use crate::plan::Plan;
use crate::policy::act::{Act, Acted, Actor};
use crate::policy::alert::Alert;
use crate::policy::desk::found::DigestFound;
use crate::policy::evidence::Deploy;
use crate::policy::source::{SourceAlert, SourceRule};
use crate::runtime::access::{Access, Admission, Presented};
use crate::runtime::blueprint::{Blueprint, Launch};
use crate::runtime::core::Core;
use crate::runtime::entry::{Entry, SharedEntry};
use crate::runtime::hooks::{HookAck, HookError, HookRequest};
use crate::runtime::links::{LinkError, LinkKey};
use crate::runtime::live::parts::{receivers, watchdogs};
use crate::runtime::mirror::{Mirror, MirrorSinks};
use crate::runtime::outbox::Outbox;
use crate::runtime::outbox::gate::Gates;
use crate::runtime::poller::{Pace, Poller, alert_state, source_subject};
use crate::runtime::quiet::{Stillness, deploy_of};
use crate::runtime::service::{
    ActError, ConfigView, InstanceView, LinkView, SeriesView, Service, SilenceView, SinkView, SourceView, Summary,
};
use crate::runtime::stored::Stored;
use crate::runtime::view::{Around, instance_view, series_view, sort_worst_first, summary};
use crate::runtime::{desk, watch};
use crate::spec::policy::AlertSeverity;
use crate::store::{AlertFilter, Commit, Delivery, DeliveryFilter, Record, RecordKind, Store, StoreError};
use crate::telemetry::Telemetry;
use crate::telemetry::event;
use crate::units::{InstanceId, Labels, Length, SloId, Timestamp};

/// How long a stop waits for deliveries under way.
const GRACE: Length = Length::from_seconds(5);

/// Deploys listed.
const DEPLOYS: usize = 10_000;

/// What is loaded. Replaced whole.
struct Loaded {
    blueprint: Arc<Blueprint>,
    entries: BTreeMap<SloId, SharedEntry>,
    at: Timestamp,
}

/// The tasks of what is loaded.
struct Running {
    stop: CancellationToken,
    pollers: Vec<JoinHandle<(String, SourceAlert)>>,
    watchdogs: Vec<JoinHandle<()>>,
    /// Outlives reloads.
    desk: Option<JoinHandle<()>>,
    outbox: Outbox,
}

/// A running service.
pub struct Live {
    core: Arc<Core>,
    launch: Launch,
    loaded: RwLock<Arc<Loaded>>,
    running: tokio::sync::Mutex<Running>,
    /// What makes quiet.
    stillness: Arc<Stillness>,
    /// Where silences are mirrored to.
    mirrors: MirrorSinks,
    /// Held by the act under way.
    acting: tokio::sync::Mutex<()>,
    access: Access,
    /// Of the outbox that runs.
    gates: Arc<Gates>,
    reload_ok: RwLock<bool>,
    external_url: String,
    /// A drill was begun or taken on.
    drilled: Arc<Notify>,
    pace: Pace,
    stop: CancellationToken,
}

impl Live {
    /// Starts everything that `blueprint` names, going on where the store says that an earlier run ended.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn start(
        launch: Launch,
        blueprint: Blueprint,
        store: Arc<dyn Store>,
        clock: Clock,
        telemetry: Telemetry,
        external_url: String,
        pace: Pace,
    ) -> Result<Arc<Self>, StoreError> {
        let mut stored = Stored::read(store.as_ref()).await?;
        let renames = stored.take_over(&blueprint, &|_| false, &|_, _| false);
        if renames != Commit::default() {
            store.commit(renames).await?;
            stored = Stored::read(store.as_ref()).await?;
        }
        let core = Arc::new(Core::new(clock, telemetry, store, Arc::clone(&blueprint.config)));
        let secret = blueprint.config.server.link_secret.as_ref();
        match LinkKey::chosen(secret, &launch.secrets, core.store.as_ref(), core.clock.now()).await {
            Ok(key) => {
                core.links.open(key, &external_url);
                core.links.consider(&blueprint.config);
            }
            // A full disk is no reason to watch nothing: what is told has no links until the next start.
            Err(error) => core.telemetry.tell(&event::StoreFailure { doing: &error.doing, problem: &error.problem }),
        }
        // Before anything is told.
        let stillness = Arc::new(Stillness::read(core.store.as_ref(), blueprint.quiet.clone()).await?);
        stillness.show(&core);
        core.restore_desk().await?;
        let blueprint = Arc::new(blueprint);
        let mut entries = BTreeMap::new();
        for plan in &blueprint.slos {
            let entry = stored.entry(&core, &blueprint, plan).await;
            entries.insert(plan.slo.id.clone(), entry);
        }
        core.know_entries(&entries);
        let gone = stored.withdrawn(&core, &blueprint);
        core.record(gone.effects, gone.commit).await;
        let stop = CancellationToken::new();
        let (store, wake) = (Arc::clone(&core.store), Arc::clone(&core.wake));
        let (clock, telemetry) = (core.clock.clone(), core.telemetry.clone());
        let outbox = Outbox::start(store, receivers(&blueprint), clock, telemetry, wake);
        let gates = outbox.gates();
        let task_stop = stop.child_token();
        let mut alerts = stored.source_alerts();
        let pollers = Self::spawn(&core, &blueprint, &entries, &mut alerts, (pace, &task_stop));
        Self::withdraw_sources(&core, alerts).await;
        let watchdogs = watchdogs(&core, &blueprint, &entries, (pace, &task_stop));
        let desk = Some(tokio::spawn(desk::run(Arc::clone(&core), stop.child_token())));
        let running = Running { stop: task_stop, pollers, watchdogs, desk, outbox };
        let mirrors = MirrorSinks::default();
        mirrors.take(&blueprint);
        if pace == Pace::Service {
            let mirror = Mirror::read(Arc::clone(&core), Arc::clone(&stillness), mirrors.clone()).await?;
            tokio::spawn(mirror.run(stop.clone()));
        }
        let at = core.clock.now();
        let loaded = RwLock::new(Arc::new(Loaded { blueprint, entries, at }));
        let live = Arc::new(Self {
            core,
            access: Access::new(Arc::clone(&launch.secrets)),
            launch,
            loaded,
            running: tokio::sync::Mutex::new(running),
            stillness,
            mirrors,
            acting: tokio::sync::Mutex::new(()),
            gates,
            reload_ok: RwLock::new(true),
            external_url,
            drilled: Arc::new(Notify::new()),
            pace,
            stop,
        });
        live.tell_reload(&Ok(()));
        Ok(live)
    }

    /// Reloads whenever a file changes, until the service stops.
    pub async fn follow_files(&self) {
        let mut seen = watch::fingerprint(&self.loaded().blueprint.watched);
        let mut keys = sinks::keys(&self.loaded().blueprint);
        loop {
            tokio::select! {
                () = self.core.clock.sleep(watch::INTERVAL) => {}
                () = self.stop.cancelled() => return,
            }
            let watched = self.loaded().blueprint.watched.clone();
            let now = watch::fingerprint(&watched);
            if now != seen {
                // The findings were told by the reload itself.
                let by = Actor { name: "files".to_owned(), via: "files".to_owned() };
                let _ = self.perform(Act::Reload, &by).await;
                // As it was before the reload: what changed meanwhile is seen by the next look.
                seen = now;
            }
            keys = sinks::invite_changed(&self.loaded().blueprint, &self.gates, &keys);
        }
    }

    /// Stops pollers and outbox; what is under way gets `GRACE`. Says whether nothing was cut off.
    pub async fn stop(&self) -> bool {
        self.stop.cancel();
        let Ok(mut running) = tokio::time::timeout(GRACE.to_std(), self.running.lock()).await else {
            return false;
        };
        running.stop.cancel();
        let pollers = std::mem::take(&mut running.pollers);
        let watchdogs = std::mem::take(&mut running.watchdogs);
        let desk = running.desk.take();
        let all = async {
            for poller in pollers {
                // A panic in a poller was logged when it happened.
                let _ = poller.await;
            }
            for watchdog in watchdogs {
                let _ = watchdog.await;
            }
            if let Some(desk) = desk {
                let _ = desk.await;
            }
        };
        let pollers_ended = tokio::time::timeout(GRACE.to_std(), all).await.is_ok();
        let outbox_ended = running.outbox.stop(GRACE.to_std()).await;
        pollers_ended && outbox_ended
    }

    /// Waits until the pollers end by themselves, as they do at [`Pace::Once`].
    pub async fn pollers_ended(&self) {
        let mut running = self.running.lock().await;
        for poller in std::mem::take(&mut running.pollers) {
            // A panic in a poller was logged when it happened.
            let _ = poller.await;
        }
    }

    /// What is loaded, ascending by id.
    #[must_use]
    pub fn entries(&self) -> Vec<SharedEntry> {
        self.loaded().entries.values().map(Arc::clone).collect()
    }

    fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Starts the pollers of a blueprint.
    fn spawn(
        core: &Arc<Core>,
        blueprint: &Arc<Blueprint>,
        entries: &BTreeMap<SloId, SharedEntry>,
        alerts: &mut BTreeMap<String, SourceAlert>,
        (pace, stop): (Pace, &CancellationToken),
    ) -> Vec<JoinHandle<(String, SourceAlert)>> {
        core.know_sources(&blueprint.source_kinds());
        let mut pollers = Vec::new();
        for (name, source) in &blueprint.sources {
            let Some(config) = blueprint.config.sources.get(name) else { continue };
            let slos = blueprint.slos_of(name);
            let entries: Vec<SharedEntry> =
                slos.iter().filter_map(|slo| entries.get(&slo.id)).map(Arc::clone).collect();
            let poller = Poller {
                name: name.clone(),
                source: Arc::clone(source),
                config: config.clone(),
                slice: blueprint.config.slice,
                entries,
                alert: alerts.remove(name).unwrap_or_default(),
                core: Arc::clone(core),
                pace,
                backfill: None,
            };
            let plan = Plan::new(&slos, crate::plan::overlap(config), blueprint.config.slice);
            pollers.push(tokio::spawn(poller.run(plan, stop.clone())));
        }
        pollers
    }

    /// The alerts of sources that left the files end.
    async fn withdraw_sources(core: &Core, alerts: BTreeMap<String, SourceAlert>) {
        let config = core.config();
        for (name, mut alert) in alerts {
            let subject = source_subject(&name, &config);
            let severity = alert.alert().map_or(AlertSeverity::Page, |alert| alert.severity);
            let rule = SourceRule { subject: &subject, after: Length::ZERO, severity };
            let step = alert.withdraw(&rule, core.clock.now());
            core.record(step.effects, alert_state(&name, &alert)).await;
        }
    }

    /// The longest period of what is loaded: hours are kept at least that long.
    #[must_use]
    pub fn longest_period(&self) -> Length {
        self.loaded().entries.values().map(|entry| entry.period()).max().unwrap_or_default()
    }

    /// Its metrics and log.
    #[must_use]
    pub fn telemetry(&self) -> &Telemetry {
        &self.core.telemetry
    }

    fn views_of(entry: &Entry) -> Vec<InstanceView> {
        let around = Around { judged: entry.is_judged(), backfilled: entry.backfilled() };
        entry.with(|inner| {
            inner.count(None);
            inner.state.instances().map(|(_, instance)| instance_view(inner, instance, around)).collect()
        })
    }
}

#[async_trait]
impl Service for Live {
    fn instances(&self) -> Vec<InstanceView> {
        let mut views: Vec<InstanceView> =
            self.loaded().entries.values().flat_map(|entry| Self::views_of(entry)).collect();
        sort_worst_first(&mut views);
        views
    }

    fn summaries(&self) -> Vec<Summary> {
        let loaded = self.loaded();
        let of = |entry: &SharedEntry| {
            let judged = entry.is_judged();
            entry.with(|inner| {
                inner.state.instances().map(|(_, instance)| summary(inner, instance, judged)).collect::<Vec<_>>()
            })
        };
        loaded.entries.values().flat_map(of).collect()
    }

    fn groups(&self, slo: &SloId) -> Option<Vec<Labels>> {
        let loaded = self.loaded();
        let entry = loaded.entries.get(slo)?;
        Some(entry.with(|inner| inner.state.instances().map(|(group, _)| group.clone()).collect()))
    }

    fn instance(&self, id: &InstanceId) -> Option<InstanceView> {
        let loaded = self.loaded();
        let entry = loaded.entries.get(&id.slo)?;
        let around = Around { judged: entry.is_judged(), backfilled: entry.backfilled() };
        entry.with(|inner| {
            inner.count(Some(&id.group));
            let instance = inner.state.instance(&id.group)?;
            Some(InstanceView { likely_ends: instance.likely_ends(), ..instance_view(inner, instance, around) })
        })
    }

    fn window(&self, id: &InstanceId, over: Length) -> Option<WindowFigures> {
        let loaded = self.loaded();
        loaded.entries.get(&id.slo)?.with(|inner| Some(inner.state.instance(&id.group)?.window(over)))
    }

    fn series(&self, id: &InstanceId, from: Timestamp, to: Timestamp, points: usize) -> Option<SeriesView> {
        let loaded = self.loaded();
        loaded.entries.get(&id.slo)?.with(|inner| series_view(inner, &id.group, from, to, points))
    }

    /// Those of the store, and those that are only pending: they live in the states alone.
    async fn alerts(&self, filter: &AlertFilter, limit: usize) -> Result<Vec<Alert>, StoreError> {
        let mut alerts = self.pending(filter);
        alerts.extend(self.core.store.alerts(filter, limit).await?);
        alerts.truncate(limit);
        Ok(alerts)
    }

    fn show_as_of_now(&self, alerts: &mut [Alert]) {
        alerts.iter_mut().for_each(|alert| self.core.show_as_of_now(alert));
    }

    async fn alert(&self, id: &str) -> Result<Option<Alert>, StoreError> {
        let pending = || self.pending(&AlertFilter::default()).into_iter().find(|alert| alert.id == id);
        let mut found = self.core.store.alert(id).await?.or_else(pending);
        found.iter_mut().for_each(|alert| self.core.show_as_of_now(alert));
        Ok(found)
    }

    async fn labels(&self, alert: &Alert) -> Option<BTreeMap<String, String>> {
        self.labels_of(alert).await
    }

    async fn digest(&self, id: &str) -> Option<DigestFound> {
        self.core.digest_of(None, |_, digest| digest == id).await
    }

    async fn deliveries(&self, filter: &DeliveryFilter, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        self.core.store.deliveries(filter, limit).await
    }

    async fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError> {
        self.core.store.delivery(id).await
    }

    async fn sinks(&self) -> Result<Vec<SinkView>, StoreError> {
        let (loaded, now) = (self.loaded(), self.core.clock.now());
        sinks::views(&loaded.blueprint, self.core.store.as_ref(), &self.gates, now).await
    }

    fn sources(&self) -> Vec<SourceView> {
        self.core.sources()
    }

    fn config(&self) -> ConfigView {
        let loaded = self.loaded();
        ConfigView {
            revision: loaded.blueprint.revision.clone(),
            digest: loaded.blueprint.digest.clone(),
            loaded_at: loaded.at,
            reload_ok: *self.reload_ok.read().unwrap_or_else(PoisonError::into_inner),
            config: loaded.blueprint.shown(),
        }
    }

    async fn admit(&self, presented: Option<&Presented>) -> Admission {
        self.access.admit(self.core.config().server.tokens.as_deref(), presented).await
    }

    async fn act(&self, act: Act, by: &Actor) -> Result<Acted, ActError> {
        self.perform(act, by).await
    }

    async fn records(&self, kind: RecordKind, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.core.store.records(kind, limit).await
    }

    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError> {
        self.core.store.record(kind, id).await
    }

    async fn link(&self, token: &str) -> Result<LinkView, LinkError> {
        answers::link(self, token).await
    }

    async fn hook(&self, sink: &str, request: &HookRequest) -> Result<Option<(Actor, HookAck)>, HookError> {
        answers::hook(self, sink, request).await
    }

    async fn silences(&self) -> Result<Vec<SilenceView>, StoreError> {
        self.silence_views().await
    }

    async fn deploys(&self) -> Result<Vec<Deploy>, StoreError> {
        let records = self.core.store.records(RecordKind::Marker, DEPLOYS).await?;
        Ok(records.iter().filter_map(deploy_of).collect())
    }

    fn ready(&self) -> Result<(), String> {
        let loaded = self.loaded();
        let waiting: Vec<&SharedEntry> = loaded.entries.values().filter(|entry| !entry.is_judged()).collect();
        let unreachable =
            |entry: &&SharedEntry| self.core.health(&entry.slo().source, |health| health.failing_since.is_some());
        match waiting.iter().find(|entry| !unreachable(entry)) {
            Some(entry) => Err(format!(
                "{} of {} SLOs are not judged yet, `{}` for one",
                waiting.len(),
                loaded.entries.len(),
                entry.id()
            )),
            None => Ok(()),
        }
    }

    fn now(&self) -> Timestamp {
        self.core.clock.now()
    }

    /// The lag is that of now: told by the ticks, it would stand still with them.
    fn own_metrics(&self) -> String {
        let (loaded, now) = (self.loaded(), self.core.clock.now());
        let reached = loaded.entries.values().map(|entry| entry.as_of().unwrap_or(loaded.at)).min();
        let seconds = now.since(reached.unwrap_or(now)).seconds_f64();
        self.core.telemetry.tell(&event::EvaluationLag { seconds });
        self.core.telemetry.render()
    }

    fn has_sloth_names(&self) -> bool {
        self.loaded().blueprint.config.server.compat == Compat::Sloth
    }

    fn external_url(&self) -> String {
        self.external_url.clone()
    }
}
