//! What is sent after a stretch of slice ends was evaluated in one go: after an outage, and at a cold start.
//!
//! "What began and ended in missed time is recorded and not sent; what still fires is sent once, with its true begin"
//! (SEMANTICS 2, *Evaluation*). Pure: effects in, effects out; ids and transition numbers stay as they are. Invariant: of
//! each alert one record, its newest, and at most one notification; an end is sent exactly where its begin was.

use std::collections::BTreeMap;

use crate::policy::machine::Effect;

/// Thins out the effects of several slice ends, given in order. Of a single slice end they come back unchanged.
#[must_use]
pub fn thin_out(effects: Vec<Effect>) -> Vec<Effect> {
    let mut last: BTreeMap<String, usize> = BTreeMap::new();
    let mut told: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (index, effect) in effects.iter().enumerate() {
        last.insert(effect.alert.id.clone(), index);
        if effect.notification.is_some() {
            told.entry(effect.alert.id.clone()).or_default().push(index);
        }
    }
    let mut notifications: Vec<_> = Vec::with_capacity(effects.len());
    let mut alerts: Vec<_> = Vec::with_capacity(effects.len());
    for effect in effects {
        notifications.push(effect.notification);
        alerts.push(effect.alert);
    }
    let mut thinned = Vec::new();
    for (index, mut alert) in alerts.into_iter().enumerate() {
        if last.get(&alert.id) != Some(&index) {
            continue;
        }
        let tellings = told.get(&alert.id).map_or(&[][..], Vec::as_slice);
        let notification = match tellings {
            [] => None,
            [only] => notifications.get_mut(*only).and_then(Option::take),
            // fired and ended in missed time
            [..] => {
                alert.told = false;
                None
            }
        };
        thinned.push(Effect { alert, notification });
    }
    thinned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::alert::AlertState;
    use crate::policy::machine::kit::{Life, SLICE, START, burn, tellings};
    use crate::spec::policy::{AlertSeverity, Gates};

    fn life() -> Life {
        let tiers = vec![
            burn(AlertSeverity::Page, 14.4, "1h", "5m", Gates::default()),
            burn(AlertSeverity::Ticket, 3.0, "1d", "2h", Gates::default()),
        ];
        Life::new(tiers, &[])
    }

    fn batch(life: &mut Life, slices: &[&str]) -> Vec<Effect> {
        thin_out(slices.iter().flat_map(|letters| life.step(&[("", letters)])).collect())
    }

    #[test]
    fn what_began_and_ended_in_missed_time_is_recorded_and_not_sent() {
        let effects = batch(&mut life(), &["m.", "..", "f."]);
        assert_eq!(effects.len(), 1);
        assert_eq!((effects[0].alert.state, effects[0].alert.told), (AlertState::Resolved, false));
        assert!(effects[0].notification.is_none());
    }

    #[test]
    fn what_still_fires_is_sent_once_with_its_true_begin_and_its_number() {
        let mut life = life();
        let effects = batch(&mut life, &["m.", "f.", ".m", "mm", ".m"]);
        assert_eq!(tellings(&effects), ["ticket/burn 1 firing", "page/burn 3 firing"]);
        let page = effects[2].notification.as_ref().unwrap();
        assert_eq!(page.fired_at, START + SLICE * 4);
        assert!(effects[2].alert.told && effects[2].alert.frozen);
        assert_eq!(life.told("ff"), ["page/burn 4 resolved", "ticket/burn 2 resolved"]);
    }

    #[test]
    fn the_end_of_what_was_sent_before_is_sent() {
        let mut life = life();
        assert_eq!(life.told("m."), ["page/burn 1 firing"]);
        let effects = batch(&mut life, &["..", "f.", "..", "m.", "m."]);
        assert_eq!(tellings(&effects), ["page/burn 2 resolved", "page/burn 3 firing"]);
    }

    #[test]
    fn a_ticket_held_back_all_along_is_sent_if_its_page_is_gone() {
        let effects = batch(&mut life(), &["mm", ".m", "fm", ".m"]);
        assert_eq!(tellings(&effects), ["ticket/burn 1 firing"]);
        assert_eq!(effects[1].notification.as_ref().unwrap().fired_at, START + SLICE);
    }

    #[test]
    fn a_single_slice_end_comes_back_unchanged() {
        let mut life = life();
        for letters in ["mm", ".m", "f.", "mf"] {
            let effects = life.step(&[("", letters)]);
            assert_eq!(thin_out(effects.clone()), effects);
        }
    }
}
