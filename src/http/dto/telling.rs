//! Who was told of an alert, who waits for what, and what comes next where nobody takes it on.
//!
//! Made of the case, the rows of the outbox (those of digests that name the alert among them) and the sinks as they stand.
//! "Told" is what a sink took, not what was decided: a page that waits must not read like one that was heard.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::dashboard::format::when;
use crate::http::dto::case::{Case, Escalates};
use crate::http::dto::delivery::told_of;
use crate::policy::alert::{Alert, AlertKind, AlertState};
use crate::policy::notification::Occasion;
use crate::runtime::service::{GateView, SinkView};
use crate::store::{Delivery as Row, DeliveryState, UNDER_WAY};
use crate::units::Timestamp;

/// Characters of a receiver's answer that a sentence holds.
const EXCERPT: usize = 160;

/// Who hears of one alert.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Telling {
    /// A sink took the news that it fires.
    pub told: bool,
    /// Each sink that was told that it fires, or is to be, by name.
    pub sinks: Vec<SinkTelling>,
    /// What keeps those from being told who were not yet; `null` where nothing but the sinks does.
    pub waits: Option<Waits>,
    /// When it is told again unless somebody takes it on, wall clock.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub repeats_at: Option<Timestamp>,
    /// Who is told, and when, unless somebody takes it on.
    pub escalates: Option<Escalates>,
}

/// How one sink stands to one alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SinkTelling {
    /// Its name.
    pub sink: String,
    /// `told`; `waits`: to be told for the first time; `failed`: given up.
    pub state: String,
    /// How often it took the news that it fires.
    pub count: u32,
    /// When it took it last, wall clock.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// Only in messages of several alerts.
    pub in_digest: bool,
    /// Told because another sink could not be.
    pub in_place: bool,
    /// Something waits to be sent to it.
    pub waiting: bool,
    /// Until when nothing is tried, wall clock; `null`: it is tried now, or nothing waits.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub waits_until: Option<Timestamp>,
    /// What it said last to what it did not take.
    pub message: Option<String>,
}

/// What keeps an alert from being told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Waits {
    /// `hours group silence exclusion deploy held_back nobody`.
    pub kind: String,
    /// Id of the silence or alert, name of the exclusion, version of the deploy; else empty.
    pub name: String,
    /// In words, as somebody wrote it.
    pub reason: String,
    /// Until when, as known now, wall clock.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

impl Telling {
    /// Of an alert with its rows, newest first.
    #[must_use]
    pub fn of(alert: &Alert, case: &Case, rows: &[Row], sinks: &[SinkView]) -> Self {
        let mut by_sink: BTreeMap<&str, Vec<&Row>> = case.told.keys().map(|sink| (sink.as_str(), Vec::new())).collect();
        for row in rows.iter().filter(|row| tells_firing(row, &alert.id)) {
            by_sink.entry(&row.sink).or_default().push(row);
        }
        let sinks: Vec<SinkTelling> =
            by_sink.into_iter().map(|(sink, rows)| SinkTelling::of(sink, &rows, case, sinks)).collect();
        let told = sinks.iter().any(|sink| sink.state == "told");
        let fires = alert.state == AlertState::Firing;
        let open = fires && case.acked.is_none();
        Self {
            waits: (fires && (case.waits || case.waits_for_group || !told))
                .then(|| Waits::of(alert, case, &sinks))
                .flatten(),
            repeats_at: case.repeats_at.filter(|_| open),
            escalates: case.escalates.clone().filter(|_| open),
            told,
            sinks,
        }
    }

    /// What is to be said of it, each with what it is about, as of `now`.
    #[must_use]
    pub fn lines(&self, fires: bool, now: Timestamp) -> Vec<(&'static str, String)> {
        let named = |state: &'static str| self.sinks.iter().filter(move |sink| sink.state == state);
        let waiting: Vec<String> =
            self.sinks.iter().filter(|sink| sink.waiting).map(|sink| sink.waits_words(now)).collect();
        let why: Vec<String> = self.waits.iter().map(|waits| waits.words(now)).chain(waiting.iter().cloned()).collect();
        let mut lines = Vec::new();
        match (self.told, fires) {
            (true, _) => {
                let told: Vec<String> = named("told").map(SinkTelling::told_words).collect();
                let last = named("told").filter_map(|sink| sink.at).max();
                let last = last.map_or_else(String::new, |at| format!("; last {}", when(now, at)));
                lines.push(("told", told.join(", ") + &last));
                if fires && !why.is_empty() {
                    lines.push(("not all yet", why.join("; ")));
                }
            }
            (false, true) if why.is_empty() => lines.push(("told", "nobody".to_owned())),
            (false, true) => lines.push(("told", format!("nobody yet, because {}", why.join("; ")))),
            (false, false) => lines.push(("told", "nobody".to_owned())),
        }
        let failed: Vec<String> = named("failed").map(SinkTelling::failed_words).collect();
        if !failed.is_empty() {
            lines.push(("not told", failed.join("; ")));
        }
        lines.extend(self.repeats_at.map(|at| ("told again", format!("{} unless acknowledged", when(now, at)))));
        lines.extend(self.escalates.as_ref().map(|next| {
            ("escalates", format!("to {} {} unless acknowledged", next.to.join(", "), when(now, next.at)))
        }));
        lines
    }
}

/// Whether a row tells that this alert fires.
fn tells_firing(row: &Row, alert_id: &str) -> bool {
    told_of(&row.notification, alert_id) == AlertState::Firing && row.notification.occasion != Occasion::Acknowledged
}

impl SinkTelling {
    fn of(name: &str, rows: &[&Row], case: &Case, sinks: &[SinkView]) -> Self {
        let done: Vec<&&Row> = rows.iter().filter(|row| row.state == DeliveryState::Done).collect();
        let pending = rows.iter().rev().find(|row| row.state == DeliveryState::Pending);
        let last_try = |row: &&&Row| row.attempts.iter().map(|attempt| attempt.at).max();
        let view = sinks.iter().find(|view| view.name == name);
        // Rows are kept as long as an alert is open; of one that is over the case may know more.
        let noted = case.told.get(name).filter(|_| rows.is_empty());
        let state = match (done.is_empty(), pending, noted) {
            (false, ..) | (_, _, Some(_)) => "told",
            (true, Some(_), _) => "waits",
            (true, None, None) => "failed",
        };
        let shut = view.and_then(|view| if let GateView::Waiting(until) = view.gate { Some(until) } else { None });
        let said = |row: &&Row| row.attempts.iter().rev().find(|attempt| attempt.message != UNDER_WAY).cloned();
        let said = pending.map_or_else(
            || rows.first().filter(|_| state == "failed").and_then(said),
            |row| said(row).or_else(|| view?.failure.clone().filter(|_| shut.is_some())),
        );
        Self {
            sink: name.to_owned(),
            state: state.to_owned(),
            count: noted.map_or_else(|| u32::try_from(done.len()).unwrap_or(u32::MAX), |told| told.count),
            at: done.iter().filter_map(last_try).max().or_else(|| noted.map(|told| told.at)),
            in_digest: !rows.is_empty() && rows.iter().all(|row| row.notification.kind == AlertKind::Digest),
            in_place: !rows.is_empty() && rows.iter().all(|row| row.notification.occasion == Occasion::InPlace),
            waiting: pending.is_some(),
            waits_until: pending.and_then(|row| shut.or(row.next_attempt_at)),
            message: said.map(|attempt| attempt.message),
        }
    }

    /// `hook 3x`, `slack in a digest`.
    fn told_words(&self) -> String {
        let count = if self.count > 1 { format!(" {}x", self.count) } else { String::new() };
        let digest = if self.in_digest { " in a digest" } else { "" };
        let place = if self.in_place { " in place of another" } else { "" };
        format!("{}{count}{digest}{place}", self.sink)
    }

    fn waits_words(&self, now: Timestamp) -> String {
        let until = self.waits_until.filter(|until| *until > now);
        let what =
            until.map_or_else(|| "is being told".to_owned(), |until| format!("waits until {}", when(now, until)));
        format!("sink {} {what}{}", self.sink, self.excerpt())
    }

    fn failed_words(&self) -> String {
        format!("{}{}", self.sink, self.excerpt())
    }

    fn excerpt(&self) -> String {
        let said = self.message.as_deref().unwrap_or_default();
        let short: String = said.chars().take(EXCERPT).collect();
        if short.is_empty() { short } else { format!(": {short}") }
    }
}

impl Waits {
    fn of(alert: &Alert, case: &Case, sinks: &[SinkTelling]) -> Option<Self> {
        let waits =
            |kind: &str, until| Some(Self { kind: kind.to_owned(), name: String::new(), reason: String::new(), until });
        if let Some(above) = &alert.held_back_by {
            return waits("held_back", None).map(|waits| Self { name: above.clone(), ..waits });
        }
        if let Some(quiet) = &case.quiet {
            let (name, reason) = (quiet.name.clone(), quiet.reason.clone());
            return waits(&quiet.kind, quiet.until).map(|waits| Self { name, reason, ..waits });
        }
        // One that has joined its group waits for no hours: `case.waits` speaks of those alone.
        match case.waits_until {
            until if case.waits_for_group => waits("group", until),
            Some(until) if case.waits => waits("hours", Some(until)),
            _ if sinks.is_empty() => waits("nobody", None),
            _ => None,
        }
    }

    fn words(&self, now: Timestamp) -> String {
        let until = self.until.map_or_else(String::new, |until| format!(" until {}", when(now, until)));
        let reason = if self.reason.is_empty() { String::new() } else { format!(", {}", self.reason) };
        let name = &self.name;
        match self.kind.as_str() {
            "hours" => format!("it waits for working hours{until}"),
            "group" => format!("it waits for others of its group{until}"),
            "silence" => format!("it is silenced by {name}{until}{reason}"),
            "exclusion" => format!("the exclusion {name} keeps it quiet{until}{reason}"),
            "deploy" => format!("it is held after the deploy {name}{until}{reason}"),
            "held_back" => format!("it is held back under {name}"),
            _ => "it runs in shadow, or no route leads to a sink".to_owned(),
        }
    }
}
