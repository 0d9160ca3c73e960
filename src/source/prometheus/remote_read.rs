//! History by remote read: chunks as they lie in the store, for 3% of the CPU and 6% of the bytes of raw JSON.
//!
//! Remote read adds the server's `external_labels` to every series, queries do not. Left on, each series would be new,
//! and groups would change; so they are taken off. Which they are is learned by asking for one series both ways. A
//! series may bear such a label itself, of the same value: those are asked for by name, and keep it.

use std::collections::HashMap;
use std::sync::Arc;

use reqwest::header::{CONTENT_ENCODING, HeaderName};

use crate::source::body::{MAX_BYTES, read_all};
use crate::source::client::{Payload, Reply, Request};
use crate::source::prometheus::api::{Api, all_failed, is_servers_fault};
use crate::source::remote::{Assembly, WireSeries, next_frame, plain_series, request};
use crate::source::{HistorySink, Refused, SourceError, SourceErrorKind};
use crate::spec::selector::{Matcher, Operation, Selector};
use crate::units::{Labels, Length, Timestamp};

const PATH: &str = "api/v1/read";
const CONTENT_TYPE: &str = "application/x-protobuf";
const STREAMED: &str = "application/x-streamed-protobuf";
const VERSION: HeaderName = HeaderName::from_static("x-prometheus-remote-read-version");
/// Series that may be looked for in vain by a query before the answer is not believed.
const LEARNING_TRIES: usize = 3;
/// Taken frames are cut off the buffer when they are this many bytes.
const CUT_BYTES: usize = 4 * 1024 * 1024;

/// Reads all samples of `selectors` in `range` into `sink`, from the first address that has them.
pub(super) async fn read(
    api: &Api,
    selectors: &[&Selector],
    range: (Timestamp, Timestamp),
    sink: &mut dyn HistorySink,
) -> Result<(), SourceError> {
    let _permit = api.client().permit().await;
    let mut failures = Vec::new();
    for place in api.order() {
        let mut reader = Reader {
            api,
            place,
            selectors,
            range,
            sink: &mut *sink,
            handed_out: 0,
            external: None,
            waiting: Vec::new(),
        };
        match reader.read().await {
            Ok(()) => {
                api.answered(place);
                return Ok(());
            }
            // What was handed out cannot be taken back, so no other address is asked.
            Err(error) if reader.handed_out > 0 || !is_servers_fault(error.kind) => return Err(error),
            Err(error) => failures.push(error),
        }
    }
    Err(all_failed(failures, api.client().name()))
}

/// One answer of one address.
struct Reader<'a> {
    api: &'a Api,
    place: usize,
    selectors: &'a [&'a Selector],
    range: (Timestamp, Timestamp),
    sink: &'a mut dyn HistorySink,
    handed_out: usize,
    external: Option<External>,
    /// Series that came before the external labels were known.
    waiting: Vec<WireSeries>,
}

/// What remote read adds.
#[derive(Default)]
struct External {
    labels: Labels,
    /// Series that bear one of the labels themselves, by how they look with the labels added.
    own: HashMap<Labels, Labels>,
}

impl Reader<'_> {
    async fn read(&mut self) -> Result<(), SourceError> {
        let (api, place) = (self.api, self.place);
        let about = self.selectors.iter().map(|selector| format!("`{selector}`")).collect::<Vec<_>>().join(", ");
        let about = format!("all samples of {about} from {} to {}", self.range.0, self.range.1);
        let url = api.page(place, PATH)?;
        let body = request(self.selectors, self.range.0, self.range.1).map_err(|problem| SourceError {
            doing: format!("asking for {about}"),
            problem,
            kind: SourceErrorKind::Unsupported,
        })?;
        let request = Request {
            url: &url,
            about: &about,
            payload: Payload::Bytes(body, CONTENT_TYPE),
            headers: &[(CONTENT_ENCODING, "snappy"), (VERSION, "0.1.0")],
            optional: true,
        };
        api.client().stream(&request, async |reply| self.take(reply).await).await
    }

    async fn take(&mut self, reply: Reply) -> Result<(), SourceError> {
        let doing = reply.doing.clone();
        if reply.content_type.starts_with(STREAMED) {
            self.take_frames(reply).await?;
        } else if reply.content_type.starts_with(CONTENT_TYPE) {
            let body = read_all(reply, MAX_BYTES).await?;
            let mut refused = Refused::default();
            let series = plain_series(&body, self.range, &mut refused).map_err(|problem| broken(&doing, &problem))?;
            self.sink.refused(refused);
            self.hand_out(series, &doing).await?;
        } else {
            let problem = format!("`{}` came, which is no answer of remote read", reply.content_type);
            return Err(SourceError { doing, problem, kind: SourceErrorKind::Malformed });
        }
        if self.waiting.is_empty() { Ok(()) } else { Err(unknown_series(&doing)) }
    }

    async fn take_frames(&mut self, mut reply: Reply) -> Result<(), SourceError> {
        let doing = reply.doing.clone();
        let mut assembly = Assembly::new(self.range.0, self.range.1);
        let (mut buffer, mut start) = (Vec::new(), 0);
        while reply.body.next(&mut buffer, &doing).await? {
            while let Some(message) = next_frame(&buffer, &mut start).map_err(|problem| broken(&doing, &problem))? {
                let series = assembly.take(message).map_err(|problem| broken(&doing, &problem))?;
                self.hand_out(series, &doing).await?;
            }
            if start > CUT_BYTES || start == buffer.len() {
                buffer.drain(..start);
                start = 0;
            }
        }
        if start < buffer.len() {
            let problem = "the answer ended within a frame".to_owned();
            return Err(SourceError { doing, problem, kind: SourceErrorKind::Unreachable });
        }
        let last = assembly.finish();
        self.sink.refused(assembly.refused);
        self.hand_out(last.into_iter().collect(), &doing).await
    }

    async fn hand_out(&mut self, series: Vec<WireSeries>, doing: &str) -> Result<(), SourceError> {
        let mut series: Vec<WireSeries> = series.into_iter().filter(|series| !series.samples.is_empty()).collect();
        if self.external.is_none() {
            for known in &series {
                self.external = self.learn(known).await?;
                if self.external.is_some() {
                    break;
                }
            }
            self.waiting.append(&mut series);
            if self.external.is_none() {
                return if self.waiting.len() < LEARNING_TRIES { Ok(()) } else { Err(unknown_series(doing)) };
            }
            series = std::mem::take(&mut self.waiting);
        }
        let Some(external) = &self.external else { return Ok(()) };
        for one in series {
            let labels = external.take_off(one.labels);
            // Matchers of external labels are dropped by the server, so its answer may hold more than was asked for.
            if self.selectors.get(one.query).is_some_and(|selector| selector.matches(&labels)) {
                self.handed_out += 1;
                self.sink.series(Arc::new(labels), one.samples, Vec::new());
            }
        }
        Ok(())
    }

    /// What remote read added to `known`; `None` where queries do not know the series.
    async fn learn(&mut self, known: &WireSeries) -> Result<Option<External>, SourceError> {
        let Some(newest) = known.samples.last().map(|sample| sample.at) else { return Ok(None) };
        let Some(selector) = same_or_fewer_labels(&known.labels) else { return Ok(None) };
        let range = (newest - Length::from_millis(1), newest);
        let found = self.api.samples_of(self.place, &selector, range).await?;
        let Some(stored) = found.into_iter().max_by_key(|labels| labels.len()) else { return Ok(None) };
        let added = known.labels.iter().filter(|(name, _)| stored.get(name).is_none());
        let added: Labels = added.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        // One that this series bears itself may be known from another.
        let labels = self.api.add_external_labels(self.place, &added);
        let mut external = External { labels: labels.clone(), own: HashMap::new() };
        for selector in self.selectors {
            for (name, value) in labels.iter() {
                let Ok(matcher) = Matcher::new(name, Operation::Equal, value) else { continue };
                let mut narrow = (*selector).clone();
                narrow.matchers.push(matcher);
                for own in self.api.series_of(self.place, &narrow, self.range).await? {
                    external.own.insert(labels.iter().fold(own.clone(), add_missing), own);
                }
            }
        }
        Ok(Some(external))
    }
}

impl External {
    fn take_off(&self, mut labels: Labels) -> Labels {
        if let Some(own) = self.own.get(&labels) {
            return own.clone();
        }
        for (name, value) in self.labels.iter() {
            if labels.get(name) == Some(value) {
                labels.remove(name);
            }
        }
        labels
    }
}

fn add_missing(mut labels: Labels, (name, value): (&str, &str)) -> Labels {
    if labels.get(name).is_none() {
        labels.insert(name, value);
    }
    labels
}

/// Selects the series with these labels, and those that lack some of them.
fn same_or_fewer_labels(labels: &Labels) -> Option<Selector> {
    let metric = labels.get("__name__")?.to_owned();
    let others = labels.iter().filter(|(name, _)| *name != "__name__");
    let matchers =
        others.map(|(name, value)| Matcher::new(name, Operation::Match, &format!("|{}", regex::escape(value))));
    Some(Selector { metric, matchers: matchers.collect::<Result<_, _>>().ok()?, bucket: None })
}

fn broken(doing: &str, problem: &str) -> SourceError {
    SourceError {
        doing: doing.to_owned(),
        problem: format!("the answer is not what remote read says: {problem}"),
        kind: SourceErrorKind::Malformed,
    }
}

fn unknown_series(doing: &str) -> SourceError {
    let problem = "queries do not know the series that remote read gives, so its external labels cannot be told";
    SourceError { doing: doing.to_owned(), problem: problem.to_owned(), kind: SourceErrorKind::Malformed }
}
