//! All rules, in the order of their codes: those of the readers and the lints.

mod alert_windows;
mod bad_address;
mod bad_choice;
mod bad_duration;
mod bad_label;
mod bad_link;
mod bad_name;
mod bad_number;
mod bad_objective;
mod bad_override;
mod bad_query;
mod bad_sli;
mod bad_template;
mod bad_tier;
mod cannot_match;
pub(super) mod clashing_label;
mod counter_as_gauge;
mod dead_links;
mod deaf_tier;
mod duplicate_key;
mod duplicate_name;
mod empty_exclusion;
mod empty_match;
mod fixed_channel;
mod foreign_plugin;
mod foreign_template;
mod former_id;
mod gauge_as_counter;
mod idle_escalation;
mod idle_gate;
mod inverted_tiers;
mod late_page;
mod limit;
mod literal_secret;
mod lone_forecast;
mod lone_receiver;
mod loud_report;
mod low_factor;
mod missing_file;
mod missing_key;
mod no_owner;
mod no_queries;
mod no_reason;
mod no_route;
mod no_runbook;
mod no_window;
mod not_built;
mod not_honoured;
mod opsgenie_ends;
mod past_exclusion;
mod plain_http;
mod policy_misfit;
mod preset_taken;
mod receiver_does_it;
mod refused_writes;
mod retired_connector;
mod review_overdue;
mod same_query;
mod shadowed_tier;
mod shape;
mod short_window;
mod silent_window;
mod syntax;
mod template_param;
mod two_configurations;
mod unclear_unit;
mod uneven_window;
mod unknown_document;
mod unknown_key;
mod unknown_owner;
mod unknown_policy;
mod unknown_sink;
mod unknown_source;
mod unknown_template;
mod unreachable_route;
mod unreachable_tier;
mod unreadable;
mod unsaid_version;
mod unused_sink;
mod useless_override;
mod window_in_gauge;

use crate::check::rule::Rule;

/// Every rule, ascending by code; one for each of `diag::codes::LIST`.
pub const ALL: &[Rule] = &[
    syntax::RULE,
    unknown_key::RULE,
    duplicate_key::RULE,
    limit::RULE,
    shape::RULE,
    missing_key::RULE,
    not_built::RULE,
    unknown_document::RULE,
    bad_name::RULE,
    duplicate_name::RULE,
    bad_duration::RULE,
    bad_objective::RULE,
    bad_query::RULE,
    bad_sli::RULE,
    no_window::RULE,
    unclear_unit::RULE,
    unknown_policy::RULE,
    preset_taken::RULE,
    bad_number::RULE,
    literal_secret::RULE,
    bad_link::RULE,
    bad_address::RULE,
    bad_label::RULE,
    bad_choice::RULE,
    unreadable::RULE,
    policy_misfit::RULE,
    two_configurations::RULE,
    bad_tier::RULE,
    same_query::RULE,
    cannot_match::RULE,
    gauge_as_counter::RULE,
    unreachable_tier::RULE,
    low_factor::RULE,
    shadowed_tier::RULE,
    inverted_tiers::RULE,
    short_window::RULE,
    uneven_window::RULE,
    no_route::RULE,
    unknown_sink::RULE,
    unknown_source::RULE,
    unknown_owner::RULE,
    plain_http::RULE,
    no_runbook::RULE,
    no_owner::RULE,
    clashing_label::RULE,
    foreign_plugin::RULE,
    not_honoured::RULE,
    foreign_template::RULE,
    alert_windows::RULE,
    window_in_gauge::RULE,
    no_queries::RULE,
    counter_as_gauge::RULE,
    template_param::RULE,
    unknown_template::RULE,
    bad_override::RULE,
    useless_override::RULE,
    former_id::RULE,
    review_overdue::RULE,
    unsaid_version::RULE,
    lone_forecast::RULE,
    idle_gate::RULE,
    unreachable_route::RULE,
    receiver_does_it::RULE,
    lone_receiver::RULE,
    empty_match::RULE,
    idle_escalation::RULE,
    late_page::RULE,
    unused_sink::RULE,
    missing_file::RULE,
    no_reason::RULE,
    past_exclusion::RULE,
    empty_exclusion::RULE,
    refused_writes::RULE,
    loud_report::RULE,
    opsgenie_ends::RULE,
    retired_connector::RULE,
    fixed_channel::RULE,
    dead_links::RULE,
    bad_template::RULE,
    deaf_tier::RULE,
    silent_window::RULE,
];

/// The rule of a code such as `SLO012`.
#[must_use]
pub fn find(code: &str) -> Option<&'static Rule> {
    ALL.iter().find(|rule| rule.code.eq_ignore_ascii_case(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{judge, load};
    use crate::diag::{Counts, Diagnostic, Report, codes};
    use crate::yaml::SourceText;

    fn findings(text: &str) -> Vec<Diagnostic> {
        let loaded = load::load(&[SourceText::named("example.yaml", text)]);
        let mut findings = judge(&loaded, "2026-11-21".parse().unwrap());
        findings.extend(loaded.findings);
        Report::new(findings, Counts::default()).findings().to_vec()
    }

    fn shown(findings: &[Diagnostic]) -> String {
        findings.iter().map(|finding| crate::diag::concise::line(finding) + "\n").collect()
    }

    #[test]
    fn every_code_has_a_rule_in_the_same_order() {
        let ruled: Vec<&str> = ALL.iter().map(|rule| rule.code).collect();
        let listed: Vec<&str> = codes::LIST.iter().map(|code| code.id).collect();
        assert_eq!(ruled, listed);
    }

    #[test]
    fn every_rule_has_a_page() {
        for rule in ALL {
            assert!(rule.page.len() > 80 && rule.page.ends_with('.'), "{} has no page", rule.code);
            assert_eq!(find(&rule.code.to_lowercase()).map(|rule| rule.code), Some(rule.code));
        }
    }

    #[test]
    fn only_what_no_file_can_show_has_no_examples() {
        let without: Vec<&str> =
            ALL.iter().filter(|rule| rule.failing.is_none() || rule.passing.is_none()).map(|rule| rule.code).collect();
        assert_eq!(without, [codes::UNREADABLE, codes::MISSING_FILE, codes::BAD_TEMPLATE]);
    }

    #[test]
    fn failing_examples_give_their_code_and_no_other_at_their_place() {
        let wrong: Vec<String> = ALL
            .iter()
            .filter_map(|rule| {
                let failing = rule.failing?;
                let found = findings(failing.text);
                let place = found.first()?.place.as_ref().map(|place| (place.line, place.column));
                let only = found.iter().all(|finding| finding.code == rule.code);
                let worst = found.iter().map(|finding| finding.severity).min();
                let right = only && place == Some((failing.line, failing.column)) && worst == Some(rule.severity);
                (!right)
                    .then(|| format!("{} at {}:{}, found:\n{}", rule.code, failing.line, failing.column, shown(&found)))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn failing_examples_are_found() {
        let silent = ALL.iter().filter(|rule| rule.failing.is_some_and(|failing| findings(failing.text).is_empty()));
        assert_eq!(silent.map(|rule| rule.code).collect::<Vec<_>>(), Vec::<&str>::new());
    }

    #[test]
    fn passing_examples_give_nothing() {
        let found = |rule: &Rule| rule.passing.map(findings).unwrap_or_default();
        let wrong = ALL.iter().filter(|rule| !found(rule).is_empty());
        let wrong: Vec<String> = wrong.map(|rule| format!("{}:\n{}", rule.code, shown(&found(rule)))).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
