//! Windows of time that come back: a cron expression, how long each lasts, and a time zone (FORMATS 2 and 4).
//!
//! Why not the crate's own arithmetic of zones: it leaves out a start in the hour that the spring change skips and takes
//! one in the hour that autumn repeats twice. Here starts are local times, found without a zone: one that does not exist
//! is the first instant after the gap, one that exists twice is the first of both. Lengths are elapsed time. Written as in
//! Unix: five fields (or six, seconds first), 0 and 7 are Sunday, and where both days are restricted either will do.
//! Like every interval a window is open on the left: a slice that ends when it begins lies before it.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::units::{Length, Timestamp};

/// How far local times can be off by a change of a zone's offset.
const CHANGE: TimeDelta = TimeDelta::hours(26);

/// The names of days and their numbers as in Unix.
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Windows of time that come back.
#[derive(Clone, Debug)]
pub struct Schedule {
    written: String,
    /// One, or two where both days are restricted: either will do.
    crons: Vec<cron::Schedule>,
    length: Length,
    zone: Tz,
}

/// What is wrong with a schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Neither five nor six fields, or a field that cannot be read.
    #[error("`{0}` is not a cron expression")]
    Cron(String),
    /// No such time zone.
    #[error("`{0}` is not a time zone")]
    Zone(String),
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        (&self.written, self.length, self.zone) == (&other.written, other.length, other.zone)
    }
}

impl fmt::Display for Schedule {
    /// `0 9 * * Mon-Fri for 9h, Europe/Berlin`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} for {}, {}", self.written, self.length, self.zone)
    }
}

impl Schedule {
    /// Windows of `length` that begin when `cron` says, in the time zone `zone` (`Europe/Berlin`, `UTC`).
    ///
    /// # Errors
    /// Where `cron` is no cron expression, or `zone` no time zone.
    pub fn new(cron: &str, length: Length, zone: &str) -> Result<Self, ScheduleError> {
        let zone = Tz::from_str(zone).map_err(|_| ScheduleError::Zone(zone.to_owned()))?;
        let crons = crons(cron).ok_or_else(|| ScheduleError::Cron(cron.to_owned()))?;
        Ok(Self { written: cron.split_whitespace().collect::<Vec<_>>().join(" "), crons, length, zone })
    }

    /// Whether `at` lies in one of the windows.
    #[must_use]
    pub fn covers(&self, at: Timestamp) -> bool {
        let Some(end) = DateTime::from_timestamp_millis(at.millis()) else { return false };
        let Some(begin) = DateTime::from_timestamp_millis((at - self.length).millis()) else { return false };
        let local = |instant: DateTime<Utc>| instant.with_timezone(&self.zone).naive_local();
        let (first, last) = (local(begin) - CHANGE, local(end) + CHANGE);
        let starts = |cron: &cron::Schedule| {
            let found = cron.after(&first.and_utc()).take_while(|start| start.naive_utc() <= last);
            found
                .into_iter()
                .any(|start| self.instant(start.naive_utc()).is_some_and(|start| begin <= start && start < end))
        };
        self.crons.iter().any(starts)
    }

    /// The instant of a local time: of two the first; where there is none, the first after the gap.
    fn instant(&self, local: NaiveDateTime) -> Option<DateTime<Utc>> {
        if let Some(instant) = self.zone.from_local_datetime(&local).earliest() {
            return Some(instant.with_timezone(&Utc));
        }
        // In a gap: with the offset from before it, the instant lies behind the change by as much as `local` does behind
        // the gap's begin; the gap's end is where the new offset begins, found by halving.
        let before = self.zone.offset_from_utc_datetime(&(local - CHANGE)).fix();
        let (mut low, mut high) = ((local - CHANGE).and_utc(), before.from_local_datetime(&local).single()?.to_utc());
        let old = self.zone.offset_from_utc_datetime(&low.naive_utc()).fix();
        while high - low > TimeDelta::seconds(1) {
            let middle = low + (high - low) / 2;
            if self.zone.offset_from_utc_datetime(&middle.naive_utc()).fix() == old {
                low = middle
            } else {
                high = middle
            }
        }
        DateTime::from_timestamp(high.timestamp(), 0)
    }
}

/// The crate's schedules for an expression as in Unix.
fn crons(written: &str) -> Option<Vec<cron::Schedule>> {
    let mut fields: Vec<String> = written.split_whitespace().map(str::to_owned).collect();
    if fields.len() == 5 {
        fields.insert(0, "0".to_owned());
    }
    let [seconds, minutes, hours, days, months, weekdays] = <[String; 6]>::try_from(fields).ok()?;
    let weekdays = if weekdays.starts_with('*') || weekdays == "?" { weekdays } else { quartz_days(&weekdays)? };
    let days_open = days.starts_with('*') || days == "?";
    let pairs = if days_open || weekdays.starts_with('*') || weekdays == "?" {
        vec![(days, weekdays)]
    } else {
        vec![(days, "*".to_owned()), ("*".to_owned(), weekdays)]
    };
    let parsed = pairs.into_iter().map(|(days, weekdays)| {
        cron::Schedule::from_str(&format!("{seconds} {minutes} {hours} {days} {months} {weekdays}")).ok()
    });
    parsed.collect()
}

/// Days of the week as in Unix, one by one, counted from 1 for Sunday as the crate does.
fn quartz_days(field: &str) -> Option<String> {
    let mut numbers = Vec::new();
    for part in field.split(',') {
        let (range, step) = part.split_once('/').map_or((part, Ok(1)), |(range, step)| (range, step.parse::<usize>()));
        let step = step.ok().filter(|step| *step > 0)?;
        let (from, to) = range.split_once('-').map_or((range, range), |(from, to)| (from, to));
        let (from, to) = (day_number(from)?, day_number(to)?);
        // `Fri-Sun` and `Sat-Mon` go over the end of the week.
        let to = if to < from { to + 7 } else { to };
        numbers.extend((from..=to).step_by(step).map(|day| (day % 7 + 1).to_string()));
    }
    Some(numbers.join(","))
}

fn day_number(text: &str) -> Option<usize> {
    if let Ok(number) = text.parse::<usize>() {
        return (number <= 7).then_some(number);
    }
    let upper = text.to_ascii_uppercase();
    DAYS.iter().position(|day| upper.len() >= 3 && upper.starts_with(day))
}
