//! `slo audit`: who did what at a running service.

use std::process::ExitCode;

use clap::ValueEnum;
use comfy_table::Cell;

use crate::cli::Server;
use crate::cli::client::{Client, decoded};
use crate::cli::printer::Printer;
use crate::cli::table::{self, printable};
use crate::http::dashboard::format;
use crate::http::dto::audit::Audited;
use crate::http::dto::list::List;

/// Show who did what at a running service, newest first
///
/// Everything that was done is here: acknowledgements, silences, closings, drills, tests, deploy marks, messages sent
/// again, reloads. What was refused is not.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo audit
  slo audit --actor ann --action ack
  slo audit --limit 1000 --format json")]
pub struct Arguments {
    /// Only by this token or person
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// Only this: ack, close, verdict, silence.add, silence.change, silence.expire, mark, drill, resend, test, reload
    #[arg(long, value_name = "ACTION")]
    pub action: Option<String>,
    /// Only to this: the id of an alert, silence or delivery, the name of a sink or service
    #[arg(long, value_name = "ID")]
    pub object: Option<String>,
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

/// How entries are printed.
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
    let client = Client::new(&arguments.server)?;
    let limit = arguments.limit.to_string();
    let filters = [("actor", &arguments.actor), ("action", &arguments.action), ("object", &arguments.object)];
    let mut query: Vec<(&str, &str)> =
        filters.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
    query.push(("limit", &limit));
    let answer = Client::block_on(client.get(&["api", "v1", "audit"], &query))?;
    if arguments.format == Format::Json {
        printer.data(&(serde_json::to_string_pretty(&answer)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let entries: List<Audited> = decoded(answer)?;
    if !entries.items.is_empty() {
        printer.data(&rendered(printer, &entries.items))?;
    }
    printer.say(&closing(&entries));
    Ok(ExitCode::SUCCESS)
}

fn rendered(printer: &Printer, entries: &[Audited]) -> String {
    let mut rows = table::table(printer, &["AT", "WHO", "WHAT", "TO", "DETAIL"], 0);
    for entry in entries {
        rows.add_row(vec![
            Cell::new(format::moment(entry.at)),
            Cell::new(printable(&entry.who())),
            Cell::new(printable(&entry.action)),
            Cell::new(printable(&entry.object)),
            Cell::new(printable(&entry.detail)),
        ]);
    }
    table::keep_whole(&mut rows, 3);
    table::text(&rows)
}

fn closing(entries: &List<Audited>) -> String {
    let shown = entries.items.len();
    match entries.total {
        0 => "nothing was done that is as asked for".to_owned(),
        total if total > shown => format!("{shown} of {total} entries; `--limit {total}` shows them"),
        _ if shown == 1 => "1 entry".to_owned(),
        _ => format!("{shown} entries"),
    }
}
