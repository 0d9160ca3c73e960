//! Loads samples into a Prometheus by remote write: a snappy block of a `WriteRequest`.

use prost::Message;

/// Samples in one request.
const SAMPLES_PER_REQUEST: usize = 200_000;

/// The value that ends a series in Prometheus: a stale marker.
pub const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// A series to be loaded.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// All labels, `__name__` too.
    pub labels: Vec<(String, String)>,
    /// Time in ms and value, ascending.
    pub samples: Vec<(i64, f64)>,
    /// Time in ms and native histogram, ascending; instead of samples. All go into one request.
    pub histograms: Vec<(i64, Vec<Bucket>)>,
}

/// Observations so far in the bucket `(2^(index-1), 2^index]` of a native histogram of schema 0.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// Ascending within a histogram.
    pub index: i32,
    /// Since the process started.
    pub count: u64,
}

impl Loaded {
    /// With these labels.
    #[must_use]
    pub fn new(labels: &[(&str, &str)], samples: Vec<(i64, f64)>) -> Self {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { labels, samples, histograms: Vec::new() }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    timeseries: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
    #[prost(message, repeated, tag = "4")]
    histograms: Vec<Histogram>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp: i64,
}

/// The parts of `prometheus.Histogram` that a counter of durations needs; the schema is 0.
#[derive(Clone, PartialEq, prost::Message)]
struct Histogram {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "3")]
    sum: f64,
    #[prost(message, repeated, tag = "11")]
    spans: Vec<Span>,
    /// The first bucket's count, then differences to the one before.
    #[prost(sint64, repeated, tag = "12")]
    deltas: Vec<i64>,
    #[prost(int64, tag = "15")]
    timestamp: i64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Span {
    /// Distance to the bucket after the last one of the span before; of the first span the index itself.
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

impl Histogram {
    fn new(timestamp: i64, buckets: &[Bucket]) -> Self {
        let mut histogram = Self { timestamp, ..Self::default() };
        let (mut next, mut before) = (0, 0);
        for bucket in buckets {
            let count = i64::try_from(bucket.count).unwrap();
            histogram.spans.push(Span { offset: bucket.index - next, length: 1 });
            histogram.deltas.push(count - before);
            histogram.count += bucket.count;
            (next, before) = (bucket.index + 1, count);
        }
        histogram
    }
}

/// The bodies of the requests that load `series`.
#[must_use]
pub fn write_request(series: &[Loaded]) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    let mut open = WriteRequest::default();
    let mut held = 0;
    for one in series {
        let mut labels: Vec<Label> =
            one.labels.iter().map(|(name, value)| Label { name: name.clone(), value: value.clone() }).collect();
        labels.sort_by(|a, b| a.name.cmp(&b.name));
        for samples in one.samples.chunks(SAMPLES_PER_REQUEST) {
            if held + samples.len() > SAMPLES_PER_REQUEST && held > 0 {
                bodies.push(packed(&std::mem::take(&mut open)));
                held = 0;
            }
            held += samples.len();
            let samples = samples.iter().map(|(timestamp, value)| Sample { value: *value, timestamp: *timestamp });
            open.timeseries.push(TimeSeries {
                labels: labels.clone(),
                samples: samples.collect(),
                histograms: Vec::new(),
            });
        }
        if !one.histograms.is_empty() {
            held += one.histograms.len();
            let histograms = one.histograms.iter().map(|(timestamp, buckets)| Histogram::new(*timestamp, buckets));
            open.timeseries.push(TimeSeries { labels, samples: Vec::new(), histograms: histograms.collect() });
        }
    }
    if held > 0 {
        bodies.push(packed(&open));
    }
    bodies
}

fn packed(request: &WriteRequest) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(&request.encode_to_vec()).unwrap()
}
