//! Raw `/metrics` pages: fetched by us at an interval, held in memory, answered like a small Prometheus.
//!
//! What a scrape makes is what Prometheus would store: the target's labels `job` (by default the source's name) and
//! `instance` (host and port) win over the page's, which are kept as `exported_job`; `up` is 1 or 0; samples without a
//! time stamp get the time of the scrape. Two differences: a line that cannot be read costs that line, told and counted,
//! not the page; and there is no past, so nothing before the start is known. Each look at a target is told, failed or not:
//! what it did not find is gone, and the time since is not measured (SEMANTICS 2.5).

mod held;
mod line;
mod page;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::future::join_all;
use reqwest::Url;
use reqwest::header::ACCEPT;

use crate::config::meant::SourceConfig;
use crate::engine::observation::{Looks, Start};
use crate::source::body::{MAX_BYTES, read_all};
use crate::source::client::{Client, Payload, Reply, Request, parse_url, shown};
use crate::source::scrape::held::Held;
use crate::source::scrape::line::Format;
use crate::source::scrape::page::{Page, read};
use crate::source::{
    Answer, BuildError, HistoryPath, HistorySink, Newborn, ScrapeReport, Source, SourceError, SourceErrorKind, Stretch,
    Value, starts, unsupported,
};
use crate::spec::selector::Selector;
use crate::units::{Labels, Length, Timestamp};

/// What is asked for, as Prometheus does.
const FORMATS: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
/// Beside what the engine asks for, samples are kept this long: an outage of the evaluation, not of the scrapes.
const SLACK: Length = Length::from_minutes(10);
/// A time stamp on a page that is further ahead is refused, as in Prometheus.
const AHEAD: Length = Length::from_minutes(10);

/// Pages that are fetched.
pub(super) struct Scrape {
    client: Client,
    interval: Length,
    targets: Vec<Target>,
    held: Mutex<Held>,
}

struct Target {
    url: Url,
    /// On every series of it.
    labels: Labels,
    /// Its `job` and `instance`, those that it has.
    place: Labels,
}

/// What one page gave.
#[derive(Default)]
struct Kept {
    samples: usize,
    bad_lines: usize,
    example: Option<String>,
}

impl Scrape {
    /// Of these pages; `labels` are added to every series.
    pub(super) fn new(
        client: Client,
        config: &SourceConfig,
        targets: &[String],
        labels: &BTreeMap<String, String>,
    ) -> Result<Self, BuildError> {
        let mut parsed = Vec::with_capacity(targets.len());
        for text in targets {
            let url = parse_url(&client, text)?;
            let mut all = Labels::from([("job", client.name()), ("instance", instance_of(&url).as_str())]);
            for (name, value) in labels {
                all.insert(name, value);
            }
            let named = |(name, value): &(&str, &str)| matches!(*name, "job" | "instance") && !value.is_empty();
            let place = all.iter().filter(named).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            parsed.push(Target { url, labels: all, place });
        }
        let held = Held::new(config.gap * 2 + config.lateness + SLACK);
        Ok(Self { client, interval: config.interval, targets: parsed, held: Mutex::new(held) })
    }

    async fn fetch(&self, target: &Target) -> Result<Page, SourceError> {
        let _permit = self.client.permit().await;
        let request = Request {
            url: &target.url,
            about: "metrics",
            payload: Payload::None,
            headers: &[(ACCEPT, FORMATS)],
            optional: false,
        };
        self.client.exchange(&request, page_of).await
    }

    /// Scrapes one target. What it gave, and that it was looked at, is known as soon as it has answered or failed: the
    /// others may take longer.
    async fn scrape_target(&self, target: &Target, now: Timestamp) -> Result<Kept, SourceError> {
        let page = self.fetch(target).await;
        // A panic elsewhere leaves what is held whole: samples are only appended.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut up = target.labels.clone();
        up.insert("__name__", "up");
        held.add(up, now, if page.is_ok() { 1.0 } else { 0.0 });
        // A series whose time stamps are the page's own is behind the scrape, and is there all the same.
        let stamps = page.iter().flat_map(|page| &page.samples).filter_map(|sample| sample.at);
        let looked_at = stamps.fold(now, Timestamp::min);
        let kept = page.map(|page| keep(&mut held, target, page, now));
        held.look(&target.place, looked_at);
        kept
    }
}

/// Puts the samples of a page among those held.
fn keep(held: &mut Held, target: &Target, page: Page, now: Timestamp) -> Kept {
    let mut kept = Kept { bad_lines: page.bad_lines, ..Kept::default() };
    let mut first_bad = page.first_bad;
    for sample in page.samples {
        let at = sample.at.unwrap_or(now);
        let added = at <= now + AHEAD && held.add(with_target(sample.labels, &target.labels), at, sample.value);
        kept.samples += usize::from(added);
        // With a time stamp of its own a page may well repeat what it said before.
        if !added && sample.at.is_none() {
            kept.bad_lines += 1;
            first_bad.get_or_insert((0, "a series comes twice".to_owned()));
        }
    }
    kept.example = first_bad.map(|(line, problem)| {
        let place = if line == 0 { String::new() } else { format!(" line {line}") };
        format!("`{}`{place}: {problem}", shown(&target.url))
    });
    kept
}

/// Reads the page of an answer.
async fn page_of(reply: Reply) -> Result<Page, SourceError> {
    let (doing, content_type) = (reply.doing.clone(), reply.content_type.clone());
    let malformed = |problem: String| SourceError { doing: doing.clone(), problem, kind: SourceErrorKind::Malformed };
    if content_type.starts_with("text/html") {
        return Err(malformed("an HTML page came instead of metrics; is the path right?".to_owned()));
    }
    let is_open = content_type.starts_with("application/openmetrics-text");
    let format = if is_open { Format::OpenMetrics } else { Format::Text };
    let bytes = read_all(reply, MAX_BYTES).await?;
    let page = read(&bytes, format).map_err(malformed)?;
    if page.samples.is_empty() && page.bad_lines > 0 {
        let (line, problem) = page.first_bad.unwrap_or_default();
        return Err(malformed(format!("no line of it is a sample; line {line}: {problem}")));
    }
    Ok(page)
}

/// `host:port`, as Prometheus calls a target.
fn instance_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The target's labels win; the page's own of that name are kept as `exported_NAME`.
fn with_target(mut labels: Labels, target: &Labels) -> Labels {
    for (name, value) in target.iter() {
        if let Some(own) = labels.remove(name) {
            let mut exported = format!("exported_{name}");
            while labels.get(&exported).is_some() || target.get(&exported).is_some() {
                exported.insert_str(0, "exported_");
            }
            labels.insert(exported, own);
        }
        if !value.is_empty() {
            labels.insert(name, value);
        }
    }
    labels
}

#[async_trait]
impl Source for Scrape {
    async fn samples(&self, selector: &Selector, from: Timestamp, to: Timestamp) -> Result<Answer, SourceError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = held.take_refused();
        Ok(Answer { series: held.samples(selector, from, to), refused, ..Answer::default() })
    }

    async fn evaluate(&self, promql: &str, _: Timestamp, _: Timestamp, _: Length) -> Result<Vec<Value>, SourceError> {
        let doing = format!("evaluating `{promql}` in source `{}`", self.client.name());
        Err(unsupported(doing, "a scraped page evaluates no PromQL; use plain selectors, or a store"))
    }

    async fn history(&self, _: &[&Selector], _: &Stretch, _: &mut dyn HistorySink) -> Result<HistoryPath, SourceError> {
        Err(unsupported(format!("reading the past of source `{}`", self.client.name()), "a scraped page has none"))
    }

    fn has_history(&self) -> bool {
        false
    }

    async fn oldest(
        &self,
        selector: &Selector,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, SourceError> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let series = held.samples(selector, since, until);
        Ok(series.iter().filter_map(|series| series.samples.first()).map(|sample| sample.at).min())
    }

    async fn starts(&self, newborns: &[Newborn], gap: Length) -> Result<Vec<Start>, SourceError> {
        starts::starts(self, newborns, gap).await
    }

    fn holds_since(&self) -> Option<Timestamp> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).first()
    }

    fn scrape_every(&self) -> Option<Length> {
        Some(self.interval)
    }

    fn looks(&self) -> Arc<[Looks]> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).looks()
    }

    async fn scrape(&self, now: Timestamp) -> ScrapeReport {
        let pages = join_all(self.targets.iter().map(|target| self.scrape_target(target, now))).await;
        let mut report = ScrapeReport { targets: self.targets.len(), ..ScrapeReport::default() };
        for page in pages {
            match page {
                Ok(kept) => {
                    report.samples += kept.samples;
                    report.bad_lines += kept.bad_lines;
                    report.examples.extend(kept.example);
                }
                Err(error) => report.failed.push(error),
            }
        }
        self.held.lock().unwrap_or_else(PoisonError::into_inner).forget(now);
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_targets_labels_win_and_the_pages_are_kept() {
        let target = Labels::from([("job", "app"), ("instance", "h:80")]);
        let page = Labels::from([("__name__", "r"), ("job", "batch"), ("exported_job", "old")]);
        let expected = Labels::from([
            ("__name__", "r"),
            ("job", "app"),
            ("instance", "h:80"),
            ("exported_job", "old"),
            ("exported_exported_job", "batch"),
        ]);
        assert_eq!(with_target(page, &target), expected);
    }

    #[test]
    fn an_instance_is_host_and_port() {
        let instance = |text: &str| instance_of(&Url::parse(text).unwrap());
        assert_eq!(instance("http://shop.example/metrics"), "shop.example:80");
        assert_eq!(instance("https://shop.example/metrics"), "shop.example:443");
        assert_eq!(instance("http://127.0.0.1:8080/metrics"), "127.0.0.1:8080");
    }
}
