//! What a new id of an SLO does to its alerts (SEMANTICS 6, *Edits*: `formerly`).
//!
//! Receivers know an alert by its id, its dedup key and its labels. So what fires keeps all three until it ends, and its
//! end reaches whoever was told of its begin; what begins from now on has the new names. What only waits was told to
//! nobody, and takes the new names at once.

use crate::policy::alert::AlertState;
use crate::policy::book::AlertBook;
use crate::policy::instance::{InstanceState, key};
use crate::policy::subject::pending_id;
use crate::units::{InstanceId, Labels, SloId};

impl AlertBook {
    /// The same alerts under another id; the same id changes nothing.
    #[must_use]
    pub fn renamed(mut self, to: &SloId) -> Self {
        if self.slo == *to {
            return self;
        }
        for (group, state) in &mut self.states {
            state.rename(group, &self.slo, to);
            self.changed.insert(group.clone());
        }
        self.slo = to.clone();
        self
    }

    /// The instances that have a state, by id.
    pub fn instances(&self) -> impl Iterator<Item = String> {
        self.states.keys().map(|group| InstanceId { slo: self.slo.clone(), group: group.clone() }.to_string())
    }
}

impl InstanceState {
    fn rename(&mut self, group: &Labels, from: &SloId, to: &SloId) {
        let id = |slo: &SloId| InstanceId { slo: slo.clone(), group: group.clone() }.to_string();
        let (old, new) = (id(from), id(to));
        if let Some(episode) = &mut self.episode {
            let firing = self.alerts.iter().filter(|alert| alert.state == AlertState::Firing);
            episode.rename(to, firing.map(key));
        }
        for alert in &mut self.alerts {
            alert.slo.clone_from(&new);
            if alert.state == AlertState::Firing {
                continue;
            }
            let tail = format!("{old}/{}/{}", alert.severity.name(), alert.kind.name());
            if let Some(external) = alert.dedup_key.strip_suffix(&tail) {
                alert.dedup_key = format!("{external}{new}/{}/{}", alert.severity.name(), alert.kind.name());
                alert.id = pending_id(&alert.dedup_key, alert.started_at);
                for (index, transition) in alert.transitions.iter_mut().enumerate() {
                    transition.id = format!("{}/{}", alert.id, index + 1);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::machine::kit::{Life, SLICE, burn, tellings};
    use crate::policy::notification::Notification;
    use crate::spec::policy::{AlertSeverity, Gates};

    fn life() -> Life {
        let page = burn(AlertSeverity::Page, 14.4, "1h", "5m", Gates::default());
        let gates = Gates { for_: SLICE + SLICE, ..Gates::default() };
        Life::new(vec![page, burn(AlertSeverity::Ticket, 1.0, "3d", "6h", gates)], &[])
    }

    fn rename(life: &mut Life, to: &str) {
        let to: SloId = to.parse().unwrap();
        // As a restart does it: through the records.
        let changes = life.book.drain().unwrap();
        let records = changes.states.iter().map(|(key, record)| (key.as_str(), record.as_str()));
        let book = AlertBook::restore(life.subject.id.clone(), records).unwrap().renamed(&to);
        assert_eq!(book, life.book.clone().renamed(&to), "as a reload does it");
        let again = book.clone().drain().unwrap();
        assert!(again.states.iter().all(|(key, _)| key.starts_with(&to.to_string())), "{again:?}");
        life.book = book;
        life.subject.id = to;
    }

    fn told(life: &mut Life, letters: &str) -> Notification {
        let effects = life.step(&[("", letters)]);
        let told: Vec<Notification> = effects.into_iter().filter_map(|effect| effect.notification).collect();
        let [one] = told.as_slice() else { panic!("{told:?}") };
        one.clone()
    }

    #[test]
    fn what_fires_ends_under_the_names_that_were_told_and_the_next_one_has_the_new_ones() {
        let mut life = life();
        let old = life.subject.id.clone();
        let begin = told(&mut life, "m.");
        rename(&mut life, "shop/second");
        rename(&mut life, "shop/third");
        assert_eq!(life.book.alerts().next().unwrap().slo, "shop/third", "people find it under the name of now");
        let end = told(&mut life, "f.");
        assert_eq!((&end.dedup_key, &end.alert_id, &end.labels), (&begin.dedup_key, &begin.alert_id, &begin.labels));
        assert_eq!((end.slo.as_str(), end.transition, end.episode), ("shop/third", 2, begin.episode));
        let next = told(&mut life, "m.");
        assert_eq!(next.dedup_key, begin.dedup_key.replace(&old.to_string(), "shop/third"));
        assert_eq!((next.labels["slo_service"].as_str(), next.labels["slo_name"].as_str()), ("shop", "third"));
        assert_eq!((next.transition, next.episode), (3, begin.episode), "the story is the same");
        assert!(next.id != begin.id && next.id != end.id);
    }

    #[test]
    fn what_only_waits_takes_the_new_names() {
        let mut life = life();
        assert_eq!(tellings(&life.step(&[("", ".m")])), Vec::<String>::new());
        rename(&mut life, "shop/second");
        let waiting = life.book.alerts().next().unwrap();
        assert!(waiting.id.starts_with("shop/second/ticket/burn/") && waiting.dedup_key == "shop/second/ticket/burn");
        let _ = life.step(&[("", ".m")]);
        let begin = told(&mut life, ".m");
        assert_eq!(
            (begin.dedup_key.as_str(), begin.labels["slo_name"].as_str()),
            ("shop/second/ticket/burn", "second")
        );
    }
}
