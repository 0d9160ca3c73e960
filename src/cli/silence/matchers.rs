//! What is written on the command line to name alerts: the language of routes and exclusions, and matchers of labels.
//!
//! `service`, `owner`, `severity` and `slo` are those of the alert, as in `match` of a route; `SERVICE/NAME` with `*` for any
//! letters is an SLO, as in an exclusion, and what stands in braces behind it is a group. All else is a label. It becomes
//! matchers of labels, for that is what a silence keeps, and what Alertmanager is told.

use crate::http::dto::silence::Matcher;
use crate::policy::subject::SEVERITY_LABEL;
use crate::units::{InstanceId, is_name};

/// The operators, those first that hold others.
const OPERATORS: [(&str, bool, bool); 4] =
    [("=~", true, true), ("!~", true, false), ("!=", false, false), ("=", false, true)];

/// The alert's own, and the labels that hold them.
const OWN: [(&str, &str); 2] = [("service", SERVICE), ("severity", SEVERITY_LABEL)];

const SERVICE: &str = "slo_service";
const NAME: &str = "slo_name";

/// The matchers that one argument stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written(pub(super) Vec<Matcher>);

/// One argument: a matcher, or an SLO for the labels that name it.
pub(super) fn read_matchers(text: &str) -> Result<Written, String> {
    let head = text.split(['=', '!', '{']).next().unwrap_or_default();
    if head.contains('/') || head.trim() == "*" {
        return slo(text);
    }
    let found = OPERATORS.into_iter().find_map(|(operator, is_regex, is_equal)| {
        Some((text.strip_prefix(head)?.strip_prefix(operator)?, is_regex, is_equal))
    });
    let Some((value, is_regex, is_equal)) = found else {
        return Err(format!("`{text}` has no operator; write it like service=checkout, or name SLOs: 'checkout/*'"));
    };
    let (name, value) = (head.trim(), unquoted(value.trim())?);
    if name.is_empty() {
        return Err(format!("`{text}` names no label"));
    }
    if name == "slo" {
        return match (is_regex, is_equal) {
            (false, true) => slo(&value),
            _ => Err("`slo` takes `=` and a pattern only; for others match slo_service and slo_name".to_owned()),
        };
    }
    let own = OWN.iter().find(|(own, _)| *own == name);
    let name = own.map_or(name, |(_, label)| label).to_owned();
    Ok(Written(vec![Matcher { name, value, is_regex, is_equal }]))
}

/// An SLO, several by a pattern, or one group of them.
fn slo(text: &str) -> Result<Written, String> {
    let wrong = || format!("`{text}` is neither a matcher nor an SLO; write SERVICE/NAME with `*` for any letters");
    let (id, group) = text.split_at(text.find('{').unwrap_or(text.len()));
    if id == "*" {
        return Err("`*` is everything: name a service, such as 'checkout/*'".to_owned());
    }
    let (service, name) = id.split_once('/').ok_or_else(wrong)?;
    // With stars filled in both have to be names.
    if ![service, name].iter().all(|part| is_name(&part.replace('*', "a"))) {
        return Err(wrong());
    }
    let mut matchers: Vec<Matcher> =
        [(SERVICE, service), (NAME, name)].into_iter().filter_map(|(label, part)| like(label, part)).collect();
    if !group.is_empty() {
        // Any id will do to read the group behind it.
        let id: InstanceId = format!("a/a{group}").parse().map_err(|_| wrong())?;
        matchers.extend(id.group.iter().map(|(name, value)| equal(name, value)));
    }
    if matchers.is_empty() {
        return Err(format!("`{text}` is everything: name a service, such as 'checkout/*'"));
    }
    Ok(Written(matchers))
}

/// `None` where anything will do.
fn like(label: &str, part: &str) -> Option<Matcher> {
    if part.chars().all(|letter| letter == '*') {
        return None;
    }
    if !part.contains('*') {
        return Some(equal(label, part));
    }
    let pieces: Vec<String> = part.split('*').map(regex::escape).collect();
    Some(Matcher { is_regex: true, ..equal(label, &pieces.join(".*")) })
}

fn equal(name: &str, value: &str) -> Matcher {
    Matcher { name: name.to_owned(), value: value.to_owned(), is_regex: false, is_equal: true }
}

/// A value, in quotes or not. In double quotes a backslash escapes, as in PromQL.
fn unquoted(text: &str) -> Result<String, String> {
    let Some(rest) = text.strip_prefix('"') else {
        let single = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        return Ok(single.unwrap_or(text).to_owned());
    };
    let (mut value, mut rest) = (String::new(), rest.chars());
    while let Some(character) = rest.next() {
        match character {
            '"' if rest.as_str().is_empty() => return Ok(value),
            '"' => break,
            '\\' => value.extend(rest.next().map(|escaped| if escaped == 'n' { '\n' } else { escaped })),
            other => value.push(other),
        }
    }
    Err(format!("`{text}` has a quote that does not end"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::silence::LabelMatcher;

    fn shown(text: &str) -> Result<String, String> {
        let Written(matchers) = read_matchers(text)?;
        let shown: Vec<String> = matchers.into_iter().map(|matcher| LabelMatcher::from(matcher).to_string()).collect();
        Ok(shown.join(" "))
    }

    #[test]
    fn matchers_are_read_as_people_write_them() {
        for (text, expected) in [
            ("slo_service=checkout", r#"slo_service="checkout""#),
            (r#"slo_service="checkout""#, r#"slo_service="checkout""#),
            ("region!=eu", r#"region!="eu""#),
            (r#"region=~"eu|us""#, r#"region=~"eu|us""#),
            ("region!~'eu.*'", r#"region!~"eu.*""#),
            ("path=/a=b", r#"path="/a=b""#),
            (r#"text="a \"b\" \\ c""#, r#"text="a \"b\" \\ c""#),
            ("gone=", r#"gone="""#),
            ("checkout/availability", r#"slo_service="checkout" slo_name="availability""#),
            (r#"checkout/availability{region="eu"}"#, r#"slo_service="checkout" slo_name="availability" region="eu""#),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
        for (text, problem) in [
            ("checkout", "has no operator; write it like service=checkout"),
            ("=x", "names no label"),
            ("a/b/c", "neither a matcher nor an SLO"),
            ("*", "is everything"),
            ("*/*", "is everything"),
            ("slo=*", "is everything"),
            ("slo!=shop/a", "takes `=`"),
            (r#"a="b"#, "a quote that does not end"),
            (r#"a="b"c"#, "a quote that does not end"),
        ] {
            assert!(shown(text).unwrap_err().contains(problem), "{text}");
        }
    }

    #[test]
    fn words_of_routes_and_patterns_of_exclusions_mean_here_what_they_mean_there() {
        for (text, expected) in [
            ("service=shop", r#"slo_service="shop""#),
            ("service!=shop", r#"slo_service!="shop""#),
            ("service=~'shop|pay'", r#"slo_service=~"shop|pay""#),
            ("severity=page", r#"slo_severity="page""#),
            ("owner=web", r#"owner="web""#),
            ("name=x", r#"name="x""#),
            ("shop/*", r#"slo_service="shop""#),
            ("slo=shop/*", r#"slo_service="shop""#),
            ("*/latency", r#"slo_name="latency""#),
            ("shop-*/avail*", r#"slo_service=~"shop\\-.*" slo_name=~"avail.*""#),
            (r#"shop/*{region="eu"}"#, r#"slo_service="shop" region="eu""#),
            (r#"*/*{region="eu"}"#, r#"region="eu""#),
            ("slo=shop/availability", r#"slo_service="shop" slo_name="availability""#),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
    }
}
