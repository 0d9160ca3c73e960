//! Windows of time that come back: a cron expression, how long each lasts, and a time zone (FORMATS 2 and 4).
//!
//! Why not the crate's own arithmetic of zones: it leaves out a start in the hour that the spring change skips and takes
//! one in the hour that autumn repeats twice. Here starts are local times, found without a zone: one that does not exist
//! is the first instant after the gap, one that exists twice is the first of both. Lengths are elapsed time. Written as in
//! Unix: five fields (or six, seconds first), 0 and 7 are Sunday, and where both days are restricted either will do.
//! Like every interval of slices a window is open on the left: a slice that ends when it begins lies before it. Of
//! instants of the wall clock its begin is in it, and its end is not.

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

    /// As written, with its zone, without its length: `0 9 * * Mon Europe/Berlin`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.written, self.zone)
    }

    /// Until when it goes on, where a window is on at `at` (wall clock, its begin in it, its end not): the end of the one
    /// that began last.
    #[must_use]
    pub fn on_until(&self, at: Timestamp) -> Option<Timestamp> {
        let begun = self.last_begin(at)?;
        Some(begun + self.length).filter(|end| *end > at)
    }

    /// The first begin or end of a window after `at`; `None`: there will be none.
    #[must_use]
    pub fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        [self.on_until(at), self.next_begin(at)].into_iter().flatten().min()
    }

    /// The last begin at or before `at`. Instants of local times never fall as the local times rise, and a local time
    /// is never later than `at` where it is not later than that of `at`.
    #[must_use]
    pub fn last_begin(&self, at: Timestamp) -> Option<Timestamp> {
        let local = self.local(at)?;
        let of = |cron: &cron::Schedule| {
            // What the autumn change repeats was begun in the first of both hours.
            let repeated = cron.after(&local.and_utc()).map(|start| self.begin(start.naive_utc()));
            let repeated = repeated.take_while(|begin| begin.is_some_and(|begin| begin <= at)).last().flatten();
            let before = || cron.after(&(local + TimeDelta::seconds(1)).and_utc()).next_back();
            repeated.or_else(|| self.begin(before()?.naive_utc()))
        };
        self.crons.iter().filter_map(of).max()
    }

    /// The first begin after `at`.
    #[must_use]
    pub fn next_begin(&self, at: Timestamp) -> Option<Timestamp> {
        let local = self.local(at)?;
        let of = |cron: &cron::Schedule| {
            let mut begins = cron.after(&local.and_utc()).filter_map(|start| self.begin(start.naive_utc()));
            begins.find(|begin| *begin > at)
        };
        self.crons.iter().filter_map(of).min()
    }

    /// The local time of an instant, in whole seconds.
    fn local(&self, at: Timestamp) -> Option<NaiveDateTime> {
        let utc = DateTime::from_timestamp(at.millis().div_euclid(1_000), 0)?;
        Some(utc.with_timezone(&self.zone).naive_local())
    }

    fn begin(&self, local: NaiveDateTime) -> Option<Timestamp> {
        Some(Timestamp::from_millis(self.instant(local)?.timestamp_millis()))
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
                low = middle;
            } else {
                high = middle;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(cron: &str, length: &str, zone: &str) -> Schedule {
        Schedule::new(cron, length.parse().unwrap(), zone).unwrap()
    }

    /// Whether each time (UTC) lies in a window.
    fn covers(schedule: &Schedule, times: &[&str]) -> Vec<bool> {
        times.iter().map(|time| schedule.covers(time.parse().unwrap())).collect()
    }

    #[test]
    fn a_window_is_open_at_its_begin_and_closed_at_its_end() {
        let nine_to_six = schedule("0 9 * * Mon-Fri", "9h", "Europe/Berlin");
        // 2026-11-20 is a Friday; in winter Berlin is an hour ahead.
        let times = [
            "2026-11-20T08:00:00Z",
            "2026-11-20T08:00:30Z",
            "2026-11-20T17:00:00Z",
            "2026-11-20T17:00:30Z",
            "2026-11-21T12:00:00Z",
            "2026-11-23T12:00:00Z",
        ];
        assert_eq!(covers(&nine_to_six, &times), [false, true, true, false, false, true]);
        // In summer two.
        let summer = ["2026-07-17T07:00:00Z", "2026-07-17T07:00:30Z", "2026-07-17T16:00:00Z", "2026-07-17T16:00:30Z"];
        assert_eq!(covers(&nine_to_six, &summer), [false, true, true, false]);
    }

    /// At 02:00 on 2026-03-29 clocks in Berlin go on to 03:00, which is 01:00 UTC.
    #[test]
    fn a_start_in_the_hour_that_spring_skips_is_at_its_end() {
        let nightly = schedule("30 2 * * *", "10m", "Europe/Berlin");
        let times = ["2026-03-29T01:00:00Z", "2026-03-29T01:00:30Z", "2026-03-29T01:10:00Z", "2026-03-29T01:31:00Z"];
        assert_eq!(covers(&nightly, &times), [false, true, true, false]);
        let around = ["2026-03-28T01:31:00Z", "2026-03-29T00:31:00Z", "2026-03-30T00:31:00Z", "2026-03-30T01:31:00Z"];
        assert_eq!(covers(&nightly, &around), [true, false, true, false]);
        // One that begins before and lasts over it is as long as any.
        let long = schedule("0 1 * * *", "3h", "Europe/Berlin");
        let times = ["2026-03-29T00:00:30Z", "2026-03-29T03:00:00Z", "2026-03-29T03:00:30Z"];
        assert_eq!(covers(&long, &times), [true, true, false]);
    }

    /// At 03:00 on 2026-10-25 clocks in Berlin go back to 02:00: 02:30 is at 00:30 and at 01:30 UTC.
    #[test]
    fn a_start_in_the_hour_that_autumn_repeats_is_taken_once() {
        let nightly = schedule("30 2 * * *", "10m", "Europe/Berlin");
        let times = ["2026-10-25T00:31:00Z", "2026-10-25T00:41:00Z", "2026-10-25T01:31:00Z", "2026-10-26T01:31:00Z"];
        assert_eq!(covers(&nightly, &times), [true, false, false, true]);
        let long = schedule("0 1 * * *", "3h", "Europe/Berlin");
        let times = ["2026-10-24T23:00:30Z", "2026-10-25T02:00:00Z", "2026-10-25T02:00:30Z"];
        assert_eq!(covers(&long, &times), [true, true, false]);
    }

    #[test]
    fn begins_follow_each_other_once_each_over_both_changes() {
        let begins = |cron: &str, zone: &str, from: &str, count: usize| {
            let schedule = schedule(cron, "1h", zone);
            let mut at: Timestamp = from.parse().unwrap();
            let mut all = Vec::new();
            for _ in 0..count {
                let next = schedule.next_begin(at).unwrap();
                assert_eq!(schedule.last_begin(next), Some(next), "a begin is its own last one");
                assert_eq!(
                    schedule.last_begin(next - Length::from_millis(1)),
                    schedule.last_begin(at),
                    "nothing lies between"
                );
                all.push(next.to_string());
                at = next;
            }
            all
        };
        let spring = ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"];
        assert_eq!(begins("30 2 * * *", "Europe/Berlin", "2026-03-27T12:00:00Z", 3), spring);
        let autumn = ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"];
        assert_eq!(begins("30 2 * * *", "Europe/Berlin", "2026-10-23T12:00:00Z", 3), autumn);
        let weekly = ["2026-11-23T08:00:00Z", "2026-11-30T08:00:00Z"];
        assert_eq!(begins("0 9 * * Mon", "Europe/Berlin", "2026-11-21T03:00:00Z", 2), weekly);
        let quick = ["2026-11-21T03:00:20Z", "2026-11-21T03:00:40Z", "2026-11-21T03:01:00Z"];
        assert_eq!(begins("*/20 * * * * *", "UTC", "2026-11-21T03:00:00Z", 3), quick);
        let never = schedule("0 0 30 2 *", "1h", "UTC");
        assert_eq!((never.next_begin(Timestamp::default()), never.last_begin(Timestamp::default())), (None, None));
    }

    #[test]
    fn of_the_wall_clock_the_begin_is_in_and_the_end_is_not() {
        let nightly = schedule("0 2 * * *", "30m", "Europe/Berlin");
        let half_past = schedule("30 2 * * *", "10m", "Europe/Berlin");
        let hourly = schedule("0 * * * *", "90m", "UTC");
        let either = schedule("0 0 23 * Sun", "1d", "UTC");
        let never = schedule("0 0 30 2 *", "1h", "UTC");
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        // The schedule, the instant, until when it is on (`-`: it is not), and the next begin or end.
        for (schedule, at, until, next) in [
            (&nightly, "2026-11-20T00:59:59Z", "-", "2026-11-20T01:00:00Z"),
            (&nightly, "2026-11-20T01:00:00Z", "2026-11-20T01:30:00Z", "2026-11-20T01:30:00Z"),
            (&nightly, "2026-11-20T01:29:59.999Z", "2026-11-20T01:30:00Z", "2026-11-20T01:30:00Z"),
            (&nightly, "2026-11-20T01:30:00Z", "-", "2026-11-21T01:00:00Z"),
            // In summer an hour earlier.
            (&nightly, "2026-07-20T00:10:00Z", "2026-07-20T00:30:00Z", "2026-07-20T00:30:00Z"),
            // Spring skips 02:00 to 03:00 on 2026-03-29: it begins at 03:00, which is 01:00 UTC.
            (&nightly, "2026-03-29T00:59:59Z", "-", "2026-03-29T01:00:00Z"),
            (&nightly, "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z"),
            (&half_past, "2026-03-29T01:09:59Z", "2026-03-29T01:10:00Z", "2026-03-29T01:10:00Z"),
            (&half_past, "2026-03-29T01:30:00Z", "-", "2026-03-30T00:30:00Z"),
            // Autumn has 02:30 twice on 2026-10-25, at 00:30 and 01:30 UTC: the first counts.
            (&half_past, "2026-10-25T00:29:59Z", "-", "2026-10-25T00:30:00Z"),
            (&half_past, "2026-10-25T00:30:00Z", "2026-10-25T00:40:00Z", "2026-10-25T00:40:00Z"),
            (&half_past, "2026-10-25T01:05:00Z", "-", "2026-10-26T01:30:00Z"),
            (&half_past, "2026-10-25T01:30:00Z", "-", "2026-10-26T01:30:00Z"),
            // Before the change, and in the repeated hour, one that begins at 02:00 and lasts over it is on.
            (
                &schedule("50 2 * * *", "30m", "Europe/Berlin"),
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:20:00Z",
                "2026-10-25T01:20:00Z",
            ),
            // Of windows that overlap the last ends it.
            (&hourly, "2026-11-20T10:10:00Z", "2026-11-20T11:30:00Z", "2026-11-20T11:00:00Z"),
            // Either day.
            (&either, "2026-11-22T12:00:00Z", "2026-11-23T00:00:00Z", "2026-11-23T00:00:00Z"),
            (&either, "2026-11-23T12:00:00Z", "2026-11-24T00:00:00Z", "2026-11-24T00:00:00Z"),
            (&never, "2026-11-23T12:00:00Z", "-", "-"),
        ] {
            let shown = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
            let found = (shown(schedule.on_until(time(at))), shown(schedule.next_change(time(at))));
            assert_eq!(found, (until.to_owned(), next.to_owned()), "{schedule} at {at}");
        }
    }

    #[test]
    fn days_are_numbered_as_in_unix() {
        // 2026-11-22 is a Sunday.
        let days = ["2026-11-22T12:00:00Z", "2026-11-23T12:00:00Z", "2026-11-28T12:00:00Z"];
        for (cron, expected) in [
            ("0 0 * * 0", [true, false, false]),
            ("0 0 * * 7", [true, false, false]),
            ("0 0 * * SUN", [true, false, false]),
            ("0 0 * * 1", [false, true, false]),
            ("0 0 * * 1-5", [false, true, false]),
            ("0 0 * * 5-7", [true, false, true]),
            ("0 0 * * Sat-Mon", [true, true, true]),
            ("0 0 * * Monday", [false, true, false]),
            ("0 0 0 * * 6", [false, false, true]),
            // Either day will do where both are restricted.
            ("0 0 23 * Sun", [true, true, false]),
            ("0 0 23 11 *", [false, true, false]),
        ] {
            assert_eq!(covers(&schedule(cron, "1d", "UTC"), &days), expected, "{cron}");
        }
    }

    #[test]
    fn what_is_no_schedule_says_so() {
        let error = |cron: &str, zone: &str| Schedule::new(cron, Length::from_hours(1), zone).unwrap_err().to_string();
        for cron in ["", "* * * *", "0 25 * * *", "0 0 * * 8", "0 0 * * Mo", "0 0 * * 1/0", "61 * * * *", "@daily"] {
            assert_eq!(error(cron, "UTC"), format!("`{cron}` is not a cron expression"));
        }
        assert_eq!(error("0 9 * * *", "Berlin"), "`Berlin` is not a time zone");
    }

    #[test]
    fn seconds_may_stand_first() {
        let half_minute = schedule("30 0 9 * * *", "10s", "UTC");
        let times = ["2026-11-22T09:00:30Z", "2026-11-22T09:00:35Z", "2026-11-22T09:00:41Z"];
        assert_eq!(covers(&half_minute, &times), [false, true, false]);
    }
}
