//! Looking at a store: which jobs there are, and what of theirs can be counted.
//!
//! Bounded: the index is asked for names only (one question a label), and each metric that may serve is asked once, for
//! its newest values. Nothing is read of the past here.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;

use crate::cli::init::candidates::Found;
use crate::cli::init::words::LABELS;
use crate::plan::pushdown::Value;
use crate::source::{Source, SourceError};
use crate::units::{Length, Timestamp};

/// Jobs that had samples in this time are looked at.
const RECENT: Length = Length::from_hours(1);
/// Questions under way; the source has a bound of its own.
const AT_ONCE: usize = 8;
/// Metrics asked of one kind: more than any sensible set of services has, few enough to end.
const METRICS: usize = 2_000;

/// What is asked of one metric.
enum Question {
    Counter { metric: String, label: &'static str },
    Histogram { metric: String },
    Probes,
}

/// Asks for everything; `watch` hears which share is done.
pub async fn look(source: &Arc<dyn Source>, now: Timestamp, watch: impl Fn(f64)) -> Result<Found, SourceError> {
    let mut found = Found::default();
    let jobs = source.label_values("job", "", now - RECENT, now).await?;
    found.jobs.extend(jobs.into_iter().filter(|job| !job.is_empty()));
    let questions = questions(source, now).await?;
    let count = questions.len().max(1) as f64;
    let mut answers = stream::iter(questions)
        .map(|question| async move {
            let answer = source.evaluate(&promql(&question), now, now, Length::ZERO).await?;
            Ok::<_, SourceError>((question, answer))
        })
        .buffer_unordered(AT_ONCE);
    let mut done = 0.0;
    while let Some(answer) = answers.next().await {
        let (question, values) = answer?;
        for value in &values {
            take(&mut found, &question, value);
        }
        done += 1.0;
        watch(done / count);
    }
    Ok(found)
}

/// Which metrics may serve, by what their series are labelled with.
async fn questions(source: &Arc<dyn Source>, now: Timestamp) -> Result<Vec<Question>, SourceError> {
    let names = |matching: String| async move { source.label_values("__name__", &matching, now - RECENT, now).await };
    let mut questions = Vec::new();
    for label in LABELS {
        let metrics = names(format!("{{__name__=~\".+_total|.+_count\",{label}!=\"\"}}")).await?;
        let metrics = metrics.into_iter().take(METRICS);
        questions.extend(metrics.map(|metric| Question::Counter { metric, label }));
    }
    let buckets = names("{__name__=~\".+_bucket\",le!=\"\"}".to_owned()).await?;
    let histograms = buckets.into_iter().filter_map(|name| name.strip_suffix("_bucket").map(str::to_owned));
    questions.extend(histograms.take(METRICS).map(|metric| Question::Histogram { metric }));
    questions.push(Question::Probes);
    Ok(questions)
}

fn promql(question: &Question) -> String {
    match question {
        Question::Counter { metric, label } => {
            format!("count by (job, {label}) ({{__name__=\"{metric}\",{label}!=\"\"}})")
        }
        Question::Histogram { metric } => format!("count by (job, le) ({{__name__=\"{metric}_bucket\"}})"),
        Question::Probes => "count by (job, instance) (probe_success)".to_owned(),
    }
}

fn take(found: &mut Found, question: &Question, value: &Value) {
    let get = |name: &str| value.labels.get(name).unwrap_or_default().to_owned();
    let job = get("job");
    if job.is_empty() {
        return;
    }
    match question {
        Question::Counter { metric, label } => {
            let values: &mut BTreeSet<String> =
                found.counters.entry((job, metric.clone(), (*label).to_owned())).or_default();
            values.insert(get(label));
        }
        Question::Histogram { metric } => {
            found.histograms.entry((job, metric.clone())).or_default().insert(get("le"));
        }
        Question::Probes => drop(found.probes.insert((job, get("instance")))),
    }
}
