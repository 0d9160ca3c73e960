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
use crate::policy::route::{Addressee, Heard};
use crate::policy::subject::{Subject, alert_id, labels_of, pending_id};
use crate::policy::tier::{Phase, TierOutcome};
use crate::spec::meant::Mode;
use crate::spec::policy::AlertSeverity;
use crate::units::{Labels, Objective, Timestamp};

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
    /// Which pages have a route and are not silenced; the others (and all in shadow) hold nothing back.
    pub page_can_be_told: Heard<'a>,
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

    /// `T` of the instance.
    fn objective(&self) -> Option<Objective> {
        self.setting.subject.objective_of(self.group)
    }

    fn touch(&mut self, key: AlertKey) {
        self.changed = true;
        if !self.touched.contains(&key) {
            self.touched.push(key);
        }
    }
}

impl Alert {
    /// Sets the reason: that of the last change, behind why it is frozen.
    pub(super) fn explain(&mut self, blind: bool) {
        let last = self.transitions.last().map(|transition| transition.reason.clone()).unwrap_or_default();
        self.reason = if self.frozen { reason::frozen(blind, &last) } else { last };
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
        let mut keys: Vec<AlertKey> =
            own.map(|outcome| (outcome.key.severity, outcome.key.condition.alert_kind())).collect();
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
            self.name_groups(&mut ledger, facts, outcomes);
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
        let firing: Vec<&TierOutcome> =
            own.iter().copied().filter(|outcome| outcome.phase.is_some_and(Phase::fires)).collect();
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
            origin: subject.origin().to_owned(),
            started_at,
            fired_at: None,
            resolved_at: None,
            ended_by: None,
            reason: String::new(),
            tiers: Vec::new(),
            as_of: None,
            held_back_by: None,
            told: false,
            evidence: None,
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
            alert.as_of = Some(facts.at());
            alert.change(AlertState::Pending, facts.at(), facts.matched(outcome, ledger.objective()));
        }
    }

    /// inactive | pending -> firing. It gets its lasting id, for it belongs to an episode now.
    fn fire(&mut self, ledger: &mut Ledger<'_>, this: AlertKey, facts: Facts<'_>, firing: &[&TierOutcome]) {
        let at = facts.at();
        let open = self.alerts.iter().any(|alert| alert.state == AlertState::Firing);
        if !self.episode.as_ref().is_some_and(|episode| open || episode.reaches(at)) {
            let (subject, group) = (ledger.setting.subject, ledger.group);
            self.episode = Some(Episode::begin(at, subject.shared_labels(group), subject.foreign_labels(group)));
        }
        let numbered = self.episode.as_mut().map(|episode| (episode.began, episode.count_up(this)));
        let Some(((began, number), alert)) = numbered.zip(self.alerts.iter_mut().find(|alert| key(alert) == this))
        else {
            return;
        };
        alert.id = alert_id(&alert.dedup_key, began, number);
        alert.episode = Some(began);
        alert.fired_at = Some(at);
        alert.evidence = facts.evidence();
        let ids = alert.transitions.iter_mut().enumerate();
        ids.for_each(|(index, transition)| transition.id = format!("{}/{}", alert.id, index + 1));
        let reason = firing.first().map(|outcome| facts.matched(outcome, ledger.objective()));
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
        alert.as_of = Some(at);
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

    /// Keeps the groups that an alert names as they are now.
    fn name_groups(&mut self, ledger: &mut Ledger<'_>, facts: Facts<'_>, outcomes: &[TierOutcome]) {
        if !matches!(facts, Facts::Groups { .. }) {
            return;
        }
        for alert in self.alerts.iter_mut().filter(|alert| alert.state == AlertState::Firing) {
            let Some(outcome) = outcomes.iter().find(|outcome| of_alert(outcome, key(alert))) else { continue };
            let mut reason = facts.matched(outcome, ledger.objective());
            if alert.frozen {
                reason = reason::frozen(false, &reason);
            }
            if reason != alert.reason {
                alert.reason = reason;
                ledger.touch(key(alert));
            }
        }
    }

    /// Decides which alerts that are not told yet are held back, and under which.
    fn hold_back(&mut self, ledger: &mut Ledger<'_>) {
        let setting = ledger.setting;
        let is_live = setting.subject.mode == Mode::Live;
        let fires = |alert: &&Alert| alert.state == AlertState::Firing;
        let could_be_held = |alert: &Alert| !alert.told && alert.severity != AlertSeverity::Page;
        let is_asked = is_live && self.alerts.iter().filter(fires).any(could_be_held);
        let is_page = |alert: &&Alert| alert.severity == AlertSeverity::Page && fires(alert) && is_asked;
        let pages: Vec<(AlertKind, String)> = self
            .alerts
            .iter()
            .filter(is_page)
            .filter(|page| self.is_heard(page, ledger))
            .map(|page| (page.kind, page.id.clone()))
            .collect();
        for alert in self.alerts.iter_mut().filter(|alert| alert.state == AlertState::Firing) {
            let page = pages.iter().find(|(kind, _)| *kind == alert.kind);
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

    /// Whether anybody hears of a page, by the labels that it has or would have.
    fn is_heard(&self, page: &Alert, ledger: &Ledger<'_>) -> bool {
        let (subject, group) = (ledger.setting.subject, ledger.group);
        let labels = self.episode.as_ref().map_or_else(
            || labels_of(&subject.shared_labels(group), page.severity, page.kind),
            |episode| episode.labels_of(key(page)),
        );
        let (service, owner) = (subject.id.service.as_str(), subject.owner.as_deref());
        let addressee = Addressee { severity: page.severity, service, owner, slo: &page.slo, labels: &labels };
        ledger.setting.page_can_be_told.hears(addressee)
    }

    /// What goes out: ends first, then what fires, matches at this slice end, is not held back and was not told yet.
    fn tell(&mut self, ledger: &mut Ledger<'_>, facts: Facts<'_>, outcomes: &[TierOutcome]) -> Vec<Effect> {
        let live = ledger.setting.subject.mode == Mode::Live;
        for alert in self.alerts.iter_mut().filter(|alert| alert.state == AlertState::Firing) {
            let mut own = outcomes.iter().filter(|outcome| of_alert(outcome, key(alert)));
            let matched = own.any(|outcome| outcome.matched && outcome.phase.is_some_and(Phase::fires));
            if live && matched && !alert.told && alert.held_back_by.is_none() {
                alert.told = true;
                alert.evidence = facts.evidence().or(alert.evidence.take());
                ledger.touch(key(alert));
                ledger.news.push(key(alert));
            }
        }
        // without an episode nothing has fired, so there is nothing to tell (`state` refuses what breaks this)
        let Some(episode) = &self.episode else { return Vec::new() };
        let telling =
            |transition| Telling { subject: ledger.setting.subject, group: ledger.group, episode, transition, facts };
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
        alert.as_of = Some(facts.at());
    }
    alert.clone()
}

/// What the tests of this layer share: definitions, subjects, and a slow, obvious judge over slices.
#[cfg(test)]
pub(crate) mod kit {
    use std::collections::BTreeMap;

    use crate::engine::definition::{Definition, Kind, Tier};
    use crate::engine::verdict::{Budget, Condition, TierSet, TierVerdict, Trend, Verdict, WindowFigures};
    use crate::policy::book::AlertBook;
    use crate::policy::machine::{Effect, Setting};
    use crate::policy::route::Heard;
    use crate::policy::subject::Subject;
    use crate::spec::meant::{Mode, Numerator};
    use crate::spec::policy::{AlertSeverity, Gates};
    use crate::units::{Labels, Length, SloId, Step, Timestamp, exceeds};

    /// 2026-11-18T00:00:00Z, a multiple of an hour.
    pub const START: Timestamp = Timestamp::from_seconds(1_794_960_000);
    /// One slice.
    pub const SLICE: Length = Length::from_seconds(30);

    pub fn length(text: &str) -> Length {
        text.parse().unwrap()
    }

    pub fn burn(severity: AlertSeverity, factor: f64, over: &str, confirm: &str, gates: Gates) -> Tier {
        let kind = Kind::Burn { over: length(over), confirm: Some(length(confirm)), factor, threshold: factor * 0.001 };
        Tier { severity, kind, gates }
    }

    pub fn definition(tiers: Vec<Tier>, by: &[&str]) -> Definition {
        Definition {
            id: SloId::new("checkout", "availability"),
            budget: 0.001,
            window: Length::from_days(30),
            by: by.iter().map(|name| (*name).to_owned()).collect(),
            numerator: Numerator::Bad,
            pushdown: None,
            time_weighted: false,
            absent_is_bad: false,
            overrides: Vec::new(),
            slice: Step::DEFAULT,
            gap: Length::from_minutes(5),
            alive: true,
            instances_limit: 1_000,
            tiers,
        }
    }

    /// The preset `balanced` at 30 d.
    pub fn balanced() -> Vec<Tier> {
        let page = Gates { min_bad: 3.0, hold: 0.5, keep_firing_for: Length::from_minutes(5), ..Gates::default() };
        let ticket = Gates { min_bad: 2.0, ..Gates::default() };
        vec![
            burn(AlertSeverity::Page, 14.4, "1h", "5m", page.clone()),
            burn(AlertSeverity::Page, 6.0, "6h", "30m", page),
            burn(AlertSeverity::Ticket, 3.0, "1d", "2h", ticket.clone()),
            burn(AlertSeverity::Ticket, 1.0, "3d", "6h", ticket),
            down(),
            Tier {
                severity: AlertSeverity::Ticket,
                kind: Kind::NoData { after: Length::from_minutes(10) },
                gates: Gates::default(),
            },
        ]
    }

    pub fn down() -> Tier {
        let kind = Kind::Down { after: Length::from_minutes(3) };
        Tier { severity: AlertSeverity::Page, kind, gates: Gates::default() }
    }

    pub fn subject() -> Subject {
        Subject {
            id: SloId::new("checkout", "availability"),
            owner: Some("payments".to_owned()),
            contact: None,
            objective: Some("99.9%".parse().unwrap()),
            overrides: Vec::new(),
            labels: BTreeMap::from([("tier".to_owned(), "1".to_owned())]),
            annotations: BTreeMap::from([("summary".to_owned(), "Payments fail.".to_owned())]),
            links: BTreeMap::from([("runbook".to_owned(), "https://wiki.example/checkout".to_owned())]),
            mode: Mode::Live,
            external_labels: BTreeMap::new(),
            time_weighted: false,
            foreign: None,
        }
    }

    pub const fn setting(subject: &Subject) -> Setting<'_> {
        Setting { subject, page_can_be_told: Heard::Always, source_alert: None }
    }

    /// What one slice held.
    #[derive(Clone, Copy, Debug, PartialEq)]
    pub enum Slice {
        /// Bad and all events.
        Events(f64, f64),
        /// Unmeasured, the target up.
        Idle,
        /// Unmeasured, the target down.
        Down,
    }

    /// Slices from `START` on, with sums of all before each.
    #[derive(Clone, Debug)]
    pub struct Traffic {
        slices: Vec<Slice>,
        sums: Vec<(f64, f64, i64)>,
        first: Timestamp,
    }

    impl Traffic {
        /// Slices whose first one begins `before` ahead of `START`.
        pub fn new(before: &str) -> Self {
            Self { slices: Vec::new(), sums: vec![(0.0, 0.0, 0)], first: START - length(before) }
        }

        pub fn add(&mut self, time: &str, slice: Slice) {
            for _ in 0..length(time).count_of(SLICE) {
                let (bad, total, measured) = self.sums[self.sums.len() - 1];
                self.sums.push(match slice {
                    Slice::Events(b, t) => (bad + b, total + t, measured + 1),
                    Slice::Idle | Slice::Down => (bad, total, measured),
                });
                self.slices.push(slice);
            }
        }

        /// 10 events/s of which `share` are bad.
        pub fn rate(&mut self, time: &str, share: f64) {
            self.add(time, Slice::Events(300.0 * share, 300.0));
        }

        pub fn ends(&self) -> impl Iterator<Item = Timestamp> + use<> {
            let first = self.first;
            (1..=i64::try_from(self.slices.len()).unwrap()).map(move |index| first + SLICE * index)
        }

        fn sum_at(&self, time: Timestamp) -> (f64, f64, i64) {
            self.sums[usize::try_from(time.since(self.first).count_of(SLICE)).unwrap()]
        }

        pub fn window(&self, over: Length, to: Timestamp) -> WindowFigures {
            let grid =
                if over <= length("6h") { SLICE } else { length(if over <= length("4d") { "5m" } else { "1h" }) };
            let from = (to - over).floor_to(grid);
            let (before, until) = (self.sum_at(from), self.sum_at(to));
            let (bad, total) = (until.0 - before.0, until.1 - before.1);
            let measured = SLICE * (until.2 - before.2);
            let share = if total > 0.0 { (bad / total).min(1.0) } else { 0.0 };
            let coverage = measured.seconds_f64() / to.since(from).seconds_f64();
            WindowFigures { length: over, from, to, bad, total, measured, coverage, share, rate: share / 0.001 }
        }

        fn burn_verdict(&self, tier: &Tier, firing: bool, to: Timestamp) -> TierVerdict {
            let Kind::Burn { over, confirm: Some(confirm), threshold, .. } = tier.kind else { panic!("no burn tier") };
            let (long, short) = (self.window(over, to), self.window(confirm, to));
            let burns = |window: &WindowFigures| exceeds(window.share * window.coverage, threshold);
            let needed = 5.0 / long.share.max(threshold);
            let mut resolve = confirm;
            while resolve < over && self.window(resolve, to).total < needed {
                resolve = resolve + SLICE;
            }
            let resolve = self.window(resolve, to);
            let quiet =
                |window: &WindowFigures| window.coverage >= 0.9 && !exceeds(window.share, tier.gates.hold * threshold);
            let known_false = firing && (quiet(&long) || (resolve.total > 0.0 && quiet(&resolve)));
            TierVerdict {
                matches: burns(&long) && burns(&short),
                gates_hold: long.bad >= tier.gates.min_bad && long.total >= tier.gates.min_total,
                known_false,
                over: Some(long),
                confirm: Some(short),
                resolve: firing.then_some(resolve),
                trend: match (burns(&long), burns(&short)) {
                    (true, true) => Trend::Burning,
                    (true, false) => Trend::Recovering,
                    (false, true) => Trend::Rising,
                    (false, false) => Trend::Ok,
                },
                ..TierVerdict::default()
            }
        }

        pub fn verdict(&self, definition: &Definition, firing: TierSet, to: Timestamp) -> Verdict {
            let newest = self.slices[usize::try_from(to.since(self.first).count_of(SLICE)).unwrap() - 1];
            let condition = match newest {
                Slice::Events(_, total) if total > 0.0 => Condition::Measured,
                Slice::Events(..) => Condition::NoTraffic,
                Slice::Idle => Condition::Idle,
                Slice::Down => Condition::Down,
            };
            let plain =
                |matches, known_false| TierVerdict { matches, gates_hold: true, known_false, ..TierVerdict::default() };
            let tiers = definition.tiers.iter().enumerate().map(|(index, tier)| match tier.kind {
                Kind::Burn { .. } => self.burn_verdict(tier, firing.has(index), to),
                Kind::Exhausts { .. }
                | Kind::BudgetLeft { .. }
                | Kind::BudgetDrop { .. }
                | Kind::SliBelow { .. }
                | Kind::NoTraffic { .. } => plain(false, true),
                Kind::Down { .. } => plain(condition == Condition::Down, condition != Condition::Down),
                Kind::NoData { .. } => {
                    let silent = matches!(condition, Condition::Idle | Condition::Down);
                    plain(condition == Condition::Idle, !silent)
                }
            });
            let window = self.window(length("1h"), to);
            let budget = Budget { window, allowed: 10_000.0, spent: 0.59, remaining: 0.41, ..Budget::default() };
            Verdict { as_of: to, condition, budget, tiers: tiers.collect(), forecast: None, differences: None }
        }
    }

    /// A life told by letters, one slice end after another.
    #[derive(Clone)]
    pub struct Life {
        pub definition: Definition,
        pub subject: Subject,
        pub book: AlertBook,
        pub at: Timestamp,
        pub page_can_be_told: bool,
        pub source_alert: Option<String>,
    }

    impl Life {
        pub fn new(tiers: Vec<Tier>, by: &[&str]) -> Self {
            let definition = definition(tiers, by);
            let book = AlertBook::new(definition.id.clone());
            Self { definition, subject: subject(), book, at: START, page_can_be_told: true, source_alert: None }
        }

        /// One slice end; of each group one letter a tier: `m` matches, `f` is known false, `.` neither; a group that is
        /// all `d` is down, all `i` idle, both with their tiers matching.
        pub fn step(&mut self, groups: &[(&str, &str)]) -> Vec<Effect> {
            self.at = self.at + SLICE;
            let verdicts: Vec<(Labels, Verdict)> = groups
                .iter()
                .map(|(group, letters)| {
                    let labels = if group.is_empty() { Labels::new() } else { Labels::from([("region", *group)]) };
                    (labels, self.verdict(letters))
                })
                .collect();
            let setting = Setting {
                subject: &self.subject,
                page_can_be_told: self.page_can_be_told.into(),
                source_alert: self.source_alert.as_deref(),
            };
            self.book.step(&setting, &self.definition, verdicts.iter().map(|(group, verdict)| (group, verdict)))
        }

        fn verdict(&self, letters: &str) -> Verdict {
            let condition = match letters.chars().next() {
                Some('d') => Condition::Down,
                Some('i') => Condition::Idle,
                _ => Condition::Measured,
            };
            let tiers = self.definition.tiers.iter().zip(letters.chars()).map(|(tier, letter)| TierVerdict {
                matches: match tier.kind {
                    Kind::Burn { .. }
                    | Kind::Exhausts { .. }
                    | Kind::BudgetLeft { .. }
                    | Kind::BudgetDrop { .. }
                    | Kind::SliBelow { .. }
                    | Kind::NoTraffic { .. } => letter == 'm',
                    Kind::Down { .. } => letter == 'd',
                    Kind::NoData { .. } => letter == 'i',
                },
                gates_hold: true,
                known_false: letter == 'f',
                ..TierVerdict::default()
            });
            Verdict { as_of: self.at, condition, tiers: tiers.collect(), ..Verdict::default() }
        }

        /// What one slice end of the ungrouped instance tells: `page/burn 1 firing` ..
        pub fn told(&mut self, letters: &str) -> Vec<String> {
            tellings(&self.step(&[("", letters)]))
        }
    }

    /// `page/burn 1 firing`: what was told, with the numbers of the transitions.
    pub fn tellings(effects: &[Effect]) -> Vec<String> {
        let told = effects.iter().filter_map(|effect| effect.notification.as_ref());
        told.map(|n| format!("{}/{} {} {:?}", n.severity.name(), n.kind.name(), n.transition, n.state).to_lowercase())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::kit::{Life, SLICE, START, burn, down, setting, tellings};
    use super::*;
    use crate::engine::definition::{Kind, Tier};
    use crate::spec::policy::Gates;

    fn none() -> Vec<String> {
        Vec::new()
    }

    fn page() -> Tier {
        burn(AlertSeverity::Page, 14.4, "1h", "5m", Gates::default())
    }

    fn ticket() -> Tier {
        burn(AlertSeverity::Ticket, 3.0, "1d", "2h", Gates::default())
    }

    fn no_data() -> Tier {
        let kind = Kind::NoData { after: super::kit::length("1m") };
        Tier { severity: AlertSeverity::Ticket, kind, gates: Gates::default() }
    }

    #[test]
    fn an_alert_fires_while_any_of_its_tiers_fires_and_lists_them() {
        let slow = burn(AlertSeverity::Page, 6.0, "6h", "30m", Gates::default());
        let mut life = Life::new(vec![page(), slow], &[]);
        assert_eq!(life.told("m."), ["page/burn 1 firing"]);
        let effects = life.step(&[("", "mm")]);
        assert_eq!(effects.len(), 1);
        assert_eq!((effects[0].alert.tiers.len(), effects[0].notification.is_none()), (2, true));
        let effects = life.step(&[("", "fm")]);
        assert_eq!(effects[0].alert.tiers.iter().map(|tier| tier.factor).collect::<Vec<_>>(), [Some(6.0)]);
        assert_eq!(life.told("ff"), ["page/burn 2 resolved"]);
    }

    #[test]
    fn flaps_join_the_episode_and_an_hour_of_peace_ends_it() {
        let mut life = Life::new(vec![page()], &[]);
        let first = life.step(&[("", "m")]).remove(0).alert;
        assert_eq!(first.id, "checkout/availability/page/burn/2026-11-18T00:00:30Z/alert-1");
        assert_eq!(life.told("f"), ["page/burn 2 resolved"]);
        assert_eq!(life.told("."), none());
        let second = life.step(&[("", "m")]).remove(0).alert;
        assert_eq!(second.id, "checkout/availability/page/burn/2026-11-18T00:00:30Z/alert-2");
        assert_eq!(second.transitions[0].id, format!("{}/1", second.id));
        assert_eq!(life.told("f"), ["page/burn 4 resolved"]);
        for _ in 0..120 {
            assert_eq!(life.told("."), none());
        }
        assert_eq!(life.book.drain().unwrap().states.len(), 1);
        assert_eq!(life.told("."), none());
        assert_eq!(life.book.drain().unwrap().forgotten, ["checkout/availability"]);
        let later = life.step(&[("", "m")]).remove(0).alert;
        assert_eq!(later.episode, Some(life.at));
        assert!(later.id.ends_with("/alert-1"));
    }

    #[test]
    fn labels_stay_as_they_were_when_the_episode_began() {
        let mut life = Life::new(vec![page()], &[]);
        let before = life.step(&[("", "m")]).remove(0).notification.unwrap();
        life.subject.labels.insert("tier".into(), "2".into());
        life.subject.owner = Some("search".into());
        let after = life.step(&[("", "f")]).remove(0).notification.unwrap();
        assert_eq!(before.labels, after.labels);
        assert_eq!(after.owner.as_deref(), Some("search"));
    }

    #[test]
    fn a_page_of_the_same_slice_end_holds_its_ticket_back() {
        let mut life = Life::new(vec![ticket(), page()], &[]);
        let effects = life.step(&[("", "mm")]);
        assert_eq!(tellings(&effects), ["page/burn 1 firing"]);
        assert_eq!(effects[0].notification.as_ref().unwrap().context, [effects[1].alert.id.clone()]);
        assert_eq!(effects[1].alert.held_back_by.as_deref(), Some(effects[0].alert.id.as_str()));
        assert_eq!(life.told("mf"), ["page/burn 2 resolved", "ticket/burn 1 firing"]);
        assert_eq!(life.told("ff"), ["ticket/burn 2 resolved"]);
    }

    #[test]
    fn a_ticket_that_does_not_match_when_its_page_ends_goes_out_when_it_does_again() {
        let mut life = Life::new(vec![ticket(), page()], &[]);
        let _ = life.step(&[("", "mm")]);
        assert_eq!(life.told(".f"), ["page/burn 2 resolved"]);
        assert_eq!(life.told(".."), none());
        assert_eq!(life.told("m."), ["ticket/burn 1 firing"]);
        assert_eq!(life.told("f."), ["ticket/burn 2 resolved"]);
    }

    #[test]
    fn a_ticket_never_told_is_not_resolved_either_and_counts_all_the_same() {
        let mut life = Life::new(vec![ticket(), page()], &[]);
        let _ = life.step(&[("", "mm")]);
        assert_eq!(life.told("fm"), none());
        assert_eq!(life.told(".f"), ["page/burn 2 resolved"]);
        assert_eq!(life.told("m."), ["ticket/burn 3 firing"]);
    }

    #[test]
    fn a_ticket_told_before_its_page_stays_told() {
        let mut life = Life::new(vec![ticket(), page()], &[]);
        assert_eq!(life.told("m."), ["ticket/burn 1 firing"]);
        assert_eq!(life.told("mm"), ["page/burn 1 firing"]);
        assert_eq!(life.told("fm"), ["ticket/burn 2 resolved"]);
    }

    #[test]
    fn a_page_that_cannot_be_told_holds_nothing_back() {
        let mut life = Life::new(vec![ticket(), page()], &[]);
        life.page_can_be_told = false;
        assert_eq!(life.told("mm"), ["page/burn 1 firing", "ticket/burn 1 firing"]);
    }

    #[test]
    fn kinds_are_apart() {
        let mut other = down();
        other.severity = AlertSeverity::Ticket;
        let mut life = Life::new(vec![page(), other], &[]);
        assert_eq!(life.told("m."), ["page/burn 1 firing"]);
        for _ in 0..6 {
            assert_eq!(life.told("dd"), none());
        }
        assert_eq!(life.told("dd"), ["ticket/down 1 firing"]);
    }

    #[test]
    fn shadow_records_and_does_not_tell_and_what_was_told_is_resolved_all_the_same() {
        let mut life = Life::new(vec![page()], &[]);
        life.subject.mode = Mode::Shadow;
        let effects = life.step(&[("", "m")]);
        assert_eq!((effects.len(), effects[0].notification.is_none(), effects[0].alert.told), (1, true, false));
        assert_eq!(life.told("f"), none());
        life.subject.mode = Mode::Live;
        assert_eq!(life.told("m"), ["page/burn 3 firing"]);
        life.subject.mode = Mode::Shadow;
        assert_eq!(life.told("f"), ["page/burn 4 resolved"]);
    }

    #[test]
    fn a_tier_that_leaves_the_files_withdraws_its_alert_and_others_keep_their_state() {
        let slow = burn(AlertSeverity::Page, 6.0, "6h", "30m", Gates::default());
        let mut life = Life::new(vec![page(), slow, ticket()], &[]);
        life.page_can_be_told = false;
        assert_eq!(life.told("mmm"), ["page/burn 1 firing", "ticket/burn 1 firing"]);
        // another factor, another order: the slow tier is the same tier
        life.definition.tiers = vec![burn(AlertSeverity::Page, 5.0, "6h", "30m", Gates::default())];
        let effects = life.step(&[("", ".")]);
        assert_eq!(tellings(&effects), ["ticket/burn 2 resolved"]);
        assert_eq!(effects[0].alert.ended_by, Some(EndedBy::Withdrawn));
        assert_eq!(effects[0].alert.reason, "withdrawn: its tier left the files");
        assert!(effects[1].alert.frozen && effects[1].alert.tiers.len() == 1);
        assert_eq!(life.told("f"), ["page/burn 2 resolved"]);
    }

    #[test]
    fn alerting_switched_off_and_an_slo_taken_out_withdraw() {
        let mut life = Life::new(vec![page()], &[]);
        let _ = life.step(&[("", "m")]);
        life.definition.tiers = Vec::new();
        assert_eq!(life.told(""), ["page/burn 2 resolved"]);
        life.definition.tiers = vec![page(), ticket()];
        let _ = life.step(&[("", "mm")]);
        let effects = life.book.withdraw(&setting(&life.subject), life.at, |_| None);
        assert_eq!(tellings(&effects), ["page/burn 4 resolved"]);
        assert_eq!(effects.len(), 2);
        assert_eq!(effects[1].alert.reason, "withdrawn: its SLO left the files");
        assert_eq!(life.book.drain().unwrap().forgotten, ["checkout/availability"]);
    }

    #[test]
    fn a_pending_alert_is_in_the_state_and_becomes_the_firing_one() {
        let gates = Gates { for_: super::kit::length("1m"), ..Gates::default() };
        let mut life = Life::new(vec![burn(AlertSeverity::Page, 14.4, "1h", "5m", gates)], &[]);
        assert!(life.step(&[("", "m")]).is_empty());
        let pending = life.book.alerts().next().unwrap().clone();
        assert_eq!((pending.state, pending.episode), (AlertState::Pending, None));
        assert_eq!(pending.id, "checkout/availability/page/burn/2026-11-18T00:00:30Z/pending");
        assert!(pending.reason.ends_with("; fires after 1m"));
        let _ = life.step(&[("", "m")]);
        let fired = life.step(&[("", "m")]).remove(0).alert;
        assert_eq!(fired.id, "checkout/availability/page/burn/2026-11-18T00:01:30Z/alert-1");
        let changes: Vec<(AlertState, AlertState)> = fired.transitions.iter().map(|t| (t.from, t.to)).collect();
        assert_eq!(changes, [(AlertState::Inactive, AlertState::Pending), (AlertState::Pending, AlertState::Firing)]);
        assert_eq!(fired.started_at, START + SLICE);
        let mut lapses = Life::new(life.definition.tiers.clone(), &[]);
        let _ = lapses.step(&[("", "m")]);
        let _ = lapses.step(&[("", ".")]);
        assert_eq!(lapses.book.alerts().count(), 0);
        assert_eq!(lapses.book.drain().unwrap().forgotten, ["checkout/availability"]);
    }

    #[test]
    fn left_out_slice_ends_start_every_wait_anew() {
        let gates =
            Gates { for_: super::kit::length("1m"), keep_firing_for: super::kit::length("1m"), ..Gates::default() };
        let mut life = Life::new(vec![burn(AlertSeverity::Page, 14.4, "1h", "5m", gates)], &[]);
        let _ = life.step(&[("", "m")]);
        life.book.skip();
        assert_eq!(life.told("m"), none());
        assert_eq!(life.told("m"), none());
        assert_eq!(life.told("m"), ["page/burn 1 firing"]);
        assert_eq!(life.told("f"), none());
        life.book.skip();
        assert_eq!(life.told("f"), none());
        assert_eq!(life.told("f"), none());
        assert_eq!(life.told("f"), ["page/burn 2 resolved"]);
    }

    #[test]
    fn a_blind_source_freezes_everything_until_the_next_slice_end() {
        let mut life = Life::new(vec![page()], &[]);
        let _ = life.step(&[("", "m")]);
        let effects = life.book.mark_blind();
        assert!(effects[0].alert.frozen && effects[0].notification.is_none());
        assert!(effects[0].alert.reason.starts_with("frozen: the source does not answer; before that: "));
        assert!(life.book.mark_blind().is_empty());
        let effects = life.step(&[("", "m")]);
        assert!(!effects[0].alert.frozen && effects[0].notification.is_none());
    }

    #[test]
    fn no_data_is_held_back_while_the_sources_alert_fires() {
        let mut life = Life::new(vec![page(), no_data()], &[]);
        life.source_alert = Some("source/prometheus/page/source/x/alert-1".to_owned());
        for _ in 0..4 {
            assert_eq!(life.told("ii"), none());
        }
        let held = life.book.alerts().next().unwrap().held_back_by.clone();
        assert_eq!(held, life.source_alert);
        life.source_alert = None;
        assert_eq!(life.told("ii"), ["ticket/no_data 1 firing"]);
        assert_eq!(life.told("ff"), ["ticket/no_data 2 resolved"]);
    }

    #[test]
    fn groups_that_vanish_while_others_are_measured_share_one_alert_that_names_them() {
        let mut life = Life::new(vec![page(), down()], &["region"]);
        let _ = life.step(&[("eu", "m."), ("us", ".."), ("ap", "..")]);
        for _ in 0..6 {
            let _ = life.step(&[("eu", "dd"), ("us", "dd"), ("ap", "..")]);
        }
        let effects = life.step(&[("eu", "dd"), ("us", "dd"), ("ap", "..")]);
        assert_eq!(tellings(&effects), ["page/down 1 firing"]);
        let shared = effects.iter().find_map(|effect| effect.notification.as_ref()).unwrap();
        assert_eq!((shared.slo.as_str(), shared.group.is_empty()), ("checkout/availability", true));
        assert_eq!(
            shared.reason,
            r#"2 groups are down for 3m or longer while others are measured: {region="eu"}, {region="us"}"#
        );
        let burning = life.book.alerts_of(&Labels::from([("region", "eu")]));
        assert!(burning.len() == 1 && burning[0].frozen);
        assert!(!life.book.may_leave(&Labels::from([("region", "us")])));
        let effects = life.step(&[("eu", "ff"), ("us", "dd"), ("ap", "..")]);
        assert_eq!(tellings(&effects), ["page/burn 2 resolved"]);
        assert!(effects[1].alert.reason.starts_with("1 group is down"), "{}", effects[1].alert.reason);
        let effects = life.step(&[("eu", ".."), ("us", "ff"), ("ap", "..")]);
        assert_eq!(tellings(&effects), ["page/down 2 resolved"]);
        assert!(life.book.may_leave(&Labels::from([("region", "us")])));
    }

    #[test]
    fn groups_that_all_go_down_have_an_alert_each() {
        let mut life = Life::new(vec![page(), down()], &["region"]);
        let mut told = Vec::new();
        for _ in 0..7 {
            told.extend(tellings(&life.step(&[("eu", "dd"), ("us", "dd")])));
        }
        assert_eq!(told, ["page/down 1 firing", "page/down 1 firing"]);
    }

    #[test]
    fn a_group_no_longer_judged_stays_frozen_and_another_by_withdraws_it() {
        let mut life = Life::new(vec![page()], &["region"]);
        let _ = life.step(&[("eu", "m"), ("us", ".")]);
        let effects = life.step(&[("us", ".")]);
        assert!(effects[0].alert.frozen && effects[0].notification.is_none());
        life.definition.by = Vec::new();
        let effects = life.step(&[("", ".")]);
        assert_eq!(tellings(&effects), ["page/burn 2 resolved"]);
        assert_eq!(effects[0].alert.reason, "withdrawn: its group (`by` was changed) left the files");
        assert_eq!(life.book.drain().unwrap().forgotten, [r#"checkout/availability{region="eu"}"#]);
    }

    #[test]
    fn a_notification_says_everything_that_interfaces_5_names() {
        let mut life = Life::new(vec![page()], &["region"]);
        let told = life.step(&[("eu", "m")]).remove(0).notification.unwrap();
        assert_eq!(told.id, r#"checkout/availability{region="eu"}/page/burn/2026-11-18T00:00:30Z/1"#);
        assert_eq!(told.group, Labels::from([("region", "eu")]));
        let labels = BTreeMap::from([
            ("alertname", "SLOBurn"),
            ("owner", "payments"),
            ("region", "eu"),
            ("slo_name", "availability"),
            ("slo_service", "checkout"),
            ("slo_severity", "page"),
            ("tier", "1"),
        ]);
        let labels: BTreeMap<String, String> = labels.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
        assert_eq!(told.labels, labels);
        assert_eq!((told.origin.as_str(), told.owner.as_deref()), ("native", Some("payments")));
        assert_eq!(told.annotations["summary"], "Payments fail.");
        assert!(told.budget.is_some() && told.forecast.is_none() && told.evidence.is_none());
        let keys = serde_json::to_value(&told).unwrap();
        let keys: Vec<&str> = keys.as_object().unwrap().keys().map(String::as_str).collect();
        let mut want = vec![
            "id",
            "alert_id",
            "dedup_key",
            "episode",
            "transition",
            "state",
            "severity",
            "kind",
            "origin",
            "slo",
            "service",
            "name",
            "group",
            "owner",
            "labels",
            "annotations",
            "links",
            "started_at",
            "fired_at",
            "resolved_at",
            "as_of",
            "ended_by",
            "reason",
            "tiers",
            "budget",
            "forecast",
            "evidence",
            "context",
            "coverage",
        ];
        want.sort_unstable();
        assert_eq!(keys, want);
    }
}
