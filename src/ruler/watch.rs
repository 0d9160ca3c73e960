//! Rules that watch `slo` itself, from its `/metrics`: the pager must not fail in silence.
//!
//! No rule names a job: who exports `slo_build_info` is an instance of `slo`. Copies are counted and not told apart:
//! after a rollout all of them have new addresses. Invariant: every metric that is read is one of `/metrics`, and every
//! alert has a summary that says what is the matter and what to look at.

use std::collections::BTreeMap;

use crate::ruler::document::{Group, Makes, Rule};
use crate::ruler::{Output, Ruler};
use crate::units::Length;

const HEAD: &str = "\
# Rules that watch `slo`, made by `slo generate prometheus --self`; edits here are lost.
#
# They read `/metrics` of `slo`, which has to be scraped by the Prometheus that evaluates them.
";

/// One alert.
struct Watch {
    name: &'static str,
    severity: &'static str,
    minutes: i64,
    expression: &'static str,
    summary: &'static str,
    description: &'static str,
}

const ALL: [Watch; 12] = [
    Watch {
        name: "SLONotScraped",
        severity: "page",
        minutes: 5,
        expression: "absent(slo_build_info)",
        summary: "no slo is scraped",
        description: "Nobody exports slo_build_info: slo is down or is not scraped, and its SLOs may be watched by \
                      nobody.",
    },
    Watch {
        name: "SLOInstanceGone",
        severity: "page",
        minutes: 5,
        // The median: the few minutes with a copy more in a rollout are not what there should be. It ends by itself.
        expression: "quantile_over_time(0.5, count by (job) (slo_build_info)[1h:1m]) \
                     > count by (job) (slo_build_info)\n\
                     or\n\
                     quantile_over_time(0.5, count by (job) (slo_build_info)[1h:1m]) \
                     unless count by (job) (slo_build_info)",
        summary: "a copy of slo in the job {{ $labels.job }} is gone",
        description: "For most of the last hour there were more of them.",
    },
    Watch {
        name: "SLOEvaluationLags",
        severity: "page",
        minutes: 5,
        expression: "slo_evaluation_lag_seconds > 300",
        summary: "slo at {{ $labels.instance }} evaluates {{ $value | humanizeDuration }} late",
        description: "The newest slice that was judged is that old: alerts come late. Look at its sources and its log.",
    },
    Watch {
        name: "SLONotTicking",
        severity: "page",
        minutes: 5,
        expression: "increase(slo_tick_duration_seconds_count[10m]) == 0",
        summary: "slo at {{ $labels.instance }} evaluates nothing",
        description: "It answers scrapes and has not finished a tick for ten minutes. Look at its log, then \
                      restart it.",
    },
    Watch {
        name: "SLOTickSlow",
        severity: "ticket",
        minutes: 15,
        expression: "rate(slo_tick_duration_seconds_sum[10m]) / (rate(slo_tick_duration_seconds_count[10m]) > 0) > 15",
        summary: "a tick of slo at {{ $labels.instance }} takes {{ $value | humanizeDuration }}",
        description: "That is half of the default slice or more; soon it cannot keep up.",
    },
    Watch {
        name: "SLOSourceNotAnswering",
        severity: "page",
        minutes: 10,
        expression: "slo_source_up == 0",
        summary: "the source {{ $labels.source }} of slo at {{ $labels.instance }} does not answer",
        description: "Its SLOs are blind: nothing is judged, what fires goes on firing. `/api/v1/sources` has the \
                      last error.",
    },
    Watch {
        name: "SLOReplicasDiffer",
        severity: "ticket",
        minutes: 30,
        expression: "slo_source_replicas_differ == 1",
        summary: "replicas behind the source {{ $labels.source }} of slo at {{ $labels.instance }} give different \
                  samples",
        description: "Answers come from replicas that scraped at other times. Let `urls` name one replica, or a \
                      deduplicating front.",
    },
    Watch {
        name: "SLODeliveriesFailing",
        severity: "page",
        minutes: 5,
        expression: "sum by (job, instance, sink) (increase(slo_deliveries_total{outcome!=\"done\"}[15m])) > 0 \
                     unless sum by (job, instance, sink) (increase(slo_deliveries_total{outcome=\"done\"}[15m])) > 0",
        summary: "slo at {{ $labels.instance }} delivers nothing to {{ $labels.sink }}",
        description: "Attempts fail and none succeeds. `/api/v1/deliveries` has the answers of the receiver.",
    },
    Watch {
        name: "SLODeliveryGivenUp",
        severity: "page",
        minutes: 0,
        // A counter that is born with its first failure has no increase yet.
        expression: "sum by (job, instance, sink) \
                     (increase(slo_deliveries_total{outcome=~\"refused|misconfigured|expired\"}[15m])) > 0\n\
                     or\n\
                     sum by (job, instance, sink) (slo_deliveries_total{outcome=~\"refused|misconfigured|expired\"} \
                     unless slo_deliveries_total offset 15m) > 0",
        summary: "slo at {{ $labels.instance }} gave up a notification to {{ $labels.sink }}",
        description: "The receiver refused it, or did not take it for a day. `/api/v1/deliveries` has its answer.",
    },
    Watch {
        name: "SLOOutboxOld",
        severity: "page",
        minutes: 2,
        expression: "slo_outbox_oldest_seconds > 300",
        summary: "a notification of slo at {{ $labels.instance }} waits {{ $value | humanizeDuration }} for \
                  {{ $labels.sink }}",
        description: "What it says did not reach anybody there yet.",
    },
    Watch {
        name: "SLOReloadFailed",
        severity: "ticket",
        minutes: 5,
        expression: "slo_reload_success == 0",
        summary: "slo at {{ $labels.instance }} refused its changed files",
        description: "It goes on with the old set. `slo check` says what is wrong.",
    },
    Watch {
        name: "SLOStoreErrors",
        severity: "page",
        minutes: 0,
        expression: "increase(slo_store_errors_total[15m]) > 0",
        summary: "the store of slo at {{ $labels.instance }} fails",
        description: "States and notifications may not be kept. Look at the disk and at its log.",
    },
];

/// The rule file.
#[must_use]
pub fn compile(ruler: Ruler) -> Output {
    let group = Group {
        name: "slo:self".to_owned(),
        comment: "every alert is about `slo`, not about what it watches".to_owned(),
        interval: Length::from_seconds(30),
        // The more is out of order the more these rules have to be heard.
        partial_is_failure: false,
        rules: ALL.iter().map(rule).collect(),
    };
    Output::new(ruler, HEAD, &[group], Vec::new())
}

fn rule(watch: &Watch) -> Rule {
    let text = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    Rule {
        makes: Makes::Alert {
            name: watch.name.to_owned(),
            for_: Length::from_minutes(watch.minutes),
            keep_firing_for: Length::ZERO,
            annotations: text(&[("summary", watch.summary), ("description", watch.description)]),
        },
        expression: watch.expression.to_owned(),
        labels: text(&[("severity", watch.severity)]),
        comments: Vec::new(),
    }
}
