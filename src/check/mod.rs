//! Judging files: loading them, and lints on what they mean.
//!
//! [`load`] turns texts into everything that they say, with findings of its own; [`judge`] adds those of the lints,
//! one file each under [`rules`]. Every code, the readers' too, has a page and two examples there.
//! Invariant: a lint never speaks about what could not be understood; the readers have said so already.

mod catalogue;
pub mod convert;
pub mod load;
mod queries;
pub mod rule;
pub mod rules;
pub mod set;
mod suggestion;
mod tiers;

use crate::check::load::Loaded;
use crate::check::set::Set;
use crate::diag::{Counts, Diagnostic, Report};
use crate::units::Day;

/// Everything that the lints find, in no particular order; the findings of [`load::load`] are not repeated.
/// `today` is the day of the check.
#[must_use]
pub fn judge(loaded: &Loaded, today: Day) -> Vec<Diagnostic> {
    let set = Set::of(loaded, today);
    let mut found = Vec::new();
    for lint in rules::ALL.iter().filter_map(|rule| rule.lint) {
        lint(&set, &mut found);
    }
    found
}

/// What a load and the lints found together, in order, with the counts of the last line.
#[must_use]
pub fn report(loaded: &Loaded, today: Day) -> Report {
    let mut findings = judge(loaded, today);
    findings.extend_from_slice(&loaded.findings);
    let counts = Counts { files: loaded.files, slos: loaded.slos.len(), skipped: loaded.skipped };
    Report::new(findings, counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{codes, concise};
    use crate::yaml::SourceText;

    const SLO: &str = "version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
defaults: {source: main}
slos:
  - name: a
    objective: 99.9%
    sli: {events: {bad: 'a_total{code=~\"5..\"}', total: a_total}}
  - name: b
    objective: 99%
    sli: {events: {bad: 'b_total{code=~\"5..\"}', total: b_total}}
";

    const CONFIG: &str = "---
version: config/v1
sources: {main: {type: prometheus}}
sinks: {out: {type: stdout}}
";

    fn judged(text: &str) -> Report {
        report(&load::load(&[SourceText::named("f", text)]), Day::default())
    }

    fn found(text: &str) -> Vec<String> {
        judged(text).findings().iter().map(concise::line).collect()
    }

    /// Code, line and column of every finding.
    fn places(text: &str) -> Vec<String> {
        let place = |finding: &Diagnostic| {
            let place = finding.place.as_ref().unwrap();
            format!("{} {}:{}", finding.code, place.line, place.column)
        };
        judged(text).findings().iter().map(place).collect()
    }

    #[test]
    fn a_policy_seen_through_an_slo_stands_on_its_objective_or_where_it_was_chosen() {
        let defaults = SLO.replace("source: main", "policy: workbook, window: 7d");
        let expected = ["SLO034 8:16", "SLO034 8:16", "SLO034 11:16", "SLO034 11:16"];
        assert_eq!(places(&defaults), expected.map(str::to_owned), "{:#?}", found(&defaults));
        let chosen =
            SLO.replace("source: main", "window: 7d").replace("99%\n", "99%\n    alerting:\n      policy: workbook\n");
        assert_eq!(places(&chosen), ["SLO034 12:5", "SLO034 12:5"], "{:#?}", found(&chosen));
    }

    #[test]
    fn a_policy_that_mixes_factors_and_spends_is_compared_through_the_slo() {
        let policy = "---\nversion: policy/v1\npolicies:\n  - name: mixed\n    tiers:\n      \
            - {severity: page, burn: {factor: 10, over: 1h, confirm: 5m}}\n      \
            - {severity: page, burn: {spend: 10%, over: 6h, confirm: 30m}}\n";
        let unused = format!("{SLO}{policy}");
        assert_eq!(found(&unused), Vec::<String>::new());
        // 10% over 6 h is a factor of 12 at 30 days and of 2.8 at 7.
        let used = unused.replace("99%\n", "99%\n    alerting: {policy: mixed}\n");
        assert_eq!(places(&used), ["SLO035 12:5"], "{:#?}", found(&used));
        let week = used.replace("99%\n", "99%\n    window: 7d\n");
        assert_eq!(found(&week), Vec::<String>::new());
    }

    #[test]
    fn a_missing_route_stands_on_routes_and_is_told_once_for_all_slos() {
        assert_eq!(found(&format!("{SLO}{CONFIG}")), Vec::<String>::new(), "the default route takes everything");
        let tickets = format!("{SLO}{CONFIG}routes: [{{match: {{severity: ticket}}, to: [out]}}]\n");
        let lines = found(&tickets);
        assert_eq!(places(&tickets), ["SLO039 17:1", "SLO039 17:1"], "{lines:#?}");
        assert!(lines[0].contains("error[SLO039]: no route leads a page of `shop/a` and one more SLO to a sink"));
        let pages = tickets.replace("severity: ticket", "severity: page");
        assert!(found(&pages)[0].contains("error[SLO039]: no route leads a ticket"), "{:#?}", found(&pages));
        let both = "[{match: {severity: page}, to: [out]}, {match: {severity: ticket, slo: 'shop/*'}, to: [out]}]";
        let both = format!("{SLO}{CONFIG}routes: {both}\n");
        assert!(found(&both)[0].contains("warning[SLO039]: no route takes whatever is left"), "{:#?}", found(&both));
        let hours = both.replace("to: [out]}]", "to: [out], active: {cron: '0 9 * * *', for: 9h}, outside: skip}]");
        assert!(found(&hours)[0].contains("error[SLO039]: no route leads a ticket"), "{:#?}", found(&hours));
        assert!(found(&hours)[0].contains("outside the hours of route 2"), "{:#?}", found(&hours));
        // Groups' labels are not known before; those of the file are.
        let labels = both.replace("{severity: page}", "{severity: page, labels: {team: web}}");
        assert!(found(&labels)[0].contains("error[SLO039]: no route leads a page"), "{:#?}", found(&labels));
        let default = both.replace("to: [out]}]", "to: [out]}, {to: [out]}]");
        assert_eq!(found(&default), Vec::<String>::new());
    }

    #[test]
    fn a_tier_that_can_never_fire_is_told_once_for_all_slos_that_use_it() {
        let slo = |name: &str| {
            format!(
                "  - name: {name}\n    objective: 99%\n    alerting: {{policy: house}}\n    sli:\n      events: \
                 {{bad: 'b{{service=\"x\"}}', total: 't{{service=\"x\"}}'}}\n"
            )
        };
        let policy = "---\nversion: policy/v1\npolicies:\n  - name: house\n    tiers:\n      \
            - {severity: page, burn: {factor: 10, over: 1h, confirm: 5m}}\n      \
            - {severity: page, down: {after: 3m}}\n";
        let deaf = |names: &[&str]| {
            let slos: String = names.iter().map(|name| slo(name)).collect();
            let text = format!("version: slo/v1\nservice: shop\nowner: web\nslos:\n{slos}{policy}");
            found(&text).into_iter().filter(|line| line.contains("SLO111")).collect::<Vec<_>>()
        };
        let (one, many) = (deaf(&["a"]), deaf(&["a", "b", "c"]));
        assert!(one.len() == 1 && one[0].ends_with("nothing says what of `shop/a` is alive"), "{one:#?}");
        assert_eq!(many.len(), 1, "{many:#?}");
        assert!(many[0].contains("nothing says what of `shop/a` and 2 more SLOs is alive"), "{many:#?}");
    }

    #[test]
    fn escalations_and_the_fallback_name_sinks_that_are_there() {
        let steps = "[{after: 1h, to: [owner, aut]}]";
        let text = format!("{CONFIG}fallback: [ouf]\nroutes: [{{to: [out], escalate: {steps}}}, {{to: [out]}}]\n");
        assert_eq!(places(&text), ["SLO040 5:12", "SLO040 6:57", "SLO072 6:66"], "{:#?}", found(&text));
        let one = text.replace(steps, "{after: 1h, to: [aut]}");
        assert_eq!(found(&one).iter().filter(|line| line.contains("unknown sink `aut`")).count(), 1);
    }

    #[test]
    fn a_mistake_in_one_thing_is_not_told_of_those_that_name_it() {
        let config = "---\nversion: config/v1\n\
            sources: {main: {type: prometheus, delay: soon}, other: {type: promethues}}\n\
            sinks: {pd: {type: pagerdury, routing_key: {env: KEY}}, hook: {type: webhook}, out: {type: stdout}}\n\
            owners: {web: page}\n\
            routes:\n  \
            - {match: {severity: pgae}, to: [pd]}\n  \
            - {match: {severity: tickt}, to: [owner, hook]}\n  \
            - {match: {severity: page}, to: [out]}\n  \
            - {match: {labels: {0a: b}}, to: [out], active: {cron: x}}\n";
        let lines = found(&format!("{SLO}{config}").replace("source: main", "source: other"));
        let codes: std::collections::BTreeSet<&str> =
            lines.iter().filter_map(|line| line.split(['[', ']']).nth(1)).collect();
        for cascade in [codes::UNKNOWN_SINK, codes::UNKNOWN_SOURCE, codes::UNKNOWN_OWNER, codes::UNREACHABLE_ROUTE] {
            assert!(!codes.contains(cascade), "{lines:#?}");
        }
        for cascade in [codes::NO_ROUTE, codes::LONE_RECEIVER, codes::EMPTY_MATCH, codes::UNUSED_SINK] {
            assert!(!codes.contains(cascade), "{lines:#?}");
        }
        assert!(lines.len() >= 8, "each mistake is told: {lines:#?}");
        for (key, value) in [("sinks", "{on call: {type: stdout}}"), ("sinks", "[out]"), ("sinks", "many")] {
            let text = format!("version: config/v1\n{key}: {value}\nroutes: [{{to: [on call, out]}}]\n");
            assert!(!found(&text).iter().any(|line| line.contains("unknown sink `on call`")), "{value}: {text}");
        }
    }

    #[test]
    fn an_exclusion_or_a_route_may_name_an_slo_with_a_mistake() {
        let rest = "routes: [{match: {slo: shop/b}, to: [out]}, {match: {}, to: [out]}]\n---\nversion: exclusion/v1\n\
            exclusions:\n  - {name: n, reason: r, slos: [shop/b], alerts_only: true, \
            window: {cron: 0 2 * * *, for: 30m}}\n";
        let text = format!("{SLO}{CONFIG}{rest}").replace("objective: 99%", "objective: many");
        let lines = found(&text);
        assert!(lines.len() == 1 && lines[0].contains("objective"), "{lines:#?}");
        let gone = text.replace("name: b", "name: c").replace("objective: many", "objective: 99%");
        let lines = found(&gone);
        assert_eq!(lines.len(), 2, "{lines:#?}");
        assert!(lines.iter().all(|line| line.contains("no SLO is `shop/b`")), "{lines:#?}");
    }

    #[test]
    fn what_the_document_says_for_all_is_told_once() {
        let text = format!("{SLO}{CONFIG}owners: {{mobile: {{}}}}\n").replace("source: main", "source: mian");
        assert_eq!(places(&text), ["SLO042 3:8", "SLO041 5:20"], "{:#?}", found(&text));
    }

    #[test]
    fn short_windows_stand_on_the_tier_or_on_the_slo_that_makes_them_short() {
        let slow = format!("{SLO}{CONFIG}").replace("{type: prometheus}", "{type: prometheus, interval: 2m, gap: 10m}");
        // 5m of `balanced` is under four scrapes of two minutes, for both SLOs.
        assert_eq!(places(&slow), ["SLO037 8:16", "SLO037 11:16"], "{:#?}", found(&slow));
        let policy = "version: policy/v1\npolicies:\n  - name: quick\n    tiers:\n      \
            - {severity: page, burn: {factor: 10, over: 1h, confirm: 30s}}\n";
        assert_eq!(places(policy), ["SLO037 5:64"], "{:#?}", found(policy));
    }

    #[test]
    fn silent_slos_need_no_route_runbook_or_owner() {
        let shadow = SLO
            .replace("owner: web\nlinks: {runbook: https://wiki.example/shop}\n", "")
            .replace("objective", "alerting: {mode: shadow}\n    objective");
        let unheard = "sinks: {out: {type: stdout}}\nroutes: [{match: {severity: page, service: source}, to: [out]}]\n";
        let config = CONFIG.replace("sinks: {out: {type: stdout}}\n", unheard);
        assert_eq!(found(&format!("{shadow}{config}")), Vec::<String>::new());
    }
}
