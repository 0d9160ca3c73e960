//! From what a store has to the SLOs that might be written, one for each way to count. Pure.
//!
//! Several metrics of a job may count the same requests (a router's and a handler's), so candidates have a rank by name;
//! which of them is taken is decided when their events are known ([`super::choose`]).

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::init::words::{Protocol, judge};
use crate::spec::selector::{Matcher, Operation, Selector};
use crate::units::Length;

/// Metrics of a kind that are computed for one job: the best by name.
const METRICS_OF_A_KIND: usize = 3;
/// Buckets of a histogram that are computed: more than client libraries make.
const BUCKETS: usize = 30;
/// Probes of one job that get an SLO each.
pub const PROBES: usize = 50;

/// Parts of names of counters that do not count requests to the job.
const NOT_SERVED: [&str; 8] =
    ["client", "promhttp_metric_handler", "outbound", "upstream", "scrape", "retries", "dial", "remote_storage"];
/// Parts of names of histograms that time requests to a job, best first; others time something else.
const SERVED: [&[&str]; 3] = [
    &["http_request_duration", "http_server_request", "grpc_server_handling"],
    &["request"],
    &["http", "grpc", "rpc", "response", "handling"],
];

/// What a store has.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Every job with a series.
    pub jobs: BTreeSet<String>,
    /// Values of a label by job, metric and label.
    pub counters: BTreeMap<(String, String, String), BTreeSet<String>>,
    /// Bounds of buckets as written, by job and histogram, without `_bucket`.
    pub histograms: BTreeMap<(String, String), BTreeSet<String>>,
    /// Job and instance of every probe.
    pub probes: BTreeSet<(String, String)>,
}

/// What an SLO is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// How requests end.
    Requests(Protocol),
    /// How long they take.
    Latency(Protocol),
    /// Whether a probe succeeds.
    Probe,
}

/// An SLO that might be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The job: the service.
    pub job: String,
    /// What it is about.
    pub kind: Kind,
    /// Its metric; of a probe its instance.
    pub subject: String,
    /// By name: 0 is the likeliest to count the requests to the job.
    pub rank: usize,
    /// A histogram's threshold: the bucket's bound, in the metric's unit.
    pub bound: Option<f64>,
    /// The SLI, as the lines of a file below `sli:`, without indentation.
    pub sli: Vec<String>,
    /// In words.
    pub description: String,
}

/// Everything that might be written.
#[must_use]
pub fn candidates(found: &Found) -> Vec<Candidate> {
    let mut all = best(counters(found));
    all.extend(best(histograms(found)));
    all.extend(probes(found));
    all
}

/// The metrics with the best names of each job and kind.
fn best(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.sort_by(|a, b| (&a.job, a.kind, a.rank, &a.subject).cmp(&(&b.job, b.kind, b.rank, &b.subject)));
    let mut taken: BTreeMap<(String, Kind), BTreeSet<String>> = BTreeMap::new();
    candidates.retain(|candidate| {
        let metrics = taken.entry((candidate.job.clone(), candidate.kind)).or_default();
        if metrics.len() < METRICS_OF_A_KIND {
            metrics.insert(candidate.subject.clone());
        }
        metrics.contains(&candidate.subject)
    });
    candidates
}

fn counters(found: &Found) -> Vec<Candidate> {
    // A metric with several telling labels is counted once, by the first of them.
    let mut seen = BTreeSet::new();
    let mut by_label: Vec<_> = found.counters.iter().collect();
    by_label.sort_by_key(|((_, _, label), _)| super::words::LABELS.iter().position(|known| known == label));
    by_label
        .into_iter()
        .filter_map(|((job, metric, label), values)| {
            if NOT_SERVED.iter().any(|part| metric.contains(part)) {
                return None;
            }
            let verdict = judge(label, values)?;
            seen.insert((job, metric)).then_some(())?;
            let operation = if verdict.bad.contains(['|', '.']) { Operation::Match } else { Operation::Equal };
            let bad = Matcher::new(label, operation, &verdict.bad).ok()?;
            let total = selector(metric, &[("job", job)])?;
            let mut events = total.clone();
            events.matchers.push(bad);
            let what = match verdict.protocol {
                Protocol::Http => "Requests are answered without an error of the server.",
                Protocol::Grpc => "Calls are answered without an error of the server.",
                Protocol::Words => "What is counted ends well.",
            };
            Some(Candidate {
                job: job.clone(),
                kind: Kind::Requests(verdict.protocol),
                subject: metric.clone(),
                rank: rank_of_counter(metric),
                bound: None,
                sli: vec![
                    "events:".to_owned(),
                    format!("  bad: {}", quoted(&events)),
                    format!("  total: {}", quoted(&total)),
                ],
                description: what.to_owned(),
            })
        })
        .collect()
}

fn rank_of_counter(metric: &str) -> usize {
    // `_count` of a histogram counts what a counter beside it counts too.
    let base = match metric {
        name if name.contains("http_requests")
            || name.contains("http_server_request")
            || name.contains("grpc_server_handled") =>
        {
            0
        }
        name if name.contains("request") => 2,
        name if ["handled", "http", "rpc", "calls"].iter().any(|part| name.contains(part)) => 4,
        _ => 6,
    };
    base + usize::from(metric.ends_with("_count"))
}

fn histograms(found: &Found) -> Vec<Candidate> {
    let mut all = Vec::new();
    for ((job, metric), bounds) in &found.histograms {
        if NOT_SERVED.iter().any(|part| metric.contains(part)) {
            continue;
        }
        let Some(rank) = SERVED.iter().position(|parts| parts.iter().any(|part| metric.contains(part))) else {
            continue;
        };
        let Some(selector) = selector(metric, &[("job", job)]) else { continue };
        let protocol = if metric.contains("grpc") || metric.contains("rpc") { Protocol::Grpc } else { Protocol::Http };
        for bound in ascending(bounds) {
            let below = threshold(metric, bound);
            all.push(Candidate {
                job: job.clone(),
                kind: Kind::Latency(protocol),
                subject: metric.clone(),
                rank,
                bound: Some(bound),
                sli: vec![
                    "latency:".to_owned(),
                    format!("  histogram: {}", quoted(&selector)),
                    format!("  below: {below}"),
                ],
                description: format!("Answers take at most {}.", in_words(metric, &below)),
            });
        }
    }
    all
}

/// Bounds that can be thresholds, each number once.
fn ascending(bounds: &BTreeSet<String>) -> Vec<f64> {
    let mut numbers: Vec<f64> = bounds.iter().filter_map(|bound| bound.parse().ok()).collect();
    numbers.retain(|number| number.is_finite() && *number > 0.0);
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    numbers.truncate(BUCKETS);
    numbers
}

/// A bound as a file says it: a length where the metric is in seconds and the bound in whole milliseconds.
fn threshold(metric: &str, bound: f64) -> String {
    let millis = bound * 1_000.0;
    let whole = millis.round();
    if metric.ends_with("_seconds") && (1.0..1e9).contains(&whole) && (millis - whole).abs() < 1e-6 {
        #[expect(clippy::cast_possible_truncation, reason = "a whole number below 10^9")]
        return Length::from_millis(whole as i64).to_string();
    }
    bound.to_string()
}

fn in_words(metric: &str, below: &str) -> String {
    let unit = if metric.ends_with("_milliseconds") || metric.ends_with("_ms") { "ms" } else { "" };
    if unit.is_empty() || below.ends_with('s') { below.to_owned() } else { format!("{below} {unit}") }
}

fn probes(found: &Found) -> Vec<Candidate> {
    let mut of_job: BTreeMap<&String, usize> = BTreeMap::new();
    found
        .probes
        .iter()
        .filter_map(|(job, instance)| {
            let count = of_job.entry(job).or_default();
            *count += 1;
            let selector =
                selector("probe_success", &[("job", job), ("instance", instance)]).filter(|_| *count <= PROBES)?;
            Some(Candidate {
                job: job.clone(),
                kind: Kind::Probe,
                subject: instance.clone(),
                rank: 0,
                bound: None,
                sli: vec![format!("probe: {}", quoted(&selector))],
                description: "The probe succeeds.".to_owned(),
            })
        })
        .collect()
}

fn selector(metric: &str, labels: &[(&str, &String)]) -> Option<Selector> {
    // A name in quotes, as Prometheus 3 admits, is no selector of ours.
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    if !metric.chars().all(plain) || metric.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let matchers: Result<Vec<Matcher>, _> =
        labels.iter().map(|(name, value)| Matcher::new(name, Operation::Equal, value)).collect();
    Some(Selector { metric: metric.to_owned(), matchers: matchers.ok()?, bucket: None })
}

/// As a YAML scalar on one line.
fn quoted(selector: &Selector) -> String {
    format!("'{}'", selector.to_string().replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(values: &[&str]) -> BTreeSet<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    fn counter(found: &mut Found, job: &str, metric: &str, label: &str, values: &[&str]) {
        found.counters.insert((job.to_owned(), metric.to_owned(), label.to_owned()), set(values));
    }

    #[test]
    fn counters_become_bad_of_total_with_escapes() {
        let mut found = Found::default();
        counter(&mut found, "it's \"x\"", "http_requests_total", "code", &["200", "500"]);
        counter(&mut found, "it's \"x\"", "http_requests_total", "status", &["ok", "error"]);
        counter(&mut found, "it's \"x\"", "http_client_requests_total", "code", &["200"]);
        counter(&mut found, "it's \"x\"", "http.odd", "code", &["200"]);
        let [one] = &candidates(&found)[..] else { panic!("one: {:?}", candidates(&found)) };
        assert_eq!(one.kind, Kind::Requests(Protocol::Http));
        assert_eq!(
            one.sli,
            [
                "events:",
                r#"  bad: 'http_requests_total{job="it''s \"x\"",code=~"5.."}'"#,
                r#"  total: 'http_requests_total{job="it''s \"x\""}'"#,
            ]
        );
    }

    #[test]
    fn the_best_names_come_first_and_no_more_than_a_few() {
        let mut found = Found::default();
        for metric in ["zed_total", "app_requests_total", "http_requests_total", "http_request_duration_seconds_count"]
        {
            counter(&mut found, "shop", metric, "code", &["200"]);
        }
        let names: Vec<String> = candidates(&found).into_iter().map(|candidate| candidate.subject).collect();
        assert_eq!(names, ["http_requests_total", "app_requests_total", "http_request_duration_seconds_count"]);
    }

    #[test]
    fn every_bucket_of_a_request_histogram_is_a_threshold() {
        let mut found = Found::default();
        let bounds = set(&["0.25", "2.5e-01", "1", "+Inf", "0", "0.0005"]);
        found.histograms.insert(("shop".into(), "http_request_duration_seconds".into()), bounds.clone());
        found.histograms.insert(("shop".into(), "go_gc_pauses_seconds".into()), bounds);
        found.histograms.insert(("shop".into(), "rpc_duration_milliseconds".into()), set(&["50"]));
        let below: Vec<String> = candidates(&found).iter().map(|candidate| candidate.sli[2].clone()).collect();
        assert_eq!(below, ["  below: 0.0005", "  below: 250ms", "  below: 1s", "  below: 50"]);
        assert_eq!(candidates(&found)[3].description, "Answers take at most 50 ms.");
    }

    #[test]
    fn probes_are_one_an_instance() {
        let found = Found { probes: [("box".into(), "https://a.example".into())].into(), ..Found::default() };
        assert_eq!(candidates(&found)[0].sli, [r#"probe: 'probe_success{job="box",instance="https://a.example"}'"#]);
    }
}
