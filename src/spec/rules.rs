//! Reads `policy/v1` documents.

use crate::diag::{Diagnostic, codes};
use crate::spec::policy::{AlertSeverity, OnDeploy, PeriodTiers, Policy, PolicyTier, SEVERITIES};
use crate::spec::tiers::read_tier;
use crate::spec::value;
use crate::spec::written::{OnDeployItem, PeriodItem, PolicyFile, PolicyItem};
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
    let (tiers, periods) =
        if has_periods { (Vec::new(), read_periods(reader, node)) } else { (read_tiers(reader, node), Vec::new()) };
    let description = item.description.unwrap_or_default();
    let on_deploy = read_on_deploy(reader, node);
    let policy = Policy { name: name?, description, tiers, periods, scale_below, on_deploy };
    (reader.count() == before).then_some(ReadPolicy { policy, replaces_preset: replaces.is_some(), node })
}

/// `on_deploy: {hold: 10m, severities: [ticket]}`.
fn read_on_deploy(reader: &mut Reader<'_>, policy: NodeId) -> Option<OnDeploy> {
    let document = reader.document();
    let node = document.child(policy, "on_deploy").filter(|node| document.shape(*node) != Shape::Nothing)?;
    let item: OnDeployItem = reader.decode(node)?;
    if item.hold.is_none() {
        reader.missing(node, "hold", "how long alerts are held back after a deploy, such as 10m");
    }
    let hold = value::positive_length(reader, node, "hold", item.hold.as_deref());
    let mut severities = Vec::new();
    for item in reader.items(node, "severities") {
        if !reader.expect(*item, Shape::Text) {
            continue;
        }
        let text = document.text(*item).unwrap_or_default();
        match SEVERITIES.iter().find(|(name, _)| *name == text) {
            Some((_, severity)) => severities.push(*severity),
            None => {
                reader.report(*item, value::not_among("severities", text, SEVERITIES.iter().map(|(name, _)| *name)));
            }
        }
    }
    if document.child(node, "severities").is_none() {
        // A page after a deploy is what a deploy is watched for.
        severities = vec![AlertSeverity::Ticket, AlertSeverity::Notice];
    }
    Some(OnDeploy { hold: hold?, severities })
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
    use crate::spec::policy::{BurnThreshold, FalsePages, Gates, PolicyLength, TierKind};
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
            ("{severity: page, exhausts: {within: 4h}}", vec![(codes::MISSING_KEY, "{within: 4h}")]),
            (
                "{severity: page, exhausts: {within: 4h, lookback: W/0, min_burn: x}}",
                vec![(codes::BAD_DURATION, "W/0"), (codes::BAD_NUMBER, "x")],
            ),
            ("{severity: page, budget_left: {below: 0.25}}", vec![(codes::BAD_NUMBER, "0.25")]),
            ("{severity: page, budget_left: {below: 125%}}", vec![(codes::BAD_NUMBER, "125%")]),
            ("{severity: page, budget_drop: {drop: 0%, over: 1d}}", vec![(codes::BAD_NUMBER, "0%")]),
            ("{severity: page, sli_below: {target: 0.999, over: 1d}}", vec![(codes::BAD_OBJECTIVE, "0.999")]),
            ("{severity: page, no_traffic: {over: 1d, min_total: -1}}", vec![(codes::BAD_NUMBER, "-1")]),
            ("{severity: page, burn: {factor: 1, over: W/112, confirm: W/7}}", vec![(codes::BAD_TIER, "W/7")]),
            ("{severity: page, burn: {factor: 1, over: W/x}}", vec![(codes::BAD_DURATION, "W/x")]),
            (
                "{severity: page, down: {after: 3m}, active: {}}",
                vec![(codes::MISSING_KEY, "{}"), (codes::MISSING_KEY, "{}")],
            ),
            (
                "{severity: page, down: {after: 3m}, active: {cron: 0 25 * * *, for: 1h}}",
                vec![(codes::BAD_DURATION, "0 25 * * *")],
            ),
            (
                "{severity: page, down: {after: 3m}, active: {cron: 0 9 * * *, for: 1h, zone: Berlin}}",
                vec![(codes::BAD_CHOICE, "Berlin")],
            ),
            ("{severity: page, down: {after: 3m}, max_false_pages: 3}", vec![(codes::BAD_NUMBER, "3")]),
            ("{severity: page, down: {after: 3m}, max_false_pages: 0/30d}", vec![(codes::BAD_NUMBER, "0/30d")]),
        ] {
            let (policies, findings) = read(&format!("      - {tier}\n"));
            let at = |place: &Place| tier.get(place.column as usize - 9..place.end_column as usize - 9).unwrap();
            let findings: Vec<_> = findings.iter().map(|(code, place)| (*code, at(place))).collect();
            assert_eq!(findings, expected, "{tier}");
            assert!(policies.is_empty(), "{tier}");
        }
    }

    fn only(tier: &str) -> PolicyTier {
        let (mut policies, findings) = read(&format!("      - {tier}\n"));
        assert_eq!(findings, [], "{tier}");
        policies.remove(0).policy.tiers.remove(0)
    }

    #[test]
    fn every_kind_is_read() {
        let fixed = |text: &str| PolicyLength::Fixed(text.parse().unwrap());
        let decimal = |text: &str| text.parse().unwrap();
        for (tier, kind) in [
            (
                "{severity: page, exhausts: {within: 4h, lookback: 30m, min_burn: 6}}",
                TierKind::Exhausts { within: Length::from_hours(4), lookback: fixed("30m"), min_burn: decimal("6") },
            ),
            (
                "{severity: page, exhausts: {within: 4h, lookback: 30m}}",
                TierKind::Exhausts { within: Length::from_hours(4), lookback: fixed("30m"), min_burn: decimal("1") },
            ),
            ("{severity: ticket, budget_left: {below: 25%}}", TierKind::BudgetLeft { below: decimal("0.25") }),
            (
                "{severity: notice, budget_drop: {drop: 25%, over: 7d}}",
                TierKind::BudgetDrop { drop: decimal("0.25"), over: fixed("7d") },
            ),
            (
                "{severity: page, sli_below: {target: 99.95%, over: 30m}}",
                TierKind::SliBelow { target: "99.95%".parse().unwrap(), over: fixed("30m") },
            ),
            (
                "{severity: ticket, no_traffic: {over: 30m, min_total: 1}}",
                TierKind::NoTraffic { over: fixed("30m"), min_total: 1.0 },
            ),
            ("{severity: ticket, no_traffic: {over: 30m}}", TierKind::NoTraffic { over: fixed("30m"), min_total: 0.0 }),
            (
                "{severity: page, burn: {factor: 14, over: W/672, confirm: W/8064}}",
                TierKind::Burn {
                    threshold: BurnThreshold::Factor(decimal("14")),
                    over: PolicyLength::Part(672.try_into().unwrap()),
                    confirm: Some(PolicyLength::Part(8_064.try_into().unwrap())),
                },
            ),
        ] {
            assert_eq!(only(tier).kind, kind, "{tier}");
        }
        assert_eq!(only("{severity: notice, down: {after: 1m}}").severity, AlertSeverity::Notice);
    }

    #[test]
    fn windows_of_activity_and_bounds_of_false_pages_are_gates() {
        let tier = only(
            "{severity: page, down: {after: 1m}, for: W/224, max_false_pages: 0.1/30d, \
             active: {cron: 0 9 * * Mon-Fri, for: 9h, zone: Europe/Berlin}}",
        );
        assert_eq!(tier.for_part.map(std::num::NonZeroU32::get), Some(224));
        assert_eq!(tier.gates.max_false_pages, Some(FalsePages { most: 0.1, within: Length::from_days(30) }));
        let active = tier.gates.active.unwrap();
        assert_eq!(active.to_string(), "0 9 * * Mon-Fri for 9h, Europe/Berlin");
    }

    #[test]
    fn what_is_held_back_after_a_deploy_is_read() {
        let read = |on_deploy: &str| {
            let text = format!(
                "version: policy/v1\npolicies:\n  - name: house\n    on_deploy: {on_deploy}\n    \
                 tiers: [{{severity: page, down: {{after: 3m}}}}]\n"
            );
            let stream = parse(&SourceText::named("rules.yaml", text));
            let mut reader = Reader::new(&stream.documents[0].0);
            let policies = read_policies(&mut reader, stream.documents[0].0.root());
            let found: Vec<&str> = reader.into_findings().into_iter().map(|finding| finding.code).collect();
            (policies.into_iter().next().and_then(|read| read.policy.on_deploy), found)
        };
        let (ticket, notice) = (AlertSeverity::Ticket, AlertSeverity::Notice);
        let on_deploy = |severities: &[AlertSeverity]| {
            Some(OnDeploy { hold: Length::from_minutes(10), severities: severities.to_vec() })
        };
        assert_eq!(read("{hold: 10m}"), (on_deploy(&[ticket, notice]), vec![]));
        assert_eq!(read("{hold: 10m, severities: [ticket]}"), (on_deploy(&[ticket]), vec![]));
        assert_eq!(read("null"), (None, vec![]));
        assert_eq!(read("{severities: [page]}"), (None, vec![codes::MISSING_KEY]));
        assert_eq!(read("{hold: 0s}"), (None, vec![codes::BAD_DURATION]));
        assert_eq!(read("{hold: 10m, severities: [tickets]}"), (None, vec![codes::BAD_CHOICE]));
        assert_eq!(read("{hold: 10m, for: 1h}"), (None, vec![codes::UNKNOWN_KEY]));
    }

    #[test]
    fn tiers_may_differ_by_period() {
        let tier = |severity: &str| format!("tiers: [{{severity: {severity}, down: {{after: 3m}}}}]");
        let text = |periods: &str| format!("version: policy/v1\npolicies:\n  - name: house\n{periods}");
        let read = |text: String| {
            let stream = parse(&SourceText::named("rules.yaml", text));
            let mut reader = Reader::new(&stream.documents[0].0);
            let policies = read_policies(&mut reader, stream.documents[0].0.root());
            (policies, reader.into_findings().into_iter().map(|finding| finding.code).collect::<Vec<_>>())
        };
        let both = format!(
            "    periods:\n    - windows: [30d, 4w]\n      {}\n    - {{windows: [7d], {}}}\n",
            tier("page"),
            tier("ticket")
        );
        let (policies, findings) = read(text(&both));
        assert_eq!(findings, Vec::<&str>::new());
        let severity = |days| policies[0].policy.tiers_for(Length::from_days(days)).map(|(_, tiers)| tiers[0].severity);
        let found = [7, 28, 30, 90].map(severity);
        assert_eq!(found, [Some(AlertSeverity::Ticket), Some(AlertSeverity::Page), Some(AlertSeverity::Page), None]);
        for (periods, code) in [
            ("    periods: []\n".to_owned(), codes::MISSING_KEY),
            (format!("    periods: [{{{}}}]\n", tier("page")), codes::MISSING_KEY),
            ("    periods: [{windows: [30d]}]\n".to_owned(), codes::MISSING_KEY),
            (format!("    periods: [{{windows: [month], {}}}]\n", tier("page")), codes::BAD_DURATION),
            (format!("    periods: [{{windows: [0s], {}}}]\n", tier("page")), codes::BAD_DURATION),
            (format!("    periods: [{{windows: [4w, 28d], {}}}]\n", tier("page")), codes::BAD_TIER),
            (format!("    {}\n    periods: [{{windows: [4w], {0}}}]\n", tier("page")), codes::BAD_TIER),
        ] {
            let (policies, findings) = read(text(&periods));
            assert_eq!((policies.len(), findings), (0, vec![code]), "{periods}");
        }
    }
}
