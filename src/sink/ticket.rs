//! Tickets: one an episode, commented, closed with a summary, opened again by a second alert of the episode.
//!
//! What to do next is decided in [`life`], which is pure; how it is said is in [`words`]; a [`Tracker`] only speaks its
//! API. None of the four trackers knows a key that makes a second create harmless: so what was opened is kept in the
//! handle, with every verdict, and before anything is created it is looked for by a label made from the thread
//! ([`label`]). After a create that may have got through, it is looked for until the tracker's index must have it
//! ([`Tracker::settles`]), and only then created again.
//!
//! What may happen twice: a comment whose answer was lost.

pub mod exchange;
pub mod life;
pub mod markdown;
pub mod words;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::policy::alert::AlertState;
use crate::policy::notification::Notification;
use crate::sink::message::Message;
use crate::sink::text::Text;
use crate::sink::ticket::exchange::Failure;
use crate::sink::ticket::life::{Got, Life, Step};
use crate::sink::ticket::words::Words;
use crate::sink::{EventSink, Outcome, Parts, Sink, Task, limits, preview};
use crate::units::{Length, Timestamp};

/// For all requests of one attempt (the contract of sinks).
const ATTEMPT: Duration = Duration::from_secs(15);

/// Hexadecimal digits of a thread's hash in its label: 80 bits.
const DIGITS: usize = 20;

/// What a tracker calls a ticket.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Ticket {
    /// As its API wants it: number, `iid`, key, `sys_id`.
    pub id: String,
    /// Where people see it.
    pub url: String,
}

/// A ticket that was found by its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub ticket: Ticket,
    /// Not closed.
    pub open: bool,
}

/// A ticket that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// Which.
    pub ticket: Ticket,
    /// What was left out of it, for people to mend.
    pub warning: Option<String>,
}

/// What a ticket is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// One line.
    pub title: String,
    /// What stands in it.
    pub words: Words,
    /// By which it is found again: [`label`].
    pub label: String,
    /// `slo`, and `slo-drill` where it is not life.
    pub labels: Vec<String>,
    /// 1 for a page, 2 for a ticket, 3 for a notice.
    pub urgency: u8,
}

/// A tracker of tickets: speaks its API and decides nothing. Each method is at most three requests.
#[async_trait]
pub trait Tracker: Send + Sync {
    /// By what its limits are counted; no secret in it.
    fn destination(&self) -> String;

    /// Least time between attempts.
    fn pace(&self) -> Length;

    /// After this long, what was created is found by its label.
    fn settles(&self) -> Length;

    /// The ticket with this label, open or closed.
    async fn find(&self, label: &str, now: Timestamp) -> Result<Option<Found>, Failure>;

    /// Makes one.
    async fn create(&self, draft: &Draft, now: Timestamp) -> Result<Created, Failure>;

    /// Whether it is open.
    async fn is_open(&self, id: &str, now: Timestamp) -> Result<bool, Failure>;

    /// Adds a comment.
    async fn comment(&self, id: &str, words: &Words, now: Timestamp) -> Result<(), Failure>;

    /// Opens it again; refused where it cannot.
    async fn reopen(&self, id: &str, now: Timestamp) -> Result<(), Failure>;

    /// Closes it; done where it is closed.
    async fn close(&self, id: &str, words: &Words, now: Timestamp) -> Result<(), Failure>;

    /// Where a ticket is made, and the body that makes it, for people.
    fn shows_draft(&self, draft: &Draft) -> (String, Value);

    /// The body of a comment, for people.
    fn shows_comment(&self, words: &Words) -> Value;
}

/// The label of a thread: the same in every copy of the service, without spaces, short enough for every tracker.
#[must_use]
pub fn label(thread: &str) -> String {
    let digits: String = limits::hash(thread).chars().take(DIGITS).collect();
    format!("slo-ep-{digits}")
}

/// A tracker as a sink.
#[derive(Debug)]
pub struct Tickets<T> {
    tracker: T,
    /// The address for people.
    external_url: Option<String>,
    text: Text,
}

impl<T: Tracker + 'static> Tickets<T> {
    /// As a sink.
    pub fn sink(tracker: T, parts: &Parts<'_>) -> Sink {
        Sink::Event(Arc::new(Self { tracker, external_url: parts.server.external_url.clone(), text: Text::of(parts) }))
    }

    /// One step; `card` is the text of the notification: the card, or what the operator's template makes.
    async fn step(&self, step: &Step, life: &Life<'_>, card: &str, now: Timestamp) -> Result<Got, Failure> {
        let (tracker, notification) = (&self.tracker, life.notification());
        let base = self.external_url.as_deref();
        let with_card = |words: Words| {
            if notification.tells_ack() { words } else { Words { card: card.to_owned(), ..words } }
        };
        match step {
            Step::Look => tracker.find(life.label(), now).await.map(Got::Found),
            Step::Create => {
                let draft = words::draft(notification, life.label(), base);
                let draft = Draft { words: with_card(draft.words), ..draft };
                tracker.create(&draft, now).await.map(Got::Created)
            }
            Step::Read(ticket) => tracker.is_open(&ticket.id, now).await.map(Got::Open),
            Step::Reopen(ticket) => tracker.reopen(&ticket.id, now).await.map(|()| Got::Nothing),
            Step::Comment(ticket, why) => {
                let words = with_card(words::comment(notification, *why, base));
                tracker.comment(&ticket.id, &words, now).await.map(|()| Got::Nothing)
            }
            Step::Close(ticket) => {
                let words = with_card(words::over(notification, 0));
                tracker.close(&ticket.id, &words, now).await.map(|()| Got::Nothing)
            }
        }
    }

    /// The text of a notification without what to do, since a ticket has links of its own; a template writes its own, and
    /// gets none that acts for whoever follows it.
    fn card(&self, notification: &Notification) -> (String, Option<String>) {
        let open = Notification { links: notification.open_links(), ..notification.clone() };
        let (message, alarm) = Message::of(&self.text, &open);
        let lines = [message.headline].into_iter().chain(message.lines).collect::<Vec<_>>();
        (lines.join("\n"), alarm)
    }

    async fn walk(&self, life: &mut Life<'_>, card: &str, now: Timestamp) -> Outcome {
        loop {
            let step = match life.next_step() {
                Ok(step) => step,
                Err(outcome) => return outcome,
            };
            life.begin(&step);
            let result = self.step(&step, life, card, now).await;
            if let Some(outcome) = life.after(&step, result) {
                return outcome;
            }
        }
    }
}

#[async_trait]
impl<T: Tracker + 'static> EventSink for Tickets<T> {
    async fn deliver(&self, task: &Task, now: Timestamp) -> Outcome {
        let mut life = Life::of(task, self.tracker.settles(), now);
        let (card, failed) = self.card(&task.notification);
        let outcome = match tokio::time::timeout(ATTEMPT, self.walk(&mut life, &card, now)).await {
            Ok(outcome) => outcome,
            Err(_) => life.out_of_time(),
        };
        let alarms: Vec<String> = failed.into_iter().chain(outcome.alarm.clone()).collect();
        if alarms.is_empty() { outcome } else { outcome.with_alarm(alarms.join("; ")) }
    }

    fn preview(&self, task: &Task, _now: Timestamp) -> Option<String> {
        let (notification, base) = (&task.notification, self.external_url.as_deref());
        let (card, alarm) = self.card(notification);
        if notification.state == AlertState::Resolved {
            let words = Words { card, ..words::over(notification, 0) };
            let body = serde_json::to_string_pretty(&self.tracker.shows_comment(&words)).unwrap_or_default();
            let alarm = alarm.map_or_else(String::new, |alarm| format!("(alarm: {alarm})\n"));
            return Some(format!("a comment on its ticket, which is closed then:\n{alarm}\n{body}"));
        }
        let draft = words::draft(notification, &label(&notification.thread()), base);
        let (url, body) = self.tracker.shows_draft(&Draft { words: Words { card, ..draft.words.clone() }, ..draft });
        Some(preview::posted(&url, &[("authorization", "***")], &body, alarm))
    }

    fn keeps_threads(&self) -> bool {
        true
    }

    fn destination(&self) -> Option<String> {
        Some(self.tracker.destination())
    }

    fn pace(&self) -> Length {
        self.tracker.pace()
    }
}
