//! Reads `policy/v1` documents.

use crate::diag::{Diagnostic, codes};
use crate::spec::policy::{AlertSeverity, BurnThreshold, Gates, Policy, PolicyLength, PolicyTier, TierKind};
use crate::spec::value;
use crate::spec::written::{AfterItem, BurnItem, PolicyFile, PolicyItem, TierItem};
use crate::units::{Length, decimal_to_f64};
use crate::yaml::{NodeId, Reader};

/// The severities by name.
pub const SEVERITIES: &[(&str, AlertSeverity)] =
    &[("page", AlertSeverity::Page), ("ticket", AlertSeverity::Ticket), ("notice", AlertSeverity::Notice)];

/// Most tiers of a policy: sets of tiers are 64 bits wide.
const MAX_TIERS: usize = 64;

/// A policy as it stands in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadPolicy {
    /// What it means.
    pub policy: Policy,
    /// Whether it says `replaces: preset`.
    pub replaces_preset: bool,
    /// Its item in the document.
    pub node: NodeId,
}

/// The policies of a document; what is wrong is noted, and a policy with anything wrong in it is left out.
pub fn read_policies(reader: &mut Reader<'_>, root: NodeId) -> Vec<ReadPolicy> {
    if reader.decode::<PolicyFile>(root).is_none() {
        return Vec::new();
    }
    if reader.document().child(root, "policies").is_none() {
        reader.missing(root, "policies", "a list of policies");
    }
    let items = reader.items(root, "policies");
    items.iter().filter_map(|item| read_policy(reader, *item)).collect()
}

fn read_policy(reader: &mut Reader<'_>, node: NodeId) -> Option<ReadPolicy> {
    let before = reader.count();
    let item: PolicyItem = reader.decode(node)?;
    if item.name.is_none() {
        reader.missing(node, "name", "SLOs name it in `policy`");
    }
    let name = value::name(reader, node, "name", item.name);
    let scale_below = value::positive_length(reader, node, "scale_below", item.scale_below.as_deref());
    let replaces = value::choice(reader, node, "replaces", item.replaces.as_deref(), &[("preset", ())]);
    let nodes = reader.items(node, "tiers");
    if nodes.is_empty() {
        reader.missing(node, "tiers", "at least one, such as {severity: page, burn: {factor: 14.4, over: 1h}}");
    }
    if let Some(extra) = nodes.get(MAX_TIERS) {
        let finding = Diagnostic::error(codes::LIMIT, format!("a policy has at most {MAX_TIERS} tiers"));
        reader.report(*extra, finding);
    }
    let tiers: Vec<PolicyTier> = nodes.iter().filter_map(|tier| read_tier(reader, *tier)).collect();
    let policy = Policy {
        name: name?,
        description: item.description.unwrap_or_default(),
        tiers,
        periods: Vec::new(),
        scale_below,
    };
    (reader.count() == before).then_some(ReadPolicy { policy, replaces_preset: replaces.is_some(), node })
}

fn read_tier(reader: &mut Reader<'_>, node: NodeId) -> Option<PolicyTier> {
    let before = reader.count();
    let item: TierItem = reader.decode(node)?;
    if item.severity.is_none() {
        reader.missing(node, "severity", "`page`, `ticket` or `notice`");
    }
    let severity = value::choice(reader, node, "severity", item.severity.as_deref(), SEVERITIES);
    let kind = read_kind(reader, node, reader.count() == before);
    let gates = read_gates(reader, node, &item);
    Some(PolicyTier { severity: severity?, kind: kind?, gates, for_part: None })
}

/// The one kind of a tier; `complete` where nothing else was wrong, so that a missing kind is worth telling.
fn read_kind(reader: &mut Reader<'_>, node: NodeId, complete: bool) -> Option<TierKind> {
    let document = reader.document();
    let child = |key: &str| document.child(node, key);
    let kinds: Vec<NodeId> = ["burn", "down", "no_data"].into_iter().filter_map(child).collect();
    if let Some(second) = kinds.get(1) {
        let finding = Diagnostic::error(codes::BAD_TIER, "a tier has one kind, and this one has several");
        reader.report_key(*second, finding.with_help("write a tier for each"));
    }
    let Some(kind) = kinds.first().copied() else {
        if complete {
            let finding = Diagnostic::error(codes::MISSING_KEY, "this tier does not say when it matches");
            reader.report(node, finding.with_help("add `burn`, `down` or `no_data`"));
        }
        return None;
    };
    match document.key(kind) {
        Some("burn") => read_burn(reader, kind),
        Some("down") => read_after(reader, kind).map(|after| TierKind::Down { after }),
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
    let spend = value::percentage(reader, node, "spend", item.spend.as_deref());
    if spend.is_some_and(|spend| spend.is_zero() || spend.is_sign_negative()) {
        reader.report_in(node, "spend", Diagnostic::error(codes::BAD_NUMBER, "`spend` has to be above 0%"));
    }
    if item.factor.is_some() && item.spend.is_some() {
        let finding = Diagnostic::error(codes::BAD_TIER, "`factor` and `spend` say the same thing twice");
        reader.report_in(node, "spend", finding.with_help("keep one of the two"));
    }
    if item.factor.is_none() && item.spend.is_none() {
        reader.missing(node, "factor", "a burn rate such as 14.4, or `spend`, a share of the budget such as 2%");
    }
    if item.over.is_none() {
        reader.missing(node, "over", "the long window, such as 1h");
    }
    let over = value::positive_length(reader, node, "over", item.over.as_deref());
    let confirm = value::positive_length(reader, node, "confirm", item.confirm.as_deref());
    if let (Some(over), Some(confirm)) = (over, confirm)
        && confirm > over
    {
        let message = format!("`confirm` ({confirm}) is longer than `over` ({over})");
        let finding = Diagnostic::error(codes::BAD_TIER, message);
        reader.report_in(node, "confirm", finding.with_help("the confirming window is the short one"));
    }
    let threshold = factor.map(BurnThreshold::Factor).or(spend.map(BurnThreshold::Spend));
    Some(TierKind::Burn { threshold: threshold?, over: over?.into(), confirm: confirm.map(PolicyLength::from) })
}

fn read_gates(reader: &mut Reader<'_>, node: NodeId, item: &TierItem) -> Gates {
    let open = Gates::default();
    let hold = value::percentage(reader, node, "hold", item.hold.as_deref()).map(decimal_to_f64);
    if hold.is_some_and(|hold| hold <= 0.0 || hold > 1.0) {
        let finding = Diagnostic::error(codes::BAD_NUMBER, "`hold` has to be above 0% and at most 100%");
        reader.report_in(node, "hold", finding);
    }
    Gates {
        min_bad: value::events(reader, node, "min_bad", item.min_bad.as_deref()).unwrap_or(open.min_bad),
        min_total: value::events(reader, node, "min_total", item.min_total.as_deref()).unwrap_or(open.min_total),
        for_: value::length(reader, node, "for", item.for_.as_deref()).unwrap_or(open.for_),
        keep_firing_for: value::length(reader, node, "keep_firing_for", item.keep_firing_for.as_deref())
            .unwrap_or(open.keep_firing_for),
        hold: hold.unwrap_or(open.hold),
        ..open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Place;
    use crate::yaml::{SourceText, parse};

    fn read(tiers: &str) -> (Vec<ReadPolicy>, Vec<(&'static str, Place)>) {
        let text = format!("version: policy/v1\npolicies:\n  - name: house\n    tiers:\n{tiers}");
        let stream = parse(&SourceText::named("rules.yaml", text));
        let document = &stream.documents[0].0;
        let mut reader = Reader::new(document);
        let policies = read_policies(&mut reader, document.root());
        let at = |finding: Diagnostic| finding.place.map(|place| (finding.code, place));
        (policies, reader.into_findings().into_iter().filter_map(at).collect())
    }

    #[test]
    fn a_tier_with_all_its_gates_is_read() {
        let (policies, findings) = read(
            "      - {severity: page, burn: {spend: 2%, over: 1h, confirm: 5m}, min_bad: 3, min_total: 10, for: 2m, \
             keep_firing_for: 10m, hold: 50%}\n",
        );
        assert_eq!(findings, []);
        let tier = &policies[0].policy.tiers[0];
        let threshold = BurnThreshold::Spend("0.02".parse().unwrap());
        let (over, confirm) = (Length::from_hours(1), Some(Length::from_minutes(5)));
        assert_eq!(
            tier.kind,
            TierKind::Burn { threshold, over: over.into(), confirm: confirm.map(PolicyLength::from) }
        );
        let (for_, keep_firing_for) = (Length::from_minutes(2), Length::from_minutes(10));
        assert_eq!(
            tier.gates,
            Gates { min_bad: 3.0, min_total: 10.0, for_, keep_firing_for, hold: 0.5, ..Gates::default() }
        );
    }

    #[test]
    fn everything_wrong_with_tiers_is_found_at_once() {
        for (tier, expected) in [
            ("{severity: pages, down: {after: 3m}}", vec![(codes::BAD_CHOICE, "pages")]),
            ("{down: {after: 3m}}", vec![(codes::MISSING_KEY, "{down: {after: 3m}}")]),
            ("{severity: page}", vec![(codes::MISSING_KEY, "{severity: page}")]),
            ("{severity: page, down: {}}", vec![(codes::MISSING_KEY, "{}")]),
            ("{severity: page, down: {after: 0s}}", vec![(codes::BAD_DURATION, "0s")]),
            ("{severity: page, down: {after: 3m}, no_data: {after: 3m}}", vec![(codes::BAD_TIER, "no_data")]),
            (
                "{severity: page, burn: {factor: 0, over: x}}",
                vec![(codes::BAD_NUMBER, "0"), (codes::BAD_DURATION, "x")],
            ),
            ("{severity: page, burn: {factor: 1, spend: 2%, over: 1h}}", vec![(codes::BAD_TIER, "2%")]),
            ("{severity: page, burn: {spend: 2, over: 1h}}", vec![(codes::BAD_NUMBER, "2")]),
            ("{severity: page, burn: {factor: 1, over: 1h, confirm: 2h}}", vec![(codes::BAD_TIER, "2h")]),
            ("{severity: page, down: {after: 3m}, hold: 120%}", vec![(codes::BAD_NUMBER, "120%")]),
            ("{severity: page, down: {after: 3m}, min_bad: -1}", vec![(codes::BAD_NUMBER, "-1")]),
            ("{severity: page, exhausts: {within: 4h}}", vec![(codes::NOT_BUILT, "exhausts")]),
            ("{severity: page, down: {after: 3m}, active: {}}", vec![(codes::NOT_BUILT, "active")]),
            ("{severity: page, brun: {over: 1h}}", vec![(codes::UNKNOWN_KEY, "brun")]),
        ] {
            let (policies, findings) = read(&format!("      - {tier}\n"));
            let at = |place: &Place| tier.get(place.column as usize - 9..place.end_column as usize - 9).unwrap();
            let findings: Vec<_> = findings.iter().map(|(code, place)| (*code, at(place))).collect();
            assert_eq!(findings, expected, "{tier}");
            assert!(policies.is_empty(), "{tier}");
        }
    }
}
