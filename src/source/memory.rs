//! Series held in memory, answering like a store: for tests and replays.
//!
//! It answers from what it was given, exactly, and waits for nothing. It evaluates no PromQL: the results of an
//! expression are given beforehand, and an expression that was not given is an error.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_trait::async_trait;

use crate::engine::observation::{Sample, Start};
use crate::plan::pushdown::Value;
use crate::source::{
    Answer, HistoryPath, HistorySink, Newborn, Refused, Series, Source, SourceError, Stretch, starts, unsupported,
};
use crate::spec::selector::Selector;
use crate::units::{Labels, Length, Timestamp};

/// A store without a disk.
#[derive(Debug, Default)]
pub struct Memory {
    series: BTreeMap<Labels, Vec<Sample>>,
    evaluations: HashMap<String, Vec<Value>>,
    clock: Option<Timestamp>,
}

impl Memory {
    /// Adds samples of a series, in any order; of two at one time the newer one added stays.
    pub fn add(&mut self, labels: Labels, samples: impl IntoIterator<Item = Sample>) {
        let held = self.series.entry(labels).or_default();
        for sample in samples {
            match held.binary_search_by_key(&sample.at, |sample| sample.at) {
                Ok(place) => held.splice(place..=place, [sample]).for_each(drop),
                Err(place) => held.insert(place, sample),
            }
        }
    }

    /// Gives the results of an expression, at all times at which it will be asked.
    pub fn add_evaluation(&mut self, promql: impl Into<String>, values: Vec<Value>) {
        self.evaluations.insert(promql.into(), values);
    }

    /// Sets the clock that answers tell.
    pub const fn set_clock(&mut self, clock: Timestamp) {
        self.clock = Some(clock);
    }

    fn matching<'a>(&'a self, selector: &'a Selector) -> impl Iterator<Item = (&'a Labels, &'a Vec<Sample>)> {
        self.series.iter().filter(|(labels, _)| selector.matches(labels))
    }
}

/// The samples in `(from, to]`, refused ones counted and left out.
fn within(samples: &[Sample], from: Timestamp, to: Timestamp, refused: &mut Refused) -> Vec<Sample> {
    let inside = samples.iter().filter(|sample| sample.at > from && sample.at <= to);
    inside.filter(|sample| refused.admits(sample.value)).copied().collect()
}

#[async_trait]
impl Source for Memory {
    async fn samples(&self, selector: &Selector, from: Timestamp, to: Timestamp) -> Result<Answer, SourceError> {
        let mut refused = Refused::default();
        let mut series = Vec::new();
        for (labels, samples) in self.matching(selector) {
            let samples = within(samples, from, to, &mut refused);
            if !samples.is_empty() {
                let fingerprint = labels.fingerprint();
                series.push(Series { labels: Arc::new(labels.clone()), fingerprint, samples: samples.into() });
            }
        }
        Ok(Answer { series, clock: self.clock, refused, ..Answer::default() })
    }

    async fn evaluate(
        &self,
        promql: &str,
        from: Timestamp,
        to: Timestamp,
        step: Length,
    ) -> Result<Vec<Value>, SourceError> {
        let Some(values) = self.evaluations.get(promql) else {
            return Err(unsupported(format!("evaluating `{promql}` in memory"), "its results were not given"));
        };
        let asked = |at: Timestamp| at == from || (at > from && at <= to && at.since(from).is_multiple_of(step));
        let cut = values.iter().map(|value| Value {
            labels: value.labels.clone(),
            points: value.points.iter().filter(|(at, _)| asked(*at)).copied().collect(),
        });
        Ok(cut.filter(|value| !value.points.is_empty()).collect())
    }

    async fn history(
        &self,
        selectors: &[&Selector],
        stretch: &Stretch,
        sink: &mut dyn HistorySink,
    ) -> Result<HistoryPath, SourceError> {
        let mut refused = Refused::default();
        for (labels, samples) in selectors.iter().flat_map(|selector| self.matching(selector)) {
            let samples = within(samples, stretch.from, stretch.to, &mut refused);
            if !samples.is_empty() {
                sink.series(Arc::new(labels.clone()), samples, Vec::new());
            }
        }
        sink.refused(refused);
        Ok(HistoryPath::RemoteRead)
    }

    fn has_history(&self) -> bool {
        true
    }

    async fn oldest(
        &self,
        selector: &Selector,
        since: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, SourceError> {
        let times = self.matching(selector).flat_map(|(_, samples)| samples).map(|sample| sample.at);
        Ok(times.filter(|at| *at > since && *at <= until).min())
    }

    async fn starts(&self, newborns: &[Newborn], gap: Length) -> Result<Vec<Start>, SourceError> {
        starts::starts(self, newborns, gap).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn selector() -> Selector {
        Selector { metric: "r".to_owned(), matchers: Vec::new(), bucket: None }
    }

    fn memory() -> Memory {
        let mut memory = Memory::default();
        let samples = [(30, 1.0), (10, f64::NAN), (20, -1.0), (40, 2.0), (40, 3.0)];
        memory
            .add(Labels::from([("__name__", "r")]), samples.map(|(seconds, value)| Sample { at: at(seconds), value }));
        memory
    }

    #[tokio::test]
    async fn samples_are_sorted_cut_and_refused() {
        let answer = memory().samples(&selector(), at(0), at(40)).await.unwrap();
        let held: Vec<_> = answer.series[0].samples.iter().map(|sample| (sample.at.millis(), sample.value)).collect();
        assert_eq!(held, [(30_000, 1.0), (40_000, 3.0)]);
        assert_eq!(answer.refused, Refused { nan: 1, infinite: 0, negative: 1 });
        assert_eq!(memory().oldest(&selector(), at(10), at(100)).await.unwrap(), Some(at(20)));
        assert!(memory().samples(&selector(), at(40), at(100)).await.unwrap().series.is_empty());
    }

    #[tokio::test]
    async fn evaluations_are_those_given() {
        let mut memory = memory();
        let points = (0..10).map(|minute| (at(minute * 60), 1.0)).collect();
        memory.add_evaluation("x", vec![Value { labels: Labels::new(), points }]);
        let minute = Length::from_minutes(1);
        let values = memory.evaluate("x", at(60), at(240), minute * 2).await.unwrap();
        assert_eq!(values[0].points.iter().map(|(at, _)| at.millis() / 1_000).collect::<Vec<_>>(), [60, 180]);
        assert_eq!(memory.evaluate("x", at(120), at(120), minute).await.unwrap()[0].points.len(), 1);
        assert!(memory.evaluate("y", at(0), at(0), minute).await.is_err());
    }
}
