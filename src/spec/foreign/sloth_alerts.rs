//! `alerting` of a Sloth SLO: one page and one ticket alert, either of which may be disabled.
//!
//! Labels of an alert, later ones win: `sloth_id`, `sloth_service` and `sloth_slo`, the service's, the SLO's,
//! `sloth_severity`, `alerting.labels`, those of the one alert. In Sloth the first three kinds arrive with the recorded
//! series, the others stand in the rule.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diag::{Diagnostic, codes};
use crate::spec::foreign::sloth::{Dialect, labels};
use crate::spec::foreign::windows::Catalogue;
use crate::spec::foreign::{flag, mapping, preset, template, text};
use crate::spec::meant::{Alerting, Foreign, ForeignAlert, Mode, Origin};
use crate::spec::policy::{AlertSeverity, Policy, PolicyTier, TierKind};
use crate::spec::slos::Surroundings;
use crate::units::Length;
use crate::yaml::{NodeId, Reader};

/// Name of the preset.
const POLICY: &str = "sloth";

/// Whose alerts they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    /// The service.
    pub(super) service: &'a str,
    /// The SLO.
    pub(super) name: &'a str,
    /// The service's labels and the SLO's.
    pub(super) labels: &'a BTreeMap<String, String>,
}

/// What all alerts of an SLO share.
struct Common {
    name: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

/// Reads `alerting` of the SLO at `slo`.
pub(super) fn read_alerting(
    reader: &mut Reader<'_>,
    slo: NodeId,
    dialect: Dialect,
    named: &Named<'_>,
    around: &Surroundings<'_>,
    catalogue: &Catalogue,
) -> Option<Alerting> {
    let document = reader.document();
    let [page_key, ticket_key] = ["page_alert", "ticket_alert"].map(|key| dialect.key(key));
    let node =
        mapping(reader, slo, "alerting", &["name", "labels", "annotations", page_key, ticket_key], dialect.unknown());
    let mut enabled = Vec::new();
    for (key, severity) in [(page_key, AlertSeverity::Page), (ticket_key, AlertSeverity::Ticket)] {
        let alert =
            node.and_then(|node| mapping(reader, node, key, &["disable", "labels", "annotations"], dialect.unknown()));
        if alert.is_none_or(|alert| flag(reader, alert, "disable") != Some(true)) {
            enabled.push((severity, alert));
        }
    }
    let whole = catalogue.policy.clone().or_else(|| preset(POLICY, around))?;
    let recorded = recorded(&whole, catalogue.period);
    let policy = without_disabled(whole, &enabled);
    let name = node.and_then(|node| text(reader, node, "name")).unwrap_or_default();
    if name.is_empty() && !enabled.is_empty() {
        let finding = Diagnostic::error(codes::MISSING_KEY, "the alerts have no `name`");
        let help = format!("write `alerting: {{name: ..}}`, or disable `{page_key}` and `{ticket_key}`");
        let at = node.and_then(|node| document.child(node, "name")).or(node).unwrap_or(slo);
        reader.report(at, finding.with_help(help));
    }
    let common = Common {
        name: name.to_owned(),
        labels: node.map(|node| rendered(reader, node, "labels")).unwrap_or_default(),
        annotations: node.map(|node| rendered(reader, node, "annotations")).unwrap_or_default(),
    };
    let alerts =
        enabled.iter().map(|(severity, alert)| read_alert(reader, *severity, *alert, named, &common)).collect();
    Some(Alerting {
        policy,
        labels: common.labels,
        annotations: common.annotations,
        mode: if enabled.is_empty() { Mode::Off } else { around.mode },
        foreign: Some(Arc::new(Foreign { origin: Origin::Sloth, alerts, recorded })),
    })
}

/// Labels or annotations that may hold templates.
fn rendered(reader: &mut Reader<'_>, node: NodeId, key: &str) -> BTreeMap<String, String> {
    let found = labels(reader, node, key);
    let document = reader.document();
    let values = document.child(node, key).map_or(&[][..], |mapping| document.children(mapping));
    for value in values {
        let name = document.key(*value).unwrap_or_default();
        if let Some(text) = found.get(name) {
            template::check(reader, *value, &format!("{key}.{name}"), text);
        }
    }
    found
}

fn read_alert(
    reader: &mut Reader<'_>,
    severity: AlertSeverity,
    alert: Option<NodeId>,
    named: &Named<'_>,
    common: &Common,
) -> ForeignAlert {
    let own = |reader: &mut Reader<'_>, key: &str| alert.map(|alert| rendered(reader, alert, key)).unwrap_or_default();
    let pair = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    let id = format!("{}-{}", named.service, named.name);
    let ids = [("sloth_id", id.as_str()), ("sloth_service", named.service), ("sloth_slo", named.name)];
    let mut labels: BTreeMap<String, String> = ids.into_iter().map(pair).collect();
    labels.extend(named.labels.clone());
    labels.insert("sloth_severity".to_owned(), severity.name().to_owned());
    labels.extend(common.labels.clone());
    labels.extend(own(reader, "labels"));
    let what = "{{$labels.sloth_service}} {{$labels.sloth_slo}} SLO error budget burn rate is";
    let title = format!("({}) {what} too fast.", severity.name());
    let summary = format!("{what} over expected.");
    let mut annotations: BTreeMap<String, String> =
        [("title", title.as_str()), ("summary", summary.as_str())].into_iter().map(pair).collect();
    annotations.extend(common.annotations.clone());
    annotations.extend(own(reader, "annotations"));
    ForeignAlert { severity, silence: false, name: common.name.clone(), labels, annotations }
}

/// The windows of all tiers, the confirming one first: Sloth records them whatever is disabled, and takes the current burn
/// from the short window of its first tier, the quick page.
fn recorded(whole: &Policy, period: Length) -> Vec<Length> {
    let mut lengths = Vec::new();
    for tier in whole.tiers_for(period).map_or(&[][..], |(_, tiers)| tiers) {
        let TierKind::Burn { over, confirm, .. } = tier.kind else { continue };
        for length in confirm.into_iter().chain([over]).filter_map(|length| length.of(period)) {
            if !lengths.contains(&length) {
                lengths.push(length);
            }
        }
    }
    lengths
}

/// The catalogue's policy or the preset, without the tiers of disabled alerts.
fn without_disabled(whole: Arc<Policy>, enabled: &[(AlertSeverity, Option<NodeId>)]) -> Arc<Policy> {
    if enabled.len() == 2 {
        return whole;
    }
    let mut policy = Policy::clone(&whole);
    let is_enabled = |tier: &PolicyTier| enabled.iter().any(|(severity, _)| *severity == tier.severity);
    policy.tiers.retain(is_enabled);
    for period in &mut policy.periods {
        period.tiers.retain(is_enabled);
    }
    Arc::new(policy)
}
