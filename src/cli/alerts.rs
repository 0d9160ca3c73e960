//! `slo alerts`: the alerts of a running service.

pub mod acts;
pub mod find;

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use comfy_table::Cell;

use crate::cli::client::{Client, decoded};
use crate::cli::printer::{Paint, Printer};
use crate::cli::table::{self, printable};
use crate::cli::{FINDINGS, Server};
use crate::http::dashboard::format;
use crate::http::dashboard::layout::{counted, words};
use crate::http::dto;
use crate::http::dto::alert::{Alert, Tier, TierWindow, Transition};
use crate::http::dto::bundle::Bundle;
use crate::http::dto::case::Case;
use crate::http::dto::delivery::Delivery;
use crate::http::dto::figure::Figure;
use crate::units::Timestamp;

/// Blanks before a block of one alert.
const INDENT: u16 = 2;

/// Least width of the column with the reasons: less would make a column of single words.
const REASON_WIDTH: u16 = 40;

/// List the alerts of a running service, show one, or say something to it
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
  slo alerts show 'checkout/availability/page/burn/2026-11-21T02:54:00Z/alert-1'
  slo alerts show checkout/availability/page/burn")]
    Show(Show),
    /// Take alerts on: no escalation and no repeat from then on
    #[command(after_help = "Example:
  slo alerts ack checkout/availability/page/burn --note 'rolling back v41'")]
    Ack(acts::Word),
    /// End alerts whose data will not come back
    #[command(after_help = "Example:
  slo alerts close checkout/availability/page/down --note 'the region was switched off'")]
    Close(acts::Word),
    /// Say what alerts were worth: feeds precision
    #[command(after_help = "Example:
  slo alerts verdict noise checkout/availability/page/burn
  slo alerts verdict checkout/availability/page/burn noise")]
    Verdict(acts::Verdict),
    /// Print everything about alerts: transitions, deliveries, what people did, the figures now
    #[command(after_help = "Example:
  slo alerts bundle checkout/availability/page/burn --format md > review.md")]
    Bundle(acts::Everything),
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
    /// The alert's id or dedup key, or the begin of an id that is the only one so
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
        Action::Ack(word) => acts::run_word("ack", word, printer),
        Action::Close(word) => acts::run_word("close", word, printer),
        Action::Verdict(verdict) => acts::run_verdict(verdict, printer),
        Action::Bundle(everything) => acts::run_bundle(everything, printer),
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

/// A table where the terminal leaves room for the reasons, else a few lines an alert. Ids are whole, to be copied.
fn rendered(printer: &Printer, alerts: &[Alert]) -> String {
    let mut rows = table::table(printer, &["SEVERITY", "STATE", "SLO", "KIND", "SINCE", "LASTED", "ID", "WHY"], 0);
    for alert in alerts {
        rows.add_row(vec![
            table::status(&alert.severity),
            table::status(&alert.state),
            Cell::new(printable(&alert.slo)),
            Cell::new(alert.kind.replace('_', " ")),
            Cell::new(format::short_moment(since(alert))),
            Cell::new(lasted(alert)),
            Cell::new(printable(&alert.id)),
            Cell::new(format!("{}{}", printable(&alert.reason), marks(alert))),
        ]);
    }
    table::keep_whole(&mut rows, 7);
    let reasons = rows.column_max_content_widths().last().copied().unwrap_or(0);
    let others = table::natural_width(&rows).saturating_sub(reasons);
    if table::width(printer).is_none_or(|width| width >= others.saturating_add(reasons.min(REASON_WIDTH))) {
        return table::text(&rows);
    }
    alerts.iter().map(|alert| block(printer, alert)).collect()
}

fn block(printer: &Printer, alert: &Alert) -> String {
    let (severity, state) = (table::status_text(printer, &alert.severity), table::status_text(printer, &alert.state));
    let when =
        format!("{} since {}, {}", alert.kind.replace('_', " "), format::short_moment(since(alert)), lasted(alert));
    let slo = printable(&alert.slo);
    let (reason, id) = (printable(&alert.reason), printable(&alert.id));
    format!("{severity} {state}  {slo}\n    {when}{}\n    {reason}\n    {id}\n", marks(alert))
}

fn since(alert: &Alert) -> Timestamp {
    alert.fired_at.unwrap_or(alert.started_at)
}

fn lasted(alert: &Alert) -> String {
    alert.resolved_at.map_or_else(|| "still".to_owned(), |end| format::roughly(end.since(since(alert))))
}

/// ` (frozen, acknowledged)`.
fn marks(alert: &Alert) -> String {
    let held_back = alert.held_back_by.is_some() && !alert.frozen;
    let all = [(alert.drill, "drill"), (alert.frozen, "frozen"), (held_back, "held back")];
    let mut marks: Vec<String> = all.into_iter().filter(|(holds, _)| *holds).map(|(_, mark)| mark.to_owned()).collect();
    marks.extend(people_marks(alert));
    marks.extend(alert.verdict.clone());
    if marks.is_empty() { String::new() } else { format!(" ({})", printable(&marks.join(", "))) }
}

/// Who took it on, and whether nobody is told.
pub fn people_marks(alert: &Alert) -> Vec<String> {
    let acked = alert.acked.as_ref().map(|acked| format!("acknowledged by {}", printable(&acked.by)));
    acked.into_iter().chain(alert.quiet.as_ref().map(|_| "quiet".to_owned())).collect()
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
    Client::block_on(async {
        let alert = match find::find(&client, &arguments.id).await? {
            find::Found::One(alert) => alert,
            find::Found::None(why) | find::Found::Unknown(why) => {
                printer.say(&why);
                return Ok(ExitCode::from(FINDINGS));
            }
        };
        match arguments.format {
            Format::Json => printer.data(&(serde_json::to_string_pretty(&alert)? + "\n"))?,
            Format::Table => {
                let bundle = client.get(&["api", "v1", "alerts", &alert.id, "bundle"], &[]).await?;
                printer.data(&shown(printer, &decoded(bundle)?))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Everything about one alert, in blocks.
fn shown(printer: &Printer, bundle: &Bundle) -> String {
    let alert = &bundle.alert;
    let (_, severity) = words(&alert.severity);
    let (sign, state) = words(&alert.state);
    let paint = if alert.state == "firing" { Paint::Red } else { Paint::Bold };
    let title = format!("{sign} {severity} {}: {}{}", state.to_lowercase(), printable(&alert.slo), marks(alert));
    let mut text = format!("{}\n  {}\n\n", printer.out.paint(paint, &title), printable(&alert.reason));
    for (name, value) in facts(bundle) {
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

/// Times, who was told and what comes next, what people said, where it fails, whom to ask.
fn facts(bundle: &Bundle) -> Vec<(String, String)> {
    let (alert, now) = (&bundle.alert, bundle.made_at);
    let when = |time: Timestamp| format::when(now, time);
    let ended = |end: Timestamp| {
        let by = alert.ended_by.as_deref().map_or_else(String::new, |by| format!(", {}", by.replace('_', " ")));
        format!("{}{by}", when(end))
    };
    let times = [
        ("matched", Some(when(alert.started_at))),
        ("fired", alert.fired_at.map(when)),
        ("ended", alert.resolved_at.map(ended)),
        ("figures of", alert.as_of.filter(|_| alert.resolved_at.is_none()).map(when)),
        ("held back by", alert.held_back_by.as_deref().map(printable)),
        ("id", Some(printable(&alert.id))),
    ];
    let told = if alert.fired_at.is_some() { alert.telling.lines(alert.state == "firing", now) } else { Vec::new() };
    let told = told.into_iter().map(|(name, line)| (name, printable(&line)));
    let times = times.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let all = times.chain(told).chain(said(alert, &bundle.case)).map(|(name, value)| (name.to_owned(), value));
    let around = bundle.around().into_iter().map(|(name, value)| (printable(&name), printable(&value)));
    all.chain(around).collect()
}

/// Who took it on, what it was worth, why nobody is told: what there is of it.
fn said(alert: &Alert, case: &Case) -> Vec<(&'static str, String)> {
    let after = |seconds: Option<Figure>| {
        seconds.map_or_else(String::new, |seconds| format!(", {:.0} s after it was told", seconds.0))
    };
    let note = |note: &Option<String>| note.as_ref().map_or_else(String::new, |note| format!(": {}", printable(note)));
    let acked = case.acked.as_ref().map(|acked| {
        let (by, at) = (printable(&acked.by), format::moment(acked.at));
        format!("by {by}, {at}{}{}", after(alert.time_to_ack_seconds), note(&acked.note))
    });
    let by = |by: &Option<String>| by.as_ref().map_or_else(String::new, |by| format!(", says {}", printable(by)));
    let verdict = case.verdict.as_ref().map(|verdict| format!("{}{}", printable(verdict), by(&case.verdict_by)));
    let quiet = case.quiet.as_ref().map(|quiet| {
        let until = quiet.until.map_or_else(String::new, |until| format!(" until {}", format::moment(until)));
        format!("{} {}{until}: {}", quiet.kind, printable(&quiet.name), printable(&quiet.reason))
    });
    let escalated = case.escalated_at.map(format::moment);
    [("escalated", escalated), ("acknowledged", acked), ("verdict", verdict), ("quiet", quiet)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
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
    let mut rows = table::table(printer, &["SINK", "TOLD", "STATE", "TRIES", "LAST ANSWER"], INDENT);
    for delivery in deliveries {
        rows.add_row(vec![
            Cell::new(printable(&delivery.sink)),
            Cell::new(what_is_told(delivery)),
            table::status(&delivery.state),
            Cell::new(delivery.attempts.len()),
            Cell::new(last_answer(delivery)),
        ]);
    }
    table::keep_whole(&mut rows, 4);
    table::text(&rows)
}

/// `Firing`, `Firing, repeat`, `Acknowledged`, and whether several are told as one.
pub fn what_is_told(delivery: &Delivery) -> String {
    let state = words(&delivery.tells).1;
    let what = match delivery.occasion.as_str() {
        "acknowledged" => "Acknowledged".to_owned(),
        "" | "change" => state.to_owned(),
        occasion => format!("{state}, {}", printable(&occasion.replace('_', " "))),
    };
    if delivery.is_digest() { format!("{what}, digest") } else { what }
}

/// What the sink said last, and when.
pub fn last_answer(delivery: &Delivery) -> String {
    delivery.attempts.last().map_or_else(
        || "not tried yet".to_owned(),
        |attempt| format!("{} {}", format::moment(attempt.at), printable(&attempt.message)),
    )
}
