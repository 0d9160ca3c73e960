//! The life of a ticket: from a notification, what is known of its ticket and what the tracker answers, to the next step.
//! Pure.
//!
//! ```text
//! firing    no ticket     look -> (found) read, reopen, comment | (none) create
//!           its ticket    a second alert of the episode: read -> (closed) reopen -> comment
//!                         the same alert again: comment, on change, each 30 min, at most 50
//! resolved  no ticket     look -> (found) comment, close | (none) done
//!           its ticket    comment with the summary -> close, unless another alert of the episode fires
//! taken on  no ticket     look -> (found) comment | (none) done
//!           its ticket    comment
//! ```
//! Looked for before every create: what was opened by a copy of the service, or by another alert of the episode whose
//! answer was lost, is not in the handle. A look that is refused holds no first firing back; where a create may have got
//! through it does, until [`Life::of`]'s `settles` have gone by. A ticket that a person deleted is made anew by a firing,
//! and is no failure for an end. One that a person closed stays closed until a second alert. Closing and opening again
//! may be refused (workflow, rights): that is an alarm, the comment stands, and it is done.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::policy::alert::{AlertKind, AlertState};
use crate::policy::notification::Notification;
use crate::sink::ticket::exchange::Failure;
use crate::sink::ticket::{Created, Found, Ticket, label, words};
use crate::sink::{DeliveryVerdict, Outcome, Task};
use crate::units::{Length, Timestamp};

/// Comments that only say what changed come no more often.
const COMMENT_EVERY: Length = Length::from_minutes(30);
/// Such comments of one ticket: nobody reads more, and trackers have their own ends (GitLab: 5,000).
const MOST_COMMENTS: u32 = 50;

/// What is known of a thread's ticket: the handle, as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// Of this form; 1.
    pub version: u32,
    /// The ticket; none before it is made, and after it was deleted.
    pub ticket: Option<Ticket>,
    /// A create that may have got through.
    pub asked: Option<Asked>,
    /// Dedup keys of the alerts that fire.
    pub firing: BTreeSet<String>,
    /// Id of the notification that the ticket was told last.
    pub told: Option<String>,
    /// When it was commented last (wall clock).
    pub commented_at: Option<Timestamp>,
    /// Comments that only said what changed.
    pub comments: u32,
    /// What the last text said, in short.
    pub gist: String,
}

/// A create that may have got through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// When it was asked for, or when that became known (wall clock).
    pub at: Timestamp,
    /// By which notification.
    pub by: String,
}

/// Why there is a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A second alert of the episode.
    Again,
    /// It fires, and its ticket was found, made by whom is not known: a copy of the service, or this one before a crash.
    Found,
    /// The same alert, changed.
    Changed,
    /// Somebody took it on.
    Taken,
    /// It is over; this many alerts of the episode fire still.
    Over(usize),
}

/// What is asked of the tracker next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// For the thread's ticket.
    Look,
    /// A new one.
    Create,
    /// Whether it is open.
    Read(Ticket),
    /// Open it again.
    Reopen(Ticket),
    /// Say something.
    Comment(Ticket, Why),
    /// It is over.
    Close(Ticket),
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    /// Of a look.
    Found(Option<Found>),
    /// Of a create.
    Created(Created),
    /// Of a read: it is open.
    Open(bool),
    /// Of the others.
    Nothing,
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct Life<'a> {
    task: &'a Task,
    label: String,
    settles: Length,
    now: Timestamp,
    known: Known,
    under_way: Option<Step>,
    looked: bool,
    /// Its ticket was found open, and is not known to be of this notification.
    stranger: bool,
    open: Option<bool>,
    vanished: bool,
    reopen_tried: bool,
    ended: bool,
    alarms: Vec<String>,
}

impl<'a> Life<'a> {
    /// Begins an attempt. `settles`: after this long, what was created is found.
    #[must_use]
    pub fn of(task: &'a Task, settles: Length, now: Timestamp) -> Self {
        // A handle of another form is no reason to stay silent: the ticket is looked for.
        let mut known: Known =
            task.handle.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        known.version = 1;
        if let Some(asked) = &mut known.asked {
            // A clock that was set back must not hold it up.
            asked.at = asked.at.min(now);
        }
        if task.notification.state == AlertState::Resolved {
            known.firing.remove(&task.notification.dedup_key);
        }
        Self {
            task,
            label: label(&task.notification.thread()),
            settles,
            now,
            known,
            under_way: None,
            looked: false,
            stranger: false,
            open: None,
            vanished: false,
            reopen_tried: false,
            ended: false,
            alarms: Vec::new(),
        }
    }

    /// What is told.
    #[must_use]
    pub const fn notification(&self) -> &'a Notification {
        &self.task.notification
    }

    /// By which its ticket is found.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The next step, or what the attempt came to.
    ///
    /// # Errors
    /// The outcome, where there is nothing more to do.
    pub fn next_step(&mut self) -> Result<Step, Outcome> {
        if matches!(self.notification().kind, AlertKind::Watchdog | AlertKind::Report) {
            let message = "a tracker of tickets takes alerts only: heartbeats and reports make no ticket";
            return Err(Outcome::new(DeliveryVerdict::Misconfigured, message));
        }
        match self.known.ticket.clone() {
            None => self.without_ticket(),
            Some(ticket) if self.is_over() => self.over(ticket),
            Some(ticket) => self.firing(ticket),
        }
    }

    fn without_ticket(&mut self) -> Result<Step, Outcome> {
        if !self.looked {
            return Ok(Step::Look);
        }
        if self.task.perhaps_told && self.known.asked.is_none() && !self.vanished {
            self.known.asked = Some(self.asking());
        }
        if self.known.asked.as_ref().is_some_and(|asked| self.now < asked.at + self.settles) {
            let message = "a ticket may have been created; it is looked for again before another one is";
            return Err(self.outcome(DeliveryVerdict::Retry(None), message));
        }
        let opens = !self.is_over() && !self.notification().tells_ack();
        if opens { Ok(Step::Create) } else { Err(self.done("no ticket was opened, or it is gone")) }
    }

    fn over(&mut self, ticket: Ticket) -> Result<Step, Outcome> {
        let others = self.known.firing.len();
        if !self.is_told() {
            return Ok(Step::Comment(ticket, Why::Over(others)));
        }
        if others == 0 && !self.ended {
            return Ok(Step::Close(ticket));
        }
        let told = if others == 0 { "closed" } else { "commented, it stays open: others of the episode fire" };
        Err(self.done(&format!("{}: {told}", ticket.url)))
    }

    fn firing(&mut self, ticket: Ticket) -> Result<Step, Outcome> {
        if self.is_told() {
            return Err(self.done(&ticket.url));
        }
        if self.notification().tells_ack() {
            return Ok(Step::Comment(ticket, Why::Taken));
        }
        if self.known.firing.contains(&self.notification().dedup_key) {
            let recent = self.known.commented_at.is_some_and(|at| at <= self.now && self.now < at + COMMENT_EVERY);
            let same = self.known.gist == words::gist(self.notification());
            if recent || same || self.known.comments >= MOST_COMMENTS {
                return Err(self.done(&format!("{}: nothing new to say", ticket.url)));
            }
            return Ok(Step::Comment(ticket, Why::Changed));
        }
        match self.open {
            None => Ok(Step::Read(ticket)),
            Some(false) if !self.reopen_tried => Ok(Step::Reopen(ticket)),
            _ if self.stranger => Ok(Step::Comment(ticket, Why::Found)),
            _ => Ok(Step::Comment(ticket, Why::Again)),
        }
    }

    /// A step is about to be taken.
    pub fn begin(&mut self, step: &Step) {
        self.under_way = Some(step.clone());
    }

    /// What the tracker answered; gives the outcome where that ends the attempt.
    pub fn after(&mut self, step: &Step, result: Result<Got, Failure>) -> Option<Outcome> {
        self.under_way = None;
        match result {
            Ok(got) => {
                self.achieved(step, got);
                None
            }
            Err(failure) => self.failed(step, &failure),
        }
    }

    fn achieved(&mut self, step: &Step, got: Got) {
        match (step, got) {
            (_, Got::Found(found)) => self.found(found),
            (_, Got::Created(created)) => {
                self.known.ticket = Some(created.ticket);
                self.alarms.extend(created.warning);
                self.known.comments = 0;
                self.told();
            }
            (_, Got::Open(open)) => self.open = Some(open),
            (Step::Reopen(_), Got::Nothing) => self.open = Some(true),
            (Step::Comment(_, why), Got::Nothing) => {
                self.known.comments += u32::from(*why == Why::Changed);
                self.told();
            }
            (Step::Close(_), Got::Nothing) => self.ended = true,
            (_, Got::Nothing) => {}
        }
    }

    fn found(&mut self, found: Option<Found>) {
        self.looked = true;
        let Some(found) = found else { return };
        self.open = Some(found.open);
        self.known.ticket = Some(found.ticket);
        let mine = self.known.asked.take().is_some_and(|asked| asked.by == self.notification().id);
        // Our own create got through after all: its text says what this notification does.
        if mine && found.open && !self.is_over() && !self.notification().tells_ack() {
            self.told();
        }
        self.stranger = !mine && found.open;
    }

    fn failed(&mut self, step: &Step, failure: &Failure) -> Option<Outcome> {
        let is_final = matches!(failure.verdict, DeliveryVerdict::Refused | DeliveryVerdict::Misconfigured);
        match step {
            Step::Look if is_final && self.known.asked.is_none() && !self.task.perhaps_told => {
                self.looked = true;
                None
            }
            Step::Create => {
                if failure.verdict == DeliveryVerdict::Ambiguous {
                    self.known.asked = Some(self.asking());
                }
                Some(self.outcome(failure.verdict, &failure.message))
            }
            Step::Read(_) | Step::Reopen(_) | Step::Comment(..) | Step::Close(_) if failure.is_gone() => {
                self.gone(&failure.message)
            }
            Step::Reopen(_) if is_final => {
                self.reopen_tried = true;
                self.alarms.push(format!("the ticket cannot be opened again: {}", failure.message));
                None
            }
            Step::Comment(_, Why::Over(_)) if is_final => {
                self.alarms.push(format!("the ticket takes no comment: {}", failure.message));
                self.told();
                None
            }
            Step::Close(_) if is_final => {
                self.ended = true;
                self.alarms.push(format!("the ticket cannot be closed: {}", failure.message));
                None
            }
            // Nothing was asked to be done: trying again does no harm.
            Step::Look | Step::Read(_) if failure.verdict == DeliveryVerdict::Ambiguous => {
                Some(self.outcome(DeliveryVerdict::Retry(None), &failure.message))
            }
            _ => Some(self.outcome(failure.verdict, &failure.message)),
        }
    }

    /// The ticket is there no more.
    fn gone(&mut self, message: &str) -> Option<Outcome> {
        self.known.ticket = None;
        self.open = None;
        self.known.firing.clear();
        if self.is_over() || self.notification().tells_ack() {
            return Some(self.done(&format!("the ticket is gone, somebody deleted it: {message}")));
        }
        if self.vanished {
            let message = format!("the ticket is found and cannot be read: {message}");
            return Some(self.outcome(DeliveryVerdict::Misconfigured, &message));
        }
        self.vanished = true;
        self.looked = false;
        None
    }

    /// The attempt took too long and was cut off.
    #[must_use]
    pub fn out_of_time(mut self) -> Outcome {
        let step = self.under_way.take();
        if step == Some(Step::Create) {
            self.known.asked = Some(self.asking());
        }
        let harmless = matches!(step, None | Some(Step::Look | Step::Read(_)));
        let verdict = if harmless { DeliveryVerdict::Retry(None) } else { DeliveryVerdict::Ambiguous };
        self.outcome(verdict, "the tracker took too long")
    }

    fn is_over(&self) -> bool {
        self.notification().state == AlertState::Resolved
    }

    fn is_told(&self) -> bool {
        self.known.told.as_deref() == Some(self.notification().id.as_str())
    }

    fn asking(&self) -> Asked {
        Asked { at: self.now, by: self.notification().id.clone() }
    }

    /// The ticket says what this notification does.
    fn told(&mut self) {
        let notification = self.notification();
        self.known.asked = None;
        self.known.told = Some(notification.id.clone());
        if notification.tells_ack() {
            return;
        }
        self.known.commented_at = Some(self.now);
        self.known.gist = words::gist(notification);
        if !self.is_over() {
            self.known.firing.insert(notification.dedup_key.clone());
        }
    }

    fn done(&self, message: &str) -> Outcome {
        let outcome = self.outcome(DeliveryVerdict::Done, message);
        if self.alarms.is_empty() { outcome } else { outcome.with_alarm(self.alarms.join("; ")) }
    }

    /// With what is known by now, whatever the verdict: the next attempt goes on from there.
    fn outcome(&self, verdict: DeliveryVerdict, message: &str) -> Outcome {
        let outcome = Outcome::new(verdict, message);
        let nothing = Known { version: 1, ..Known::default() };
        if self.known == nothing && self.task.handle.is_none() {
            return outcome;
        }
        // Texts, numbers and maps with text keys: there is nothing in it that JSON could refuse.
        match serde_json::to_string(&self.known) {
            Ok(handle) => outcome.with_handle(handle),
            Err(_) => outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample::samples;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_230_000);
    const SETTLES: Length = Length::from_seconds(60);

    fn notification(state: AlertState) -> Notification {
        let fits = |one: &Notification| one.state == state && one.kind == AlertKind::Burn;
        samples().into_iter().map(|(_, one)| one).find(fits).unwrap()
    }

    fn task(state: AlertState, known: &Known) -> Task {
        let handle = (*known != Known::default()).then(|| serde_json::to_string(known).unwrap());
        Task { notification: notification(state), handle, perhaps_told: false }
    }

    fn ticket() -> Ticket {
        Ticket { id: "7".to_owned(), url: "https://tracker.example/7".to_owned() }
    }

    fn known(outcome: &Outcome) -> Known {
        serde_json::from_str(outcome.handle.as_deref().unwrap()).unwrap()
    }

    /// Steps taken where the tracker answers each with success, and the outcome.
    #[expect(clippy::needless_pass_by_value, reason = "made where it is handed in")]
    fn walk(task: &Task, now: Timestamp, found: Option<Found>, open: bool) -> (Vec<Step>, Outcome) {
        let mut life = Life::of(task, SETTLES, now);
        let mut steps = Vec::new();
        loop {
            let step = match life.next_step() {
                Ok(step) => step,
                Err(outcome) => return (steps, outcome),
            };
            let got = match step {
                Step::Look => Got::Found(found.clone()),
                Step::Create => Got::Created(Created { ticket: ticket(), warning: None }),
                Step::Read(_) => Got::Open(open),
                _ => Got::Nothing,
            };
            steps.push(step.clone());
            assert!(steps.len() < 10, "{steps:?}");
            assert_eq!(life.after(&step, Ok(got)), None);
        }
    }

    #[test]
    fn a_firing_is_looked_for_and_created_and_then_told_once() {
        let (steps, outcome) = walk(&task(AlertState::Firing, &Known::default()), NOW, None, true);
        assert_eq!(steps, [Step::Look, Step::Create]);
        let told = known(&outcome);
        assert_eq!((told.ticket.clone(), told.firing.len(), told.comments), (Some(ticket()), 1, 0));
        let (steps, outcome) = walk(&task(AlertState::Firing, &told), NOW, None, true);
        assert_eq!((steps, outcome.verdict), (vec![], DeliveryVerdict::Done));
        let (steps, outcome) = walk(&task(AlertState::Resolved, &told), NOW, None, true);
        assert_eq!(steps, [Step::Comment(ticket(), Why::Over(0)), Step::Close(ticket())]);
        let over = Known { told: None, ..known(&outcome) };
        let (steps, _) = walk(&task(AlertState::Firing, &over), NOW, None, false);
        let again = [Step::Read(ticket()), Step::Reopen(ticket()), Step::Comment(ticket(), Why::Again)];
        assert_eq!(steps, again);
    }

    #[test]
    fn after_a_create_that_may_have_got_through_none_is_made_until_it_must_be_found() {
        let firing = task(AlertState::Firing, &Known::default());
        let mut life = Life::of(&firing, SETTLES, NOW);
        assert_eq!(life.next_step(), Ok(Step::Look));
        life.after(&Step::Look, Ok(Got::Found(None)));
        let lost = Failure::new(DeliveryVerdict::Ambiguous, "reset");
        let outcome = life.after(&Step::Create, Err(lost)).unwrap();
        assert_eq!(outcome.verdict, DeliveryVerdict::Ambiguous);
        let asked = known(&outcome);
        for (seconds, expected) in [(1, 1), (59, 1), (60, 2)] {
            let (steps, _) = walk(&task(AlertState::Firing, &asked), NOW + Length::from_seconds(seconds), None, true);
            assert_eq!(steps.len(), expected, "{seconds} s: {steps:?}");
        }
        // A clock that was set back by a day waits no longer than that.
        let (_, outcome) = walk(&task(AlertState::Firing, &asked), NOW + Length::from_days(-1), None, true);
        assert_eq!(known(&outcome).asked.unwrap().at, NOW + Length::from_days(-1));
        let found = Some(Found { ticket: ticket(), open: true });
        let (steps, outcome) = walk(&task(AlertState::Firing, &asked), NOW, found.clone(), true);
        assert_eq!((steps, known(&outcome).firing.len()), (vec![Step::Look], 1), "ours: it says what we would say");
        // After a crash nothing is known but that a try was made.
        let crashed = Task { perhaps_told: true, ..firing };
        let (steps, outcome) = walk(&crashed, NOW, None, true);
        assert_eq!((steps, outcome.verdict), (vec![Step::Look], DeliveryVerdict::Retry(None)));
        let (steps, _) = walk(&crashed, NOW, found, true);
        assert_eq!(steps, [Step::Look, Step::Comment(ticket(), Why::Found)]);
    }

    #[test]
    fn a_refused_look_holds_back_a_second_create_and_no_first_one() {
        let refused = || Err(Failure::new(DeliveryVerdict::Refused, "status 400"));
        let firing = task(AlertState::Firing, &Known::default());
        let mut life = Life::of(&firing, SETTLES, NOW);
        assert_eq!(life.after(&Step::Look, refused()), None);
        assert_eq!(life.next_step(), Ok(Step::Create));
        let crashed = Task { perhaps_told: true, ..firing };
        let outcome = Life::of(&crashed, SETTLES, NOW).after(&Step::Look, refused()).unwrap();
        assert_eq!(outcome.verdict, DeliveryVerdict::Refused);
    }

    #[test]
    fn cut_off_in_time_it_is_known_what_may_have_been_done() {
        let firing = task(AlertState::Firing, &Known::default());
        for (step, verdict, asked) in [
            (Step::Look, DeliveryVerdict::Retry(None), false),
            (Step::Create, DeliveryVerdict::Ambiguous, true),
            (Step::Close(ticket()), DeliveryVerdict::Ambiguous, false),
        ] {
            let mut life = Life::of(&firing, SETTLES, NOW);
            life.begin(&step);
            let outcome = life.out_of_time();
            assert_eq!((outcome.verdict, outcome.handle.is_some()), (verdict, asked), "{step:?}");
        }
    }

    #[test]
    fn a_handle_that_cannot_be_read_is_no_silence_and_what_is_no_alert_makes_no_ticket() {
        let strange = Task { handle: Some("4711".to_owned()), ..task(AlertState::Firing, &Known::default()) };
        assert_eq!(walk(&strange, NOW, None, true).0, [Step::Look, Step::Create]);
        let mut beat = task(AlertState::Firing, &Known::default());
        beat.notification.kind = AlertKind::Watchdog;
        let (steps, outcome) = walk(&beat, NOW, None, true);
        assert_eq!((steps, outcome.verdict), (vec![], DeliveryVerdict::Misconfigured));
    }
}
