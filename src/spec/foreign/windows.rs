//! Reads Sloth's `AlertWindows`: the tiers of all Sloth SLOs for one period, in place of the preset's.
//!
//! `errorBudgetPercent` over `longWindow` is a tier's `spend` over `over`, `shortWindow` is its `confirm`. Sloth takes
//! windows that make no sense; where they can be kept they are a warning. A share of the budget below zero cannot: it
//! would alert always.

use std::sync::Arc;

use rust_decimal::Decimal;

use crate::diag::{Diagnostic, codes};
use crate::spec::foreign::{Unknown, keys, prometheus_duration, required};
use crate::spec::policy::{AlertSeverity, BurnThreshold, Gates, Policy, PolicyTier, TierKind};
use crate::units::Length;
use crate::yaml::{NodeId, Reader};

/// Sloth's period where nothing says otherwise (`--default-slo-period`).
pub const PERIOD: Length = Length::from_days(30);

/// What an `AlertWindows` document says.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    /// The period that it is for.
    pub period: Length,
    /// Page quick, page slow, ticket quick, ticket slow.
    pub tiers: Vec<PolicyTier>,
}

/// Name of the policy that a document makes.
pub const POLICY: &str = "sloth-windows";

/// The period of all Sloth SLOs, and their policy where a document makes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Catalogue {
    /// `W`.
    pub period: Length,
    /// In place of the preset.
    pub policy: Option<Arc<Policy>>,
}

impl Windows {
    /// The policy of all Sloth SLOs.
    #[must_use]
    pub fn policy(self) -> Policy {
        let description = format!("Sloth's tiers for {}, by `AlertWindows`.", self.period);
        let periods = Vec::new();
        Policy { name: POLICY.to_owned(), description, tiers: self.tiers, periods, scale_below: None, on_deploy: None }
    }
}

/// Reads the document; what is wrong is noted, and a document with an error in it is left out.
pub fn read_windows(reader: &mut Reader<'_>, root: NodeId) -> Option<Windows> {
    let document = reader.document();
    keys(reader, root, &["apiVersion", "kind", "metadata", "spec"], Unknown::Ignored);
    let Some(spec) = document.child(root, "spec") else {
        reader.missing(root, "spec", "the period and its four pairs of windows");
        return None;
    };
    if !keys(reader, spec, &["sloPeriod", "page", "ticket"], Unknown::Ignored) {
        return None;
    }
    let period = read_length(reader, spec, "sloPeriod", "the period that the windows are for, such as 30d");
    let mut tiers = Vec::new();
    for (key, severity) in [("page", AlertSeverity::Page), ("ticket", AlertSeverity::Ticket)] {
        let pair = document.child(spec, key).filter(|pair| keys(reader, *pair, &["quick", "slow"], Unknown::Ignored));
        for speed in ["quick", "slow"] {
            let window = pair.and_then(|pair| document.child(pair, speed));
            let Some(window) = window else {
                let finding = Diagnostic::error(codes::MISSING_KEY, format!("`{key}.{speed}` is missing"));
                let help = "all four pairs have to be there, whether or not their alerts are used";
                reader.report(pair.unwrap_or(spec), finding.with_help(help));
                tiers.push(None);
                continue;
            };
            tiers.push(read_tier(reader, window, severity, period));
        }
    }
    let tiers = tiers.into_iter().collect::<Option<Vec<PolicyTier>>>();
    Some(Windows { period: period?, tiers: tiers? })
}

fn read_length(reader: &mut Reader<'_>, node: NodeId, key: &str, help: &str) -> Option<Length> {
    let written = required(reader, node, key, help)?;
    let length = prometheus_duration(written).filter(|length| *length > Length::ZERO);
    if length.is_none() {
        let message = format!("`{written}` is not a duration above zero, such as 1h or 30d");
        reader.report_in(node, key, Diagnostic::error(codes::BAD_DURATION, message));
    }
    length
}

fn read_tier(
    reader: &mut Reader<'_>,
    node: NodeId,
    severity: AlertSeverity,
    period: Option<Length>,
) -> Option<PolicyTier> {
    if !keys(reader, node, &["errorBudgetPercent", "shortWindow", "longWindow"], Unknown::Ignored) {
        return None;
    }
    let percent = read_percent(reader, node);
    let short = read_length(reader, node, "shortWindow", "the window that confirms, such as 5m");
    let long = read_length(reader, node, "longWindow", "the window that the budget is spent in, such as 1h");
    let (percent, short, long, period) = (percent?, short?, long?, period?);
    let share = percent / Decimal::ONE_HUNDRED;
    if long > period {
        let message = format!("the long window, {long}, is longer than the period of {period}");
        reader.report_in(node, "longWindow", Diagnostic::warning(codes::POLICY_MISFIT, message));
    }
    let mut threshold = BurnThreshold::Spend(share);
    let mut windows = (long, short);
    if short >= long {
        let message = format!("the short window, {short}, is not shorter than the long one, {long}");
        let finding = Diagnostic::warning(codes::BAD_TIER, message);
        reader.report_in(node, "shortWindow", finding.with_help("the short window shows that it still happens"));
    }
    if short > long {
        // The factor is that of the long window as Sloth calls it; both windows have to be above it.
        let spent = share.checked_mul(Decimal::from(period.millis()));
        let Some(factor) = spent.and_then(|spent| spent.checked_div(Decimal::from(long.millis()))) else {
            let message = "this percentage makes a factor out of all bounds";
            reader.report_in(node, "errorBudgetPercent", Diagnostic::error(codes::BAD_NUMBER, message));
            return None;
        };
        threshold = BurnThreshold::Factor(factor);
        windows = (short, long);
    }
    let kind = TierKind::Burn { threshold, over: windows.0.into(), confirm: Some(windows.1.into()) };
    Some(PolicyTier { severity, kind, gates: Gates::default(), for_part: None })
}

fn read_percent(reader: &mut Reader<'_>, node: NodeId) -> Option<Decimal> {
    let key = "errorBudgetPercent";
    let written = required(reader, node, key, "the percentage of the budget, such as 2")?;
    let percent = written.parse::<Decimal>().or_else(|_| Decimal::from_scientific(written)).ok();
    let Some(percent) = percent.filter(|percent| *percent > Decimal::ZERO) else {
        let message = match percent {
            Some(percent) if percent.is_zero() => format!("`{key}` is missing: 0 is nothing to Sloth"),
            Some(_) => format!("{written}% of the budget is always spent, so the alert would never end"),
            None => format!("`{written}` is not a number of percent"),
        };
        reader.report_in(node, key, Diagnostic::error(codes::BAD_NUMBER, message));
        return None;
    };
    if percent > Decimal::ONE_HUNDRED {
        let message = format!("{written}% is more than the whole budget");
        reader.report_in(node, key, Diagnostic::warning(codes::BAD_NUMBER, message));
    }
    Some(percent)
}
