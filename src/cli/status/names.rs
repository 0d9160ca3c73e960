//! Which SLOs are meant: ids, groups, services and patterns, as they are written on the command line.

use serde_json::{Value, json};

use crate::units::{InstanceId, SloId};

/// Leaves the instances that any of the patterns takes.
pub fn keep(slos: &mut Value, patterns: &[String]) {
    if patterns.is_empty() {
        return;
    }
    let mut total = None;
    if let Some(items) = slos.get_mut("items").and_then(Value::as_array_mut) {
        items.retain(|item| patterns.iter().any(|pattern| takes(pattern, id(item))));
        total = Some(items.len());
    }
    if let Some(total) = total {
        slos["total"] = json!(total);
    }
}

/// Whether a pattern may take an instance of an SLO, whose groups are not known yet.
pub fn may_take(pattern: &str, slo: &SloId) -> bool {
    let slo = slo.to_string();
    match pattern.split_once('*') {
        // What follows the star may stand in the group.
        Some((fixed, _)) => slo.starts_with(fixed) || fixed.starts_with(&slo),
        None => takes(pattern.split_once('{').map_or(pattern, |(of_slo, _)| of_slo), &slo),
    }
}

/// The patterns that take nothing.
pub fn unmatched(slos: &Value, patterns: &[String]) -> Vec<String> {
    let items = slos.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    patterns.iter().filter(|pattern| !items.iter().any(|item| takes(pattern, id(item)))).cloned().collect()
}

fn id(item: &Value) -> &str {
    item.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// Whether a pattern takes an instance: its id, its SLO's id, its service, each with `*` for anything.
pub fn takes(pattern: &str, id: &str) -> bool {
    // Labels may be written in any order.
    let sorted = pattern.parse::<InstanceId>().map_or_else(|_| pattern.to_owned(), |id| id.to_string());
    let slo = id.split_once('{').map_or(id, |(slo, _)| slo);
    let service = slo.split_once('/').map_or(slo, |(service, _)| service);
    glob(&sorted, id) || glob(pattern, slo) || (!pattern.contains('/') && glob(pattern, service))
}

/// `*` is any text, everything else is itself.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_take_ids_services_and_groups() {
        let id = r#"checkout/availability{region="eu",zone="a"}"#;
        for pattern in [
            "checkout",
            "check*",
            "checkout/availability",
            "checkout/*",
            "*/availability",
            "*",
            r#"checkout/availability{region="eu",zone="a"}"#,
            r#"checkout/availability{zone="a",region="eu"}"#,
            r#"checkout/*{region="eu"*"#,
        ] {
            assert!(takes(pattern, id), "{pattern}");
        }
        for pattern in [
            "check",
            "availability",
            "checkout/avail",
            "*/latency",
            "search/*",
            r#"checkout/availability{region="us"}"#,
        ] {
            assert!(!takes(pattern, id), "{pattern}");
        }
    }

    #[test]
    fn what_a_pattern_may_take_is_known_before_the_groups_are() {
        let slo = SloId::new("checkout", "availability");
        for pattern in
            ["checkout", "*", "check*eu*", r#"checkout/availability{region="*"#, r#"checkout/availability{a="b"}"#]
        {
            assert!(may_take(pattern, &slo), "{pattern}");
        }
        for pattern in ["search", "search/*", "checkout/latency", r#"checkout/latency{a="b"}"#] {
            assert!(!may_take(pattern, &slo), "{pattern}");
        }
    }

    #[test]
    fn stars_stand_for_any_text() {
        for (pattern, text, fits) in [
            ("a*c", "abc", true),
            ("a*c", "ac", true),
            ("a*b*c", "axbyc", true),
            ("a*b", "abx", false),
            ("aba*ba", "aba", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn narrowing_counts_what_is_left() {
        let mut slos = json!({"items": [{"id": "a/b"}, {"id": "c/d"}], "total": 2});
        let patterns = ["a".to_owned(), "x".to_owned()];
        keep(&mut slos, &patterns);
        assert_eq!(slos, json!({"items": [{"id": "a/b"}], "total": 1}));
        assert_eq!(unmatched(&slos, &patterns), ["x"]);
    }
}
