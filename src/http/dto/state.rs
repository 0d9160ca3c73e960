//! State of the parts: sources, and the configuration in use.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::dashboard::format::{roughly, when};
use crate::http::dto::delivery::Attempt;
use crate::http::dto::figure::Figure;
use crate::runtime::service::{ConfigView, GateView, SinkView, SourceView};
use crate::units::{Length, Timestamp};

/// A message that waits as long as this is worth a word.
const LONG_SECONDS: f64 = 60.0;

/// One source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// `prometheus scrape` ..
    #[serde(rename = "type")]
    pub kind: String,
    /// False from its first failed tick.
    pub up: bool,
    /// End of the newest complete slice.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub watermark: Option<Timestamp>,
    /// Wall clock.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_success_at: Option<Timestamp>,
    /// What went wrong last, though it may be well again.
    pub last_error: Option<SourceFailure>,
    /// Since the service started.
    pub requests_failed: u64,
    /// Its clock minus ours.
    pub clock_skew_seconds: Figure,
    /// An answer came from another replica.
    pub replicas_differ: bool,
    /// Pages of a `scrape` source; null: a store, or not scraped yet.
    pub targets: Option<usize>,
    /// Those of them that failed at the last scrape: their series are not measured. With all of them the source is down.
    pub targets_failed: Option<usize>,
}

/// A failure of a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SourceFailure {
    /// Wall clock.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What went wrong.
    pub message: String,
}

/// One sink.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Sink {
    /// Its name.
    pub name: String,
    /// `webhook pagerduty alertmanager` ..
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it goes, without its path: host, and a hash by which equal addresses are known.
    pub destination: Option<String>,
    /// What waits for it.
    pub pending: u64,
    /// Age of the oldest of that; 0 where nothing waits.
    pub oldest_seconds: Figure,
    /// The newest try; where it had none, the newest failure of its destination.
    pub last: Option<Attempt>,
    /// When it last took something, wall clock.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_success_at: Option<Timestamp>,
    /// What a person has to mend; `null`: nothing.
    #[serde(default)]
    pub attention: Option<Attention>,
    /// `open`; `waiting`: the receiver asked for it, or has failed too often; `probing`: one try shows whether others may go.
    pub gate: String,
    /// Until when it waits.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub waits_until: Option<Timestamp>,
    /// What its destination said last, where the gate is not open.
    #[serde(default)]
    pub waits_because: Option<String>,
    /// Failures of its destination in a row.
    pub failures: u32,
}

/// What a person has to mend at a sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attention {
    /// When it was seen last, wall clock.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// In one sentence.
    pub text: String,
}

impl From<&SinkView> for Sink {
    fn from(view: &SinkView) -> Self {
        Self {
            name: view.name.clone(),
            kind: view.kind.clone(),
            destination: view.destination.clone(),
            pending: view.pending,
            oldest_seconds: Figure(view.oldest.map_or(0.0, Length::seconds_f64)),
            last: view.last.as_ref().map(Attempt::from),
            last_success_at: view.last_success_at,
            attention: view.attention.clone().map(|(at, text)| Attention { at, text }),
            waits_because: (view.gate != GateView::Open)
                .then(|| view.failure.as_ref().map(|failure| failure.message.clone()))
                .flatten(),
            gate: view.gate.name().to_owned(),
            waits_until: if let GateView::Waiting(until) = view.gate { Some(until) } else { None },
            failures: view.failures,
        }
    }
}

impl Sink {
    /// What is to be said of it beside everything else, in one sentence; `None`: nothing waits long, nothing fails.
    #[must_use]
    pub fn trouble(&self, now: Timestamp) -> Option<String> {
        let waiting = match self.pending {
            0 => String::new(),
            1 => format!("; 1 message waits, for {}", self.oldest()),
            count => format!("; {count} messages wait, the oldest for {}", self.oldest()),
        };
        let name = &self.name;
        if let Some(until) = self.waits_until.filter(|until| *until > now) {
            let because = self.waits_because.as_ref().map_or_else(String::new, |why| format!(": {why}"));
            return Some(format!("sink {name} waits until {}{because}{waiting}", when(now, until)));
        }
        if self.failures > 0 {
            let times =
                if self.failures == 1 { "once".to_owned() } else { format!("{} times in a row", self.failures) };
            let last = self.last.as_ref().map_or_else(String::new, |last| format!(": {}", last.message));
            return Some(format!("sink {name} failed {times}{last}{waiting}"));
        }
        if let Some(attention) = &self.attention {
            return Some(format!("sink {name} needs attention: {}{waiting}", attention.text));
        }
        (self.oldest_seconds.0 >= LONG_SECONDS).then(|| format!("sink {name} is behind{waiting}"))
    }

    fn oldest(&self) -> String {
        #[expect(clippy::cast_possible_truncation, reason = "an age, far below the bounds of i64")]
        let age = Length::from_seconds(self.oldest_seconds.0 as i64);
        roughly(age)
    }
}

/// The configuration in use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Config {
    /// Git revision of the files, where there is one.
    pub revision: Option<String>,
    /// SHA-256 over the files.
    pub digest: String,
    /// Wall clock.
    #[schema(value_type = String, format = DateTime)]
    pub loaded_at: Timestamp,
    /// Whether the last reload was taken; if not, this is the set before it.
    pub reload_ok: bool,
    /// The first error of a reload that was refused, with its place.
    #[serde(default)]
    pub reload_error: Option<String>,
    /// As meant, every default applied, secrets redacted.
    #[schema(value_type = Object)]
    pub config: Value,
}

impl From<&SourceView> for Source {
    fn from(view: &SourceView) -> Self {
        let failure = |(at, message): &(Timestamp, String)| SourceFailure { at: *at, message: message.clone() };
        Self {
            name: view.name.clone(),
            kind: view.kind.clone(),
            up: view.up,
            watermark: view.watermark,
            last_success_at: view.last_success_at,
            last_error: view.last_error.as_ref().map(failure),
            requests_failed: view.requests_failed,
            clock_skew_seconds: Figure(view.clock_skew_seconds),
            replicas_differ: view.replicas_differ,
            targets: view.targets.map(|targets| targets.all),
            targets_failed: view.targets.map(|targets| targets.failed),
        }
    }
}

impl From<ConfigView> for Config {
    fn from(view: ConfigView) -> Self {
        Self {
            revision: view.revision,
            digest: view.digest,
            loaded_at: view.loaded_at,
            reload_ok: view.reload_ok,
            reload_error: view.reload_error,
            config: view.config,
        }
    }
}
