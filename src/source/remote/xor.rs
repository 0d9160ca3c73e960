//! Decoder of Prometheus' XOR chunks (Gorilla: delta of deltas for times, XOR with the value before for values).
//!
//! Ours, because the format is a hundred lines and nothing kept has it. Layout: two bytes of sample count; the first
//! time as a zigzag varint and its value as 64 bits; then the first delta as a varint and an XOR-ed value; from the
//! third sample on a delta of deltas behind a prefix of up to four bits, and an XOR-ed value.
//! Invariants: it reads no byte outside the chunk, ends after the count that the chunk says, and whatever the bytes are
//! the outcome is samples or [`Broken`].

/// The bytes are no XOR chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chunk of samples is broken")]
pub(in crate::source) struct Broken;

/// Widths of a delta of deltas, by the number of ones in front.
const WIDTHS: [u32; 5] = [0, 14, 17, 20, 64];

/// Hands time in ms and value of every sample to `each`, stale markers and NaN included.
pub(in crate::source) fn decode(chunk: &[u8], mut each: impl FnMut(i64, f64)) -> Result<(), Broken> {
    let (count, rest) = chunk.split_first_chunk::<2>().ok_or(Broken)?;
    let count = u16::from_be_bytes(*count);
    let mut bits = Bits { bytes: rest, position: 0 };
    if count == 0 {
        return Ok(());
    }
    let zigzag = bits.varint()?;
    let mut time = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
    let mut value = Value { bits: bits.take(64), leading: 0, width: 0 };
    bits.check()?;
    each(time, f64::from_bits(value.bits));
    if count == 1 {
        return Ok(());
    }
    let mut delta = bits.varint()?.cast_signed();
    for place in 1..count {
        if place > 1 {
            delta = delta.wrapping_add(delta_of_deltas(&mut bits));
        }
        value.next(&mut bits)?;
        // Beyond the end there are zeros; nothing read from them gets out.
        bits.check()?;
        time = time.wrapping_add(delta);
        each(time, f64::from_bits(value.bits));
    }
    Ok(())
}

#[inline]
fn delta_of_deltas(bits: &mut Bits<'_>) -> i64 {
    let ahead = bits.peek();
    if ahead >> 63 == 0 {
        bits.position += 1;
        return 0;
    }
    let ones = ahead.leading_ones().min(4);
    let width = WIDTHS.get(ones as usize).copied().unwrap_or(64);
    if width == 64 {
        bits.position += 4;
        return bits.take(64).cast_signed();
    }
    bits.position += (ones + 1 + width) as usize;
    let raw = (ahead << (ones + 1) >> (64 - width)).cast_signed();
    // Positive up to and with half of the range, as Prometheus writes it.
    if raw > 1 << (width - 1) { raw - (1 << width) } else { raw }
}

/// The value before, and where its meaningful bits were.
struct Value {
    bits: u64,
    leading: u32,
    width: u32,
}

impl Value {
    #[inline]
    fn next(&mut self, bits: &mut Bits<'_>) -> Result<(), Broken> {
        let ahead = bits.peek();
        if ahead >> 63 == 0 {
            bits.position += 1;
            return Ok(());
        }
        let mut head = 2_u32;
        if ahead >> 62 == 0b11 {
            head = 13;
            self.leading = low6(ahead >> 57) & 0x1f;
            let width = low6(ahead >> 51);
            self.width = if width == 0 { 64 } else { width };
        }
        if self.width == 0 || self.leading + self.width > 64 {
            return Err(Broken);
        }
        bits.position += head as usize;
        let meaningful = if head + self.width <= PEEKED {
            bits.position += self.width as usize;
            ahead << head >> (64 - self.width)
        } else {
            bits.take(self.width)
        };
        self.bits ^= meaningful << (64 - self.leading - self.width);
        Ok(())
    }
}

/// Bits that a look ahead shows at least.
const PEEKED: u32 = 57;

/// Bits of a slice, most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    /// Bits read; may pass the end, see [`Bits::check`].
    position: usize,
}

impl Bits<'_> {
    /// The next bits, left-aligned: at least [`PEEKED`], zeros beyond the end.
    #[inline]
    fn peek(&self) -> u64 {
        let rest = self.bytes.get(self.position / 8..).unwrap_or_default();
        let word = match rest.first_chunk::<8>() {
            Some(word) => u64::from_be_bytes(*word),
            None => tail(rest),
        };
        word << (self.position % 8)
    }

    /// The next `count` bits, 1 to 64.
    #[inline]
    fn take(&mut self, count: u32) -> u64 {
        if count <= PEEKED {
            let taken = self.peek() >> (64 - count);
            self.position += count as usize;
            return taken;
        }
        let high = self.take(count - 32);
        high << 32 | self.take(32)
    }

    /// Whether all bits read were there.
    #[inline]
    fn check(&self) -> Result<(), Broken> {
        if self.position <= self.bytes.len() * 8 { Ok(()) } else { Err(Broken) }
    }

    /// A varint, seven bits a byte, least significant first.
    fn varint(&mut self) -> Result<u64, Broken> {
        let mut value = 0_u64;
        for place in 0..10 {
            let byte = self.take(8);
            value |= (byte & 0x7f).checked_shl(place * 7).unwrap_or(0);
            if byte & 0x80 == 0 {
                self.check()?;
                return Ok(value);
            }
        }
        Err(Broken)
    }
}

/// The lowest six bits.
#[inline]
fn low6(bits: u64) -> u32 {
    (bits & 0x3f) as u32
}

/// The last bytes of a chunk, fewer than eight, left-aligned.
#[cold]
fn tail(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    for (slot, byte) in word.iter_mut().zip(bytes) {
        *slot = *byte;
    }
    u64::from_be_bytes(word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A writer of chunks, written from the description of the format.
    #[derive(Default)]
    struct Writer {
        bits: Vec<bool>,
    }

    impl Writer {
        fn put(&mut self, value: u64, count: u32) {
            (0..count).rev().for_each(|bit| self.bits.push(value >> bit & 1 == 1));
        }

        fn varint(&mut self, mut value: u64) {
            while value >= 0x80 {
                self.put(value & 0x7f | 0x80, 8);
                value >>= 7;
            }
            self.put(value, 8);
        }

        fn value(&mut self, before: u64, now: u64, held: &mut Option<(u32, u32)>) {
            let xor = before ^ now;
            if xor == 0 {
                return self.put(0, 1);
            }
            let (leading, trailing) = (xor.leading_zeros().min(31), xor.trailing_zeros());
            if let Some((l, t)) = *held
                && leading >= l
                && trailing >= t
            {
                self.put(0b10, 2);
                return self.put(xor >> t, 64 - l - t);
            }
            *held = Some((leading, trailing));
            let width = 64 - leading - trailing;
            self.put(0b11, 2);
            self.put(u64::from(leading), 5);
            self.put(u64::from(width & 63), 6);
            self.put(xor >> trailing, width);
        }

        fn chunk(samples: &[(i64, f64)]) -> Vec<u8> {
            let mut writer = Self::default();
            writer.put(samples.len() as u64, 16);
            let mut held = None;
            let mut delta = 0_i64;
            for (index, (time, value)) in samples.iter().enumerate() {
                let before = index.checked_sub(1).map(|index| samples[index]);
                match (index, before) {
                    (_, None) => {
                        writer.varint(((time << 1) ^ (time >> 63)).cast_unsigned());
                        writer.put(value.to_bits(), 64);
                        continue;
                    }
                    (1, Some(before)) => {
                        delta = time - before.0;
                        writer.varint(delta.cast_unsigned());
                    }
                    (_, Some(before)) => {
                        let dod = time - before.0 - delta;
                        delta = time - before.0;
                        let fits = |width: u32| dod > -(1 << (width - 1)) && dod <= 1 << (width - 1);
                        if dod == 0 {
                            writer.put(0, 1);
                        } else if fits(14) {
                            writer.put(0b10, 2);
                            writer.put(dod.cast_unsigned() & 0x3fff, 14);
                        } else if fits(17) {
                            writer.put(0b110, 3);
                            writer.put(dod.cast_unsigned() & 0x1_ffff, 17);
                        } else if fits(20) {
                            writer.put(0b1110, 4);
                            writer.put(dod.cast_unsigned() & 0xf_ffff, 20);
                        } else {
                            writer.put(0b1111, 4);
                            writer.put(dod.cast_unsigned(), 64);
                        }
                    }
                }
                writer.value(samples[index - 1].1.to_bits(), value.to_bits(), &mut held);
            }
            writer
                .bits
                .chunks(8)
                .map(|byte| byte.iter().enumerate().fold(0, |all, (bit, on)| all | u8::from(*on) << (7 - bit)))
                .collect()
        }
    }

    fn read(chunk: &[u8]) -> Result<Vec<(i64, u64)>, Broken> {
        let mut samples = Vec::new();
        decode(chunk, |time, value| samples.push((time, value.to_bits())))?;
        Ok(samples)
    }

    #[test]
    fn an_empty_chunk_and_short_ones() {
        assert_eq!(read(&[0, 0]), Ok(Vec::new()));
        assert_eq!(read(&[0]), Err(Broken));
        assert_eq!(read(&[0, 1, 0]), Err(Broken));
        let whole = Writer::chunk(&[(1_000, 1.0), (2_000, 2.0), (3_000, 7.5)]);
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "{length} bytes of {}", whole.len());
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            first in -4_000_000_000_000_i64..4_000_000_000_000,
            steps in prop::collection::vec((prop_oneof![Just(30_000_i64), 1..100_000_i64, 1..2_000_000_000_i64], any::<u64>(), 0..3_u8), 0..200),
        ) {
            let mut samples = vec![(first, 0.0)];
            for (step, raw, kind) in steps {
                let (time, before) = *samples.last().unwrap();
                let value = match kind { 0 => f64::from_bits(raw), 1 => before, _ => before.abs().min(1e15) + (raw % 1_000) as f64 };
                samples.push((time + step, value));
            }
            let expected: Vec<(i64, u64)> = samples.iter().map(|(time, value)| (*time, value.to_bits())).collect();
            prop_assert_eq!(read(&Writer::chunk(&samples)).unwrap(), expected);
        }

        #[test]
        fn any_bytes_are_samples_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
