//! `silent_window`: a window in which silence passes for health.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{Set, SloAt, TierPlace};
use crate::config::meant::{SourceConfig, SourceKind};
use crate::diag::{Diagnostic, Severity, codes};
use crate::engine::definition::Kind;
use crate::policy::compile;
use crate::spec::meant::Sli;
use crate::units::Length;

/// A window that the time after the newest sample fills.
pub const RULE: Rule = Rule {
    code: codes::SILENT_WINDOW,
    severity: Severity::Warning,
    page: "A sample that is late is no outage: for half of the source's `gap` (2 min 30 s by default) after the newest sample
time counts as measured, without events. A tier that fires ends when 90% of its long window (`over`, `lookback`)
are measured and hold too few failures. Where that window fits into the time after the newest sample, a target
that dies ends its own page: silence looks like health.

A `scrape` source knows when a scrape fails, and counts no time from then on. There the window has to be longer
than the interval and the timeout of a scrape together.

Use a longer window, or a shorter `gap` (at least 4 times `interval`).",
    failing: Some(Failing {
        line: 15,
        column: 5,
        text: r#"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page,   burn: {factor: 14.4, over: 2m}}
      - {severity: ticket, burn: {factor: 1,    over: 3d, confirm: 6h}}
---
version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    alerting: {policy: house}
    sli:
      events:
        bad: requests_total{job="shop", code=~"5.."}
        total: requests_total{job="shop"}
"#,
    }),
    passing: Some(
        r#"version: policy/v1
policies:
  - name: house
    tiers:
      - {severity: page,   burn: {factor: 14.4, over: 5m, confirm: 2m}}
      - {severity: ticket, burn: {factor: 1,    over: 3d, confirm: 6h}}
---
version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    alerting: {policy: house}
    sli:
      events:
        bad: requests_total{job="shop", code=~"5.."}
        total: requests_total{job="shop"}
"#,
    ),
    lint: Some(lint),
};

/// `G` where no configuration says another (SEMANTICS 1).
const GAP: Length = Length::from_minutes(5);

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    // What the store works out has a value or none: nothing is taken as measured after it.
    let exact = |slo: &&SloAt<'_>| slo.alerts() && matches!(slo.slo.sli, Sli::Exact { .. });
    found.extend(set.slos.iter().filter(exact).flat_map(|slo| of_slo(set, slo)));
}

fn of_slo(set: &Set<'_>, slo: &SloAt<'_>) -> Vec<Diagnostic> {
    let source = set.config.and_then(|config| config.config.sources.get(&slo.slo.source));
    let tolerance = Tolerance::of(source);
    let policy = &slo.slo.alerting.policy;
    let period = policy.tiers_for(slo.slo.window).and_then(|(period, _)| period);
    let tiers = compile::tiers(policy, slo.slo.objective, slo.slo.window).unwrap_or_default();
    let mut found = Vec::new();
    for (index, tier) in tiers.iter().enumerate() {
        let Some((keys, length)) = window(&tier.kind).filter(|(_, length)| tolerance.fills(*length)) else { continue };
        let message = format!(
            "silence ends tier {} of `{}` ({}, {}): its `{}: {length}` is filled by the {} that count as measured without \
             a sample",
            index + 1,
            policy.name,
            tier.severity.name(),
            keys[0],
            keys[1],
            tolerance.length
        );
        let mut finding = Diagnostic::warning(codes::SILENT_WINDOW, message)
            .with_help(tolerance.help(length, &slo.slo.source, set.slice()))
            .of(slo.slo.id.clone());
        if let Some(written) = set.policy_of(slo.slo) {
            let window = written.tier(TierPlace { period, index }).nearest(&keys);
            finding.related.push((window.place(), "this window".to_owned()));
        }
        found.push(slo.policy_place().mark(finding));
    }
    found
}

/// The window that a tier is known false by, with its keys as written.
fn window(kind: &Kind) -> Option<([&'static str; 2], Length)> {
    match kind {
        Kind::Burn { over, .. } => Some((["burn", "over"], *over)),
        Kind::SliBelow { over, .. } => Some((["sli_below", "over"], *over)),
        Kind::BudgetDrop { over, .. } => Some((["budget_drop", "over"], *over)),
        Kind::NoTraffic { over, .. } => Some((["no_traffic", "over"], *over)),
        Kind::Exhausts { lookback, .. } => Some((["exhausts", "lookback"], *lookback)),
        Kind::BudgetLeft { .. } | Kind::Down { .. } | Kind::NoData { .. } => None,
    }
}

/// How long after the newest sample time counts as measured (SEMANTICS 2.5).
struct Tolerance {
    length: Length,
    /// `G`, of which it is a half.
    gap: Length,
    interval: Length,
    /// What a scrape of ours takes at most, where that is less than half of `G`.
    is_scraped: bool,
}

impl Tolerance {
    fn of(source: Option<&SourceConfig>) -> Self {
        let (gap, interval) = source.map_or((GAP, Length::ZERO), |source| (source.gap, source.interval));
        let half = Length::from_millis(gap.millis() / 2);
        let scrape = source
            .filter(|source| matches!(source.kind, SourceKind::Scrape { .. }))
            .map(|source| source.interval + source.timeout)
            .filter(|scrape| *scrape < half);
        Self { length: scrape.unwrap_or(half), gap, interval, is_scraped: scrape.is_some() }
    }

    /// Whether it covers 90% of a window.
    fn fills(&self, window: Length) -> bool {
        window.millis() * 9 <= self.length.millis() * 10
    }

    fn help(&self, window: Length, source: &str, slice: Length) -> String {
        // The first whole number of slices of which it is less than 90%.
        let least = slice * (Length::from_millis(self.length.millis() * 10 / 9).count_of(slice) + 1);
        let other = if self.is_scraped {
            format!("a shorter `interval` and `timeout` of source `{source}`")
        } else {
            // The longest `gap` in whole seconds whose half does not fill the window.
            let gap = Length::from_seconds((window.millis() * 9 / 5 - 1) / 1_000);
            let fits = gap >= self.interval * 4 && gap < self.gap;
            let shorter = if fits { format!("`gap: {gap}`") } else { "a shorter `interval` and `gap`".to_owned() };
            format!("{shorter} of source `{source}`")
        };
        format!("use {least} or more, or {other}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{judge, load};
    use crate::yaml::SourceText;

    /// What is said of a page over `over`, with a source that says this beside its type.
    fn said(kind: &str, over: &str) -> Vec<(String, String)> {
        let text = format!(
            "version: config/v1
sources: {{app: {{{kind}}}}}
---
version: policy/v1
policies:
  - {{name: house, tiers: [{{severity: page, burn: {{factor: 10, over: {over}}}}}]}}
---
version: slo/v1
service: shop
owner: web
links: {{runbook: https://wiki.example/shop}}
defaults: {{source: app, policy: house}}
slos:
  - name: availability
    objective: 99.9%
    sli: {{events: {{bad: 'requests_total{{code=~\"5..\"}}', total: requests_total}}}}
"
        );
        let loaded = load::load(&[SourceText::named("a.yaml", text)]);
        let found = judge(&loaded, "2026-11-21".parse().unwrap()).into_iter();
        let of_rule = found.filter(|finding| finding.code == codes::SILENT_WINDOW);
        of_rule.map(|finding| (finding.message, finding.help.unwrap_or_default())).collect()
    }

    #[test]
    fn a_store_is_believed_for_half_of_its_gap() {
        assert_eq!(said("type: prometheus", "3m"), []);
        let found = said("type: prometheus", "2m30s");
        assert_eq!(
            found,
            [(
                "silence ends tier 1 of `house` (page, burn): its `over: 2m30s` is filled by the 2m30s that count as \
                 measured without a sample"
                    .to_owned(),
                "use 3m or more, or `gap: 4m29s` of source `app`".to_owned()
            )]
        );
        assert_eq!(said("type: prometheus, gap: 4m29s", "2m30s"), []);
        let found = said("type: prometheus, interval: 1m", "2m");
        assert_eq!(found[0].1, "use 3m or more, or a shorter `interval` and `gap` of source `app`");
    }

    #[test]
    fn a_scrape_of_ours_is_known_to_have_failed() {
        let source = "type: scrape, targets: ['http://127.0.0.1:1/metrics'], timeout: 10s, interval: ";
        assert_eq!(said(&format!("{source}5s"), "30s"), []);
        let found = said(&format!("{source}30s"), "30s");
        assert_eq!(found[0].1, "use 1m or more, or a shorter `interval` and `timeout` of source `app`");
    }
}
