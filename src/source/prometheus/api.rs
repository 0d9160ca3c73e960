//! The query API of Prometheus, asked at the address that answers.
//!
//! Several addresses are a redundant pair: they are tried in order, beginning with the one that answered last, and only
//! a failure of the server, never of the question, goes on to the next. Nothing here retries the same address.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use reqwest::Url;
use tokio::task::spawn_blocking;

use crate::plan::pushdown::Value;
use crate::source::body::{MAX_BYTES, read_all};
use crate::source::client::{Client, Payload, Reply, Request, excerpt, parse_url, shown};
use crate::source::prometheus::decode::{Decoded, LabelSets, label_sets, raw_samples, texts, values};
use crate::source::{Answer, BuildError, Refused, SourceError, SourceErrorKind};
use crate::spec::selector::Selector;
use crate::units::{Labels, Length, Timestamp};

/// Points that one query may have per series: Prometheus refuses more.
pub(super) const MAX_POINTS: i64 = 11_000;
/// Answers above this many bytes are taken apart beside the tasks that wait for the network.
const BLOCKING_BYTES: usize = 256 * 1024;

/// The API behind one or several addresses.
pub(in crate::source) struct Api {
    client: Client,
    addresses: Vec<Url>,
    current: AtomicUsize,
    sets: Arc<Mutex<LabelSets>>,
}

/// A question with a form.
struct Question<'a> {
    path: &'a str,
    form: Vec<(&'a str, String)>,
    about: String,
    verb: Verb,
}

/// How it is asked: the form in the body, which may be long, or in the address, where nothing else is taken.
#[derive(Clone, Copy)]
enum Verb {
    Post,
    Get,
}

impl Api {
    /// Of these base addresses; a path in one is kept.
    pub(super) fn new(client: Client, urls: &[String]) -> Result<Self, BuildError> {
        if urls.is_empty() {
            return Err(client.build_error("`urls` is empty"));
        }
        let mut addresses = Vec::with_capacity(urls.len());
        for text in urls {
            let mut url = parse_url(&client, text)?;
            // A base with a slash at its end is what `Url::join` appends to.
            let path = format!("{}/", url.path().trim_end_matches('/'));
            url.set_path(&path);
            addresses.push(url);
        }
        Ok(Self { client, addresses, current: AtomicUsize::new(0), sets: Arc::default() })
    }

    /// The HTTP part.
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// The places of all addresses, the one that answered last first.
    pub(super) fn order(&self) -> impl Iterator<Item = usize> + use<> {
        let (count, first) = (self.addresses.len(), self.current.load(Ordering::Relaxed));
        (0..count).map(move |offset| (first + offset) % count)
    }

    /// Remembers who answered.
    pub(super) fn answered(&self, place: usize) {
        self.current.store(place, Ordering::Relaxed);
    }

    /// The address at `place`, without what may be secret.
    pub(super) fn name_of(&self, place: usize) -> String {
        self.addresses.get(place).map(shown).unwrap_or_default()
    }

    /// The page `path` below the address at `place`.
    pub(super) fn page(&self, place: usize, path: &str) -> Result<Url, SourceError> {
        let page = self.addresses.get(place).and_then(|base| base.join(path).ok());
        page.ok_or_else(|| SourceError {
            doing: format!("asking source `{}` for `{path}`", self.client.name()),
            problem: "there is no such address".to_owned(),
            kind: SourceErrorKind::Unsupported,
        })
    }

    /// Raw samples in `(from, to]`, one request.
    pub(super) async fn samples(
        &self,
        selector: &Selector,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Answer, SourceError> {
        let promql = format!("{selector}[{}]", to.since(from));
        let question = self.instant(&promql, to);
        let sets = Arc::clone(&self.sets);
        let (decoded, clock, place) = self
            .ask(&question, move |bytes: &[u8]| {
                let mut refused = Refused::default();
                let decoded = raw_samples(bytes, (from, to), &sets, &mut refused)?;
                Ok((decoded, refused))
            })
            .await?;
        if let Ok(mut sets) = self.sets.lock() {
            sets.sweep(to);
        }
        let (Decoded { data, warnings }, refused) = decoded;
        Ok(Answer { series: data, clock, refused, warnings, replica: Some(self.name_of(place)) })
    }

    /// PromQL at one time.
    pub(super) async fn at(&self, promql: &str, at: Timestamp) -> Result<Vec<Value>, SourceError> {
        let (decoded, ..) = self.ask(&self.instant(promql, at), values).await?;
        Ok(decoded.data)
    }

    /// PromQL at `from`, `from + step`, .. up to `to`, at most [`MAX_POINTS`] of them.
    pub(super) async fn range(
        &self,
        promql: &str,
        from: Timestamp,
        to: Timestamp,
        step: Length,
    ) -> Result<Vec<Value>, SourceError> {
        let mut form = vec![("query", promql.to_owned()), ("start", seconds(from)), ("end", seconds(to))];
        form.push(("step", format!("{}", step.seconds_f64())));
        form.push(("timeout", self.client.timeout().to_string()));
        let about = format!("`{promql}` from {from} to {to} every {step}");
        let question = Question { path: "api/v1/query_range", form, about, verb: Verb::Post };
        let (decoded, ..) = self.ask(&question, values).await?;
        Ok(decoded.data)
    }

    /// Label sets of the series of `selector` in a range, of the address at `place`. The caller holds a permit.
    pub(super) async fn series_of(
        &self,
        place: usize,
        selector: &Selector,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<Labels>, SourceError> {
        let form = vec![("match[]", selector.to_string()), ("start", seconds(from)), ("end", seconds(to))];
        let about = format!("the series of `{selector}`");
        let question = Question { path: "api/v1/series", form, about, verb: Verb::Post };
        let (labels, _) = self.ask_at(place, &question, label_sets).await?;
        Ok(labels)
    }

    fn instant(&self, promql: &str, at: Timestamp) -> Question<'static> {
        let timeout = self.client.timeout().to_string();
        let form = vec![("query", promql.to_owned()), ("time", seconds(at)), ("timeout", timeout)];
        Question { path: "api/v1/query", form, about: format!("`{promql}` at {at}"), verb: Verb::Post }
    }

    /// Values of a label on the series of `matching` (all where it is empty) in a range.
    pub(super) async fn label_values(
        &self,
        label: &str,
        matching: &str,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<Vec<String>, SourceError> {
        let mut form = vec![("start", seconds(from)), ("end", seconds(to))];
        if !matching.is_empty() {
            form.push(("match[]", matching.to_owned()));
        }
        let path = format!("api/v1/label/{label}/values");
        let about = format!("the values of `{label}` on `{matching}`");
        let question = Question { path: &path, form, about, verb: Verb::Get };
        let (values, ..) = self.ask(&question, texts).await?;
        Ok(values)
    }

    /// Asks one address after the other until one answers.
    async fn ask<T: Send + 'static>(
        &self,
        question: &Question<'_>,
        read: impl FnOnce(&[u8]) -> Result<T, String> + Clone + Send + 'static,
    ) -> Result<(T, Option<Timestamp>, usize), SourceError> {
        let _permit = self.client.permit().await;
        let mut failures = Vec::new();
        for place in self.order() {
            match self.ask_at(place, question, read.clone()).await {
                Ok((answer, clock)) => {
                    self.answered(place);
                    return Ok((answer, clock, place));
                }
                Err(error) if is_servers_fault(error.kind) => failures.push(error),
                Err(error) => return Err(error),
            }
        }
        Err(all_failed(failures, self.client.name()))
    }

    async fn ask_at<T: Send + 'static>(
        &self,
        place: usize,
        question: &Question<'_>,
        read: impl FnOnce(&[u8]) -> Result<T, String> + Send + 'static,
    ) -> Result<(T, Option<Timestamp>), SourceError> {
        let mut url = self.page(place, question.path)?;
        let payload = match question.verb {
            Verb::Post => Payload::Form(&question.form),
            Verb::Get => {
                url.query_pairs_mut().extend_pairs(&question.form);
                Payload::None
            }
        };
        let request = Request { url: &url, about: &question.about, payload, headers: &[], optional: false };
        self.client
            .exchange(&request, async |reply| {
                let clock = reply.clock;
                Ok((json(reply, read).await?, clock))
            })
            .await
    }
}

/// Whether another address may do better.
pub(super) const fn is_servers_fault(kind: SourceErrorKind) -> bool {
    !matches!(kind, SourceErrorKind::Rejected | SourceErrorKind::TooLarge | SourceErrorKind::Unsupported)
}

/// One error of several addresses.
pub(super) fn all_failed(failures: Vec<SourceError>, name: &str) -> SourceError {
    let mut failures = failures.into_iter();
    let Some(mut error) = failures.next() else {
        return SourceError {
            doing: format!("asking source `{name}`"),
            problem: "it has no address".to_owned(),
            kind: SourceErrorKind::Unsupported,
        };
    };
    for other in failures {
        error.problem = format!("{}; {other}", error.problem);
    }
    error
}

/// Reads a body of JSON; an HTML page is named as what it is.
async fn json<T: Send + 'static>(
    reply: Reply,
    read: impl FnOnce(&[u8]) -> Result<T, String> + Send + 'static,
) -> Result<T, SourceError> {
    let (doing, content_type) = (reply.doing.clone(), reply.content_type.clone());
    let malformed = |problem| SourceError { doing: doing.clone(), problem, kind: SourceErrorKind::Malformed };
    let bytes = read_all(reply, MAX_BYTES).await?;
    if content_type.starts_with("text/html") || bytes.trim_ascii_start().starts_with(b"<") {
        return Err(malformed(
            "an HTML page came instead of JSON; is the address that of the API, and not of a login page?".to_owned(),
        ));
    }
    let start = bytes.get(..bytes.len().min(1_000)).unwrap_or_default().to_vec();
    let answer = if bytes.len() > BLOCKING_BYTES {
        match spawn_blocking(move || read(&bytes)).await {
            Ok(answer) => answer,
            Err(_) => Err("the answer could not be read".to_owned()),
        }
    } else {
        read(&bytes)
    };
    answer.map_err(|problem| {
        let looks_like_json = start.trim_ascii_start().starts_with(b"{");
        let begins = if looks_like_json { String::new() } else { format!("; it begins `{}`", excerpt(&start)) };
        malformed(format!("{problem}{begins}"))
    })
}

/// Seconds as the API wants them, exact to the millisecond.
fn seconds(time: Timestamp) -> String {
    let millis = time.millis();
    format!("{}.{:03}", millis.div_euclid(1_000), millis.rem_euclid(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_exact_to_the_millisecond() {
        assert_eq!(seconds(Timestamp::from_millis(1_795_271_400_007)), "1795271400.007");
        assert_eq!(seconds(Timestamp::from_millis(-1)), "-1.999");
    }
}
