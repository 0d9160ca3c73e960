//! Alerts that a person ended, and when they may start again (SEMANTICS 6).
//!
//! A closed alert starts again after a slice end at which none of its tiers matches. One that burns on is told again all the
//! same once the long window of a tier that matches lies behind the close: what it holds then was not there when somebody
//! said that it is nothing. `down`, `no_data` and what is left of a budget stand still for weeks, and have no such end.
//! Times are of the data, so that a restart and a second copy decide alike.

use serde::{Deserialize, Serialize};

use crate::engine::definition::{Definition, Kind, Tier};
use crate::engine::verdict::{TierVerdict, Verdict};
use crate::policy::episode::AlertKey;
use crate::policy::figure::significant;
use crate::policy::tier::Condition;
use crate::units::{Length, Timestamp};

/// One that matched at every slice end since a person closed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub(super) struct Closed {
    /// Which of the instance's alerts.
    pub key: AlertKey,
    /// The slice end at which it was closed.
    pub at: Timestamp,
}

/// As it was written, also by those that did not note when.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Dated { key: AlertKey, at: Timestamp },
    Undated(AlertKey),
}

impl From<Written> for Closed {
    fn from(written: Written) -> Self {
        match written {
            Written::Dated { key, at } => Self { key, at },
            Written::Undated(key) => Self { key, at: Timestamp::default() },
        }
    }
}

impl Closed {
    /// Whether nothing of it may start at this slice end.
    pub(super) fn holds(&self, definition: &Definition, verdict: &Verdict) -> bool {
        let over = |tier: &Tier| told_again_after(tier).is_some_and(|wait| verdict.as_of.since(self.at) >= wait);
        let mut any = false;
        for (tier, _) in matching(definition, verdict, self.key) {
            if over(tier) {
                return false;
            }
            any = true;
        }
        any
    }
}

/// What a person has to know who closes an alert whose condition holds: `it still burns, 50x over 5m and 20x over 1h: ..`.
#[must_use]
pub fn still(definition: &Definition, verdict: &Verdict, key: AlertKey) -> Option<String> {
    let (_, judged) = matching(definition, verdict, key).next()?;
    let waits = matching(definition, verdict, key).filter_map(|(tier, _)| told_again_after(tier));
    let burns: Vec<String> = [&judged.confirm, &judged.over]
        .into_iter()
        .flatten()
        .map(|window| format!("{}x over {}", significant(window.rate, 3), window.length))
        .collect();
    let again = "it fires again once that has been over";
    Some(match waits.min() {
        Some(wait) => format!("it still burns, {}: {again}, and after {wait} if it burns on", burns.join(" and ")),
        None => format!("its condition still holds: {again}"),
    })
}

/// Its tiers that match.
fn matching<'a>(
    definition: &'a Definition,
    verdict: &'a Verdict,
    key: AlertKey,
) -> impl Iterator<Item = (&'a Tier, &'a TierVerdict)> {
    let both = definition.tiers.iter().zip(&verdict.tiers);
    both.filter(move |(tier, judged)| judged.matches && (tier.severity, Condition::from(tier.kind).alert_kind()) == key)
}

/// How long one that burns on is closed at most: its long window.
const fn told_again_after(tier: &Tier) -> Option<Length> {
    match tier.kind {
        Kind::Burn { over, .. } | Kind::SliBelow { over, .. } => Some(over),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::verdict::WindowFigures;
    use crate::policy::alert::AlertKind;
    use crate::policy::machine::kit::{burn, definition, down, length};
    use crate::spec::policy::{AlertSeverity, Gates};

    #[test]
    fn one_written_without_a_time_is_told_again_at_once() {
        let written: Vec<Closed> = serde_json::from_str(r#"[["page","burn"]]"#).unwrap();
        let page = (AlertSeverity::Page, AlertKind::Burn);
        assert_eq!(written, [Closed { key: page, at: Timestamp::default() }]);
        let dated = Closed { key: page, at: Timestamp::from_seconds(60) };
        assert_eq!(serde_json::from_str::<Closed>(&serde_json::to_string(&dated).unwrap()).unwrap(), dated);
    }

    #[test]
    fn it_is_said_what_holds_and_until_when() {
        let page = |over, confirm| burn(AlertSeverity::Page, 14.4, over, confirm, Gates::default());
        let definition = definition(vec![page("6h", "30m"), page("1h", "5m"), down()], &[]);
        let window = |text: &str, rate| WindowFigures { length: length(text), rate, ..WindowFigures::default() };
        let judged = TierVerdict {
            matches: true,
            over: Some(window("6h", 20.0)),
            confirm: Some(window("30m", 50.0)),
            ..TierVerdict::default()
        };
        let mut verdict = Verdict { as_of: Timestamp::from_seconds(90), ..Verdict::default() };
        verdict.tiers = [judged, judged, judged].into_iter().collect();
        let (burning, silent) = ((AlertSeverity::Page, AlertKind::Burn), (AlertSeverity::Page, AlertKind::Down));
        assert_eq!(
            still(&definition, &verdict, burning).unwrap(),
            "it still burns, 50x over 30m and 20x over 6h: it fires again once that has been over, and after 1h if it \
             burns on"
        );
        assert_eq!(
            still(&definition, &verdict, silent).unwrap(),
            "its condition still holds: it fires again once that has been over"
        );
        assert_eq!(still(&definition, &verdict, (AlertSeverity::Ticket, AlertKind::Burn)), None);
        let holds = |key, seconds| {
            let closed = Closed { key, at: Timestamp::from_seconds(90) - Length::from_seconds(seconds) };
            closed.holds(&definition, &verdict)
        };
        assert!(holds(burning, 3_599) && !holds(burning, 3_600) && holds(silent, 1_000_000));
    }
}
