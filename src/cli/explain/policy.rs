//! A policy by what it does: its tiers, and for constant shares of bad events when it fires, what that costs, when it ends.
//!
//! In closed form (`policy::detection`): from a clean start, a full budget and even traffic.

use std::collections::BTreeMap;
use std::process::ExitCode;

use comfy_table::Cell;
use serde_json::{Value, json};

use crate::cli::FINDINGS;
use crate::cli::explain::{Arguments, Format};
use crate::cli::printer::{Paint, Printer};
use crate::cli::table;
use crate::engine::definition::Tier;
use crate::policy::compile;
use crate::policy::describe;
use crate::policy::detection::{Detection, SHARES, Terms, detection};
use crate::policy::figure::{percent, rough_percent};
use crate::runtime::files::Request;
use crate::spec::policy::{AlertSeverity, Gates};
use crate::units::Length;
use crate::yaml::suggestion;

/// Prints the policy that the arguments name.
///
/// # Errors
/// Where it cannot be printed.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    let request = Request { paths: arguments.paths.clone(), config: arguments.config.clone() };
    let policies = request.gather().loaded.policies;
    let Some(policy) = policies.get(&arguments.what) else {
        let names = || policies.keys().map(String::as_str);
        let near = suggestion(&arguments.what, names()).map(|near| format!("did you mean `{near}`? "));
        let all = names().collect::<Vec<_>>().join(", ");
        let near = near.unwrap_or_default();
        printer.say(&format!("there is no policy `{}`; {near}there are {all}", arguments.what));
        return Ok(ExitCode::from(FINDINGS));
    };
    let tiers = match compile::tiers(policy, arguments.objective, arguments.window) {
        Ok(tiers) => tiers,
        Err(misfit) => {
            printer.say(&format!("{misfit}; {}", misfit.help));
            return Ok(ExitCode::from(FINDINGS));
        }
    };
    let terms = Terms { budget: arguments.objective.budget_ratio(), window: arguments.window };
    if arguments.format == Format::Json {
        printer.data(&(serde_json::to_string_pretty(&object(arguments, &tiers, terms))? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let allowed = seconds(terms.budget * arguments.window.seconds_f64());
    let head = format!(
        "{} at {} over {}: the budget is {} of bad events, or {allowed} with all of them bad",
        printer.out.paint(Paint::Bold, &policy.name),
        arguments.objective,
        arguments.window,
        percent(terms.budget)
    );
    let description = if policy.description.is_empty() { String::new() } else { format!("{}\n", policy.description) };
    let tables = format!("{}\n{}", tier_table(printer, &tiers, terms), share_table(printer, &tiers, terms));
    printer.data(&format!("{head}\n{description}\n{tables}"))?;
    printer.say(
        "from a clean start at even traffic, the end counted from the last bad event; on top come at most one scrape interval, one slice and the source's delay; \
         `min_bad` and `min_total` hold a quiet service back longer; next: slo explain SLO",
    );
    Ok(ExitCode::SUCCESS)
}

/// Every tier with its condition and gates, and what is spent of the budget when it fires on a total outage.
fn tier_table(printer: &Printer, tiers: &[Tier], terms: Terms) -> String {
    let mut rows = table::table(printer, &["TIER", "FIRES WHEN", "GATES", "BUDGET SPENT THEN"], 0);
    for tier in tiers {
        // What the windows hold; a `for` on top depends on how bad it is.
        let at_once = Tier { gates: Gates { for_: Length::ZERO, ..tier.gates.clone() }, ..tier.clone() };
        let spent = detection(&at_once, terms, 1.0).map_or_else(|| "-".to_owned(), |found| rough_percent(found.spent));
        rows.add_row(vec![
            Cell::new(tier.severity.name()),
            Cell::new(describe::condition(tier)),
            Cell::new(describe::gates(tier)),
            Cell::new(spent),
        ]);
    }
    table::text(&rows)
}

/// For each share the first page and the first ticket.
fn share_table(printer: &Printer, tiers: &[Tier], terms: Terms) -> String {
    let severities = severities(tiers);
    let mut header = vec!["BAD EVENTS".to_owned()];
    for severity in &severities {
        let name = severity.name().to_uppercase();
        header.extend([format!("{name} AFTER"), "SPENT".to_owned(), "ENDS AFTER".to_owned()]);
    }
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut rows = table::table(printer, &header, 0);
    for share in SHARES {
        let mut row = vec![Cell::new(percent(share))];
        for severity in &severities {
            let Some(first) = first(tiers, *severity, terms, share) else {
                row.extend(["never", "", ""].map(Cell::new));
                continue;
            };
            row.push(Cell::new(seconds(first.fires_after)));
            row.push(Cell::new(rough_percent(first.spent)));
            row.push(Cell::new(first.ends_after.map_or_else(|| "later".to_owned(), seconds)));
        }
        rows.add_row(row);
    }
    table::text(&rows)
}

fn severities(tiers: &[Tier]) -> Vec<AlertSeverity> {
    let mut severities: Vec<AlertSeverity> =
        tiers.iter().filter(|tier| describe::looks_at_share(tier)).map(|tier| tier.severity).collect();
    severities.sort_unstable();
    severities.dedup();
    severities
}

/// The tier of a severity that fires first; the alert lasts as long as the last of those that fire.
fn first(tiers: &[Tier], severity: AlertSeverity, terms: Terms, share: f64) -> Option<Detection> {
    let own = tiers.iter().filter(|tier| tier.severity == severity);
    own.filter_map(|tier| detection(tier, terms, share)).min_by(|a, b| a.fires_after.total_cmp(&b.fires_after))
}

fn object(arguments: &Arguments, tiers: &[Tier], terms: Terms) -> Value {
    let tier = |tier: &Tier| {
        let at: Vec<Value> = SHARES.iter().map(|share| shown(*share, detection(tier, terms, *share))).collect();
        json!({"severity": tier.severity.name(), "rule": describe::tier(tier), "detection": at})
    };
    let by_severity: BTreeMap<&str, Vec<Value>> = severities(tiers)
        .into_iter()
        .map(|severity| {
            let at = |share: &f64| shown(*share, first(tiers, severity, terms, *share));
            (severity.name(), SHARES.iter().map(at).collect())
        })
        .collect();
    json!({
        "policy": arguments.what,
        "objective": arguments.objective.good_ratio(),
        "window": arguments.window.to_string(),
        "tiers": tiers.iter().map(tier).collect::<Vec<_>>(),
        "first": by_severity,
    })
}

fn shown(share: f64, found: Option<Detection>) -> Value {
    json!({
        "bad_ratio": share,
        "fires_after_seconds": found.map(|found| found.fires_after),
        "spent_ratio": found.map(|found| found.spent),
        "ends_after_seconds": found.and_then(|found| found.ends_after),
    })
}

/// `52s`, `8m38s`, `1h26m`, `2d4h`: the two largest units.
fn seconds(seconds: f64) -> String {
    let length = match seconds {
        s if s < 3_600.0 => millis(s.round()),
        s if s < 86_400.0 => millis((s / 60.0).round() * 60.0),
        s => millis((s / 3_600.0).round() * 3_600.0),
    };
    Length::from_millis(length).to_string()
}

/// Seconds as milliseconds; what does not fit is the largest.
#[expect(clippy::cast_possible_truncation, reason = "a cast of a float saturates, and a year has 3.2e10 milliseconds")]
fn millis(seconds: f64) -> i64 {
    (seconds * 1_000.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_shown_in_two_units() {
        for (given, shown) in [(51.84, "52s"), (518.4, "8m38s"), (5_184.0, "1h26m"), (187_200.0, "2d4h"), (0.2, "0s")] {
            assert_eq!(seconds(given), shown);
        }
    }
}
