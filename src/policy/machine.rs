//! The steps of the alert machine that instances, groups and sources share: turn, freeze, hold back, tell.
//!
//! One pass for each slice end: first every alert changes its state, then it is decided which are held back, then what
//! is told; so a page that starts at the same slice end as its ticket holds it back, and a ticket goes out at the slice
//! end at which its page ends. Invariants: every change has a reason; an alert is told once when it fires and once when
//! it ends, and the second only after the first; nothing is told that is held back or in shadow.

use crate::policy::alert::{Alert, AlertKind, AlertState, EndedBy, Transition};
use crate::policy::episode::{AlertKey, Episode};
use crate::policy::facts::Facts;
use crate::policy::instance::{InstanceState, Step, key};
use crate::policy::notification::{Notification, Telling};
use crate::policy::reason;
use crate::policy::subject::{Subject, alert_id, pending_id};
use crate::policy::tier::{Phase, TierOutcome};
use crate::spec::meant::Mode;
use crate::spec::policy::AlertSeverity;
use crate::units::{Labels, Timestamp};

/// Where alerts come from that native files ask for.
const ORIGIN: &str = "native";

/// An alert that changed, whole, and what is to be told about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// The alert as it is now: firing or resolved. One that is only pending is in the state alone.
    pub alert: Alert,
    /// What is to be told, once.
    pub notification: Option<Notification>,
}

/// What decides beside the data.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// Whom the alerts are about.
    pub subject: &'a Subject,
    /// Pages have a route and are not silenced; where false (or in shadow) they hold nothing back.
    pub page_can_be_told: bool,
    /// The alert of the source while it fires (or the source's id while it is blind): holds `no_data` back.
    pub source_alert: Option<&'a str>,
}

/// What one step has done so far.
#[derive(Debug)]
pub struct Ledger<'a> {
    setting: &'a Setting<'a>,
    group: &'a Labels,
    /// Alerts that ended, each with the number of its transition and the ids of what it held back.
    ended: Vec<(Alert, u32, Vec<String>)>,
    /// Open alerts whose record changed.
    touched: Vec<AlertKey>,
    /// Open alerts that are told at this slice end.
    news: Vec<AlertKey>,
    /// The source was blind before this slice end.
    pub(super) was_blind: bool,
    /// The state changed.
    pub(super) changed: bool,
    /// What left the files where an alert ends and is not known false.
    pub(super) withdrawn: String,
}

impl<'a> Ledger<'a> {
    /// Nothing done yet.
    pub(super) fn new(setting: &'a Setting<'a>, group: &'a Labels) -> Self {
        let withdrawn = "its tier".to_owned();
        Self {
            setting,
            group,
            ended: Vec::new(),
            touched: Vec::new(),
            news: Vec::new(),
            was_blind: false,
            changed: false,
            withdrawn,
        }
    }

    fn touch(&mut self, key: AlertKey) {
        self.changed = true;
        if !self.touched.contains(&key) {
            self.touched.push(key);
        }
    }
}

impl Alert {
    /// Sets the reason: that of the last change, and why it is frozen.
    pub(super) fn explain(&mut self, blind: bool) {
        let last = self.transitions.last().map(|transition| transition.reason.clone()).unwrap_or_default();
        self.reason = if self.frozen { format!("{last}; {}", reason::frozen(blind)) } else { last };
    }

    /// Writes a change of state down.
    fn change(&mut self, to: AlertState, at: Timestamp, reason: String) {
        let id = format!("{}/{}", self.id, self.transitions.len() + 1);
        self.transitions.push(Transition { id, at, from: self.state, to, reason });
        self.state = to;
        self.explain(false);
    }
}

impl InstanceState {
    /// Brings the alerts in line with the tiers, and tells what there is to tell.
    pub(super) fn settle(&mut self, mut ledger: Ledger<'_>, facts: Facts<'_>, outcomes: &[TierOutcome]) -> Step {
        let own = outcomes.iter().filter(|outcome| !outcome.phase.is_some_and(Phase::is_shared));
        let mut keys: Vec<AlertKey> = own.map(|outcome| (outcome.key.severity, outcome.key.condition.alert_kind())).collect();
        keys.extend(self.alerts.iter().map(key));
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            self.turn(&mut ledger, key, facts, outcomes);
        }
        self.finish(ledger, facts, outcomes)
    }

    /// What follows once every alert is in its state: marks, hold-back, telling, the end of the episode.
    pub(super) fn finish(&mut self, mut ledger: Ledger<'_>, facts: Facts<'_>, outcomes: &[TierOutcome]) -> Step {
        if !matches!(facts, Facts::Act { .. }) {
            self.freeze(&mut ledger, outcomes);
            self.hold_back(&mut ledger);
        }
        let effects = self.tell(&mut ledger, facts, outcomes);
        let fires = self.alerts.iter().any(|alert| alert.state == AlertState::Firing);
        if !fires && self.episode.as_ref().is_some_and(|episode| !episode.reaches(facts.at())) {
            self.episode = None;
            ledger.changed = true;
        }
        Step { effects, changed: ledger.changed }
    }

    /// Moves one alert to where its tiers are.
    fn turn(&mut self, ledger: &mut Ledger<'_>, this: AlertKey, facts: Facts<'_>, outcomes: &[TierOutcome]) {
        let own: Vec<&TierOutcome> = outcomes.iter().filter(|outcome| of_alert(outcome, this)).collect();
        let firing: Vec<&TierOutcome> = own.iter().copied().filter(|outcome| outcome.phase.is_some_and(Phase::fires)).collect();
        let pending = own.iter().find(|outcome| matches!(outcome.phase, Some(Phase::Pending { .. })));
        let index = self.alerts.iter().position(|alert| key(alert) == this);
        match index.and_then(|index| self.alerts.get(index).map(|alert| (index, alert.state))) {
            // firing -> resolved
            Some((index, AlertState::Firing)) if firing.is_empty() => {
                self.end_by_data(ledger, index, facts, &own);
                if let Some(outcome) = pending {
                    self.wait(ledger, this, facts, outcome);
                }
            }
            // firing, with the same tiers or others
            Some((index, AlertState::Firing)) => {
                let told = self.alerts.get(index).map_or(0, |alert| alert.tiers.len());
                if told != firing.len() || firing.iter().any(|outcome| !outcome.fired) {
                    ledger.touch(this);
                }
            }
            // inactive | pending -> firing
            open if !firing.is_empty() => {
                if open.is_none() {
                    let since = firing.iter().filter_map(|outcome| outcome.phase.map(Phase::since)).min();
                    self.open(ledger, this, since.unwrap_or(facts.at()));
                }
                self.fire(ledger, this, facts, &firing);
            }
            // inactive -> pending
            None => {
                if let Some(outcome) = pending {
                    self.wait(ledger, this, facts, outcome);
                }
            }
            // pending -> inactive
            Some((index, _)) if pending.is_none() => {
                self.alerts.remove(index);
                ledger.changed = true;
            }
            // pending
            Some(_) => {}
        }
    }

    /// Opens the record of an alert, in its place among the others.
    fn open(&mut self, ledger: &mut Ledger<'_>, this: AlertKey, started_at: Timestamp) {
        let subject = ledger.setting.subject;
        let dedup_key = subject.dedup_key(ledger.group, this.0, this.1);
        let alert = Alert {
            id: pending_id(&dedup_key, started_at),
            dedup_key,
            episode: None,
            slo: subject.instance(ledger.group),
            severity: this.0,
            kind: this.1,
            state: AlertState::Inactive,
            frozen: false,
            origin: ORIGIN.to_owned(),
            started_at,
            fired_at: None,
            resolved_at: None,
            ended_by: None,
            reason: String::new(),
            tiers: Vec::new(),
            held_back_by: None,
            told: false,
            transitions: Vec::new(),
        };
        let place = self.alerts.partition_point(|other| key(other) < this);
        self.alerts.insert(place, alert);
        ledger.changed = true;
    }

    /// inactive -> pending
    fn wait(&mut self, ledger: &mut Ledger<'_>, this: AlertKey, facts: Facts<'_>, outcome: &TierOutcome) {
        self.open(ledger, this, outcome.phase.map_or(facts.at(), Phase::since));
        if let Some(alert) = self.alerts.iter_mut().find(|alert| key(alert) == this) {
            alert.tiers = facts.view(outcome).into_iter().collect();
            alert.change(AlertState::Pending, facts.at(), facts.matched(outcome, ledger.setting.subject.objective));
        }
    }

    /// inactive | pending -> firing. It gets its lasting id, for it belongs to an episode now.
    fn fire(&mut self, ledger: &mut Ledger<'_>, this: AlertKey, facts: Facts<'_>, firing: &[&TierOutcome]) {
        let at = facts.at();
        let open = self.alerts.iter().any(|alert| alert.state == AlertState::Firing);
        if !self.episode.as_ref().is_some_and(|episode| open || episode.reaches(at)) {
            self.episode = Some(Episode::begin(at, ledger.setting.subject.shared_labels(ledger.group)));
        }
        let numbered = self.episode.as_mut().map(|episode| (episode.began, episode.count_up(this)));
        let Some(((began, number), alert)) = numbered.zip(self.alerts.iter_mut().find(|alert| key(alert) == this)) else {
            return;
        };
        alert.id = alert_id(&alert.dedup_key, began, number);
        alert.episode = Some(began);
        alert.fired_at = Some(at);
        let ids = alert.transitions.iter_mut().enumerate();
        ids.for_each(|(index, transition)| transition.id = format!("{}/{}", alert.id, index + 1));
        let reason = firing.first().map(|outcome| facts.matched(outcome, ledger.setting.subject.objective));
        alert.change(AlertState::Firing, at, reason.unwrap_or_default());
        ledger.touch(this);
    }

    /// firing -> resolved, because its tiers are known false or are no longer there.
    fn end_by_data(&mut self, ledger: &mut Ledger<'_>, index: usize, facts: Facts<'_>, own: &[&TierOutcome]) {
        let ended: Vec<&TierOutcome> = own.iter().copied().filter(|outcome| outcome.fired).collect();
        let Some(alert) = self.alerts.get_mut(index) else { return };
        let (ended_by, reason) = match ended.first() {
            Some(outcome) if ended.len() >= alert.tiers.len() => {
                (EndedBy::KnownFalse, facts.known_false(outcome, alert.started_at))
            }
            _ => (EndedBy::Withdrawn, reason::withdrawn(&ledger.withdrawn)),
        };
        let views: Vec<_> = ended.iter().filter_map(|outcome| facts.view(outcome)).collect();
        if !views.is_empty() {
            alert.tiers = views;
        }
        self.end(ledger, index, ended_by, reason, facts.at());
    }

    /// firing -> resolved
    pub(super) fn end(
        &mut self,
        ledger: &mut Ledger<'_>,
        index: usize,
        ended_by: EndedBy,
        reason: String,
        at: Timestamp,
    ) {
        let mut alert = self.alerts.remove(index);
        alert.resolved_at = Some(at);
        alert.ended_by = Some(ended_by);
        alert.frozen = false;
        alert.tiers.iter_mut().for_each(|tier| {
            tier.state = AlertState::Inactive;
            tier.frozen = false;
        });
        alert.change(AlertState::Resolved, at, reason);
        let mut transition = 0;
        if let Some(episode) = &mut self.episode {
            episode.last_ended = Some(at);
            transition = episode.transition(key(&alert), true);
        }
        let held = held_under(&self.alerts, &alert.id);
        ledger.ended.push((alert, transition, held));
        ledger.changed = true;
    }

    /// Marks the alerts whose state cannot change: none of their tiers matches, and one is neither true nor false.
    fn freeze(&mut self, ledger: &mut Ledger<'_>, outcomes: &[TierOutcome]) {
        for alert in self.alerts.iter_mut().filter(|alert| alert.state == AlertState::Firing) {
            let mut own = outcomes.iter().filter(|outcome| of_alert(outcome, key(alert)));
            let matched = own.clone().any(|outcome| outcome.matched && outcome.phase.is_some_and(Phase::fires));
            let frozen = !matched && own.any(|outcome| outcome.frozen);
            if frozen != alert.frozen || ledger.was_blind {
                alert.frozen = frozen;
                alert.explain(false);
                ledger.touch(key(alert));
            }
        }
        for alert in self.alerts.iter_mut().filter(|alert| alert.state == AlertState::Pending && alert.frozen) {
            alert.frozen = false;
            alert.explain(false);
        }
    }

    /// Decides which alerts that are not told yet are held back, and under which.
    fn hold_back(&mut self, ledger: &mut Ledger<'_>) {
        let setting = ledger.setting;
        let page_holds = setting.page_can_be_told && setting.subject.mode == Mode::Live;
        let is_page = |alert: &&Alert| alert.severity == AlertSeverity::Page && alert.state == AlertState::Firing;
        let pages: Vec<(AlertKind, String)> =
            self.alerts.iter().filter(is_page).map(|page| (page.kind, page.id.clone())).collect();
        for alert in self.alerts.iter_mut().filter(|alert| alert.state == AlertState::Firing) {
            let page = pages.iter().find(|(kind, _)| *kind == alert.kind && page_holds);
            let held = match (alert.told, alert.kind, setting.source_alert) {
                (true, ..) => None,
                (false, AlertKind::NoData, Some(source)) => Some(source.to_owned()),
                (false, ..) if alert.severity == AlertSeverity::Page => None,
                (false, ..) => page.map(|(_, id)| id.clone()),
            };
            if alert.held_back_by != held {
                alert.held_back_by = held;
                ledger.touch(key(alert));
            }
        }
    }

    /// What goes out: ends first, then what fires, matches at this slice end, is not held back and was not told yet.
    fn tell(&mut self, ledger: &mut Ledger<'_>, facts: Facts<'_>, outcomes: &[TierOutcome]) -> Vec<Effect> {
        let live = ledger.setting.subject.mode == Mode::Live;
        for alert in self.alerts.iter_mut().filter(|alert| alert.state == AlertState::Firing) {
            let mut own = outcomes.iter().filter(|outcome| of_alert(outcome, key(alert)));
            let matched = own.any(|outcome| outcome.matched && outcome.phase.is_some_and(Phase::fires));
            if live && matched && !alert.told && alert.held_back_by.is_none() {
                alert.told = true;
                ledger.touch(key(alert));
                ledger.news.push(key(alert));
            }
        }
        // without an episode nothing has fired, so there is nothing to tell (`state` refuses what breaks this)
        let Some(episode) = &self.episode else { return Vec::new() };
        let telling = |transition| Telling {
            subject: ledger.setting.subject,
            group: ledger.group,
            labels: &episode.labels,
            transition,
            facts,
        };
        let mut effects = Vec::new();
        for (alert, transition, held) in std::mem::take(&mut ledger.ended) {
            let notification = alert.told.then(|| Notification::of(&alert, &telling(transition), held));
            effects.push(Effect { alert, notification });
        }
        ledger.touched.sort_unstable();
        for this in &ledger.touched {
            let open = self.alerts.iter_mut().find(|alert| key(alert) == *this && alert.state == AlertState::Firing);
            let Some(alert) = open.map(|alert| refreshed(alert, facts, outcomes)) else { continue };
            let told = ledger.news.contains(this).then(|| {
                let context = held_under(&self.alerts, &alert.id);
                Notification::of(&alert, &telling(episode.transition(*this, false)), context)
            });
            effects.push(Effect { alert, notification: told });
        }
        effects
    }
}

/// Whether a tier belongs to the alert `this` of the instance itself.
fn of_alert(outcome: &TierOutcome, this: AlertKey) -> bool {
    (outcome.key.severity, outcome.key.condition.alert_kind()) == this && !outcome.phase.is_some_and(Phase::is_shared)
}

/// The ids of the alerts that are held back under `id`.
fn held_under(alerts: &[Alert], id: &str) -> Vec<String> {
    let held = alerts.iter().filter(|alert| alert.held_back_by.as_deref() == Some(id));
    held.map(|alert| alert.id.clone()).collect()
}

/// The record of an alert with the figures of its firing tiers as they are now.
fn refreshed(alert: &mut Alert, facts: Facts<'_>, outcomes: &[TierOutcome]) -> Alert {
    let this = key(alert);
    let firing = |outcome: &&TierOutcome| of_alert(outcome, this) && outcome.phase.is_some_and(Phase::fires);
    let views: Vec<_> = outcomes.iter().filter(firing).filter_map(|outcome| facts.view(outcome)).collect();
    if !views.is_empty() {
        alert.tiers = views;
    }
    alert.clone()
}
