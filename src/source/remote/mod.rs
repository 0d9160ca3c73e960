//! The wire of remote read: requests, frames of the streamed answer, and series put together from them.
//!
//! Knows bytes, not HTTP and not what is asked for. A streamed answer is a row of frames: length (uvarint), CRC32C (4
//! bytes, big-endian), message; a series may go on in the next frame, so it is whole only when another one begins.
//! Invariants: a frame is never taken beyond its bound; a series comes out once, its samples ascending, no time twice,
//! inside the range asked.

pub(super) mod wire;
mod xor;

use prost::Message;

use crate::engine::observation::Sample;
use crate::source::Refused;
use crate::source::remote::wire::{
    ChunkedReadResponse, ChunkedSeries, Label, LabelMatcher, MatchType, Query, ReadRequest, ReadResponse, ResponseType,
};
use crate::spec::selector::{Operation, Selector};
use crate::units::{Labels, Timestamp};

/// Largest frame taken, bytes. Prometheus makes them of 1 MiB unless told otherwise.
const MAX_FRAME: usize = 64 * 1024 * 1024;
/// Largest answer taken that is not streamed, unpacked, bytes.
const MAX_UNPACKED: usize = 256 * 1024 * 1024;
/// The value that marks the end of a series.
const STALE: u64 = 0x7ff0_0000_0000_0002;
/// The kind of chunk that holds plain samples.
const XOR: i32 = 1;

/// The body of a request for all samples of `selectors` in `(from, to]`: a snappy block.
///
/// # Errors
/// In words; cannot happen for a request of sane size.
pub(super) fn request(selectors: &[&Selector], from: Timestamp, to: Timestamp) -> Result<Vec<u8>, String> {
    let queries = selectors.iter().map(|selector| Query {
        start_timestamp_ms: from.millis().saturating_add(1),
        end_timestamp_ms: to.millis(),
        matchers: matchers(selector),
    });
    let types = vec![ResponseType::StreamedXorChunks as i32, ResponseType::Samples as i32];
    let message = ReadRequest { queries: queries.collect(), accepted_response_types: types };
    snap::raw::Encoder::new().compress_vec(&message.encode_to_vec()).map_err(|error| error.to_string())
}

fn matchers(selector: &Selector) -> Vec<LabelMatcher> {
    let name =
        LabelMatcher { kind: MatchType::Equal as i32, name: "__name__".to_owned(), value: selector.metric.clone() };
    let others = selector.matchers.iter().map(|matcher| LabelMatcher {
        kind: match matcher.operation {
            Operation::Equal => MatchType::Equal,
            Operation::NotEqual => MatchType::NotEqual,
            Operation::Match => MatchType::Match,
            Operation::NotMatch => MatchType::NotMatch,
        } as i32,
        name: matcher.name.clone(),
        value: matcher.value.clone(),
    });
    std::iter::once(name).chain(others).collect()
}

/// A series as the wire gives it: external labels are still on it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct WireSeries {
    pub query: usize,
    pub labels: Labels,
    pub samples: Vec<Sample>,
}

/// Takes the next whole frame's message off the front of `buffer`, from `start` on; `None` where more bytes are needed.
///
/// # Errors
/// Where the frame is too long or its checksum is wrong.
pub(super) fn next_frame<'a>(buffer: &'a [u8], start: &mut usize) -> Result<Option<&'a [u8]>, String> {
    let bytes = buffer.get(*start..).unwrap_or_default();
    let mut length = 0_usize;
    let mut head = None;
    for (place, byte) in bytes.iter().enumerate().take(5) {
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            head = Some(place + 1);
            break;
        }
    }
    let Some(head) = head else {
        return if bytes.len() >= 5 { Err("a frame without a length".to_owned()) } else { Ok(None) };
    };
    if length > MAX_FRAME {
        return Err(format!("a frame of {length} bytes, more than {MAX_FRAME}"));
    }
    let Some(rest) = bytes.get(head..) else { return Ok(None) };
    let Some((checksum, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let Some(message) = rest.get(..length) else { return Ok(None) };
    if crc32c::crc32c(message) != u32::from_be_bytes(*checksum) {
        return Err("a frame whose checksum is wrong".to_owned());
    }
    *start += head + 4 + length;
    Ok(Some(message))
}

/// Puts series together from frames.
pub(super) struct Assembly {
    from: Timestamp,
    to: Timestamp,
    open: Option<(usize, Vec<Label>, Vec<Sample>)>,
    /// Samples refused so far.
    pub refused: Refused,
    /// Chunks that hold no plain samples (native histograms), left out.
    pub foreign_chunks: u64,
}

impl Assembly {
    /// For the range `(from, to]`.
    pub(super) fn new(from: Timestamp, to: Timestamp) -> Self {
        Self { from, to, open: None, refused: Refused::default(), foreign_chunks: 0 }
    }

    /// Takes a frame's message; hands out the series that it completes.
    ///
    /// # Errors
    /// Where the message or a chunk in it is broken.
    pub(super) fn take(&mut self, message: &[u8]) -> Result<Vec<WireSeries>, String> {
        let message = ChunkedReadResponse::decode(message).map_err(|error| error.to_string())?;
        let query = usize::try_from(message.query_index).map_err(|_| "a query index below zero".to_owned())?;
        let mut done = Vec::new();
        for series in message.chunked_series {
            let goes_on = self.open.as_ref().is_some_and(|(of, labels, _)| *of == query && *labels == series.labels);
            if !goes_on {
                done.extend(self.finish());
                self.open = Some((query, series.labels.clone(), Vec::new()));
            }
            self.append(&series)?;
        }
        Ok(done)
    }

    fn append(&mut self, series: &ChunkedSeries) -> Result<(), String> {
        let Some((_, _, samples)) = &mut self.open else { return Ok(()) };
        let (from, to, refused) = (self.from.millis(), self.to.millis(), &mut self.refused);
        for chunk in &series.chunks {
            if chunk.kind != XOR {
                self.foreign_chunks += 1;
                continue;
            }
            let each = |time: i64, value: f64| {
                if time > from && time <= to && value.to_bits() != STALE && refused.admits(value) {
                    samples.push(Sample { at: Timestamp::from_millis(time), value });
                }
            };
            xor::decode(&chunk.data, each).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// The series that is open; the last one at the end of the answer.
    pub(super) fn finish(&mut self) -> Option<WireSeries> {
        let (query, labels, samples) = self.open.take()?;
        Some(whole(query, labels, samples))
    }
}

/// The series of an answer that is not streamed: a snappy block.
///
/// # Errors
/// Where it is broken, or too large when unpacked.
pub(super) fn plain_series(
    body: &[u8],
    (from, to): (Timestamp, Timestamp),
    refused: &mut Refused,
) -> Result<Vec<WireSeries>, String> {
    let length = snap::raw::decompress_len(body).map_err(|error| error.to_string())?;
    if length > MAX_UNPACKED {
        return Err(format!("{length} bytes when unpacked, more than {MAX_UNPACKED}"));
    }
    let unpacked = snap::raw::Decoder::new().decompress_vec(body).map_err(|error| error.to_string())?;
    let response = ReadResponse::decode(unpacked.as_slice()).map_err(|error| error.to_string())?;
    let mut all = Vec::new();
    for (query, result) in response.results.into_iter().enumerate() {
        for series in result.timeseries {
            let samples = series.samples.iter().map(|sample| (sample.timestamp, sample.value));
            let inside = samples.filter(|(time, value)| {
                *time > from.millis() && *time <= to.millis() && value.to_bits() != STALE && refused.admits(*value)
            });
            let samples = inside.map(|(time, value)| Sample { at: Timestamp::from_millis(time), value }).collect();
            all.push(whole(query, series.labels, samples));
        }
    }
    Ok(all)
}

/// Chunks of one series may overlap where several servers stand behind one (Mimir) or samples came late: sorted, each
/// time once.
fn whole(query: usize, labels: Vec<Label>, mut samples: Vec<Sample>) -> WireSeries {
    if !samples.is_sorted_by(|a, b| a.at < b.at) {
        samples.sort_by_key(|sample| sample.at);
        samples.dedup_by_key(|sample| sample.at);
    }
    let labels = labels.into_iter().filter(|label| !label.value.is_empty());
    WireSeries { query, labels: labels.map(|label| (label.name, label.value)).collect(), samples }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::remote::wire::{Chunk, QueryResult, SampleMessage, TimeSeries};

    const FROM: Timestamp = Timestamp::from_millis(0);
    const TO: Timestamp = Timestamp::from_millis(10_000);

    /// Chunks of one sample: count, time as a zigzag varint, value.
    fn chunk(time: u8, value: f64) -> Chunk {
        let data = [0, 1, time * 2].into_iter().chain(value.to_be_bytes()).collect();
        Chunk { min_time_ms: time.into(), max_time_ms: time.into(), kind: XOR, data }
    }

    fn message(query: i64, name: &str, chunks: Vec<Chunk>) -> Vec<u8> {
        let labels = vec![Label { name: "__name__".to_owned(), value: name.to_owned() }];
        let series = ChunkedSeries { labels, chunks };
        ChunkedReadResponse { chunked_series: vec![series], query_index: query }.encode_to_vec()
    }

    fn frame(message: &[u8]) -> Vec<u8> {
        let mut length = message.len();
        let mut bytes = Vec::new();
        while length >= 0x80 {
            bytes.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
            length >>= 7;
        }
        bytes.push(u8::try_from(length).unwrap());
        bytes.extend(crc32c::crc32c(message).to_be_bytes());
        bytes.extend(message);
        bytes
    }

    #[test]
    fn frames_are_taken_when_they_are_whole_and_right() {
        let whole = frame(&message(0, &"x".repeat(300), Vec::new()));
        for length in 0..whole.len() {
            assert_eq!(next_frame(&whole[..length], &mut 0), Ok(None), "{length}");
        }
        let mut start = 0;
        let two = [whole.clone(), whole.clone()].concat();
        assert!(next_frame(&two, &mut start).unwrap().is_some() && next_frame(&two, &mut start).unwrap().is_some());
        assert_eq!(start, two.len());
        let mut flipped = whole;
        *flipped.last_mut().unwrap() ^= 1;
        assert_eq!(next_frame(&flipped, &mut 0).unwrap_err(), "a frame whose checksum is wrong");
        assert!(next_frame(&[0xff; 9], &mut 0).is_err());
        assert!(next_frame(&[0xff, 0xff, 0xff, 0x7f], &mut 0).unwrap_err().contains("more than"));
    }

    #[test]
    fn a_series_goes_on_in_the_next_frame_and_is_cut_to_the_range() {
        let mut assembly = Assembly::new(Timestamp::from_millis(1), Timestamp::from_millis(50));
        assert_eq!(assembly.take(&message(0, "a", vec![chunk(1, 1.0), chunk(2, 2.0)])).unwrap(), []);
        let stale = f64::from_bits(STALE);
        assert_eq!(assembly.take(&message(0, "a", vec![chunk(50, 3.0), chunk(51, 4.0), chunk(9, stale)])).unwrap(), []);
        let done = assembly.take(&message(1, "a", vec![chunk(9, f64::NAN), chunk(10, -1.0)])).unwrap();
        let times = |series: &WireSeries| series.samples.iter().map(|s| (s.at.millis(), s.value)).collect::<Vec<_>>();
        assert_eq!(times(&done[0]), [(2, 2.0), (50, 3.0)]);
        let last = assembly.finish().unwrap();
        assert_eq!((last.query, times(&last)), (1, Vec::new()));
        assert_eq!(assembly.refused, Refused { nan: 1, infinite: 0, negative: 1 });
        assert_eq!(assembly.finish(), None);
    }

    #[test]
    fn chunks_that_overlap_are_sorted_out() {
        let mut assembly = Assembly::new(FROM, TO);
        assembly.take(&message(0, "a", vec![chunk(5, 5.0), chunk(6, 6.0), chunk(4, 4.0), chunk(5, 5.0)])).unwrap();
        let series = assembly.finish().unwrap();
        assert_eq!(series.samples.iter().map(|sample| sample.at.millis()).collect::<Vec<_>>(), [4, 5, 6]);
    }

    #[test]
    fn an_answer_that_is_not_streamed_is_read_too() {
        let samples = vec![SampleMessage { value: 1.0, timestamp: 5 }, SampleMessage { value: 2.0, timestamp: 10_001 }];
        let labels = vec![Label { name: "__name__".to_owned(), value: "a".to_owned() }];
        let response = ReadResponse { results: vec![QueryResult { timeseries: vec![TimeSeries { labels, samples }] }] };
        let body = snap::raw::Encoder::new().compress_vec(&response.encode_to_vec()).unwrap();
        let series = plain_series(&body, (FROM, TO), &mut Refused::default()).unwrap();
        assert_eq!(series[0].samples, [Sample { at: Timestamp::from_millis(5), value: 1.0 }]);
        assert!(plain_series(b"rubbish", (FROM, TO), &mut Refused::default()).is_err());
        assert!(plain_series(&[0xff, 0xff, 0xff, 0xff, 0x0f], (FROM, TO), &mut Refused::default()).is_err());
    }
}
