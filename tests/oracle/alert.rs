//! SEMANTICS 6: a simple model of the alerts of one instance, fed with what its tiers say at each slice end.

use slo::spec::policy::AlertSeverity;

use super::judge::Verdict;
use super::world::{Kind, Setting};

/// What an alert is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// Burn rate, or a target of its own.
    Burn,
    /// What becomes of the budget.
    Budget,
    /// Down.
    Down,
    /// No data, or no traffic.
    NoData,
}

/// What a tier says at one slice end, from whoever judged it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// It matches.
    pub matches: bool,
    /// Its gates hold.
    pub gates: bool,
    /// It is known to be false.
    pub known_false: bool,
}

/// What the oracle's own verdict says of each tier.
pub fn said(verdict: &Verdict) -> Vec<Said> {
    let tiers = verdict.tiers.iter();
    tiers.map(|tier| Said { matches: tier.matches, gates: tier.gates, known_false: tier.known_false }).collect()
}

/// One alert, from firing to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    /// Who is told.
    pub severity: AlertSeverity,
    /// What it is about.
    pub about: About,
    /// First slice end at which it matched.
    pub started: i64,
    /// Slice end at which it fired.
    pub fired: i64,
    /// Slice end at which somebody was told.
    pub told: Option<i64>,
    /// Slice end at which it ended.
    pub resolved: Option<i64>,
    /// Slice ends at which it was frozen.
    pub frozen: Vec<i64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct TierState {
    matching_since: Option<i64>,
    false_since: Option<i64>,
    firing: bool,
}

/// The alerts of one instance.
#[derive(Clone, Debug)]
pub struct Alerts {
    rules: Vec<Rule>,
    tiers: Vec<TierState>,
    /// All that ever fired, oldest first.
    pub all: Vec<Alert>,
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    severity: AlertSeverity,
    about: About,
    wait: i64,
    keep: i64,
}

impl Alerts {
    /// Nothing fires.
    pub fn new(setting: &Setting) -> Self {
        let rule = |tier: &super::world::Tier| {
            let (about, after) = match tier.kind {
                Kind::Burn { .. } | Kind::SliBelow { .. } => (About::Burn, 0),
                Kind::Exhausts { .. } | Kind::BudgetLeft { .. } | Kind::BudgetDrop { .. } => (About::Budget, 0),
                Kind::NoTraffic { .. } => (About::NoData, 0),
                Kind::Down { after } => (About::Down, after),
                Kind::NoData { after } => (About::NoData, after),
            };
            Rule { severity: tier.severity, about, wait: tier.wait.max(after), keep: tier.keep }
        };
        let rules: Vec<Rule> = setting.tiers.iter().map(rule).collect();
        Self { tiers: vec![TierState::default(); rules.len()], rules, all: Vec::new() }
    }

    /// Whether each tier fires.
    pub fn firing(&self) -> Vec<bool> {
        self.tiers.iter().map(|tier| tier.firing).collect()
    }

    /// One slice end.
    pub fn step(&mut self, w: i64, said: &[Said]) {
        let starts: Vec<Option<i64>> = self.tiers.iter().map(|tier| tier.matching_since).collect();
        for ((tier, rule), said) in self.tiers.iter_mut().zip(&self.rules).zip(said) {
            step_tier(tier, rule, *said, w);
        }
        let mut kinds: Vec<(AlertSeverity, About)> = Vec::new();
        for rule in &self.rules {
            if !kinds.contains(&(rule.severity, rule.about)) {
                kinds.push((rule.severity, rule.about));
            }
        }
        kinds.sort_by_key(|(severity, _)| *severity);
        for (severity, about) in kinds {
            self.step_alert(severity, about, w, said, &starts);
        }
    }

    fn step_alert(&mut self, severity: AlertSeverity, about: About, w: i64, said: &[Said], before: &[Option<i64>]) {
        let mine = |index: &usize| self.rules[*index].severity == severity && self.rules[*index].about == about;
        let firing: Vec<usize> = (0..self.rules.len()).filter(mine).filter(|index| self.tiers[*index].firing).collect();
        let held = self.all.iter().any(|other| {
            other.severity == AlertSeverity::Page
                && severity > AlertSeverity::Page
                && other.about == about
                && other.resolved.is_none()
        });
        let open = self
            .all
            .iter_mut()
            .find(|alert| alert.severity == severity && alert.about == about && alert.resolved.is_none());
        match (open, firing.is_empty()) {
            (None, true) => {}
            (None, false) => {
                let started = firing.iter().filter_map(|index| before[*index]).min().unwrap_or(w);
                let told = (!held).then_some(w);
                self.all.push(Alert { severity, about, started, fired: w, told, resolved: None, frozen: Vec::new() });
            }
            (Some(alert), true) => alert.resolved = Some(w),
            (Some(alert), false) => {
                let matches = firing.iter().any(|index| said[*index].matches);
                if alert.told.is_none() && !held && matches {
                    alert.told = Some(w);
                }
                if firing.iter().all(|index| !said[*index].matches && !said[*index].known_false) {
                    alert.frozen.push(w);
                }
            }
        }
    }

    /// The alerts of one severity and kind.
    pub fn of(&self, severity: AlertSeverity, about: About) -> Vec<&Alert> {
        self.all.iter().filter(|alert| alert.severity == severity && alert.about == about).collect()
    }
}

/// Reading: a tier that matches goes on firing, even where a longer window `X` says that it is over; else the same slice
/// end would end the alert and the next one start it again.
fn step_tier(tier: &mut TierState, rule: &Rule, said: Said, w: i64) {
    if tier.firing {
        if said.known_false && !said.matches {
            let since = *tier.false_since.get_or_insert(w);
            if w - since >= rule.keep {
                *tier = TierState::default();
            }
        } else {
            tier.false_since = None;
        }
        return;
    }
    if said.matches && said.gates {
        let since = *tier.matching_since.get_or_insert(w);
        if w - since >= rule.wait {
            tier.firing = true;
        }
    } else {
        tier.matching_since = None;
    }
}
