//! History by remote read: chunks as they lie in the store, for 3% of the CPU and 6% of the bytes of raw JSON.
//!
//! Remote read adds the server's `external_labels` to every series, queries do not. Left on, each series would be new,
//! and groups would change; so they are taken off. The same selectors are asked of the query API first: a series without
//! its external labels is one of those. That is exact even where some series bear such a label themselves.

use std::collections::HashMap;
use std::sync::Arc;

use reqwest::header::{CONTENT_ENCODING, HeaderName};

use crate::source::body::{MAX_BYTES, read_all};
use crate::source::client::{Payload, Reply, Request};
use crate::source::prometheus::api::{Api, all_failed, is_servers_fault};
use crate::source::remote::{Assembly, WireSeries, next_frame, plain_series, request};
use crate::source::{HistorySink, Refused, SourceError, SourceErrorKind};
use crate::spec::selector::Selector;
use crate::units::{Labels, Timestamp};

const PATH: &str = "api/v1/read";
const CONTENT_TYPE: &str = "application/x-protobuf";
const STREAMED: &str = "application/x-streamed-protobuf";
const VERSION: HeaderName = HeaderName::from_static("x-prometheus-remote-read-version");
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
        let mut reader =
            Reader { api, place, selectors, range, sink: &mut *sink, handed_out: 0, stored: Stored::default() };
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
    stored: Stored,
}

/// The series as queries know them.
#[derive(Default)]
struct Stored {
    /// By fingerprint.
    series: HashMap<u64, Arc<Labels>>,
    /// What was found to be added, each set of labels once: more than one where a series bears some of them itself.
    added: Vec<Labels>,
}

impl Reader<'_> {
    async fn read(&mut self) -> Result<(), SourceError> {
        let (api, place) = (self.api, self.place);
        for selector in self.selectors {
            for labels in api.series_of(place, selector, self.range).await? {
                self.stored.series.insert(labels.fingerprint(), Arc::new(labels));
            }
        }
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
            self.hand_out(series, &doing)?;
        } else {
            let problem = format!("`{}` came, which is no answer of remote read", reply.content_type);
            return Err(SourceError { doing, problem, kind: SourceErrorKind::Malformed });
        }
        Ok(())
    }

    async fn take_frames(&mut self, mut reply: Reply) -> Result<(), SourceError> {
        let doing = reply.doing.clone();
        let mut assembly = Assembly::new(self.range.0, self.range.1);
        let (mut buffer, mut start) = (Vec::new(), 0);
        while reply.body.next(&mut buffer, &doing).await? {
            while let Some(message) = next_frame(&buffer, &mut start).map_err(|problem| broken(&doing, &problem))? {
                let series = assembly.take(message).map_err(|problem| broken(&doing, &problem))?;
                self.hand_out(series, &doing)?;
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
        self.hand_out(last.into_iter().collect(), &doing)
    }

    fn hand_out(&mut self, series: Vec<WireSeries>, doing: &str) -> Result<(), SourceError> {
        for one in series.into_iter().filter(|series| !series.samples.is_empty()) {
            let labels = self.stored.find(one.labels).ok_or_else(|| unknown_series(doing))?;
            // Matchers of external labels are dropped by the server, so its answer may hold more than was asked for.
            if self.selectors.get(one.query).is_some_and(|selector| selector.matches(&labels)) {
                self.handed_out += 1;
                self.sink.series(labels, one.samples, Vec::new());
            }
        }
        Ok(())
    }
}

impl Stored {
    /// The series that looks like this with external labels added.
    fn find(&mut self, labels: Labels) -> Option<Arc<Labels>> {
        for added in &self.added {
            if let Some(stored) = self.series.get(&without(labels.clone(), added).fingerprint()) {
                return Some(Arc::clone(stored));
            }
        }
        let fewer = |stored: &&Arc<Labels>| stored.iter().all(|(name, value)| labels.get(name) == Some(value));
        if let Some(stored) = self.series.values().filter(fewer).max_by_key(|stored| (stored.len(), stored.to_string()))
        {
            let added = labels.iter().filter(|(name, _)| stored.get(name).is_none());
            self.added.push(added.map(|(name, value)| (name.to_owned(), value.to_owned())).collect());
            return Some(Arc::clone(stored));
        }
        // Born since the series were asked for: as the others.
        self.added.first().map(|added| Arc::new(without(labels, added)))
    }
}

fn without(mut labels: Labels, added: &Labels) -> Labels {
    for (name, value) in added.iter() {
        if labels.get(name) == Some(value) {
            labels.remove(name);
        }
    }
    labels
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

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn stored(series: &[&[(&str, &str)]]) -> Stored {
        let series = series.iter().map(|pairs| labels(pairs)).map(|labels| (labels.fingerprint(), Arc::new(labels)));
        Stored { series: series.collect(), added: Vec::new() }
    }

    #[test]
    fn external_labels_are_taken_off_and_a_series_own_label_stays() {
        let own: &[(&str, &str)] = &[("__name__", "r"), ("cluster", "eu1"), ("job", "a")];
        let plain: &[(&str, &str)] = &[("__name__", "r"), ("job", "b")];
        let other: &[(&str, &str)] = &[("__name__", "r"), ("cluster", "us1"), ("job", "b")];
        let mut stored = stored(&[own, plain, other]);
        let mut found = |pairs: &[(&str, &str)]| (*stored.find(labels(pairs)).unwrap()).clone();
        for _ in 0..2 {
            assert_eq!(found(&[own, &[("replica", "0")]].concat()), labels(own));
            assert_eq!(found(&[plain, &[("cluster", "eu1"), ("replica", "0")]].concat()), labels(plain));
            assert_eq!(found(&[other, &[("replica", "0")]].concat()), labels(other));
        }
        assert_eq!(stored.added.len(), 2);
    }

    #[test]
    fn without_external_labels_nothing_is_taken_off() {
        let plain: &[(&str, &str)] = &[("__name__", "r"), ("job", "b")];
        let mut stored = stored(&[plain]);
        assert_eq!(*stored.find(labels(plain)).unwrap(), labels(plain));
        let newer = labels(&[("__name__", "r"), ("job", "c")]);
        assert_eq!(*stored.find(newer.clone()).unwrap(), newer);
        assert!(Stored::default().find(newer).is_none());
    }
}
