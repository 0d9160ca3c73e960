//! `slo alerts`: the alerts of a running service.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use comfy_table::Cell;
use reqwest::StatusCode;

use crate::cli::client::{Client, Refused, decoded};
use crate::cli::printer::{Paint, Printer};
use crate::cli::table::{self, printable};
use crate::cli::{FINDINGS, Server};
use crate::http::dashboard::format;
use crate::http::dashboard::layout::{counted, words};
use crate::http::dto;
use crate::http::dto::alert::{Alert, Delivery, Tier, TierWindow, Transition};
use crate::units::Timestamp;

/// Blanks before a block of one alert.
const INDENT: u16 = 2;

/// Least width of the column with the reasons: less would make a column of single words.
const REASON_WIDTH: u16 = 40;

/// List the alerts of a running service, or show one with its transitions and deliveries
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo alerts list --state firing
  slo alerts show 'checkout/availability/page/burn/2026-11-21T02:54:00Z/alert-1'")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with the alerts.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// List alerts, newest first
    #[command(after_help = "Example:
  slo alerts list --state firing --severity page")]
    List(List),
    /// Show one alert: transitions, tiers, deliveries
    #[command(after_help = "Example:
  slo alerts show 'checkout/availability/page/burn/2026-11-21T02:54:00Z/alert-1'")]
    Show(Show),
}

/// Options of `slo alerts list`.
#[derive(Clone, Debug, clap::Args)]
pub struct List {
    /// Only alerts in this state
    #[arg(long, value_name = "STATE", value_parser = ["pending", "firing", "resolved"])]
    pub state: Option<String>,
    /// Only alerts of this severity
    #[arg(long, value_name = "SEVERITY", value_parser = ["page", "ticket", "notice"])]
    pub severity: Option<String>,
    /// Only alerts of this SLO or instance
    #[arg(long, value_name = "SLO")]
    pub slo: Option<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Which service is asked.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `slo alerts show`.
#[derive(Clone, Debug, clap::Args)]
pub struct Show {
    /// The alert's id, as `slo alerts list` prints it
    #[arg(value_name = "ID")]
    pub id: String,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Which service is asked.
    #[command(flatten)]
    pub server: Server,
}

/// How alerts are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    Table,
    /// As the API answers
    Json,
}

/// Asks the service and prints.
///
/// # Errors
/// Where the service does not answer, or does not know the alert.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    match &arguments.action {
        Action::List(list) => run_list(list, printer),
        Action::Show(show) => run_show(show, printer),
    }
}

fn run_list(arguments: &List, printer: &Printer) -> anyhow::Result<ExitCode> {
    let client = Client::new(&arguments.server)?;
    let filters = [("state", &arguments.state), ("severity", &arguments.severity), ("slo", &arguments.slo)];
    let query: Vec<(&str, &str)> =
        filters.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
    let alerts = Client::block_on(client.list(&["api", "v1", "alerts"], &query))?;
    if arguments.format == Format::Json {
        printer.data(&(serde_json::to_string_pretty(&alerts)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let alerts: dto::list::List<Alert> = decoded(alerts)?;
    if !alerts.items.is_empty() {
        printer.data(&rendered(printer, &alerts.items))?;
    }
    printer.say(&closing(&alerts.items));
    Ok(ExitCode::SUCCESS)
}

/// A table where the terminal leaves room for the reasons, else two lines an alert.
fn rendered(printer: &Printer, alerts: &[Alert]) -> String {
    let mut rows = table::table(printer, &["SEVERITY", "STATE", "SLO", "KIND", "SINCE", "LASTED", "WHY"], 0);
    for alert in alerts {
        rows.add_row(vec![
            table::status(&alert.severity),
            table::status(&alert.state),
            Cell::new(printable(&alert.slo)),
            Cell::new(alert.kind.replace('_', " ")),
            Cell::new(format::short_moment(since(alert))),
            Cell::new(lasted(alert)),
            Cell::new(format!("{}{}", printable(&alert.reason), marks(alert))),
        ]);
    }
    table::keep_whole(&mut rows, 6);
    let reasons = rows.column_max_content_widths().last().copied().unwrap_or(0);
    let others = table::natural_width(&rows).saturating_sub(reasons);
    if table::width(printer).is_none_or(|width| width >= others.saturating_add(reasons.min(REASON_WIDTH))) {
        return table::text(&rows);
    }
    alerts.iter().map(|alert| two_lines(printer, alert)).collect()
}

fn two_lines(printer: &Printer, alert: &Alert) -> String {
    let (severity, state) = (table::status_text(printer, &alert.severity), table::status_text(printer, &alert.state));
    let when =
        format!("{} since {}, {}", alert.kind.replace('_', " "), format::short_moment(since(alert)), lasted(alert));
    let slo = printable(&alert.slo);
    format!("{severity} {state}  {slo}\n    {when}{}\n    {}\n", marks(alert), printable(&alert.reason))
}

fn since(alert: &Alert) -> Timestamp {
    alert.fired_at.unwrap_or(alert.started_at)
}

fn lasted(alert: &Alert) -> String {
    alert.resolved_at.map_or_else(|| "still".to_owned(), |end| format::roughly(end.since(since(alert))))
}

fn marks(alert: &Alert) -> &'static str {
    match (alert.frozen, alert.held_back_by.is_some()) {
        (true, _) => " (frozen)",
        (false, true) => " (held back)",
        (false, false) => "",
    }
}

fn closing(alerts: &[Alert]) -> String {
    let Some(first) = alerts.iter().find(|alert| alert.state == "firing").or(alerts.first()) else {
        return "no alert is as asked for".to_owned();
    };
    let firing = alerts.iter().filter(|alert| alert.state == "firing").count();
    format!(
        "{}, {firing} firing; `slo alerts show '{}'` tells all of one",
        counted(alerts.len(), "alert"),
        printable(&first.id)
    )
}

fn run_show(arguments: &Show, printer: &Printer) -> anyhow::Result<ExitCode> {
    let client = Client::new(&arguments.server)?;
    let answer = Client::block_on(client.get(&["api", "v1", "alerts", &arguments.id], &[]));
    let alert = match answer {
        Ok(alert) => alert,
        Err(error)
            if error.downcast_ref::<Refused>().is_some_and(|refused| refused.status == StatusCode::NOT_FOUND) =>
        {
            printer.say(&format!(
                "there is no alert `{}`; `slo alerts list` lists those there are",
                printable(&arguments.id)
            ));
            return Ok(ExitCode::from(FINDINGS));
        }
        Err(error) => return Err(error),
    };
    match arguments.format {
        Format::Json => printer.data(&(serde_json::to_string_pretty(&alert)? + "\n"))?,
        Format::Table => printer.data(&shown(printer, &decoded(alert)?))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything about one alert, in blocks.
fn shown(printer: &Printer, alert: &Alert) -> String {
    let (_, severity) = words(&alert.severity);
    let (sign, state) = words(&alert.state);
    let paint = if alert.state == "firing" { Paint::Red } else { Paint::Bold };
    let title = format!("{sign} {severity} {}: {}{}", state.to_lowercase(), printable(&alert.slo), marks(alert));
    let mut text = format!("{}\n  {}\n\n", printer.out.paint(paint, &title), printable(&alert.reason));
    let moment = |time: Option<Timestamp>| time.map_or_else(|| "–".to_owned(), format::moment);
    let facts = [
        ("matched", moment(Some(alert.started_at))),
        ("fired", moment(alert.fired_at)),
        (
            "ended",
            match (&alert.resolved_at, &alert.ended_by) {
                (Some(end), Some(by)) => format!("{} ({})", format::moment(*end), by.replace('_', " ")),
                (end, _) => moment(*end),
            },
        ),
        ("held back by", alert.held_back_by.clone().unwrap_or_else(|| "–".to_owned())),
        ("id", printable(&alert.id)),
    ];
    for (name, value) in facts {
        text.extend(["  ", &printer.out.paint(Paint::Dim, &format!("{name:<12}")), " ", &value, "\n"]);
    }
    for (heading, block) in [
        ("Tiers", tiers(printer, &alert.tiers)),
        ("Transitions", transitions(printer, &alert.transitions)),
        ("Deliveries", deliveries(printer, &alert.deliveries)),
    ] {
        text.extend(["\n", &printer.out.paint(Paint::Bold, heading), "\n", &indented(&block)]);
    }
    text
}

fn indented(block: &str) -> String {
    if block.is_empty() {
        "  none\n".to_owned()
    } else {
        block.lines().fold(String::new(), |text, line| text + "  " + line + "\n")
    }
}

fn tiers(printer: &Printer, tiers: &[Tier]) -> String {
    if tiers.is_empty() {
        return String::new();
    }
    let mut rows =
        table::table(printer, &["SEVERITY", "KIND", "STATE", "FIRES OVER", "LONG", "CONFIRMED BY", "ENDS BY"], INDENT);
    for tier in tiers {
        let window = |window: &Option<TierWindow>| window.as_ref().map_or_else(|| "–".to_owned(), window_words);
        rows.add_row(vec![
            table::status(&tier.severity),
            Cell::new(tier.kind.replace('_', " ")),
            table::status(&tier.state),
            Cell::new(tier.factor.map_or_else(|| "–".to_owned(), |factor| format::burn(factor.0))),
            Cell::new(window(&tier.over)),
            Cell::new(window(&tier.confirm)),
            Cell::new(window(&tier.resolve)),
        ]);
    }
    table::keep_whole(&mut rows, 4);
    table::text(&rows)
}

fn window_words(window: &TierWindow) -> String {
    let counts = format!("{} of {}", format::count(window.bad.0), format::count(window.total.0));
    format!("{} {} ({counts})", window.length, format::burn(window.rate.0))
}

fn transitions(printer: &Printer, transitions: &[Transition]) -> String {
    if transitions.is_empty() {
        return String::new();
    }
    let mut rows = table::table(printer, &["AT", "TO", "WHY"], INDENT);
    for step in transitions {
        let why = Cell::new(printable(&step.reason));
        rows.add_row(vec![Cell::new(format::moment(step.at)), table::status(&step.to), why]);
    }
    table::keep_whole(&mut rows, 2);
    table::text(&rows)
}

fn deliveries(printer: &Printer, deliveries: &[Delivery]) -> String {
    if deliveries.is_empty() {
        return String::new();
    }
    let mut rows = table::table(printer, &["SINK", "STATE", "TRIES", "LAST ANSWER"], INDENT);
    for delivery in deliveries {
        let last = delivery.attempts.last();
        let last = last.map_or_else(
            || "not tried yet".to_owned(),
            |attempt| format!("{} {}", format::moment(attempt.at), printable(&attempt.message)),
        );
        rows.add_row(vec![
            Cell::new(&delivery.sink),
            table::status(&delivery.state),
            Cell::new(delivery.attempts.len()),
            Cell::new(last),
        ]);
    }
    table::keep_whole(&mut rows, 3);
    table::text(&rows)
}
