//! `slo deliveries`: what a running service sent, what waits and what was given up; and sending that again.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use comfy_table::Cell;
use serde_json::json;

use crate::cli::alerts::acts::By;
use crate::cli::alerts::{last_answer, what_is_told};
use crate::cli::client::{Client, Refused, decoded};
use crate::cli::printer::Printer;
use crate::cli::table::{self, printable};
use crate::cli::{FAILED, FINDINGS, Server};
use crate::clock::Clock;
use crate::http::dashboard::format;
use crate::http::dashboard::layout::counted;
use crate::http::dto::delivery::Delivery;
use crate::http::dto::list::List;
use crate::units::Timestamp;

/// Least width of the column with the answers: less would make a column of single words.
const ANSWER_WIDTH: u16 = 30;

/// List what was sent, waits or was given up, newest first, or send again what was given up
#[derive(Clone, Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  slo deliveries --state pending
  slo deliveries --state failed --sink oncall
  slo deliveries resend 'checkout/availability/page/burn/2026-11-21T02:54:00Z/1@oncall'")]
pub struct Arguments {
    /// What to do instead of listing.
    #[command(subcommand)]
    pub action: Option<Action>,
    /// What is listed.
    #[command(flatten)]
    pub list: Listing,
}

/// What to do with deliveries.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Send again what was given up, once the receiver is mended
    #[command(after_help = "Example:
  slo deliveries resend 'checkout/availability/page/burn/2026-11-21T02:54:00Z/1@oncall'")]
    Resend(Resend),
}

/// Options of `slo deliveries`.
#[derive(Clone, Debug, clap::Args)]
pub struct Listing {
    /// Only in this state
    #[arg(long, value_name = "STATE", value_parser = ["pending", "done", "failed", "superseded", "expired"])]
    pub state: Option<String>,
    /// Only to this sink
    #[arg(long, value_name = "SINK")]
    pub sink: Option<String>,
    /// Only of the alert with this id
    #[arg(long, value_name = "ID")]
    pub alert: Option<String>,
    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=5000))]
    pub limit: u16,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Which service is asked.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `slo deliveries resend`.
#[derive(Clone, Debug, clap::Args)]
pub struct Resend {
    /// The deliveries' ids
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// Who does it; a token's name goes before it
    #[command(flatten)]
    pub by: By,
    /// Which service is asked.
    #[command(flatten)]
    pub server: Server,
}

/// How deliveries are printed.
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
/// Where the service does not answer.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    match &arguments.action {
        None => run_list(&arguments.list, printer),
        Some(Action::Resend(resend)) => Client::block_on(run_resend(resend, printer)),
    }
}

fn run_list(arguments: &Listing, printer: &Printer) -> anyhow::Result<ExitCode> {
    let client = Client::new(&arguments.server)?;
    let limit = arguments.limit.to_string();
    let filters = [("state", &arguments.state), ("sink", &arguments.sink), ("alert", &arguments.alert)];
    let mut query: Vec<(&str, &str)> =
        filters.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
    query.push(("limit", &limit));
    let answer = Client::block_on(client.get(&["api", "v1", "deliveries"], &query))?;
    if arguments.format == Format::Json {
        printer.data(&(serde_json::to_string_pretty(&answer)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let deliveries: List<Delivery> = decoded(answer)?;
    if !deliveries.items.is_empty() {
        printer.data(&rendered(printer, &deliveries.items, Clock::system().now()))?;
    }
    printer.say(&closing(&deliveries));
    Ok(ExitCode::SUCCESS)
}

/// A table where the terminal leaves room for the answers, else a few lines a delivery. Ids are whole, to be copied.
fn rendered(printer: &Printer, deliveries: &[Delivery], now: Timestamp) -> String {
    let mut rows = table::table(printer, &["STATE", "SINK", "ABOUT", "TOLD", "TRIES", "ID", "LAST ANSWER"], 0);
    for delivery in deliveries {
        rows.add_row(vec![
            table::status(&delivery.state),
            Cell::new(printable(&delivery.sink)),
            Cell::new(about(delivery)),
            Cell::new(what_is_told(delivery)),
            Cell::new(delivery.attempts.len()),
            Cell::new(printable(&delivery.id)),
            Cell::new(answer(delivery, now)),
        ]);
    }
    table::keep_whole(&mut rows, 6);
    let answers = rows.column_max_content_widths().last().copied().unwrap_or(0);
    let others = table::natural_width(&rows).saturating_sub(answers);
    if table::width(printer).is_none_or(|width| width >= others.saturating_add(answers.min(ANSWER_WIDTH))) {
        return table::text(&rows);
    }
    deliveries.iter().map(|delivery| block(printer, delivery, now)).collect()
}

fn block(printer: &Printer, delivery: &Delivery, now: Timestamp) -> String {
    let state = table::status_text(printer, &delivery.state);
    let (sink, id) = (printable(&delivery.sink), printable(&delivery.id));
    let (about, told, answer) = (about(delivery), what_is_told(delivery), answer(delivery, now));
    format!("{state}  {sink}  {about}, {told}\n    {answer}\n    {id}\n")
}

/// `page checkout/availability`, `3 alerts as one`.
fn about(delivery: &Delivery) -> String {
    let test = if delivery.mark.as_deref() == Some("test") { "test, " } else { "" };
    let drill = if delivery.mark.as_deref() == Some("drill") { "drill, " } else { "" };
    if delivery.is_digest() {
        return format!("{} as one", counted(delivery.members.len(), &printable(&delivery.severity)));
    }
    format!("{test}{drill}{} {}", printable(&delivery.severity), printable(&delivery.slo))
}

/// What was said last, and when it is tried next.
fn answer(delivery: &Delivery, now: Timestamp) -> String {
    let next = delivery.next_attempt_at.filter(|next| delivery.state == "pending" && *next > now);
    let next = next.map_or_else(String::new, |next| format!("; next try {}", format::when(now, next)));
    format!("{}{next}", last_answer(delivery))
}

fn closing(deliveries: &List<Delivery>) -> String {
    let shown = deliveries.items.len();
    let count = if shown == 1 { "1 delivery".to_owned() } else { format!("{shown} deliveries") };
    let given_up = deliveries.items.iter().find(|delivery| matches!(delivery.state.as_str(), "failed" | "expired"));
    let next = given_up.map_or_else(String::new, |delivery| {
        format!("; `slo deliveries resend '{}'` sends one again", printable(&delivery.id))
    });
    match deliveries.total {
        0 => "no delivery is as asked for".to_owned(),
        total if total > shown => format!("{count} of {total}; `--limit` shows more{next}"),
        _ => format!("{count}{next}"),
    }
}

/// Sends each again. One that is refused does not keep the others from being sent.
async fn run_resend(resend: &Resend, printer: &Printer) -> anyhow::Result<ExitCode> {
    let client = Client::new(&resend.server)?;
    let (mut done, mut refused_by_service) = (0_usize, false);
    for id in &resend.ids {
        let body = json!({"by": resend.by.name});
        match client.post(&["api", "v1", "deliveries", id, "resend"], &body).await {
            Ok(answer) => {
                let delivery: Delivery = decoded(answer)?;
                printer.say(&format!("{}: waits to be sent to {}", printable(id), printable(&delivery.sink)));
                done += 1;
            }
            Err(error) => {
                let refused = error.downcast::<Refused>()?;
                refused_by_service |= refused.status.is_server_error() || matches!(refused.status.as_u16(), 401 | 403);
                printer.say(&format!("{}: {}", printable(id), printable(&refused.message)));
            }
        }
    }
    let next = if done > 0 { "; `slo deliveries` shows what came of it" } else { "" };
    printer.say(&format!("{done} of {} sent again{next}", resend.ids.len()));
    Ok(match (done == resend.ids.len(), refused_by_service) {
        (true, _) => ExitCode::SUCCESS,
        (false, true) => ExitCode::from(FAILED),
        (false, false) => ExitCode::from(FINDINGS),
    })
}
