//! The simulated shop of `slo demo`: two services that export `/metrics`, one of which breaks on a script.
//!
//! Counters are a pure function of the time since the shop opened, so a scrape at any moment tells the same story.
//! Nothing here knows what an SLO, a burn rate or an alert is.

use std::fmt::Write as _;

use crate::units::{Length, Timestamp};

/// One part of the script: for this long, this share of the checkout's requests fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// What a person would call it.
    pub name: &'static str,
    /// How long it lasts.
    pub length: Length,
    /// Share of requests that fail, 0 to 1.
    pub failing: f64,
}

/// Requests a second to the checkout.
const CHECKOUT_RATE: f64 = 40.0;
/// Requests a second to the search.
const SEARCH_RATE: f64 = 25.0;
/// Share of searches slower than 300 ms, always.
const SLOW_SEARCHES: f64 = 0.004;

/// What happens: calm, a deploy that breaks most payments, a rollback, calm.
pub const SCRIPT: [Phase; 4] = [
    Phase { name: "calm", length: Length::from_minutes(6), failing: 0.0002 },
    Phase { name: "a bad deploy: 60% of checkouts fail", length: Length::from_minutes(8), failing: 0.6 },
    Phase { name: "rolled back", length: Length::from_minutes(50), failing: 0.0002 },
    Phase { name: "calm again", length: Length::from_days(365), failing: 0.0002 },
];

/// A shop that opened at `opened`.
#[derive(Clone, Copy, Debug)]
pub struct Shop {
    /// When its processes started and its counters were zero.
    pub opened: Timestamp,
}

impl Shop {
    /// The phase that runs at `now`.
    #[must_use]
    pub fn phase(self, now: Timestamp) -> Phase {
        let mut end = self.opened;
        for phase in SCRIPT {
            end = end + phase.length;
            if now < end {
                return phase;
            }
        }
        SCRIPT[SCRIPT.len() - 1]
    }

    /// The `/metrics` page at `now`.
    #[must_use]
    pub fn page(self, now: Timestamp) -> String {
        let age = now.since(self.opened).seconds_f64();
        let total = (age * CHECKOUT_RATE).floor();
        let failed = self.failed(now).min(total);
        let searches = (age * SEARCH_RATE).floor();
        let slow = (searches * SLOW_SEARCHES).floor();
        let mut page = String::new();
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "# HELP process_start_time_seconds When the process started.\n\
             # TYPE process_start_time_seconds gauge\n\
             process_start_time_seconds {}\n\
             # HELP http_requests_total Requests by status code.\n\
             # TYPE http_requests_total counter\n\
             http_requests_total{{service=\"checkout\",code=\"200\"}} {}\n\
             http_requests_total{{service=\"checkout\",code=\"503\"}} {failed}\n\
             # HELP search_duration_seconds How long searches take.\n\
             # TYPE search_duration_seconds histogram\n\
             search_duration_seconds_bucket{{service=\"search\",le=\"0.1\"}} {}\n\
             search_duration_seconds_bucket{{service=\"search\",le=\"0.3\"}} {}\n\
             search_duration_seconds_bucket{{service=\"search\",le=\"+Inf\"}} {searches}\n\
             search_duration_seconds_sum{{service=\"search\"}} {}\n\
             search_duration_seconds_count{{service=\"search\"}} {searches}\n",
            self.opened.seconds_f64(),
            total - failed,
            (searches * 0.8).floor(),
            searches - slow,
            searches * 0.06,
        );
        page
    }

    /// Checkouts failed since the shop opened.
    fn failed(self, now: Timestamp) -> f64 {
        let mut begin = self.opened;
        let mut failed = 0.0;
        for phase in SCRIPT {
            let end = begin + phase.length;
            failed += now.min(end).since(begin).seconds_f64() * CHECKOUT_RATE * phase.failing;
            begin = end;
        }
        failed.floor()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(page: &str, series: &str) -> f64 {
        let line = page.lines().find(|line| line.starts_with(series)).unwrap();
        line.rsplit(' ').next().unwrap().parse().unwrap()
    }

    #[test]
    fn counters_follow_the_script_and_never_fall() {
        let shop = Shop { opened: Timestamp::from_seconds(1_000) };
        let at = |minutes: i64| shop.page(shop.opened + Length::from_minutes(minutes));
        let failed = |minutes| value(&at(minutes), "http_requests_total{service=\"checkout\",code=\"503\"}");
        assert!((failed(6) - 2.0).abs() < 1.0);
        assert!((failed(14) - failed(6) - 8.0 * 60.0 * 40.0 * 0.6).abs() <= 1.0);
        let mut before = 0.0;
        for minutes in 0..70 {
            assert!(failed(minutes) >= before);
            before = failed(minutes);
        }
        assert_eq!(shop.phase(shop.opened + Length::from_minutes(7)).name, SCRIPT[1].name);
    }
}
