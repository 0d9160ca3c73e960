//! `slo silence`: what people do not want to hear of for a while.

mod matchers;

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use comfy_table::Cell;
use reqwest::StatusCode;
use serde_json::json;

use crate::cli::client::{Client, Refused, decoded};
use crate::cli::printer::{Paint, Printer};
use crate::cli::silence::matchers::{Written, read_matchers};
use crate::cli::table::{self, printable};
use crate::cli::{FINDINGS, Server};
use crate::clock::Clock;
use crate::http::dashboard::format;
use crate::http::dashboard::layout::counted;
use crate::http::dto;
use crate::http::dto::silence::{NewSilence, Silence, SilenceId};
use crate::policy::silence::LabelMatcher;
use crate::units::{Length, Timestamp};

/// Silence alerts of a running service for a while, list silences, or end them
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo silence add checkout/availability --for 2h --comment 'database upgrade' --by ann
  slo silence list
  slo silence expire 4f1c0a9b7e21")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do with silences.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Silence the alerts that all matchers match; prints the id
    #[command(after_help = "Examples:
  slo silence add checkout/availability --for 2h --comment 'database upgrade' --by ann
  slo silence add 'checkout/*' --for 2h --comment 'moving house' --by ann
  slo silence add service=checkout 'region=~\"eu|us\"' --for 30m --comment drill --by ann
  slo silence add severity=ticket service!=payments --for 8h --start 2026-12-01T22:00:00Z \\
    --comment 'night shift' --by ann")]
    Add(Add),
    /// List silences with how many firing alerts each covers
    #[command(after_help = "Example:
  slo silence list --expired")]
    List(List),
    /// End silences now; what still fires under them is told
    #[command(after_help = "Example:
  slo silence expire 4f1c0a9b7e21")]
    Expire(Expire),
}

/// Options of `slo silence add`.
#[derive(Clone, Debug, clap::Args)]
pub struct Add {
    /// An SLO (`checkout/availability`, `checkout/*`), `service=`, `owner=`, `severity=` or `slo=` as in routes, or a label:
    /// `name=value`, `name!=value`, `name=~expression`, `name!~expression`
    #[arg(value_name = "MATCHER", required = true, value_parser = read_matchers)]
    pub matchers: Vec<Written>,
    /// How long
    #[arg(long = "for", value_name = "LENGTH")]
    pub length: Length,
    /// When it begins; now, if left out
    #[arg(long, value_name = "TIME")]
    pub start: Option<Timestamp>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub comment: String,
    /// Who asks; with a token its name, if left out
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true, default_value = "", hide_default_value = true)]
    pub by: String,
    /// Which service is told.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `slo silence list`.
#[derive(Clone, Debug, clap::Args)]
pub struct List {
    /// Those that are over, too
    #[arg(long)]
    pub expired: bool,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Which service is asked.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `slo silence expire`.
#[derive(Clone, Debug, clap::Args)]
pub struct Expire {
    /// The ids, as `slo silence add` and `list` print them
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// Who ends them, where no token says
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    pub by: Option<String>,
    /// Which service is told.
    #[command(flatten)]
    pub server: Server,
}

/// How silences are printed.
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
/// Where the service does not answer, or does not take it.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    match &arguments.action {
        Action::Add(add) => run_add(add, printer),
        Action::List(list) => run_list(list, printer),
        Action::Expire(expire) => run_expire(expire, printer),
    }
}

fn run_add(arguments: &Add, printer: &Printer) -> anyhow::Result<ExitCode> {
    let client = Client::new(&arguments.server)?;
    let asked = NewSilence {
        id: None,
        matchers: arguments.matchers.iter().flat_map(|written| written.0.clone()).collect(),
        created_by: arguments.by.clone(),
        comment: arguments.comment.clone(),
        starts_at: arguments.start,
        ends_at: arguments.start.unwrap_or_else(|| Clock::system().now()) + arguments.length,
    };
    let (added, all) = Client::block_on(async {
        let answer = client.post(&["api", "v1", "silences"], &json!(asked)).await?;
        Ok((decoded::<SilenceId>(answer)?, client.list(&["api", "v1", "silences"], &[]).await?))
    })?;
    let SilenceId { id, hint, .. } = added;
    let all: dto::list::List<Silence> = decoded(all)?;
    printer.data(&format!("{id}\n"))?;
    if let Some(silence) = all.items.iter().find(|silence| silence.id == id) {
        let until = format::moment(silence.ends_at);
        let covers = if silence.state == "pending" { "would cover" } else { "covers" };
        printer.say(&format!("{} until {until}; {covers} {}", silence.state, covered(silence)));
    }
    if let Some(hint) = hint {
        printer.say(&format!("{}: {}", printer.err.paint(Paint::Yellow, "warning"), printable(&hint)));
    }
    Ok(ExitCode::SUCCESS)
}

fn covered(silence: &Silence) -> String {
    let verb = if silence.firing_alerts == 1 { "fires" } else { "fire" };
    match silence.firing_alerts {
        0 => "nothing that fires now".to_owned(),
        count => format!("{} that {verb} now", counted(count, "alert")),
    }
}

fn run_list(arguments: &List, printer: &Printer) -> anyhow::Result<ExitCode> {
    let client = Client::new(&arguments.server)?;
    let query: &[(&str, &str)] = if arguments.expired { &[] } else { &[("state", "active,pending")] };
    let answer = Client::block_on(client.list(&["api", "v1", "silences"], query))?;
    if arguments.format == Format::Json {
        printer.data(&(serde_json::to_string_pretty(&answer)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let silences: dto::list::List<Silence> = decoded(answer)?;
    if !silences.items.is_empty() {
        printer.data(&rendered(printer, &silences.items))?;
    }
    printer.say(&closing(&silences.items));
    Ok(ExitCode::SUCCESS)
}

fn rendered(printer: &Printer, silences: &[Silence]) -> String {
    let mut rows = table::table(printer, &["ID", "STATE", "ALERTS", "FROM", "UNTIL", "COVERS", "BY", "COMMENT"], 0);
    for silence in silences {
        let matchers: Vec<String> =
            silence.matchers.iter().map(|matcher| LabelMatcher::from(matcher.clone()).to_string()).collect();
        rows.add_row(vec![
            Cell::new(&silence.id),
            Cell::new(&silence.state),
            Cell::new(printable(&matchers.join(" "))),
            Cell::new(format::short_moment(silence.starts_at)),
            Cell::new(format::short_moment(silence.ends_at)),
            Cell::new(silence.firing_alerts),
            Cell::new(printable(&silence.created_by)),
            Cell::new(printable(&silence.comment)),
        ]);
    }
    table::keep_whole(&mut rows, 2);
    table::text(&rows)
}

fn closing(silences: &[Silence]) -> String {
    let active = silences.iter().filter(|silence| silence.state == "active").count();
    match silences.iter().find(|silence| silence.state != "expired") {
        None if silences.is_empty() => "no silence is as asked for".to_owned(),
        None => format!("{}, none active", counted(silences.len(), "silence")),
        Some(first) => {
            let count = counted(silences.len(), "silence");
            format!("{count}, {active} active; `slo silence expire {}` ends one", printable(&first.id))
        }
    }
}

fn run_expire(arguments: &Expire, printer: &Printer) -> anyhow::Result<ExitCode> {
    let client = Client::new(&arguments.server)?;
    let by: Vec<(&str, &str)> = arguments.by.iter().map(|by| ("by", by.as_str())).collect();
    let mut code = ExitCode::SUCCESS;
    for id in &arguments.ids {
        match Client::block_on(client.delete(&["api", "v1", "silences", id], &by)) {
            Ok(_) => printer.say(&format!("the silence {} is over", printable(id))),
            Err(error) => {
                let known = [StatusCode::NOT_FOUND, StatusCode::CONFLICT];
                match error.downcast_ref::<Refused>() {
                    // The others are still to be ended.
                    Some(refused) if known.contains(&refused.status) => printer.say(&printable(&refused.message)),
                    _ => return Err(error),
                }
                code = ExitCode::from(FINDINGS);
            }
        }
    }
    Ok(code)
}
