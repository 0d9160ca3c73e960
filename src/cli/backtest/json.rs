//! The replay as one object (INTERFACES 2).

use serde_json::{Value, json};

use crate::replay::told::Told;
use crate::runtime::backtest::{Outcome, SloOutcome};
use crate::spec::policy::AlertSeverity;

/// `{"slos":[{"id","pages","tickets","against","differences"}]}`, and what else is known.
pub fn of(outcome: &Outcome) -> Value {
    let slos: Vec<Value> = outcome.slos.iter().map(slo).collect();
    json!({"slos": slos, "unmatched": outcome.unmatched, "not_replayed": outcome.not_replayed})
}

fn slo(slo: &SloOutcome) -> Value {
    let told =
        |severity: AlertSeverity| -> Vec<&Told> { slo.told.iter().filter(|told| told.severity == severity).collect() };
    json!({
        "id": slo.id.to_string(),
        "policy": slo.policy,
        "from": slo.from,
        "to": slo.to,
        "delay_seconds": slo.delay.seconds_f64(),
        "pages": told(AlertSeverity::Page),
        "tickets": told(AlertSeverity::Ticket),
        "notices": told(AlertSeverity::Notice),
        "held_back": slo.held_back,
        "against": slo.against,
        "differences": slo.differences,
    })
}
