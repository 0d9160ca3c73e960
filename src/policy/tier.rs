//! One tier of one instance: inactive, pending, firing, and what moves it from one to the next (SEMANTICS 5).
//!
//! Why a tier is known by what it is and not by its place: an edit of the policy that moves or adds tiers keeps the state
//! of those that are still there. Inactive tiers are not held at all, so a quiet instance costs nothing.
//! Invariants: a tier that fires stays so until it is known false at every slice end for `keep_firing_for`; time alone
//! ends nothing; only a match with its gates starts one.

use serde::{Deserialize, Serialize};

use crate::engine::definition::{Kind, Tier};
use crate::engine::verdict::TierVerdict;
use crate::policy::alert::AlertKind;
use crate::spec::policy::AlertSeverity;
use crate::units::{Length, Timestamp};

/// What makes a tier the same tier after an edit: who is told, what it looks at, and which one of several alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TierKey {
    /// Who is told.
    pub severity: AlertSeverity,
    /// What it looks at.
    pub condition: Condition,
    /// 0 for the first of several tiers that are alike so far (they may differ in factor), 1 for the second ..
    #[serde(default)]
    pub ordinal: u8,
}

/// What a tier looks at, without its threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// A burn rate.
    Burn {
        /// `L`.
        over: Length,
        /// `S`.
        confirm: Option<Length>,
    },
    /// Exhaustion ahead.
    Exhausts {
        /// `L`.
        lookback: Length,
    },
    /// Little budget left.
    BudgetLeft,
    /// Budget spent within a window.
    BudgetDrop {
        /// `L`.
        over: Length,
    },
    /// A sliding window below its own target.
    SliBelow {
        /// `L`.
        over: Length,
    },
    /// Hardly any event.
    NoTraffic {
        /// `L`.
        over: Length,
    },
    /// Down.
    Down,
    /// Idle in an hour that usually has events.
    NoData,
    /// A source that fails.
    Source,
}

impl Condition {
    /// The kind of alert that such tiers make.
    #[must_use]
    pub const fn alert_kind(self) -> AlertKind {
        match self {
            Self::Burn { .. } | Self::SliBelow { .. } => AlertKind::Burn,
            Self::Exhausts { .. } | Self::BudgetLeft | Self::BudgetDrop { .. } => AlertKind::Budget,
            Self::Down => AlertKind::Down,
            Self::NoData | Self::NoTraffic { .. } => AlertKind::NoData,
            Self::Source => AlertKind::Source,
        }
    }
}

impl From<Kind> for Condition {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Burn { over, confirm, .. } => Self::Burn { over, confirm },
            Kind::Exhausts { lookback, .. } => Self::Exhausts { lookback },
            Kind::BudgetLeft { .. } => Self::BudgetLeft,
            Kind::BudgetDrop { over, .. } => Self::BudgetDrop { over },
            Kind::SliBelow { over, .. } => Self::SliBelow { over },
            Kind::NoTraffic { over, .. } => Self::NoTraffic { over },
            Kind::Down { .. } => Self::Down,
            Kind::NoData { .. } => Self::NoData,
        }
    }
}

/// The key of tier `index` of `tiers`.
#[must_use]
pub fn key_of(tiers: &[Tier], index: usize) -> Option<TierKey> {
    let tier = tiers.get(index)?;
    let condition = Condition::from(tier.kind);
    let alike = |other: &&Tier| other.severity == tier.severity && Condition::from(other.kind) == condition;
    let before = tiers.iter().take(index).filter(alike).count();
    Some(TierKey { severity: tier.severity, condition, ordinal: u8::try_from(before).unwrap_or(u8::MAX) })
}

/// Where a tier stands that is not inactive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Matches, and waits for its `for` or `after`.
    Pending {
        /// First slice end that matched; it did at every one since.
        since: Timestamp,
    },
    /// Fires.
    Firing {
        /// First slice end that matched.
        since: Timestamp,
        /// First slice end at which it was known false, if it was at every one since.
        quiet_since: Option<Timestamp>,
        /// Told by the alert of the whole SLO that names its groups, not by one of the instance (SEMANTICS 6, *Groups*).
        #[serde(default)]
        shared: bool,
    },
}

impl Phase {
    /// First slice end that matched.
    #[must_use]
    pub const fn since(self) -> Timestamp {
        match self {
            Self::Pending { since } | Self::Firing { since, .. } => since,
        }
    }

    /// Whether it fires.
    #[must_use]
    pub const fn fires(self) -> bool {
        matches!(self, Self::Firing { .. })
    }

    /// Whether it fires, and the alert of the whole SLO tells it.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        matches!(self, Self::Firing { shared: true, .. })
    }
}

/// A tier that is not inactive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveTier {
    /// Which one.
    pub key: TierKey,
    /// Where it stands.
    pub phase: Phase,
}

/// What one slice end did to one tier that is not, or was not, inactive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TierOutcome {
    /// Which one.
    pub key: TierKey,
    /// Its place in the definition.
    pub index: usize,
    /// Where it stands now; `None`: it is inactive.
    pub phase: Option<Phase>,
    /// It fired before this slice end.
    pub fired: bool,
    /// It matches at this slice end.
    pub matched: bool,
    /// It fires, and neither matched nor is known false.
    pub frozen: bool,
    /// First slice end of the run that was known false, where that ended it.
    pub quiet_since: Option<Timestamp>,
}

/// How long a tier has to match before it fires: its `for`, and the `after` of `down`, which counts alike; where both
/// are given, the longer.
#[must_use]
pub fn wait(tier: &Tier) -> Length {
    match tier.kind {
        Kind::Down { after } => after.max(tier.gates.for_),
        _ => tier.gates.for_,
    }
}

/// The slice end that a tier is moved on by, and what beside the verdict decides.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The slice end.
    pub at: Timestamp,
    /// First slice end of the present run of idle ones.
    pub idle_since: Option<Timestamp>,
}

/// Moves a tier on by one slice end. `phase` is where it stood, `None` for inactive.
///
/// `for: 2m`, matched first at 10:00:00 and at every slice end since: fires at 10:02:00.
#[must_use]
pub fn advance(phase: Option<Phase>, tier: &Tier, verdict: &TierVerdict, moment: Moment) -> Option<Phase> {
    let Moment { at, idle_since } = moment;
    match phase {
        // inactive, pending -> inactive | pending | firing
        None | Some(Phase::Pending { .. }) => {
            let starts = verdict.matches && verdict.gates_hold;
            if !starts || tier.gates.active.as_ref().is_some_and(|active| !active.covers(at)) {
                return None;
            }
            let since = phase.map_or(at, Phase::since);
            let idle_enough = match tier.kind {
                Kind::NoData { after } => at.since(idle_since.unwrap_or(at)) >= after,
                _ => true,
            };
            let fires = idle_enough && at.since(since) >= wait(tier);
            Some(if fires {
                Phase::Firing { since, quiet_since: None, shared: false }
            } else {
                Phase::Pending { since }
            })
        }
        // firing -> firing; a match is never known false: where the long window's share lets a longer `X` be clean
        // while both windows match, ending would start anew at the next slice end
        Some(Phase::Firing { since, shared, .. }) if verdict.matches || !verdict.known_false => {
            Some(Phase::Firing { since, quiet_since: None, shared })
        }
        // firing -> firing | inactive
        Some(Phase::Firing { since, quiet_since, shared }) => {
            let quiet_since = quiet_since.unwrap_or(at);
            let ended = at.since(quiet_since) >= tier.gates.keep_firing_for;
            (!ended).then_some(Phase::Firing { since, quiet_since: Some(quiet_since), shared })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::spec::policy::Gates;
    use crate::units::Schedule;

    fn tier(kind: Kind, gates: Gates) -> Tier {
        Tier { severity: AlertSeverity::Page, kind, gates }
    }

    fn burn(gates: Gates) -> Tier {
        let kind = Kind::Burn {
            over: Length::from_hours(1),
            confirm: Some(Length::from_minutes(5)),
            factor: 14.4,
            threshold: 0.0144,
        };
        tier(kind, gates)
    }

    /// `m`: matches, `f`: known false, `x`: matches without its gates, `.`: neither; one slice of 30 s each. Returns
    /// one letter a slice: `.` inactive, `p` pending, `F` firing.
    fn run(tier: &Tier, slices: &str) -> String {
        let mut phase = None;
        let mut idle_since = None;
        let mut states = String::new();
        for (index, slice) in slices.chars().enumerate() {
            let at = Timestamp::from_seconds(30 * i64::try_from(index).unwrap());
            idle_since = if slice == 'm' || slice == 'i' { idle_since.or(Some(at)) } else { None };
            let verdict = TierVerdict {
                matches: matches!(slice, 'm' | 'x'),
                gates_hold: slice != 'x',
                known_false: slice == 'f',
                ..TierVerdict::default()
            };
            phase = advance(phase, tier, &verdict, Moment { at, idle_since });
            states.push(match phase {
                None => '.',
                Some(Phase::Pending { .. }) => 'p',
                Some(Phase::Firing { .. }) => 'F',
            });
        }
        states
    }

    #[test]
    fn for_counts_from_the_first_slice_end_that_matches_and_starts_anew_without() {
        let waits = burn(Gates { for_: Length::from_minutes(2), ..Gates::default() });
        assert_eq!(run(&waits, "mmmmmm"), "ppppFF");
        assert_eq!(run(&waits, "mmm.mmmmm"), "ppp.ppppF");
        assert_eq!(run(&burn(Gates::default()), ".m"), ".F");
    }

    #[test]
    fn gates_count_for_starting_only() {
        let waits = burn(Gates { for_: Length::from_minutes(1), ..Gates::default() });
        assert_eq!(run(&waits, "xxmmm"), "..ppF");
        assert_eq!(run(&waits, "mxmmm"), "p.ppF");
        assert_eq!(run(&burn(Gates::default()), "mxxx"), "FFFF");
    }

    #[test]
    fn only_known_false_ends_and_keep_firing_for_wants_it_at_every_slice_end() {
        assert_eq!(run(&burn(Gates::default()), "m.....f"), "FFFFFF.");
        let keeps = burn(Gates { keep_firing_for: Length::from_minutes(1), ..Gates::default() });
        assert_eq!(run(&keeps, "mffff"), "FFF..");
        assert_eq!(run(&keeps, "mff.fff"), "FFFFFF.");
        assert_eq!(run(&keeps, "mffmfff"), "FFFFFF.");
    }

    #[test]
    fn down_counts_from_the_first_slice_end_that_is_down_and_the_longer_of_after_and_for_decides() {
        let after = Length::from_minutes(1);
        assert_eq!(run(&tier(Kind::Down { after }, Gates::default()), "mmm.m"), "ppFFF");
        let both = tier(Kind::Down { after }, Gates { for_: Length::from_seconds(90), ..Gates::default() });
        assert_eq!(run(&both, "mmmm"), "pppF");
    }

    #[test]
    fn no_data_counts_idle_time_outside_the_usual_hours_too() {
        let silent = tier(Kind::NoData { after: Length::from_minutes(1) }, Gates::default());
        assert_eq!(run(&silent, "mmm"), "ppF");
        // `i`: idle in an hour without usual events; the first slice end of the usual hour fires at once
        assert_eq!(run(&silent, "iiiim"), "....F");
    }

    #[test]
    fn a_tier_starts_only_in_its_hours_and_ends_in_any() {
        let schedule = |cron: &str| Schedule::new(cron, Length::from_minutes(1), "UTC").unwrap();
        // Slice ends at 30 s and 60 s after the full minute lie in the window, the one on it does not.
        let second_minute = burn(Gates { active: Some(Arc::new(schedule("1 0 1 1 *"))), ..Gates::default() });
        assert_eq!(run(&second_minute, "mmmmmmm"), "...FFFF");
        assert_eq!(run(&second_minute, "mmmm..f"), "...FFF.");
        assert_eq!(run(&second_minute, "...m.fm"), "...FF..");
        let waits = Gates { for_: Length::from_minutes(1), ..second_minute.gates.clone() };
        assert_eq!(run(&burn(waits), "mmmmmm"), "...pp.");
    }

    #[test]
    fn equal_tiers_are_told_apart_by_their_order() {
        let mut other = burn(Gates::default());
        other.severity = AlertSeverity::Ticket;
        let tiers = [burn(Gates::default()), other, burn(Gates::default())];
        let ordinals: Vec<u8> = (0..3).map(|index| key_of(&tiers, index).unwrap().ordinal).collect();
        assert_eq!(ordinals, [0, 0, 1]);
        assert_eq!(key_of(&tiers, 3), None);
    }
}
