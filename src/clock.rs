//! The only wall clock and the only randomness of the program.
//!
//! A clock may run faster than life (`slo demo`): everything that waits or asks the time goes through one, so an hour
//! of the demo is an hour for every part of the service.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::units::{Day, Length, Timestamp};

/// A clock that started at some moment and runs `speed` times faster than life.
#[derive(Clone, Debug)]
pub struct Clock {
    origin: Timestamp,
    started: tokio::time::Instant,
    speed: f64,
    /// How far it was set since, in milliseconds; for all its clones.
    set_by: Arc<AtomicI64>,
}

impl Clock {
    /// The wall clock.
    #[must_use]
    pub fn system() -> Self {
        Self::accelerated(1.0)
    }

    /// Starts now and runs `speed` times faster than life.
    #[must_use]
    pub fn accelerated(speed: f64) -> Self {
        Self { origin: wall(), started: tokio::time::Instant::now(), speed, set_by: Arc::default() }
    }

    /// The time on this clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.unset().millis() + self.set_by.load(Ordering::Relaxed))
    }

    /// Sets it, and all its clones, forward by so many seconds, or back: what a machine does whose clock is corrected.
    pub fn set(&self, seconds: i64) {
        self.set_by.fetch_add(seconds * 1_000, Ordering::Relaxed);
    }

    fn unset(&self) -> Timestamp {
        if (self.speed - 1.0).abs() < f64::EPSILON {
            return wall();
        }
        let elapsed = self.started.elapsed().as_secs_f64() * self.speed;
        Timestamp::from_seconds_f64(self.origin.seconds_f64() + elapsed)
    }

    /// How long in life `length` takes on this clock.
    #[must_use]
    pub fn in_life(&self, length: Length) -> Duration {
        length.to_std().div_f64(self.speed)
    }

    /// Waits for `length` of this clock's time.
    pub async fn sleep(&self, length: Length) {
        tokio::time::sleep(self.in_life(length)).await;
    }

    /// Waits until this clock shows `time`; returns at once where it already does.
    pub async fn sleep_until(&self, time: Timestamp) {
        // The wall clock may be set while we wait, so it is looked at again at least every 10 s.
        loop {
            let left = time.since(self.now());
            if left == Length::ZERO {
                return;
            }
            self.sleep(left.min(Length::from_seconds(10))).await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn wall() -> Timestamp {
    Timestamp::from_millis(chrono::Utc::now().timestamp_millis())
}

/// The day in UTC, in life.
#[must_use]
pub fn today() -> Day {
    Day::of(wall())
}

/// Bytes that nobody can guess: keys, secrets of tokens.
///
/// # Errors
/// Where the system has none to give.
pub fn random_bytes() -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no random bytes: {error}"))?;
    Ok(bytes)
}

/// A number in `0..1`, for jitter only; never for an id.
#[must_use]
pub fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    // The keys of `RandomState` are the standard library's only randomness; 53 bits make a float below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let fraction = (RandomState::new().hash_one(0_u8) >> 11) as f64 / (1_u64 << 53) as f64;
    fraction
}
