//! The metrics of INTERFACES 4: names as an enum, families behind it, and the page.
//!
//! prometheus-client writes OpenMetrics; the page is served as Prometheus' text format 0.0.4, which every scraper and
//! `promtool check metrics` read, so the two differences (counters' `HELP` and `TYPE` lines, the end mark) are mended
//! here. Invariant: every name on the page is one of [`Metric::ALL`], and every one has `HELP` and `TYPE`; a family without series is left out.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric as Registrable, Registry};

/// Upper bounds of `slo_tick_duration_seconds`: 1 ms is a tick of a few SLOs in memory, 30 s a whole slice.
const TICK_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 30.0];

/// Every metric of the service's own health.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// How far the newest verdict is behind the wall clock.
    EvaluationLag,
    /// How long a tick took.
    TickDuration,
    /// Requests to a source, by outcome.
    SourceRequests,
    /// Whether a source answers.
    SourceUp,
    /// Source's clock minus ours.
    SourceClockSkew,
    /// Samples that are no counts.
    SourceSamplesRefused,
    /// Series whose first value could not be placed.
    SeriesBirthsUncounted,
    /// Whether answers come from replicas that differ.
    SourceReplicasDiffer,
    /// Pages of a source that is scraped.
    SourceTargets,
    /// Pages that failed.
    SourceTargetsFailed,
    /// Attempts to deliver, by outcome.
    Deliveries,
    /// Outbox rows that wait.
    OutboxPending,
    /// Age of the oldest of them.
    OutboxOldest,
    /// Whether tries may go to a sink.
    SinkGate,
    /// What sinks say that a person has to mend.
    DeliveryAlarms,
    /// Whether the last reload was taken.
    ReloadSuccess,
    /// Operations of the store that failed.
    StoreErrors,
    /// HTTP requests that were not let through.
    HttpRefused,
    /// Revision of the files.
    ConfigInfo,
    /// Version of the program.
    BuildInfo,
}

impl Metric {
    /// All of them, in the order of the page.
    pub const ALL: [Self; 20] = [
        Self::EvaluationLag,
        Self::TickDuration,
        Self::SourceRequests,
        Self::SourceUp,
        Self::SourceClockSkew,
        Self::SourceSamplesRefused,
        Self::SeriesBirthsUncounted,
        Self::SourceReplicasDiffer,
        Self::SourceTargets,
        Self::SourceTargetsFailed,
        Self::Deliveries,
        Self::OutboxPending,
        Self::OutboxOldest,
        Self::SinkGate,
        Self::DeliveryAlarms,
        Self::ReloadSuccess,
        Self::StoreErrors,
        Self::HttpRefused,
        Self::ConfigInfo,
        Self::BuildInfo,
    ];

    /// Its name on the page.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EvaluationLag => "slo_evaluation_lag_seconds",
            Self::TickDuration => "slo_tick_duration_seconds",
            Self::SourceRequests => "slo_source_requests_total",
            Self::SourceUp => "slo_source_up",
            Self::SourceClockSkew => "slo_source_clock_skew_seconds",
            Self::SourceSamplesRefused => "slo_source_samples_refused_total",
            Self::SeriesBirthsUncounted => "slo_series_births_uncounted_total",
            Self::SourceReplicasDiffer => "slo_source_replicas_differ",
            Self::SourceTargets => "slo_source_targets",
            Self::SourceTargetsFailed => "slo_source_targets_failed",
            Self::Deliveries => "slo_deliveries_total",
            Self::OutboxPending => "slo_outbox_pending",
            Self::OutboxOldest => "slo_outbox_oldest_seconds",
            Self::SinkGate => "slo_sink_gate_open",
            Self::DeliveryAlarms => "slo_delivery_alarms_total",
            Self::ReloadSuccess => "slo_reload_success",
            Self::StoreErrors => "slo_store_errors_total",
            Self::HttpRefused => "slo_http_refused_total",
            Self::ConfigInfo => "slo_config_info",
            Self::BuildInfo => "slo_build_info",
        }
    }

    /// Its `HELP` text, without a full stop.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::EvaluationLag => "Time between the newest slice that was judged and the wall clock",
            Self::TickDuration => "Time that one tick took: ask, judge, commit",
            Self::SourceRequests => "Requests to a source by outcome",
            Self::SourceUp => "Whether the last tick's requests to the source succeeded",
            Self::SourceClockSkew => "Clock of the source minus the clock here",
            Self::SourceSamplesRefused => "Samples treated as absent because they are no counts, by reason",
            Self::SeriesBirthsUncounted => "Series whose first value counts nothing because their birth is unknown",
            Self::SourceReplicasDiffer => "Whether an answer came from another replica than what is held",
            Self::SourceTargets => "Pages of a source that is scraped",
            Self::SourceTargetsFailed => "Pages of the source that could not be fetched or read at the last scrape",
            Self::Deliveries => "Attempts to deliver a notification by outcome",
            Self::OutboxPending => "Notifications that wait to be delivered",
            Self::OutboxOldest => "Age of the oldest notification that waits to be delivered",
            Self::SinkGate => "Whether notifications may go to the sink now, or wait for its destination",
            Self::DeliveryAlarms => "Deliveries that showed something that a person has to mend",
            Self::ReloadSuccess => "Whether the last reload of the files was taken",
            Self::StoreErrors => "Operations of the store that failed",
            Self::HttpRefused => "HTTP requests that were not let through, by reason",
            Self::ConfigInfo => "Revision of the files in use",
            Self::BuildInfo => "Version of the program",
        }
    }
}

/// Labels of a family that has one series a source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SourceLabels {
    source: String,
}

/// Labels of `slo_source_requests_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    source: String,
    outcome: &'static str,
}

/// Labels of `slo_source_samples_refused_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusedLabels {
    source: String,
    reason: &'static str,
}

/// Labels of `slo_deliveries_total`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DeliveryLabels {
    sink: String,
    outcome: String,
}

/// Labels of a family that has one series a sink.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SinkLabels {
    sink: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RevisionLabels {
    revision: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VersionLabels {
    version: String,
}

type FloatGauge = Gauge<f64, AtomicU64>;

/// All families and the registry that writes them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    evaluation_lag: FloatGauge,
    tick_duration: Histogram,
    source_requests: Family<RequestLabels, Counter>,
    source_up: Family<SourceLabels, Gauge>,
    source_clock_skew: Family<SourceLabels, FloatGauge>,
    samples_refused: Family<RefusedLabels, Counter>,
    births_uncounted: Family<SourceLabels, Counter>,
    replicas_differ: Family<SourceLabels, Gauge>,
    targets: Family<SourceLabels, Gauge>,
    targets_failed: Family<SourceLabels, Gauge>,
    deliveries: Family<DeliveryLabels, Counter>,
    outbox_pending: Family<SinkLabels, Gauge>,
    outbox_oldest: Family<SinkLabels, FloatGauge>,
    sink_gate: Family<SinkLabels, Gauge>,
    delivery_alarms: Family<SinkLabels, Counter>,
    reload_success: Gauge,
    store_errors: Counter,
    http_refused: Family<ReasonLabels, Counter>,
    config_info: Family<RevisionLabels, Gauge>,
    known: Mutex<Known>,
}

/// Label values seen so far, so that a part that leaves the configuration takes its series along.
#[derive(Debug, Default)]
struct Known {
    requests: Vec<RequestLabels>,
    refused: Vec<RefusedLabels>,
    deliveries: Vec<DeliveryLabels>,
}

impl Metrics {
    /// All metrics at their start.
    pub(super) fn new(version: &str) -> Self {
        let mut registry = Registry::default();
        let build: Family<VersionLabels, Gauge> = Family::default();
        build.get_or_create(&VersionLabels { version: version.to_owned() }).set(1);
        let reload_success = Gauge::default();
        reload_success.set(1);
        let metrics = Self {
            evaluation_lag: register(&mut registry, Metric::EvaluationLag, Gauge::default()),
            tick_duration: register(&mut registry, Metric::TickDuration, Histogram::new(TICK_BUCKETS)),
            source_requests: register(&mut registry, Metric::SourceRequests, Family::default()),
            source_up: register(&mut registry, Metric::SourceUp, Family::default()),
            source_clock_skew: register(&mut registry, Metric::SourceClockSkew, Family::default()),
            samples_refused: register(&mut registry, Metric::SourceSamplesRefused, Family::default()),
            births_uncounted: register(&mut registry, Metric::SeriesBirthsUncounted, Family::default()),
            replicas_differ: register(&mut registry, Metric::SourceReplicasDiffer, Family::default()),
            targets: register(&mut registry, Metric::SourceTargets, Family::default()),
            targets_failed: register(&mut registry, Metric::SourceTargetsFailed, Family::default()),
            deliveries: register(&mut registry, Metric::Deliveries, Family::default()),
            outbox_pending: register(&mut registry, Metric::OutboxPending, Family::default()),
            outbox_oldest: register(&mut registry, Metric::OutboxOldest, Family::default()),
            sink_gate: register(&mut registry, Metric::SinkGate, Family::default()),
            delivery_alarms: register(&mut registry, Metric::DeliveryAlarms, Family::default()),
            reload_success: register(&mut registry, Metric::ReloadSuccess, reload_success),
            store_errors: register(&mut registry, Metric::StoreErrors, Counter::default()),
            http_refused: register(&mut registry, Metric::HttpRefused, Family::default()),
            config_info: register(&mut registry, Metric::ConfigInfo, Family::default()),
            known: Mutex::default(),
            registry: Registry::default(),
        };
        register(&mut registry, Metric::BuildInfo, build);
        Self { registry, ..metrics }
    }

    /// How far the newest verdict is behind the wall clock.
    pub(super) fn evaluation_lag(&self, seconds: f64) {
        self.evaluation_lag.set(seconds);
    }

    /// One tick.
    pub(super) fn ticked(&self, seconds: f64) {
        self.tick_duration.observe(seconds);
    }

    /// One request to a source.
    pub(super) fn source_requested(&self, source: &str, outcome: &'static str) {
        let labels = RequestLabels { source: source.to_owned(), outcome };
        self.source_requests.get_or_create(&labels).inc();
        remember(&mut self.known().requests, labels);
    }

    /// Whether a source answers; returns whether that is news (the first time counts as news only where it is down).
    pub(super) fn source_up(&self, source: &str, up: bool) -> bool {
        let labels = SourceLabels { source: source.to_owned() };
        let before = self.source_up.get(&labels).map(|gauge| gauge.get() == 1);
        self.source_up.get_or_create(&labels).set(i64::from(up));
        before.unwrap_or(true) != up
    }

    /// Source's clock minus ours.
    pub(super) fn clock_skew(&self, source: &str, seconds: f64) {
        self.source_clock_skew.get_or_create(&SourceLabels { source: source.to_owned() }).set(seconds);
    }

    /// Samples that are no counts.
    pub(super) fn samples_refused(&self, source: &str, reason: &'static str, count: u64) {
        let labels = RefusedLabels { source: source.to_owned(), reason };
        self.samples_refused.get_or_create(&labels).inc_by(count);
        remember(&mut self.known().refused, labels);
    }

    /// Series whose birth is unknown.
    pub(super) fn births_uncounted(&self, source: &str, count: u64) {
        self.births_uncounted.get_or_create(&SourceLabels { source: source.to_owned() }).inc_by(count);
    }

    /// Whether answers come from replicas that differ; returns whether that is news.
    pub(super) fn replicas_differ(&self, source: &str, differ: bool) -> bool {
        let labels = SourceLabels { source: source.to_owned() };
        let before = self.replicas_differ.get(&labels).is_some_and(|gauge| gauge.get() == 1);
        self.replicas_differ.get_or_create(&labels).set(i64::from(differ));
        before != differ
    }

    /// Pages of the last scrape, and those of them that failed.
    pub(super) fn scraped(&self, source: &str, targets: usize, failed: usize) {
        let labels = SourceLabels { source: source.to_owned() };
        for (family, count) in [(&self.targets, targets), (&self.targets_failed, failed)] {
            family.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// One attempt to deliver.
    pub(super) fn delivered(&self, sink: &str, outcome: &str) {
        let labels = DeliveryLabels { sink: sink.to_owned(), outcome: outcome.to_owned() };
        self.deliveries.get_or_create(&labels).inc();
        remember(&mut self.known().deliveries, labels);
    }

    /// What waits in the outbox for a sink.
    pub(super) fn outbox(&self, sink: &str, pending: u64, oldest_seconds: f64) {
        let labels = SinkLabels { sink: sink.to_owned() };
        self.outbox_pending.get_or_create(&labels).set(i64::try_from(pending).unwrap_or(i64::MAX));
        self.outbox_oldest.get_or_create(&labels).set(oldest_seconds);
    }

    /// Whether tries may go to a sink; returns whether that is news.
    pub(super) fn sink_gate(&self, sink: &str, open: bool) -> bool {
        let labels = SinkLabels { sink: sink.to_owned() };
        let before = self.sink_gate.get(&labels).is_none_or(|gauge| gauge.get() == 1);
        self.sink_gate.get_or_create(&labels).set(i64::from(open));
        before != open
    }

    /// Something to mend at a sink.
    pub(super) fn delivery_alarm(&self, sink: &str) {
        self.delivery_alarms.get_or_create(&SinkLabels { sink: sink.to_owned() }).inc();
    }

    /// The outcome of a reload (or of the start).
    pub(super) fn reloaded(&self, taken: bool) {
        self.reload_success.set(i64::from(taken));
    }

    /// The files in use.
    pub(super) fn revision(&self, revision: &str) {
        self.config_info.clear();
        self.config_info.get_or_create(&RevisionLabels { revision: revision.to_owned() }).set(1);
    }

    /// The store failed.
    pub(super) fn store_failed(&self) {
        self.store_errors.inc();
    }

    /// An HTTP request was not let through.
    pub(super) fn request_refused(&self, reason: &'static str) {
        self.http_refused.get_or_create(&ReasonLabels { reason }).inc();
    }

    /// Drops everything of a source.
    pub(super) fn forget_source(&self, source: &str) {
        let labels = SourceLabels { source: source.to_owned() };
        self.source_up.remove(&labels);
        self.source_clock_skew.remove(&labels);
        self.births_uncounted.remove(&labels);
        self.replicas_differ.remove(&labels);
        self.targets.remove(&labels);
        self.targets_failed.remove(&labels);
        let mut known = self.known();
        forget(&mut known.requests, &self.source_requests, |labels| labels.source == source);
        forget(&mut known.refused, &self.samples_refused, |labels| labels.source == source);
    }

    /// Drops everything of a sink.
    pub(super) fn forget_sink(&self, sink: &str) {
        let labels = SinkLabels { sink: sink.to_owned() };
        self.outbox_pending.remove(&labels);
        self.outbox_oldest.remove(&labels);
        self.sink_gate.remove(&labels);
        self.delivery_alarms.remove(&labels);
        forget(&mut self.known().deliveries, &self.deliveries, |labels| labels.sink == sink);
    }

    /// The page, in Prometheus' text format 0.0.4.
    pub(super) fn render(&self) -> String {
        let mut open_metrics = String::new();
        // Writing into a string does not fail; were it to, the page would end early and the scrape would say so.
        let _ = text::encode_registry(&mut open_metrics, &self.registry);
        as_text_format(&open_metrics)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        // Only pushes and retains happen under the lock: after a panic elsewhere the lists are still whole.
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn register<M: Registrable + Clone>(registry: &mut Registry, metric: Metric, family: M) -> M {
    // The client adds `_total` to counters by itself.
    registry.register(metric.name().trim_end_matches("_total"), metric.help(), family.clone());
    family
}

fn remember<L: PartialEq>(known: &mut Vec<L>, labels: L) {
    if !known.contains(&labels) {
        known.push(labels);
    }
}

fn forget<L: Clone + std::hash::Hash + Eq>(known: &mut Vec<L>, family: &Family<L, Counter>, gone: impl Fn(&L) -> bool) {
    known.retain(|labels| {
        if gone(labels) {
            family.remove(labels);
        }
        !gone(labels)
    });
}

/// In the text format a counter's comment lines carry the sample's name, `_total` included.
fn as_text_format(open_metrics: &str) -> String {
    let counters: Vec<&str> = Metric::ALL.iter().filter_map(|metric| metric.name().strip_suffix("_total")).collect();
    let mut page = String::with_capacity(open_metrics.len() + 256);
    for line in open_metrics.lines() {
        let comment = ["# HELP ", "# TYPE "].into_iter().find_map(|start| Some((start, line.strip_prefix(start)?)));
        match comment.and_then(|(start, rest)| Some((start, rest.split_once(' ')?))) {
            Some((start, (name, rest))) if counters.contains(&name) => {
                page.extend([start, name, "_total ", rest]);
            }
            _ => page.push_str(line),
        }
        page.push('\n');
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_has_help_and_type_under_its_own_name() {
        let metrics = Metrics::new("1.2.3");
        metrics.source_requested("prometheus", "ok");
        metrics.source_up("prometheus", true);
        metrics.clock_skew("prometheus", -0.5);
        metrics.samples_refused("prometheus", "nan", 3);
        metrics.births_uncounted("prometheus", 1);
        metrics.replicas_differ("prometheus", false);
        metrics.scraped("app", 3, 1);
        metrics.delivered("hook", "done");
        metrics.outbox("hook", 2, 1.5);
        metrics.request_refused("unauthorized");
        metrics.sink_gate("hook", true);
        metrics.delivery_alarm("hook");
        metrics.revision("abc");
        let page = metrics.render();
        for metric in Metric::ALL {
            assert!(page.contains(&format!("# HELP {} {}.\n", metric.name(), metric.help())), "{metric:?}\n{page}");
            assert!(page.contains(&format!("# TYPE {} ", metric.name())), "{metric:?}\n{page}");
        }
        assert!(page.contains("# TYPE slo_source_requests_total counter\n"));
        assert!(page.contains("slo_source_requests_total{source=\"prometheus\",outcome=\"ok\"} 1\n"));
        assert!(page.contains("slo_source_targets{source=\"app\"} 3\n"));
        assert!(page.contains("slo_source_targets_failed{source=\"app\"} 1\n"));
        assert!(page.contains("slo_build_info{version=\"1.2.3\"} 1\n"));
        assert!(!page.contains("# EOF"));
    }

    #[test]
    fn a_part_that_is_gone_takes_its_series_along() {
        let metrics = Metrics::new("1");
        metrics.source_requested("old", "ok");
        metrics.source_requested("new", "ok");
        metrics.samples_refused("old", "nan", 2);
        metrics.scraped("old", 1, 1);
        metrics.delivered("hook", "done");
        metrics.outbox("hook", 1, 2.0);
        metrics.forget_source("old");
        metrics.forget_sink("hook");
        let page = metrics.render();
        assert!(!page.contains("\"old\"") && !page.contains("\"hook\""), "{page}");
        assert!(page.contains("slo_source_requests_total{source=\"new\",outcome=\"ok\"} 1"));
    }

    #[test]
    fn only_a_change_of_health_is_news() {
        let metrics = Metrics::new("1");
        assert!(!metrics.source_up("prometheus", true));
        assert!(metrics.source_up("prometheus", false));
        assert!(!metrics.source_up("prometheus", false));
        assert!(metrics.source_up("prometheus", true));
        assert!(metrics.source_up("other", false), "down from the start");
        assert!(!metrics.replicas_differ("prometheus", false));
        assert!(metrics.replicas_differ("prometheus", true));
    }

    #[test]
    fn only_the_revision_in_use_is_shown() {
        let metrics = Metrics::new("1");
        metrics.revision("aaa");
        metrics.revision("bbb");
        let page = metrics.render();
        assert!(!page.contains("aaa"));
        assert!(page.contains("slo_config_info{revision=\"bbb\"} 1\n"));
    }
}
