//! Reads one tier of a policy: its kind, and its gates (FORMATS 2).
//!
//! Every kind of SEMANTICS 5 is one key of the tier. What is wrong is noted at its place and the tier is left out.

use std::num::NonZeroU32;
use std::sync::Arc;

use rust_decimal::Decimal;

use crate::diag::{Diagnostic, codes};
use crate::spec::policy::{BurnThreshold, FalsePages, Gates, PolicyLength, PolicyTier, SEVERITIES, TierKind};
use crate::spec::value;
use crate::spec::written::{
    ActiveItem, AfterItem, BudgetDropItem, BudgetLeftItem, BurnItem, ExhaustsItem, NoTrafficItem, SliBelowItem,
    TIER_KINDS, TierItem,
};
use crate::units::{Length, Objective, Schedule, ScheduleError, decimal_to_f64};
use crate::yaml::{NodeId, Reader};

/// The zone of a schedule that names none.
const DEFAULT_ZONE: &str = "UTC";

/// A tier; `None` where anything is wrong with it.
pub fn read_tier(reader: &mut Reader<'_>, node: NodeId) -> Option<PolicyTier> {
    let before = reader.count();
    let item: TierItem = reader.decode(node)?;
    if item.severity.is_none() {
        reader.missing(node, "severity", "`page`, `ticket` or `notice`");
    }
    let severity = value::choice(reader, node, "severity", item.severity.as_deref(), SEVERITIES);
    let kind = read_kind(reader, node, reader.count() == before);
    let wait = policy_length(reader, node, "for", item.for_.as_deref(), value::length);
    let gates = read_gates(reader, node, &item, wait);
    Some(PolicyTier { severity: severity?, kind: kind?, gates, for_part: part(wait) })
}

/// The one kind of a tier; `complete` where nothing else was wrong, so that a missing kind is worth telling.
fn read_kind(reader: &mut Reader<'_>, node: NodeId, complete: bool) -> Option<TierKind> {
    let document = reader.document();
    let kinds: Vec<NodeId> = TIER_KINDS.iter().filter_map(|key| document.child(node, key)).collect();
    if let Some(second) = kinds.get(1) {
        let finding = Diagnostic::error(codes::BAD_TIER, "a tier has one kind, and this one has several");
        reader.report_key(*second, finding.with_help("write a tier for each"));
    }
    let Some(kind) = kinds.first().copied() else {
        if complete {
            let finding = Diagnostic::error(codes::MISSING_KEY, "this tier does not say when it matches");
            let kinds = TIER_KINDS.iter().map(|kind| format!("`{kind}`")).collect::<Vec<_>>().join(", ");
            reader.report(node, finding.with_help(format!("add one of {kinds}")));
        }
        return None;
    };
    match document.key(kind)? {
        "burn" => read_burn(reader, kind),
        "exhausts" => read_exhausts(reader, kind),
        "budget_left" => read_budget_left(reader, kind),
        "budget_drop" => read_budget_drop(reader, kind),
        "sli_below" => read_sli_below(reader, kind),
        "no_traffic" => read_no_traffic(reader, kind),
        "down" => read_after(reader, kind).map(|after| TierKind::Down { after }),
        _ => read_after(reader, kind).map(|after| TierKind::NoData { after }),
    }
}

fn read_after(reader: &mut Reader<'_>, node: NodeId) -> Option<Length> {
    let item: AfterItem = reader.decode(node)?;
    if item.after.is_none() {
        reader.missing(node, "after", "how long it has to last, such as 3m");
    }
    value::positive_length(reader, node, "after", item.after.as_deref())
}

fn read_burn(reader: &mut Reader<'_>, node: NodeId) -> Option<TierKind> {
    let item: BurnItem = reader.decode(node)?;
    let factor = value::positive(reader, node, "factor", item.factor.as_deref());
    let spend = budget_share(reader, node, "spend", item.spend.as_deref());
    if item.factor.is_some() && item.spend.is_some() {
        let finding = Diagnostic::error(codes::BAD_TIER, "`factor` and `spend` say the same thing twice");
        reader.report_in(node, "spend", finding.with_help("keep one of the two"));
    }
    if item.factor.is_none() && item.spend.is_none() {
        reader.missing(node, "factor", "a burn rate such as 14.4, or `spend`, a share of the budget such as 2%");
    }
    let over = read_over(reader, node, item.over.as_deref());
    let confirm = policy_length(reader, node, "confirm", item.confirm.as_deref(), value::positive_length);
    if let (Some(over), Some(confirm)) = (over, confirm)
        && is_longer(confirm, over)
    {
        let message = format!("`confirm` ({confirm}) is longer than `over` ({over})");
        let finding = Diagnostic::error(codes::BAD_TIER, message);
        reader.report_in(node, "confirm", finding.with_help("the confirming window is the short one"));
    }
    let threshold = factor.map(BurnThreshold::Factor).or(spend.map(BurnThreshold::Spend));
    Some(TierKind::Burn { threshold: threshold?, over: over?, confirm })
}

fn read_exhausts(reader: &mut Reader<'_>, node: NodeId) -> Option<TierKind> {
    let item: ExhaustsItem = reader.decode(node)?;
    if item.within.is_none() {
        reader.missing(node, "within", "how soon the budget would be gone, such as 4h");
    }
    if item.lookback.is_none() {
        reader.missing(node, "lookback", "what the burn is taken from, such as 30m");
    }
    let within = value::positive_length(reader, node, "within", item.within.as_deref());
    let lookback = policy_length(reader, node, "lookback", item.lookback.as_deref(), value::positive_length);
    let min_burn = match item.min_burn.as_deref() {
        Some(text) => value::positive(reader, node, "min_burn", Some(text))?,
        None => Decimal::ONE,
    };
    Some(TierKind::Exhausts { within: within?, lookback: lookback?, min_burn })
}

fn read_budget_left(reader: &mut Reader<'_>, node: NodeId) -> Option<TierKind> {
    let item: BudgetLeftItem = reader.decode(node)?;
    if item.below.is_none() {
        reader.missing(node, "below", "a share of the budget, such as 25%");
    }
    let below = value::percentage(reader, node, "below", item.below.as_deref())?;
    if below > Decimal::ONE {
        let message = "`below` has to be at most 100%: no more than all of the budget is ever left";
        reader.report_in(node, "below", Diagnostic::error(codes::BAD_NUMBER, message));
        return None;
    }
    Some(TierKind::BudgetLeft { below })
}

fn read_budget_drop(reader: &mut Reader<'_>, node: NodeId) -> Option<TierKind> {
    let item: BudgetDropItem = reader.decode(node)?;
    if item.drop.is_none() {
        reader.missing(node, "drop", "a share of the budget, such as 25%");
    }
    let drop = budget_share(reader, node, "drop", item.drop.as_deref());
    let over = read_over(reader, node, item.over.as_deref());
    Some(TierKind::BudgetDrop { drop: drop?, over: over? })
}

fn read_sli_below(reader: &mut Reader<'_>, node: NodeId) -> Option<TierKind> {
    let item: SliBelowItem = reader.decode(node)?;
    if item.target.is_none() {
        reader.missing(node, "target", "the least good share of the window, such as 99.95%");
    }
    let target = value::parsed::<Objective>(reader, node, "target", item.target.as_deref(), codes::BAD_OBJECTIVE);
    let over = read_over(reader, node, item.over.as_deref());
    Some(TierKind::SliBelow { target: target?, over: over? })
}

fn read_no_traffic(reader: &mut Reader<'_>, node: NodeId) -> Option<TierKind> {
    let item: NoTrafficItem = reader.decode(node)?;
    let over = read_over(reader, node, item.over.as_deref());
    let min_total = match item.min_total.as_deref() {
        Some(text) => value::events(reader, node, "min_total", Some(text))?,
        None => 0.0,
    };
    Some(TierKind::NoTraffic { over: over?, min_total })
}

fn read_over(reader: &mut Reader<'_>, node: NodeId, written: Option<&str>) -> Option<PolicyLength> {
    if written.is_none() {
        reader.missing(node, "over", "the long window, such as 1h");
    }
    policy_length(reader, node, "over", written, value::positive_length)
}

/// A share of the budget above zero.
fn budget_share(reader: &mut Reader<'_>, node: NodeId, key: &str, written: Option<&str>) -> Option<Decimal> {
    let share = value::percentage(reader, node, key, written)?;
    if share.is_zero() || share.is_sign_negative() {
        reader.report_in(node, key, Diagnostic::error(codes::BAD_NUMBER, format!("`{key}` has to be above 0%")));
        return None;
    }
    Some(share)
}

/// A length as `fixed` reads it, or a part of the period: `W/672`.
fn policy_length(
    reader: &mut Reader<'_>,
    node: NodeId,
    key: &str,
    written: Option<&str>,
    fixed: fn(&mut Reader<'_>, NodeId, &str, Option<&str>) -> Option<Length>,
) -> Option<PolicyLength> {
    let Some(part) = written?.trim().strip_prefix("W/") else {
        return fixed(reader, node, key, written).map(PolicyLength::Fixed);
    };
    let part = part.trim().parse::<NonZeroU32>().ok().map(PolicyLength::Part);
    if part.is_none() {
        let finding = Diagnostic::error(codes::BAD_DURATION, format!("`{key}` is not a part of the period"));
        reader.report_in(node, key, finding.with_help("write it like W/672, with a whole number, or as a length"));
    }
    part
}

/// Whether `a` is longer than `b` at every period.
fn is_longer(a: PolicyLength, b: PolicyLength) -> bool {
    match (a, b) {
        (PolicyLength::Fixed(a), PolicyLength::Fixed(b)) => a > b,
        (PolicyLength::Part(a), PolicyLength::Part(b)) => a < b,
        _ => false,
    }
}

const fn part(length: Option<PolicyLength>) -> Option<NonZeroU32> {
    match length {
        Some(PolicyLength::Part(part)) => Some(part),
        _ => None,
    }
}

fn read_gates(reader: &mut Reader<'_>, node: NodeId, item: &TierItem, wait: Option<PolicyLength>) -> Gates {
    let open = Gates::default();
    let hold = value::percentage(reader, node, "hold", item.hold.as_deref()).map(decimal_to_f64);
    if hold.is_some_and(|hold| hold <= 0.0 || hold > 1.0) {
        let finding = Diagnostic::error(codes::BAD_NUMBER, "`hold` has to be above 0% and at most 100%");
        reader.report_in(node, "hold", finding);
    }
    Gates {
        min_bad: value::events(reader, node, "min_bad", item.min_bad.as_deref()).unwrap_or(open.min_bad),
        min_total: value::events(reader, node, "min_total", item.min_total.as_deref()).unwrap_or(open.min_total),
        for_: match wait {
            Some(PolicyLength::Fixed(wait)) => wait,
            _ => open.for_,
        },
        keep_firing_for: value::length(reader, node, "keep_firing_for", item.keep_firing_for.as_deref())
            .unwrap_or(open.keep_firing_for),
        hold: hold.unwrap_or(open.hold),
        active: read_active(reader, node).map(Arc::new),
        max_false_pages: read_false_pages(reader, node, item.max_false_pages.as_deref()),
    }
}

/// `active: {cron: "0 9 * * Mon-Fri", for: 9h, zone: Europe/Berlin}` of a tier or a route.
pub fn read_active(reader: &mut Reader<'_>, parent: NodeId) -> Option<Schedule> {
    let node = reader.document().child(parent, "active")?;
    let item: ActiveItem = reader.decode(node)?;
    if item.cron.is_none() {
        reader.missing(node, "cron", "when a window begins, such as \"0 9 * * Mon-Fri\"");
    }
    read_schedule(reader, node, (item.cron.as_deref(), item.for_.as_deref(), item.zone.as_deref()))
}

/// `cron`, `for` and `zone` of a mapping: windows that come back. What is wrong is noted; that `cron` is missing is the
/// caller's to say.
pub(super) fn read_schedule(
    reader: &mut Reader<'_>,
    node: NodeId,
    (cron, for_, zone): (Option<&str>, Option<&str>, Option<&str>),
) -> Option<Schedule> {
    if for_.is_none() {
        reader.missing(node, "for", "how long each window lasts, such as 9h");
    }
    let length = value::positive_length(reader, node, "for", for_);
    let schedule = Schedule::new(cron?, length.unwrap_or(Length::ZERO), zone.unwrap_or(DEFAULT_ZONE));
    match schedule {
        Ok(schedule) => length.map(|_| schedule),
        Err(error) => {
            let (key, code, help) = match error {
                ScheduleError::Cron(_) => {
                    let help = "five fields: minute, hour, day, month, day of the week; or six with seconds first";
                    ("cron", codes::BAD_DURATION, help)
                }
                ScheduleError::Zone(_) => ("zone", codes::BAD_CHOICE, "a name such as Europe/Berlin, or UTC"),
            };
            reader.report_in(node, key, Diagnostic::error(code, error.to_string()).with_help(help));
            None
        }
    }
}

/// `max_false_pages: 0.1/30d`.
fn read_false_pages(reader: &mut Reader<'_>, node: NodeId, written: Option<&str>) -> Option<FalsePages> {
    let text = written?;
    let parts = text.split_once('/').and_then(|(most, within)| {
        let most: Decimal = most.trim().parse().ok().filter(|most| *most > Decimal::ZERO)?;
        let within: Length = within.trim().parse().ok().filter(|within| *within > Length::ZERO)?;
        Some(FalsePages { most: decimal_to_f64(most), within })
    });
    if parts.is_none() {
        let message = format!("`{text}` is not a number of false pages in a time");
        let finding = Diagnostic::error(codes::BAD_NUMBER, message);
        reader.report_in(node, "max_false_pages", finding.with_help("write it like 0.1/30d"));
    }
    parts
}
