//! Answers of the query API, read straight into compact samples: no tree of JSON values in between.
//!
//! Labels are met again at every tick, so their text is looked up before it is taken apart; see [`LabelSets`].
//! Invariant: whatever the bytes are, the outcome is samples or an error that says what is wrong with them.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::engine::observation::Sample;
use crate::plan::pushdown::Value;
use crate::source::{Refused, Series};
use crate::units::{Labels, Length, Timestamp};

/// Label sets that no answer named for so long are forgotten.
const FORGET_AFTER: Length = Length::from_hours(1);

/// What every answer of the API looks like.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    error: Option<String>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    #[serde(borrow)]
    result_type: Cow<'a, str>,
    #[serde(borrow)]
    result: &'a RawValue,
}

#[derive(Deserialize)]
struct RangeSeries<'a> {
    #[serde(borrow)]
    metric: &'a RawValue,
    #[serde(default)]
    values: Points,
    histograms: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct InstantSeries {
    metric: Labels,
    value: Option<Point>,
}

/// Decoded answer of the query API.
pub(super) struct Decoded<T> {
    pub data: T,
    pub warnings: Vec<String>,
}

/// Raw samples within `(from, to]`, of an instant query with a range selector.
///
/// # Errors
/// What is wrong with the bytes, in words.
pub(super) fn raw_samples(
    bytes: &[u8],
    (from, to): (Timestamp, Timestamp),
    sets: &Mutex<LabelSets>,
    refused: &mut Refused,
) -> Result<Decoded<Vec<Series>>, String> {
    let envelope = envelope(bytes)?;
    let data = data(&envelope)?;
    if data.result_type != "matrix" {
        return Err(format!("the answer is a `{}` where raw samples (`matrix`) are wanted", data.result_type));
    }
    let results: Vec<RangeSeries<'_>> = serde_json::from_str(data.result.get()).map_err(|error| broken(&error))?;
    let mut warnings = envelope.warnings;
    let mut series = Vec::with_capacity(results.len());
    for result in results {
        if result.histograms.is_some() {
            warnings.push("native histograms are not built yet; their samples are left out".to_owned());
        }
        // A panic elsewhere leaves the map whole: entries are only inserted.
        let known = sets.lock().unwrap_or_else(PoisonError::into_inner).get(result.metric.get(), to);
        let (labels, fingerprint) = known?;
        let inside = result.values.0.into_iter().filter(|(at, _)| *at > from && *at <= to);
        let samples: Arc<[Sample]> =
            inside.filter(|(_, value)| refused.admits(*value)).map(|(at, value)| Sample { at, value }).collect();
        if !samples.is_empty() {
            series.push(Series { labels, fingerprint, samples });
        }
    }
    warnings.dedup();
    Ok(Decoded { data: series, warnings })
}

/// The values of a PromQL evaluation, whatever its type.
///
/// # Errors
/// What is wrong with the bytes, in words.
pub(super) fn values(bytes: &[u8]) -> Result<Decoded<Vec<Value>>, String> {
    let envelope = envelope(bytes)?;
    let data = data(&envelope)?;
    let result = data.result.get();
    let values = match &*data.result_type {
        "matrix" => {
            let series: Vec<RangeSeries<'_>> = serde_json::from_str(result).map_err(|error| broken(&error))?;
            let value = |series: RangeSeries<'_>| {
                let labels = serde_json::from_str(series.metric.get()).map_err(|error| broken(&error))?;
                Ok(Value { labels, points: series.values.0 })
            };
            series.into_iter().map(value).collect::<Result<_, String>>()?
        }
        "vector" => {
            let series: Vec<InstantSeries> = serde_json::from_str(result).map_err(|error| broken(&error))?;
            let point = |series: InstantSeries| {
                let Point(at, value) = series.value?;
                Some(Value { labels: series.metric, points: vec![(at, value)] })
            };
            series.into_iter().filter_map(point).collect()
        }
        "scalar" => {
            let Point(at, value) = serde_json::from_str(result).map_err(|error| broken(&error))?;
            vec![Value { labels: Labels::new(), points: vec![(at, value)] }]
        }
        other => return Err(format!("the query gives a `{other}` where numbers are wanted")),
    };
    Ok(Decoded { data: values, warnings: envelope.warnings })
}

/// The label sets of an answer of `/api/v1/series`.
///
/// # Errors
/// What is wrong with the bytes, in words.
pub(super) fn label_sets(bytes: &[u8]) -> Result<Vec<Labels>, String> {
    let envelope = envelope(bytes)?;
    let data = envelope.data.ok_or_else(|| "the answer has no `data`".to_owned())?;
    serde_json::from_str(data.get()).map_err(|error| broken(&error))
}

/// A list of texts, such as the values of a label.
pub(super) fn texts(bytes: &[u8]) -> Result<Vec<String>, String> {
    let envelope = envelope(bytes)?;
    // Mimir leaves an empty list out.
    envelope
        .data
        .map_or_else(|| Ok(Vec::new()), |data| serde_json::from_str(data.get()).map_err(|error| broken(&error)))
}

fn envelope(bytes: &[u8]) -> Result<Envelope<'_>, String> {
    let envelope: Envelope<'_> = serde_json::from_slice(bytes).map_err(|error| broken(&error))?;
    if envelope.status == "success" {
        return Ok(envelope);
    }
    Err(envelope.error.unwrap_or_else(|| format!("the answer's status is `{}`", envelope.status)))
}

fn data<'a>(envelope: &Envelope<'a>) -> Result<Data<'a>, String> {
    let data = envelope.data.ok_or_else(|| "the answer has no `data`".to_owned())?;
    serde_json::from_str(data.get()).map_err(|error| broken(&error))
}

fn broken(error: &serde_json::Error) -> String {
    format!("the answer is not what the query API says: {error}")
}

/// `[seconds, "value"]`.
struct Point(Timestamp, f64);

/// A list of points, values as they are.
#[derive(Default)]
struct Points(Vec<(Timestamp, f64)>);

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair;
        impl<'de> Visitor<'de> for Pair {
            type Value = Point;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pair of a time and a number in quotes")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Point, A::Error> {
                let missing = || serde::de::Error::custom("a pair of a time and a number in quotes");
                let at: f64 = pair.next_element()?.ok_or_else(missing)?;
                let value: Number = pair.next_element()?.ok_or_else(missing)?;
                if pair.next_element::<IgnoredAny>()?.is_some() {
                    return Err(missing());
                }
                Ok(Point(Timestamp::from_seconds_f64(at), value.0))
            }
        }
        deserializer.deserialize_seq(Pair)
    }
}

impl<'de> Deserialize<'de> for Points {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Points;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of points")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Points, A::Error> {
                let mut points = Vec::new();
                while let Some(Point(at, value)) = list.next_element()? {
                    points.push((at, value));
                }
                Ok(Points(points))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// A number in quotes, as Go writes it: `1`, `1e+06`, `NaN`, `+Inf`.
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number in quotes")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                text.parse().map(Number).map_err(|_| E::custom(format_args!("`{text}` is not a number")))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Label sets by their text, so that a series that was seen before costs one look-up.
#[derive(Default)]
pub(super) struct LabelSets {
    known: HashMap<(u64, u64), Known>,
    swept: Timestamp,
}

struct Known {
    labels: Arc<Labels>,
    fingerprint: u64,
    seen: Timestamp,
}

impl LabelSets {
    /// The labels of this JSON object; `now` is the time of the answer.
    fn get(&mut self, text: &str, now: Timestamp) -> Result<(Arc<Labels>, u64), String> {
        if let Some(known) = self.known.get_mut(&key(text)) {
            known.seen = known.seen.max(now);
            return Ok((Arc::clone(&known.labels), known.fingerprint));
        }
        let labels: Labels = serde_json::from_str(text).map_err(|error| broken(&error))?;
        let fingerprint = labels.fingerprint();
        let labels = Arc::new(labels);
        self.known.insert(key(text), Known { labels: Arc::clone(&labels), fingerprint, seen: now });
        Ok((labels, fingerprint))
    }

    /// Forgets what was not seen for an hour of data time.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        if now.since(self.swept) > FORGET_AFTER {
            self.known.retain(|_, known| now.since(known.seen) <= FORGET_AFTER);
            self.swept = now;
        }
    }
}

/// 128 bits of the text: two sets of one key are beyond what ever happens.
fn key(text: &str) -> (u64, u64) {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        seed.hash(&mut hasher);
        text.hash(&mut hasher);
        hasher.finish()
    };
    (half(0), half(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: Timestamp = Timestamp::from_seconds(0);
    const TO: Timestamp = Timestamp::from_seconds(100);

    fn matrix(values: &str) -> String {
        format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{"__name__":"r","job":"a\"b"}},"values":[{values}]}}]}},"warnings":["slow"]}}"#
        )
    }

    fn read(text: &str) -> (Result<Decoded<Vec<Series>>, String>, Refused) {
        let mut refused = Refused::default();
        let decoded = raw_samples(text.as_bytes(), (FROM, TO), &Mutex::default(), &mut refused);
        (decoded, refused)
    }

    #[test]
    fn raw_samples_are_cut_to_the_range_and_bad_values_refused() {
        let text =
            matrix(r#"[0,"1"],[0.001,"2"],[30.5,"1e+06"],[40,"NaN"],[50,"+Inf"],[60,"-1"],[100,"7"],[100.001,"8"]"#);
        let (decoded, refused) = read(&text);
        let decoded = decoded.unwrap();
        let shown: Vec<_> = decoded.data[0].samples.iter().map(|sample| (sample.at.millis(), sample.value)).collect();
        assert_eq!(shown, [(1, 2.0), (30_500, 1e6), (100_000, 7.0)]);
        assert_eq!(refused, Refused { nan: 1, infinite: 1, negative: 1 });
        assert_eq!(*decoded.data[0].labels, Labels::from([("__name__", "r"), ("job", "a\"b")]));
        assert_eq!(decoded.data[0].fingerprint, decoded.data[0].labels.fingerprint());
        assert_eq!(decoded.warnings, ["slow"]);
    }

    #[test]
    fn a_series_without_samples_in_the_range_is_left_out() {
        assert!(read(&matrix(r#"[0,"1"]"#)).0.unwrap().data.is_empty());
    }

    #[test]
    fn label_sets_are_shared_and_forgotten() {
        let mut sets = LabelSets::default();
        let (first, _) = sets.get(r#"{"a":"b"}"#, FROM).unwrap();
        let (again, _) = sets.get(r#"{"a":"b"}"#, FROM).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        sets.sweep(Timestamp::from_seconds(4_000));
        assert!(sets.known.is_empty());
    }

    #[test]
    fn every_type_of_value_is_read() {
        let answer = |kind: &str, result: &str| {
            let text = format!(r#"{{"status":"success","data":{{"result":{result},"resultType":"{kind}"}}}}"#);
            values(text.as_bytes()).map(|decoded| decoded.data)
        };
        let vector = answer("vector", r#"[{"metric":{"a":"b"},"value":[1.5,"NaN"]}]"#).unwrap();
        assert_eq!(vector[0].points[0].0, Timestamp::from_millis(1_500));
        assert!(vector[0].points[0].1.is_nan());
        assert_eq!(answer("scalar", r#"[2,"3"]"#).unwrap()[0].points, [(Timestamp::from_seconds(2), 3.0)]);
        assert_eq!(answer("matrix", r#"[{"metric":{},"values":[[1,"2"],[2,"-Inf"]]}]"#).unwrap()[0].points.len(), 2);
        assert!(answer("string", r#"[1,"x"]"#).unwrap_err().contains("`string`"));
    }

    #[test]
    fn broken_answers_say_what_is_wrong() {
        for text in ["", "{", "[]", "null", r#"{"status":"success"}"#, r#"{"status":"error","error":"no"}"#] {
            assert!(values(text.as_bytes()).is_err(), "{text}");
            assert!(read(text).0.is_err(), "{text}");
        }
        for values in ["[1]", "[1,2]", r#"["1","2"]"#, r#"[1,"x"]"#, r#"[1,"2",3]"#, "1"] {
            assert!(read(&matrix(values)).0.is_err(), "{values}");
        }
        assert_eq!(values(br#"{"status":"error","error":"1:3: parse error"}"#).err().unwrap(), "1:3: parse error");
    }
}
