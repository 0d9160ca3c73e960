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
