//! Numbers as few bytes, for packed slices: what `pack` writes and reads.
//!
//! Whole numbers are variable-length (7 bits a byte); a float that is one is written as such, else as its 8 bytes.
//! Reading never panics: what is cut short or absurd is an error.

use crate::units::{Labels, Timestamp};

/// Bytes under construction.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// The bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A whole number.
    #[expect(clippy::cast_possible_truncation, reason = "the lowest seven bits")]
    pub(crate) fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// A number of things.
    pub(crate) fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    /// A whole number that may be negative.
    pub(crate) fn signed(&mut self, value: i64) {
        self.number((value << 1 ^ value >> 63).cast_unsigned());
    }

    /// A time.
    pub(crate) fn time(&mut self, time: Timestamp) {
        self.signed(time.millis());
    }

    /// A time that may be missing.
    pub(crate) fn maybe_time(&mut self, time: Option<Timestamp>) {
        self.number(u64::from(time.is_some()));
        if let Some(time) = time {
            self.time(time);
        }
    }

    /// A float, whole or not.
    #[expect(clippy::cast_possible_truncation, reason = "what does not come back equal is written whole")]
    pub(crate) fn float(&mut self, value: f64) {
        let whole = value as i64;
        if (whole as f64).to_bits() == value.to_bits() && whole.unsigned_abs() < 1 << 53 {
            self.number(0);
            self.signed(whole);
        } else {
            self.number(1);
            self.0.extend_from_slice(&value.to_bits().to_le_bytes());
        }
    }

    /// A text.
    pub(crate) fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Labels.
    pub(crate) fn labels(&mut self, labels: &Labels) {
        self.count(labels.len());
        for (name, value) in labels.iter() {
            self.text(name);
            self.text(value);
        }
    }
}

/// Bytes being read.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

/// Why the bytes cannot be read.
pub(crate) type Broken = &'static str;

impl<'a> Reader<'a> {
    /// From the begin.
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all was read.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Broken> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("cut short")?;
        self.0 = rest;
        Ok(taken)
    }

    /// What `Writer::number` wrote.
    pub(crate) fn number(&mut self) -> Result<u64, Broken> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = *self.take(1)?.first().ok_or("cut short")?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number is too long")
    }

    /// What `Writer::number` wrote, as 32 bits.
    pub(crate) fn small(&mut self) -> Result<u32, Broken> {
        u32::try_from(self.number()?).map_err(|_| "a number is too large")
    }

    /// What `Writer::count` wrote; never more than there are bytes left, so it can be trusted with memory.
    pub(crate) fn count(&mut self) -> Result<usize, Broken> {
        let count = usize::try_from(self.number()?).map_err(|_| "a count is too large")?;
        if count > self.0.len() { Err("a count is larger than what follows") } else { Ok(count) }
    }

    /// What `Writer::signed` wrote.
    pub(crate) fn signed(&mut self) -> Result<i64, Broken> {
        let value = self.number()?;
        Ok((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// What `Writer::time` wrote.
    pub(crate) fn time(&mut self) -> Result<Timestamp, Broken> {
        self.signed().map(Timestamp::from_millis)
    }

    /// What `Writer::maybe_time` wrote.
    pub(crate) fn maybe_time(&mut self) -> Result<Option<Timestamp>, Broken> {
        if self.number()? == 0 { Ok(None) } else { self.time().map(Some) }
    }

    /// What `Writer::float` wrote.
    pub(crate) fn float(&mut self) -> Result<f64, Broken> {
        if self.number()? == 0 {
            return Ok(self.signed()? as f64);
        }
        let bytes: [u8; 8] = self.take(8)?.try_into().map_err(|_| "cut short")?;
        let value = f64::from_bits(u64::from_le_bytes(bytes));
        if value.is_finite() { Ok(value) } else { Err("a count is not finite") }
    }

    /// What `Writer::text` wrote.
    pub(crate) fn text(&mut self) -> Result<String, Broken> {
        let count = self.count()?;
        String::from_utf8(self.take(count)?.to_vec()).map_err(|_| "a text is not UTF-8")
    }

    /// What `Writer::labels` wrote.
    pub(crate) fn labels(&mut self) -> Result<Labels, Broken> {
        let count = self.count()?;
        (0..count).map(|_| Ok((self.text()?, self.text()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut writer = Writer::default();
        let floats = [0.0, -0.0, 1.0, 130.0, 1e15, 0.1, -7.0, f64::MAX, 2f64.powi(63)];
        for float in floats {
            writer.float(float);
        }
        for number in [0, 127, 128, u64::MAX] {
            writer.number(number);
        }
        for number in [0, -1, i64::MIN, i64::MAX] {
            writer.signed(number);
        }
        writer.maybe_time(None);
        writer.maybe_time(Some(Timestamp::from_millis(-5)));
        writer.labels(&Labels::from([("region", "eu\""), ("zone", "")]));
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        for float in floats {
            let read = reader.float().unwrap();
            assert_eq!((read, read.is_sign_negative()), (float, float.is_sign_negative()));
        }
        for number in [0, 127, 128, u64::MAX] {
            assert_eq!(reader.number(), Ok(number));
        }
        for number in [0, -1, i64::MIN, i64::MAX] {
            assert_eq!(reader.signed(), Ok(number));
        }
        assert_eq!(reader.maybe_time(), Ok(None));
        assert_eq!(reader.maybe_time(), Ok(Some(Timestamp::from_millis(-5))));
        assert_eq!(reader.labels(), Ok(Labels::from([("region", "eu\""), ("zone", "")])));
        assert!(reader.is_empty());
        assert_eq!(reader.number(), Err("cut short"));
    }

    #[test]
    fn rubbish_is_an_error() {
        assert!(Reader::new(&[0xff; 12]).number().is_err());
        assert!(Reader::new(&[0xff, 0xff, 0x7f]).count().is_err());
        assert!(Reader::new(&[2, 0xc3, 0x28]).text().is_err());
        assert!(Reader::new(&[1, 0, 0, 0, 0, 0, 0, 0xf0, 0x7f]).float().is_err());
    }
}
