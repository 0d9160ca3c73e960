//! The placeholders that Prometheus fills in annotations and labels of alerts, for the files of other tools.
//!
//! Rendered are `{{ $labels.x }}` (`{{ .Labels.x }}`), `{{ $value }}` (`{{ .Value }}`) and
//! `{{ $value | humanizePercentage }}`, with any space inside the braces, and with Go's trim markers (`{{- $value -}}` takes the space beside it along); a label that is not there
//! renders as nothing, as it does in Prometheus. Every other template stays as written: `slo check` warns of it, and a
//! half-rendered one would be worse than one that can be recognised.

use std::collections::BTreeMap;

use crate::spec::foreign::template::{is_percentage, is_value};

/// Exponents from which Go prints a float as `1e+06` (`%v`, which is what a template prints).
const LARGE_EXPONENT: i32 = 6;

/// Exponents below which Go prints a float as `1e-05`.
const SMALL_EXPONENT: i32 = -4;

/// Significant digits of a percentage; exponents from which it is printed with one.
const PERCENT_DIGITS: i32 = 4;

/// `text` with its placeholders filled; without a `value` those that want one stay.
#[must_use]
pub fn render(text: &str, labels: &BTreeMap<String, String>, value: Option<f64>) -> String {
    let mut rendered = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        rendered.push_str(before);
        let Some((inside, tail)) = after.split_once("}}") else {
            rendered.push_str("{{");
            rest = after;
            continue;
        };
        rest = tail;
        // The markers want a blank between them and the action.
        let (begun, trims_before) = inside.strip_prefix("- ").map_or((inside, false), |rest| (rest, true));
        let (action, trims_after) = begun.strip_suffix(" -").map_or((begun, false), |rest| (rest, true));
        let Some(filled) = filled(action.trim(), labels, value) else {
            rendered.extend(["{{", inside, "}}"]);
            continue;
        };
        if trims_before {
            rendered.truncate(rendered.trim_end().len());
        }
        rendered.push_str(&filled);
        if trims_after {
            rest = rest.trim_start();
        }
    }
    rendered.push_str(rest);
    rendered
}

/// Whether there is a placeholder or another template in it.
#[must_use]
pub fn is_template(text: &str) -> bool {
    text.contains("{{")
}

/// What stands for the placeholder; `None`: it is none of those that are known.
fn filled(inside: &str, labels: &BTreeMap<String, String>, value: Option<f64>) -> Option<String> {
    if is_value(inside) {
        return value.map(go_float);
    }
    if is_percentage(inside) {
        return value.map(percentage);
    }
    let name = inside.strip_prefix("$labels.").or_else(|| inside.strip_prefix(".Labels."))?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then(|| labels.get(name).cloned().unwrap_or_default())
}

/// A ratio as Prometheus' `humanizePercentage` prints it (Go's `%.4g%%`): `3.12%`, `0.001%`, `1e-05%`.
fn percentage(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if !percent.is_finite() {
        return go_float(percent) + "%";
    }
    // Four significant digits, decided after rounding, without the zeros at the end.
    let rounded: f64 = format!("{percent:.3e}").parse().unwrap_or(percent);
    let scientific = format!("{rounded:e}");
    match scientific.split_once('e').and_then(|(digits, text)| Some((digits, text.parse::<i32>().ok()?))) {
        Some((digits, exponent)) if !(SMALL_EXPONENT..PERCENT_DIGITS).contains(&exponent) => {
            format!("{digits}e{}{:02}%", if exponent < 0 { '-' } else { '+' }, exponent.abs())
        }
        _ => format!("{rounded}%"),
    }
}

/// A float as Prometheus' templates print it (Go's `%v`): the shortest decimal that reads back as the same, with an
/// exponent of two digits from 1e6 on and below 1e-4. `0.0144`, `1e-05`, `1.5e+06`, `+Inf`.
#[must_use]
pub fn go_float(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let parts = scientific.split_once('e').and_then(|(digits, text)| Some((digits, text.parse::<i32>().ok()?)));
    match parts {
        Some((digits, exponent)) if !(SMALL_EXPONENT..LARGE_EXPONENT).contains(&exponent) => {
            format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_value_are_filled_and_all_else_stays() {
        let labels = BTreeMap::from([("sloth_slo".to_owned(), "requests".to_owned())]);
        let rendered = |text: &str| render(text, &labels, Some(0.0312));
        assert_eq!(rendered("{{ $labels.sloth_slo }} at {{ $value }}"), "requests at 0.0312");
        assert_eq!(
            rendered("{{$labels.sloth_slo}}{{$value}}|{{ .Labels.sloth_slo }}{{.Value}}"),
            "requests0.0312|requests0.0312"
        );
        assert_eq!(rendered("a {{ $labels.gone }} b"), "a  b");
        assert_eq!(rendered("a  {{- $value -}}  b {{- $value }} c"), "a0.0312b0.0312 c");
        for other in [
            "{{ $value | humanize }}",
            "{{ $value | humanizePercentage | title }}",
            "{{ humanizePercentage$value }}",
            "{{ with $labels }}{{ end }}",
            "{{ $labels.a.b }}",
            "{{ $labels. }}",
            "{{-$value-}}",
            "{{ $labels.sloth_slo",
            "{ $value }",
            "}} {{",
        ] {
            assert_eq!(rendered(other), other);
        }
        for percentage in
            ["{{ $value | humanizePercentage }}", "{{.Value|humanizePercentage}}", "{{ humanizePercentage $value }}"]
        {
            assert_eq!(rendered(percentage), "3.12%");
            assert_eq!(render(percentage, &labels, None), percentage);
        }
        assert_eq!(rendered("{{ x }}{{ $value }}"), "{{ x }}0.0312");
        assert_eq!(render("{{ $value }}", &labels, None), "{{ $value }}");
    }

    #[test]
    fn percentages_are_printed_as_prometheus_prints_them() {
        // Each as `fmt.Sprintf("%.4g%%", value * 100)` of Go prints it.
        for (value, text) in [
            (0.0, "0%"),
            (1.0, "100%"),
            (0.0144, "1.44%"),
            (0.123_456, "12.35%"),
            (0.999_999, "100%"),
            (1.0 / 3.0, "33.33%"),
            (0.000_01, "0.001%"),
            (0.000_001, "0.0001%"),
            (0.000_000_1, "1e-05%"),
            (12.345_6, "1235%"),
            (99.999_9, "1e+04%"),
            (-0.5, "-50%"),
            (f64::NAN, "NaN%"),
            (f64::INFINITY, "+Inf%"),
        ] {
            assert_eq!(percentage(value), text, "{value}");
        }
    }

    #[test]
    fn floats_are_printed_as_go_prints_them() {
        // Each as `fmt.Sprint` of Go prints it.
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.0144, "0.0144"),
            (0.1 + 0.2, "0.30000000000000004"),
            (0.0001, "0.0001"),
            (0.000_099, "9.9e-05"),
            (1e-10, "1e-10"),
            (123_456.5, "123456.5"),
            (999_999.0, "999999"),
            (1e6, "1e+06"),
            (1.25e300, "1.25e+300"),
            (-2.5, "-2.5"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(go_float(value), text);
        }
    }
}
