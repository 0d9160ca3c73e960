//! The policy against the oracle's model of alerts: random things said of the tiers, slice end by slice end.

use slo::spec::policy::AlertSeverity::{Page, Ticket};

use crate::oracle::alert::{Alert, Alerts, Said};
use crate::oracle::exact::decimal;
use crate::oracle::policy::told_so;
use crate::oracle::random::Random;
use crate::oracle::world::{HOUR, Kind, MINUTE, SECOND, Setting, Tier};

fn setting() -> Setting {
    let burn = |over, factor: &str| Kind::Burn { over, confirm: Some(5 * MINUTE), factor: decimal(factor) };
    let exhausts = Kind::Exhausts { within: 4 * HOUR, lookback: HOUR, min_burn: decimal("6") };
    let tiers = vec![
        Tier { keep: MINUTE, ..Tier::bare(Page, burn(HOUR, "14.4")) },
        Tier { wait: MINUTE, keep: 2 * MINUTE, ..Tier::bare(Page, burn(6 * HOUR, "6")) },
        Tier::bare(Ticket, burn(24 * HOUR, "3")),
        Tier { wait: 90 * SECOND, ..Tier::bare(Ticket, burn(72 * HOUR, "1")) },
        // In the order of the kinds, as alerts of one slice end are told.
        Tier { keep: MINUTE, ..Tier::bare(Page, exhausts) },
        Tier::bare(Ticket, Kind::BudgetLeft { below: decimal("25%") }),
        Tier { wait: MINUTE, ..Tier::bare(Ticket, Kind::BudgetDrop { drop: decimal("25%"), over: 72 * HOUR }) },
        Tier { keep: MINUTE, ..Tier::bare(Page, Kind::Down { after: MINUTE }) },
        Tier { wait: 2 * MINUTE, ..Tier::bare(Ticket, Kind::Down { after: MINUTE }) },
        Tier::bare(Ticket, Kind::SliBelow { target: decimal("99.95%"), over: HOUR }),
        Tier::bare(Ticket, Kind::NoTraffic { over: HOUR, min_total: 0 }),
    ];
    Setting { tiers, ..Setting::plain() }
}

/// What is said keeps for a few slice ends, so that waits are met and missed.
fn script(random: &mut Random, tiers: usize) -> Vec<Vec<Said>> {
    let mut now = vec![Said { matches: false, gates: true, known_false: false }; tiers];
    let length = random.between(1, 300);
    let mut slices = Vec::new();
    for _ in 0..length {
        for said in &mut now {
            if random.between(0, 3) == 0 {
                let which = random.between(0, 9);
                said.matches = (0..4).contains(&which);
                said.known_false = (3..8).contains(&which);
                said.gates = random.between(0, 4) > 0;
            }
        }
        slices.push(now.clone());
    }
    slices
}

/// Marks apart: where several tiers fire, the policy calls an alert frozen when one of them keeps it from changing.
fn without_marks(alerts: Vec<Alert>) -> Vec<Alert> {
    alerts.into_iter().map(|alert| Alert { frozen: Vec::new(), ..alert }).collect()
}

/// The model takes for the begin the firing tiers' first match, the policy that of any tier (INTERFACES 3).
fn same_but_for_the_begin(policy: &[Alert], model: &[Alert]) -> bool {
    policy.len() == model.len()
        && policy.iter().zip(model).all(|(policy, model)| {
            policy.started <= model.started && Alert { started: model.started, ..policy.clone() } == *model
        })
}

#[test]
fn alerts_begin_end_and_are_told_as_the_model_says() {
    let setting = setting();
    for seed in 0..400 {
        let mut random = Random::new(seed, 0);
        let slices = script(&mut random, setting.tiers.len());
        let mut model = Alerts::new(&setting);
        for (w, said) in (0..).step_by(30_000).zip(&slices) {
            model.step(w, said);
        }
        let policy = without_marks(told_so(&setting, &slices));
        let model = without_marks(model.all);
        assert!(same_but_for_the_begin(&policy, &model), "seed {seed}:\npolicy {policy:#?}\nmodel {model:#?}");
    }
}
