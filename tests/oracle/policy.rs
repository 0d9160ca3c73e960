//! The alerts of the real policy on the real engine, in the oracle's terms.

use std::collections::BTreeMap;

use slo::engine::verdict::{TierVerdict, Verdict};
use slo::policy::alert::{self, AlertKind, AlertState};
use slo::policy::book::AlertBook;
use slo::policy::machine::{Effect, Setting as Circumstances};
use slo::policy::subject::Subject;
use slo::spec::meant::Mode;
use slo::units::Labels;

use super::adapter::{answer, definition, past, time};
use super::alert::{About, Alert, Said};
use super::drive::engine;
use super::world::{DAY, Setting, World};

/// Alerts as they come out of effects.
#[derive(Debug, Default)]
pub struct Collected {
    alerts: BTreeMap<String, Alert>,
    order: Vec<String>,
}

impl Collected {
    fn take(&mut self, effects: &[Effect], w: i64) {
        for Effect { alert, notification } in effects {
            if !self.alerts.contains_key(&alert.id) {
                self.order.push(alert.id.clone());
            }
            let known = self.alerts.entry(alert.id.clone()).or_insert_with(|| seen(alert));
            known.resolved = alert.resolved_at.map(slo::units::Timestamp::millis);
            if notification.is_some() && alert.state == AlertState::Firing {
                assert_eq!(known.told.replace(w), None, "{} was told twice", alert.id);
            }
            let ends = notification.is_some() && alert.state == AlertState::Resolved;
            assert_eq!(ends, known.told.is_some() && known.resolved.is_some(), "{}", alert.id);
        }
    }

    fn mark_frozen(&mut self, book: &AlertBook, w: i64) {
        for alert in book.alerts().filter(|alert| alert.frozen) {
            self.alerts.get_mut(&alert.id).unwrap().frozen.push(w);
        }
    }

    /// All that ever fired, oldest first.
    pub fn all(mut self) -> Vec<Alert> {
        self.order.iter().filter_map(|id| self.alerts.remove(id)).collect()
    }
}

fn seen(alert: &alert::Alert) -> Alert {
    Alert {
        severity: alert.severity,
        about: match alert.kind {
            AlertKind::Burn => About::Burn,
            AlertKind::Budget => About::Budget,
            AlertKind::Down => About::Down,
            _ => About::NoData,
        },
        started: alert.started_at.millis(),
        fired: alert.fired_at.unwrap().millis(),
        told: None,
        resolved: None,
        frozen: Vec::new(),
    }
}

fn subject(setting: &Setting) -> Subject {
    let id = definition(setting).id.clone();
    Subject { id, mode: Mode::Live, ..Subject::source("unused", &BTreeMap::new()) }
}

/// Lives through every slice end of `(from, to]`, as `scene::live` does.
pub fn live(world: &World, setting: &Setting, from: i64, to: i64) -> Vec<Alert> {
    let subject = subject(setting);
    let circumstances = Circumstances { subject: &subject, page_can_be_told: true.into(), source_alert: None };
    let mut engine = engine(setting);
    engine.prepend(&past(world, from - 40 * DAY, from));
    let mut book = AlertBook::new(subject.id.clone());
    let mut collected = Collected::default();
    let mut w = from + setting.slice;
    while w <= to {
        let observation = answer(world, w - setting.slice - setting.gap, w, w);
        collected.take(&book.evaluate(&circumstances, &mut engine, &observation, time(w)), w);
        collected.mark_frozen(&book, w);
        w += setting.slice;
    }
    collected.all()
}

/// The alerts of one instance of which it was said so at `0`, `slice`, `2 * slice` ..
pub fn told_so(setting: &Setting, slices: &[Vec<Said>]) -> Vec<Alert> {
    let definition = definition(setting);
    let subject = subject(setting);
    let circumstances = Circumstances { subject: &subject, page_can_be_told: true.into(), source_alert: None };
    let mut book = AlertBook::new(subject.id.clone());
    let mut collected = Collected::default();
    let group = Labels::new();
    for (w, said) in (0..).step_by(usize::try_from(setting.slice).unwrap()).zip(slices) {
        let tiers = said.iter().map(|said| TierVerdict {
            matches: said.matches,
            gates_hold: said.gates,
            known_false: said.known_false,
            ..TierVerdict::default()
        });
        let verdict = Verdict { as_of: time(w), tiers: tiers.collect(), ..Verdict::default() };
        collected.take(&book.step(&circumstances, &definition, [(&group, &verdict)]), w);
    }
    collected.all()
}
