//! The desk: who hears of an alert, when, and how often.
//!
//! The alert machine hands it a notification when an alert may be told and one when it ends; between the two the desk
//! keeps a case. It asks what is quiet and what the routes say now, whenever something is to be told: first (`look`), at
//! the end of a quiet, again (`repeat`), to others where nobody acknowledges (`escalate`), or as one message of several
//! (`digest`). Pure: times are arguments (wall clock), and what it decides is taken by [`Desk::drain`] and committed with
//! the records that restore it. Invariants: every firing is told to each sink once but for quiet, repeat and escalation;
//! an end goes to those who were told, and to no other; nothing is told while it is quiet, and an end always is; a
//! notification that no route takes goes to every event sink.
//!
//! Work is linear: a case is looked at when something about it is due and once a minute, for hours and exclusions that
//! begin by themselves.

mod acks;
mod ahead;
pub mod case;
mod digest;
pub mod found;
mod join;
#[cfg(test)]
mod kit;
mod look;
pub mod memory;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::config::meant::{Config, SinkConfig};
use crate::policy::act::{Ack, AlertVerdict};
use crate::policy::alert::AlertState;
use crate::policy::current::{Depth, Figures};
use crate::policy::desk::case::Case;
use crate::policy::desk::digest::Digest;
use crate::policy::figure;
use crate::policy::notification::Notification;
use crate::policy::quiet::{About, Quiet};
use crate::policy::route::{self, Addressee};
use crate::units::{Length, Timestamp};

/// Everything open is looked at this often.
const SWEEP: Length = Length::from_minutes(1);
/// Windows are open on the left: just after the minute the hours have begun.
const JUST_AFTER: Length = Length::from_millis(1);
/// A digest that ended is remembered this long, so that its ids are not used twice.
pub const REMEMBERED: Length = Length::from_days(1);

/// What is asked whenever something is to be told.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Routes, owners, sinks, limits as they are now.
    pub config: &'a Config,
    /// What keeps an alert quiet at a time (`policy::quiet::Quiets::over`).
    pub quiet: &'a (dyn Fn(About<'_>, Timestamp) -> Option<Quiet> + Sync),
    /// How an alert that fires stands now ([`crate::policy::current`]); `None`: nobody can say.
    pub current: &'a (dyn Fn(&Notification, Depth) -> Option<Figures> + Sync),
}

impl Rules<'_> {
    /// Whether a sink is told of events; one that keeps states does its own grouping, repeating and silencing.
    #[must_use]
    pub fn is_event(&self, sink: &str) -> bool {
        !matches!(self.config.sinks.get(sink), Some(SinkConfig::Alertmanager { .. }))
    }

    /// An alert that was handed over earlier as it is told now: with the figures of now. Where there are none, it says of
    /// when its figures are.
    #[must_use]
    pub fn as_of_now(&self, about: &Notification, depth: Depth, now: Timestamp) -> Notification {
        let mut told = about.clone();
        let figures = (self.current)(about, depth).filter(|figures| figures.as_of >= about.as_of);
        let still = figures.as_ref().map_or(Some("nothing newer is known"), |figures| figures.still);
        if let Some(figures) = figures {
            figures.tell(&mut told);
        }
        if told.mark.is_some() {
            // What is not life has no figures but these.
            told.as_of = told.as_of.max(now.floor_to(Length::from_seconds(1)));
        } else if let Some(why) = still {
            told.add_note(&format!("figures {}: {why}", figure::of_when(told.as_of, now)));
        }
        told
    }

    /// Whether somebody hears of this now: it is not quiet, and a route leads to a sink. A page of which nobody hears
    /// holds nothing back (SEMANTICS 6).
    #[must_use]
    pub fn can_be_told(&self, addressee: Addressee<'_>, now: Timestamp) -> bool {
        let Addressee { severity, service, slo, labels, .. } = addressee;
        (self.quiet)(About { labels, slo, service, severity }, now).is_none()
            && route::ways(self.config, addressee, now).open.iter().any(|way| !way.sinks.is_empty())
    }
}

/// A notification for some sinks.
#[derive(Clone, Debug, PartialEq)]
pub struct Telling {
    /// What is told, with its id.
    pub notification: Notification,
    /// To whom; at least one.
    pub sinks: Vec<String>,
}

/// What the desk has to remember, or forget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// It is a digest, not a case.
    pub is_digest: bool,
    /// Its id.
    pub id: String,
    /// When it ended; far off while it is open, so that a list of the newest has all that is open first.
    pub at: Timestamp,
    /// Versioned JSON; `None` drops it.
    pub text: Option<String>,
}

/// What was decided since it was last taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decided {
    /// In the order in which they were decided.
    pub tellings: Vec<Telling>,
    /// What has to be written with them.
    pub kept: Vec<Kept>,
    /// Notifications that no route takes, by alert, which were told to every event sink instead.
    pub lost: Vec<String>,
}

/// Why an act on an alert is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotDone {
    /// The desk knows no such alert.
    Unknown,
    /// It has ended.
    Ended,
}

/// What was there before an act, to undo it.
pub type Before = Vec<(String, Option<Case>)>;

/// What is due at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Errand {
    /// Look at a case.
    Case(String),
    /// Tell a digest.
    Digest(String),
}

/// All cases and digests.
#[derive(Debug, Default)]
pub struct Desk {
    /// Open ones, and those whose end a digest has not told yet.
    cases: BTreeMap<String, Case>,
    digests: BTreeMap<String, Digest>,
    queue: BTreeSet<(Timestamp, Errand)>,
    queued: BTreeMap<Errand, Timestamp>,
    /// Pages told within the last minute, by sink and whether they are drills.
    pages: BTreeMap<(String, bool), VecDeque<Timestamp>>,
    /// Handed over just now: what they say is of now.
    fresh: BTreeSet<String>,
    /// The newest time it was given.
    now: Timestamp,
    sweep_at: Timestamp,
    /// Ended, and not taken yet.
    closed: BTreeMap<String, Case>,
    touched: BTreeSet<String>,
    touched_digests: BTreeSet<String>,
    decided: Decided,
    /// Cases looked at so far, for tests of its costs.
    work: u64,
}

impl Desk {
    /// Takes a notification of the alert machine. False: an end of a firing that it knows nothing of (told before an
    /// upgrade), which the caller tells to those who have a row of its begin.
    pub fn take(&mut self, notification: Notification, rules: &Rules<'_>, now: Timestamp) -> bool {
        self.see(now);
        if notification.state == AlertState::Resolved {
            return self.end(notification, now);
        }
        let id = notification.alert_id.clone();
        let known = self.cases.remove(&id);
        let case = match known {
            // The same again, after a crash: it is on its way.
            Some(known) if known.fires() => known,
            known => {
                let mut case = Case::open(notification);
                if let Some(known) = known.filter(|known| known.ended_at.is_none()) {
                    (case.acked, case.acks) = (known.acked, known.acks);
                    (case.verdict, case.verdict_by) = (known.verdict, known.verdict_by);
                }
                case
            }
        };
        self.touched.insert(id.clone());
        self.fresh.insert(id.clone());
        self.cases.insert(id.clone(), case);
        // Its figures are of now.
        let at_once = Rules { current: &|about, _| Some(Figures::of(about)), ..*rules };
        self.look(&id, &at_once, now);
        true
    }

    /// Tells what is due. To be called after every [`Self::take`] of a batch too, for digests that are told at once.
    pub fn due(&mut self, rules: &Rules<'_>, now: Timestamp) {
        self.see(now);
        if now >= self.sweep_at {
            self.reconsider(rules, now);
            self.forget_digests(now);
            self.sweep_at = now.floor_to(SWEEP) + SWEEP + JUST_AFTER;
        }
        while let Some((at, errand)) = self.queue.pop_first() {
            if at > now {
                self.queue.insert((at, errand));
                return;
            }
            self.queued.remove(&errand);
            match errand {
                Errand::Case(id) => self.look(&id, rules, now),
                Errand::Digest(id) => self.tell_digest(&id, rules, now),
            }
        }
    }

    /// When [`Self::due`] has something to do next; `None`: nothing is open.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let first = self.queue.first().map(|(at, _)| *at);
        let sweep = (!self.cases.is_empty()).then_some(self.sweep_at);
        first.into_iter().chain(sweep).min()
    }

    /// Looks at everything open: silences or routes changed.
    pub fn reconsider(&mut self, rules: &Rules<'_>, now: Timestamp) {
        let ids: Vec<String> = self.cases.keys().cloned().collect();
        for id in ids {
            self.look(&id, rules, now);
        }
    }

    /// One that is open.
    #[must_use]
    pub fn case(&self, alert_id: &str) -> Option<&Case> {
        self.cases.get(alert_id)
    }

    /// Somebody takes an alert on, or all members of a digest that nobody took on yet. One that the desk was not told of
    /// gets a case where `fires` says that it is there. Told by [`Self::tell_ack`].
    ///
    /// # Errors
    /// Where it is not known, or has ended.
    pub fn ack(&mut self, alert_id: &str, ack: &Ack, fires: bool) -> Result<Before, NotDone> {
        let wanted = if fires || self.cases.contains_key(alert_id) {
            vec![alert_id.to_owned()]
        } else {
            self.digest_of(None, |_, id| id == alert_id).ok_or(NotDone::Unknown)?;
            let mut members: Vec<String> = self.members_of(alert_id).into_iter().collect();
            members.retain(|id| self.cases.get(id).is_some_and(|case| case.acked.is_none()));
            members
        };
        let open = |id: &String| self.cases.get(id).is_none_or(|case| case.ended_at.is_none());
        let wanted: Vec<String> = wanted.into_iter().filter(open).collect();
        if wanted.is_empty() {
            return Err(NotDone::Ended);
        }
        let take = |case: &mut Case| {
            case.take_on(ack.clone());
            case.acks = case.acks.saturating_add(1);
        };
        Ok(wanted.into_iter().map(|id| self.change(&id, take)).collect())
    }

    /// Says what an alert was worth. One that the desk was not told of gets a case where `fires` says that it is there.
    ///
    /// # Errors
    /// Where it is not known: one that has ended is in its record only.
    pub fn judge(&mut self, alert_id: &str, verdict: AlertVerdict, by: &str, fires: bool) -> Result<Before, NotDone> {
        if !fires && !self.cases.contains_key(alert_id) {
            return Err(NotDone::Unknown);
        }
        let judged = self.change(alert_id, |case| {
            case.verdict = Some(verdict);
            case.verdict_by = Some(by.to_owned());
        });
        Ok(vec![judged])
    }

    /// Undoes an act that could not be written.
    pub fn undo(&mut self, before: Before) {
        for (id, case) in before {
            match case {
                Some(case) => drop(self.cases.insert(id, case)),
                None => drop(self.cases.remove(&id)),
            }
        }
    }

    /// An alert ended of which nobody was told: its case, if there is one, is over.
    pub fn ended_untold(&mut self, alert_id: &str, now: Timestamp) {
        if self.cases.get(alert_id).is_some_and(|case| case.notification.is_none())
            && let Some(mut case) = self.cases.remove(alert_id)
        {
            case.end(now);
            self.close(case);
        }
    }

    fn change(&mut self, id: &str, with: impl FnOnce(&mut Case)) -> (String, Option<Case>) {
        let before = self.cases.get(id).cloned();
        with(self.cases.entry(id.to_owned()).or_insert_with(|| Case::new(id)));
        self.touched.insert(id.to_owned());
        (id.to_owned(), before)
    }

    /// The alert has ended: those are told who were told of it, now and whatever is quiet.
    fn end(&mut self, notification: Notification, now: Timestamp) -> bool {
        let Some(mut case) = self.cases.remove(&notification.alert_id) else { return false };
        self.forget(Errand::Case(notification.alert_id.clone()));
        let known = case.notification.is_some();
        self.name_digests(&mut case);
        case.end(now);
        let notification = Notification { acked: case.acked.clone(), ..notification };
        let alone = case.told.iter().filter(|(_, told)| told.alone).map(|(sink, _)| sink.clone()).collect();
        self.tell(notification.clone(), alone);
        case.places.retain(|_, place| self.member_ended(&case.alert_id, place));
        if case.places.is_empty() {
            self.close(case);
        } else {
            case.notification = Some(Box::new(notification));
            self.touched.insert(case.alert_id.clone());
            self.cases.insert(case.alert_id.clone(), case);
        }
        known
    }

    /// Nothing is left to tell of it.
    fn close(&mut self, mut case: Case) {
        case.notification = None;
        self.touched.remove(&case.alert_id);
        self.closed.insert(case.alert_id.clone(), case);
    }

    fn tell(&mut self, notification: Notification, sinks: Vec<String>) {
        if !sinks.is_empty() {
            self.decided.tellings.push(Telling { notification, sinks });
        }
    }

    /// Puts an errand into the queue, in place of where it stood.
    fn send(&mut self, errand: Errand, at: Option<Timestamp>) {
        self.forget(errand.clone());
        if let Some(at) = at {
            self.queued.insert(errand.clone(), at);
            self.queue.insert((at, errand));
        }
    }

    fn forget(&mut self, errand: Errand) {
        if let Some(at) = self.queued.remove(&errand) {
            self.queue.remove(&(at, errand));
        }
    }

    /// Takes notice of the time: where the clock was set back nothing waits for what was its future.
    fn see(&mut self, now: Timestamp) {
        if now < self.now {
            self.pages.clear();
            self.sweep_at = now;
            for case in self.cases.values_mut() {
                case.set_back(now);
            }
            self.digests.values_mut().for_each(|digest| digest.set_back(now));
            let digests: Vec<(String, Option<Timestamp>)> =
                self.digests.iter().map(|(id, digest)| (id.clone(), digest.due())).collect();
            for (id, due) in digests {
                self.send(Errand::Digest(id), due);
            }
        }
        if now != self.now {
            self.fresh.clear();
        }
        self.now = now;
    }
}
