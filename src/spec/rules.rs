//! Reads `policy/v1` documents.

use crate::diag::{Diagnostic, codes};
use crate::spec::policy::{PeriodTiers, Policy, PolicyTier};
use crate::spec::tiers::read_tier;
use crate::spec::value;
use crate::spec::written::{PeriodItem, PolicyFile, PolicyItem};
use crate::units::Length;
use crate::yaml::{NodeId, Reader, Shape};

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
    let has_periods = reader.document().child(node, "periods").is_some();
    let (tiers, periods) = if has_periods {
        (Vec::new(), read_periods(reader, node))
    } else {
        (read_tiers(reader, node), Vec::new())
    };
    let description = item.description.unwrap_or_default();
    let policy = Policy { name: name?, description, tiers, periods, scale_below };
    (reader.count() == before).then_some(ReadPolicy { policy, replaces_preset: replaces.is_some(), node })
}

/// `tiers`, for any period.
fn read_tiers(reader: &mut Reader<'_>, node: NodeId) -> Vec<PolicyTier> {
    let nodes = reader.items(node, "tiers");
    if nodes.is_empty() {
        reader.missing(node, "tiers", "at least one, such as {severity: page, burn: {factor: 14.4, over: 1h}}");
    }
    if let Some(extra) = nodes.get(MAX_TIERS) {
        let finding = Diagnostic::error(codes::LIMIT, format!("a policy has at most {MAX_TIERS} tiers"));
        reader.report(*extra, finding);
    }
    nodes.iter().filter_map(|tier| read_tier(reader, *tier)).collect()
}

/// `periods`: tiers of their own for some periods.
fn read_periods(reader: &mut Reader<'_>, node: NodeId) -> Vec<PeriodTiers> {
    let document = reader.document();
    if let Some(tiers) = document.child(node, "tiers") {
        let finding = Diagnostic::error(codes::BAD_TIER, "`tiers` and `periods` do not go together");
        reader.report_key(tiers, finding.with_help("move these tiers into `periods`, or take one of the two out"));
    }
    let items = reader.items(node, "periods");
    if items.is_empty() {
        reader.missing(node, "periods", "at least one, such as {windows: [30d], tiers: [...]}");
    }
    let mut periods: Vec<PeriodTiers> = Vec::new();
    for item in items {
        if reader.decode::<PeriodItem>(*item).is_none() {
            continue;
        }
        let windows = read_windows(reader, *item, &periods);
        periods.push(PeriodTiers { windows, tiers: read_tiers(reader, *item) });
    }
    periods
}

/// `windows: [30d, 28d]`; a window that an earlier period has is noted.
fn read_windows(reader: &mut Reader<'_>, node: NodeId, earlier: &[PeriodTiers]) -> Vec<Length> {
    let document = reader.document();
    let nodes = reader.items(node, "windows");
    if nodes.is_empty() {
        reader.missing(node, "windows", "the periods that these tiers are for, such as [30d, 28d]");
    }
    let mut windows: Vec<Length> = Vec::new();
    for item in nodes {
        if !reader.expect(*item, Shape::Text) {
            continue;
        }
        let window = match document.text(*item).unwrap_or_default().parse::<Length>() {
            Ok(window) if window > Length::ZERO => window,
            Ok(_) => {
                reader.report(*item, Diagnostic::error(codes::BAD_DURATION, "a period has to be longer than zero"));
                continue;
            }
            Err(error) => {
                reader.report(*item, Diagnostic::error(codes::BAD_DURATION, error.to_string()));
                continue;
            }
        };
        if windows.contains(&window) || earlier.iter().any(|period| period.windows.contains(&window)) {
            let finding = Diagnostic::error(codes::BAD_TIER, format!("the period {window} has tiers already"));
            reader.report(*item, finding.with_help("name each period once"));
        }
        windows.push(window);
    }
    windows
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
