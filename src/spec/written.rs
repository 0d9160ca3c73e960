//! SLO files as written: the scalars of each mapping, all as text. What is nested is decoded apart, mapping by mapping.
//!
//! A key that is here, in `NESTED` or in `NOT_BUILT` is a key of the format; every other one is a finding.

use serde::Deserialize;

use crate::yaml::{Flag, Written};

/// A `slo/v1` document.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SloFile {
    pub(super) service: Option<String>,
    pub(super) owner: Option<String>,
}

impl Written for SloFile {
    const NESTED: &'static [&'static str] = &["version", "labels", "links", "defaults", "slos", "use"];
}

/// One of `use`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct UseItem {
    pub(super) template: Option<String>,
}

impl Written for UseItem {
    const NESTED: &'static [&'static str] = &["with"];
}

/// A `template/v1` document.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TemplateFile {}

impl Written for TemplateFile {
    const NESTED: &'static [&'static str] = &["version", "templates"];
}

/// One of `templates`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TemplateItem {
    pub(super) name: Option<String>,
}

impl Written for TemplateItem {
    const NESTED: &'static [&'static str] = &["params", "slos"];
}

/// `defaults` of a `slo/v1` document.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Defaults {
    pub(super) source: Option<String>,
    pub(super) policy: Option<String>,
}

impl Written for Defaults {
    const NESTED: &'static [&'static str] = &["window"];
}

/// One of `slos`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SloItem {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) source: Option<String>,
    pub(super) policy: Option<String>,
    pub(super) alive: Option<String>,
}

impl Written for SloItem {
    const NESTED: &'static [&'static str] =
        &["objective", "window", "sli", "by", "labels", "links", "alerting", "overrides", "formerly", "review"];
    const NOT_BUILT: &'static [&'static str] = &["budgeting", "depends_on"];
}

/// One of `overrides`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OverrideItem {
    pub(super) objective: Option<String>,
}

impl Written for OverrideItem {
    const NESTED: &'static [&'static str] = &["match"];
}

/// `review`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReviewItem {
    pub(super) by: Option<String>,
}

impl Written for ReviewItem {}

/// `alerting` of an SLO.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AlertingItem {
    pub(super) policy: Option<String>,
    pub(super) mode: Option<String>,
}

impl Written for AlertingItem {
    const NESTED: &'static [&'static str] = &["labels", "annotations"];
}

/// `sli`: one kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SliItem {}

impl Written for SliItem {
    const NESTED: &'static [&'static str] = &["events", "latency", "gauge", "probe", "ratio"];
    const NOT_BUILT: &'static [&'static str] = &["spans", "composite"];
}

/// `events`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct EventsItem {
    pub(super) bad: Option<String>,
    pub(super) good: Option<String>,
    pub(super) total: Option<String>,
    pub(super) mode: Option<String>,
    pub(super) step: Option<String>,
    pub(super) unit: Option<String>,
}

impl Written for EventsItem {}

/// `gauge`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct GaugeItem {
    pub(super) query: Option<String>,
    pub(super) below: Option<String>,
    pub(super) above: Option<String>,
    pub(super) equals: Option<String>,
    pub(super) absent: Option<String>,
}

impl Written for GaugeItem {}

/// `ratio`, written out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RatioItem {
    pub(super) query: Option<String>,
}

impl Written for RatioItem {}

/// `latency`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LatencyItem {
    pub(super) histogram: Option<String>,
    pub(super) below: Option<String>,
    pub(super) above: Option<String>,
    pub(super) good: Option<String>,
    pub(super) native: Flag,
    pub(super) mode: Option<String>,
    pub(super) step: Option<String>,
}

impl Written for LatencyItem {
    const NESTED: &'static [&'static str] = &[];
    /// `p95: 300ms`.
    fn allows(key: &str) -> bool {
        is_quantile(key)
    }
}

/// Whether a key of `latency` is a quantile such as `p95` or `p99.9`.
pub(super) fn is_quantile(key: &str) -> bool {
    key.strip_prefix('p').is_some_and(|digits| {
        digits.starts_with(|c: char| c.is_ascii_digit()) && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
    })
}

/// A `policy/v1` document.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PolicyFile {}

impl Written for PolicyFile {
    const NESTED: &'static [&'static str] = &["version", "policies"];
}

/// One of `policies`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PolicyItem {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) replaces: Option<String>,
    pub(super) scale_below: Option<String>,
}

impl Written for PolicyItem {
    const NESTED: &'static [&'static str] = &["tiers", "periods", "on_deploy"];
    const NOT_BUILT: &'static [&'static str] = &["budget"];
}

/// `on_deploy`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OnDeployItem {
    pub(super) hold: Option<String>,
}

impl Written for OnDeployItem {
    const NESTED: &'static [&'static str] = &["severities"];
}

/// An `exclusion/v1` document.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ExclusionFile {}

impl Written for ExclusionFile {
    const NESTED: &'static [&'static str] = &["version", "exclusions"];
}

/// One of `exclusions`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ExclusionItem {
    pub(super) name: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) approved_by: Option<String>,
    pub(super) alerts_only: Option<Flag>,
}

impl Written for ExclusionItem {
    const NESTED: &'static [&'static str] = &["slos", "window"];
}

/// `window` of an exclusion.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ExclusionWindowItem {
    pub(super) start: Option<String>,
    pub(super) cron: Option<String>,
    #[serde(rename = "for")]
    pub(super) for_: Option<String>,
    pub(super) zone: Option<String>,
}

impl Written for ExclusionWindowItem {}

/// One of `periods`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PeriodItem {}

impl Written for PeriodItem {
    const NESTED: &'static [&'static str] = &["windows", "tiers"];
}

/// One of `tiers`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TierItem {
    pub(super) severity: Option<String>,
    pub(super) min_bad: Option<String>,
    pub(super) min_total: Option<String>,
    #[serde(rename = "for")]
    pub(super) for_: Option<String>,
    pub(super) keep_firing_for: Option<String>,
    pub(super) hold: Option<String>,
    pub(super) max_false_pages: Option<String>,
}

/// The kinds of a tier: each is a key, and a tier has one of them.
pub(super) const TIER_KINDS: &[&str] =
    &["burn", "exhausts", "budget_left", "budget_drop", "sli_below", "no_traffic", "down", "no_data"];

impl Written for TierItem {
    const NESTED: &'static [&'static str] =
        &["burn", "exhausts", "budget_left", "budget_drop", "sli_below", "no_traffic", "down", "no_data", "active"];
}

/// `burn`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BurnItem {
    pub(super) factor: Option<String>,
    pub(super) spend: Option<String>,
    pub(super) over: Option<String>,
    pub(super) confirm: Option<String>,
}

impl Written for BurnItem {}

/// `down` and `no_data`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AfterItem {
    pub(super) after: Option<String>,
}

impl Written for AfterItem {}

/// `exhausts`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ExhaustsItem {
    pub(super) within: Option<String>,
    pub(super) lookback: Option<String>,
    pub(super) min_burn: Option<String>,
}

impl Written for ExhaustsItem {}

/// `budget_left`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BudgetLeftItem {
    pub(super) below: Option<String>,
}

impl Written for BudgetLeftItem {}

/// `budget_drop`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BudgetDropItem {
    pub(super) drop: Option<String>,
    pub(super) over: Option<String>,
}

impl Written for BudgetDropItem {}

/// `sli_below`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SliBelowItem {
    pub(super) target: Option<String>,
    pub(super) over: Option<String>,
}

impl Written for SliBelowItem {}

/// `no_traffic`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct NoTrafficItem {
    pub(super) over: Option<String>,
    pub(super) min_total: Option<String>,
}

impl Written for NoTrafficItem {}

/// `active`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ActiveItem {
    pub(super) cron: Option<String>,
    #[serde(rename = "for")]
    pub(super) for_: Option<String>,
    pub(super) zone: Option<String>,
}

impl Written for ActiveItem {}
