//! `slo status`: budgets, burn and alerts of a running service at a glance, worst first.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::ValueEnum;
use comfy_table::{Attribute, Cell, Color, Table};
use serde_json::{Value, json};

use crate::cli::client::{Client, decoded};
use crate::cli::printer::{Paint, Printer};
use crate::cli::{FINDINGS, Server, table};
use crate::http::dashboard::format;
use crate::http::dashboard::layout::words;
use crate::http::dto::alert::Alert;
use crate::http::dto::instance::{BurnRate, Instance};
use crate::http::dto::list::List;
use crate::http::listing::{STATUSES, badness};
use crate::units::InstanceId;

/// Show budgets, burn and alerts of a running service, worst first
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo status
  slo status checkout '*/latency'
  slo status 'checkout/availability{region=\"eu\"}' --format json")]
pub struct Arguments {
    /// Only these: an SLO (`checkout/availability`), one of its groups, a service, or a pattern (`*/latency`)
    #[arg(value_name = "SLO")]
    pub slos: Vec<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Which service is asked.
    #[command(flatten)]
    pub server: Server,
}

/// How the status is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table for people
    Table,
    /// The object of `GET /api/v1/slos`
    Json,
}

/// Asks the service and prints. Code 0 whatever the budgets; 1 where nothing is as asked for.
///
/// # Errors
/// Where the service does not answer.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    let client = Client::new(&arguments.server)?;
    let alerts_wanted = arguments.format == Format::Table;
    let (mut slos, alerts) = Client::block_on(async {
        let slos = client.list(&["api", "v1", "slos"], &[]).await?;
        let firing = [("state", "firing,pending")];
        let alerts = if alerts_wanted { client.list(&["api", "v1", "alerts"], &firing).await? } else { json!(null) };
        Ok((slos, alerts))
    })?;
    keep(&mut slos, &arguments.slos);
    let unmatched = unmatched(&slos, &arguments.slos);
    match arguments.format {
        Format::Json => printer.data(&(serde_json::to_string_pretty(&slos)? + "\n"))?,
        Format::Table => {
            let slos: List<Instance> = decoded(slos)?;
            let mut alerts: List<Alert> = decoded(alerts)?;
            if !arguments.slos.is_empty() {
                alerts.items.retain(|alert| arguments.slos.iter().any(|pattern| takes(pattern, &alert.slo)));
            }
            if !slos.items.is_empty() {
                printer.data(&rendered(printer, &slos.items, &alerts.items))?;
            }
            if unmatched.len() < arguments.slos.len().max(1) {
                printer.say(&closing(printer, &slos, &alerts.items));
            }
        }
    }
    for pattern in &unmatched {
        printer.say(&format!("no SLO is `{pattern}`; `slo status` lists all"));
    }
    Ok(if unmatched.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) })
}

/// Leaves the instances that any of the patterns takes.
fn keep(slos: &mut Value, patterns: &[String]) {
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

fn unmatched(slos: &Value, patterns: &[String]) -> Vec<String> {
    let items = slos.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    patterns.iter().filter(|pattern| !items.iter().any(|item| takes(pattern, id(item)))).cloned().collect()
}

fn id(item: &Value) -> &str {
    item.get("id").and_then(Value::as_str).unwrap_or_default()
}

/// Whether a pattern takes an instance: its id, its SLO's id, its service, each with `*` for anything.
fn takes(pattern: &str, id: &str) -> bool {
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

/// The widest form that the terminal holds without wrapping: all columns, fewer of them, or two lines an SLO.
fn rendered(printer: &Printer, slos: &[Instance], alerts: &[Alert]) -> String {
    let mut open: BTreeMap<&str, Vec<&Alert>> = BTreeMap::new();
    for alert in alerts {
        open.entry(alert.slo.as_str()).or_default().push(alert);
    }
    let width = table::width(printer).unwrap_or(u16::MAX);
    for whole in [true, false] {
        let rows = rows(printer, slos, &open, whole);
        if table::natural_width(&rows) <= width {
            return table::text(&rows);
        }
    }
    slos.iter().map(|slo| two_lines(printer, slo, of(&open, slo))).collect()
}

type Open<'a> = BTreeMap<&'a str, Vec<&'a Alert>>;

fn of<'a>(open: &'a Open<'a>, slo: &Instance) -> &'a [&'a Alert] {
    open.get(slo.id.as_str()).map(Vec::as_slice).unwrap_or_default()
}

fn rows(printer: &Printer, slos: &[Instance], open: &Open<'_>, whole: bool) -> Table {
    let header: &[&str] = if whole {
        &["STATUS", "SLO", "OBJECTIVE", "BUDGET", "LEFT", "BURN", "ALERTS"]
    } else {
        &["STATUS", "SLO", "OBJECTIVE", "LEFT", "BURN", "ALERTS"]
    };
    let mut rows = table::table(printer, header, 0);
    for slo in slos {
        let remaining = slo.budget.remaining_ratio.0;
        let known = slo.coverage.0 > 0.0;
        let mut row = vec![table::status(&slo.status), Cell::new(name(slo)), Cell::new(objective(slo))];
        if whole {
            row.push(if known { table::bar(remaining) } else { Cell::new("") });
        }
        row.push(table::budget_figure(left(slo), if known { remaining } else { 1.0 }));
        let burn = Cell::new(burn(slo, whole));
        row.push(if fastest(slo).is_some_and(|burn| burn.rate.0 > 1.0) {
            burn.add_attribute(Attribute::Bold)
        } else {
            burn
        });
        let alerts = of(open, slo);
        let told = alerts.iter().filter(|alert| alert.state == "firing" && alert.held_back_by.is_none());
        let worst = told.min_by_key(|alert| badness(&alert.severity));
        row.push(Cell::new(open_alerts(alerts)).fg(worst.map_or(Color::Reset, |alert| table::colour(&alert.severity))));
        rows.add_row(row);
    }
    rows
}

fn two_lines(printer: &Printer, slo: &Instance, alerts: &[&Alert]) -> String {
    let mut second = vec![format!("{} left of {}", left(slo), objective(slo)), format!("burn {}", burn(slo, false))];
    if !alerts.is_empty() {
        second.push(open_alerts(alerts));
    }
    format!("{}  {}\n    {}\n", table::status_text(printer, &slo.status), name(slo), second.join(" · "))
}

fn objective(slo: &Instance) -> String {
    format!("{} {}", format::objective(slo.objective.0), slo.window)
}

fn left(slo: &Instance) -> String {
    if slo.coverage.0 > 0.0 { format::percent(slo.budget.remaining_ratio.0) } else { "–".to_owned() }
}

fn fastest(slo: &Instance) -> Option<&BurnRate> {
    slo.burn.iter().max_by(|a, b| a.rate.0.total_cmp(&b.rate.0))
}

/// Every window's burn, or only the fastest.
fn burn(slo: &Instance, whole: bool) -> String {
    if !whole {
        return fastest(slo)
            .map_or_else(|| "–".to_owned(), |burn| format!("{} ({})", format::burn(burn.rate.0), burn.over));
    }
    let all: Vec<String> =
        slo.burn.iter().map(|burn| format!("{} {:<5}", burn.over, format::burn(burn.rate.0))).collect();
    all.join("  ").trim_end().to_owned()
}

fn name(slo: &Instance) -> String {
    let by_time = slo.mode == "gauge" || slo.mode == "ratio";
    let marks = [(slo.frozen, "frozen"), (slo.shadow, "shadow"), (by_time, "by time"), (slo.estimated, "estimated")];
    let marks: Vec<&str> = marks.into_iter().filter_map(|(holds, mark)| holds.then_some(mark)).collect();
    let id = table::printable(&slo.id);
    if marks.is_empty() { id } else { format!("{id} ({})", marks.join(", ")) }
}

fn open_alerts(alerts: &[&Alert]) -> String {
    let mut sorted = alerts.to_vec();
    sorted.sort_by_key(|alert| (alert.held_back_by.is_some(), badness(&alert.severity)));
    let words: Vec<String> = sorted
        .iter()
        .map(|alert| {
            let held = if alert.held_back_by.is_some() { " held back" } else { "" };
            let state = if alert.state == "pending" { " pending" } else { held };
            format!("{}{state}", alert.severity)
        })
        .collect();
    words.join(", ")
}

/// Counts what was shown and says what to run next.
fn closing(printer: &Printer, slos: &List<Instance>, alerts: &[Alert]) -> String {
    if slos.items.is_empty() {
        return "no SLO is loaded there; `slo init` writes a first set".to_owned();
    }
    let counts: Vec<String> = STATUSES
        .iter()
        .filter_map(|status| {
            let count = slos.items.iter().filter(|slo| slo.status == **status).count();
            (count > 0).then(|| format!("{count} {}", words(status).1.to_lowercase()))
        })
        .collect();
    let firing = alerts.iter().filter(|alert| alert.state == "firing").count();
    let next = if firing > 0 {
        format!("{firing} firing; `slo alerts list --state firing` says why")
    } else {
        "nothing is firing".to_owned()
    };
    let of = format!("{} SLOs as of {}: {}", slos.items.len(), format::moment(slos.as_of), counts.join(", "));
    let problem = |slo: &Instance| {
        let problem = table::printable(slo.problem.as_deref()?);
        Some(format!("\n{} has nothing to count: {problem}", table::printable(&slo.id)))
    };
    let problems: String = slos.items.iter().filter_map(problem).collect();
    format!("{}\n{next}{problems}", printer.err.paint(Paint::Dim, &of))
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
