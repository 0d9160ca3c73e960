//! `slo notify test`: a marked message to one sink, through the outbox of a running service, and its end; or, dry, what
//! would be sent, which needs the configuration only. A try is printed once it was answered.

mod dry;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};
use tokio::time::{interval, timeout};

use crate::cli::client::Client;
use crate::cli::printer::{Paint, Printer};
use crate::cli::table::printable;
use crate::cli::{FINDINGS, Server};
use crate::store::UNDER_WAY;

/// Between two looks at the delivery.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Send a marked test message to a sink
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo notify test oncall
  slo notify test mail --dry-run --config slo.yaml")]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// Send a test to one sink, then its end; print each try and what came of it
    #[command(after_help = "Examples:
  slo notify test oncall
  slo notify test tickets --severity ticket
  slo notify test mail --dry-run --config slo.yaml")]
    Test(Test),
}

/// Options of `slo notify test`.
#[derive(Clone, Debug, clap::Args)]
pub struct Test {
    /// Name of the sink, as under `sinks`
    #[arg(value_name = "SINK")]
    pub sink: String,
    /// As what it is sent; `resolve` shows, dry, the end of a page
    #[arg(long, value_enum, default_value_t = As::Page)]
    pub severity: As,
    /// Print what would be sent, and send nothing; secrets are hidden
    #[arg(long)]
    pub dry_run: bool,
    /// The configuration, for `--dry-run`
    #[arg(long, value_name = "FILE", default_value = "slo.yaml")]
    pub config: PathBuf,
    /// Wait at most so many seconds for each of the two to be accepted
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub wait: u64,
    /// Which service is asked.
    #[command(flatten)]
    pub server: Server,
}

/// As what a test is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum As {
    /// Somebody is woken
    Page,
    /// A ticket
    Ticket,
    /// A notice
    Notice,
    /// The end of a page
    Resolve,
}

impl As {
    /// The severity.
    const fn severity(self) -> &'static str {
        match self {
            Self::Page | Self::Resolve => "page",
            Self::Ticket => "ticket",
            Self::Notice => "notice",
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// Where the service does not answer, the sink is not known, or the configuration cannot be read.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    let Action::Test(test) = &arguments.action;
    if test.dry_run {
        return dry::run(test, printer);
    }
    let client = Client::new(&test.server)?;
    Client::block_on(send(&client, test, printer))
}

/// Sends the begin and, once it is accepted, the end.
async fn send(client: &Client, test: &Test, printer: &Printer) -> anyhow::Result<ExitCode> {
    let mut ends = Value::Null;
    for what in [test.severity.severity(), "resolve"] {
        let body = json!({"severity": test.severity.severity(), "ends": ends});
        let delivery = client.post(&["api", "v1", "sinks", &test.sink, "test"], &body).await?;
        let wait = Duration::from_secs(test.wait);
        let (shown, followed) = (Shown { what, printer }, &mut 0);
        let state = match timeout(wait, follow(client, &delivery, &shown, followed)).await {
            Ok(state) => state?,
            Err(_) => "pending".to_owned(),
        };
        if state != "done" {
            let tries = if *followed == 1 { "1 try".to_owned() } else { format!("{followed} tries") };
            let next = next_step(client, &test.sink, &state).await;
            printer.say(&format!("the {what} is {state} after {tries}; {next}"));
            return Ok(ExitCode::from(FINDINGS));
        }
        ends = delivery.get("id").cloned().unwrap_or_default();
    }
    printer.say(&format!("`{}` took the test and its end; look at what arrived", printable(&test.sink)));
    Ok(ExitCode::SUCCESS)
}

/// What somebody can do about a test that was not taken.
async fn next_step(client: &Client, sink: &str, state: &str) -> String {
    let name = printable(sink);
    if state != "pending" {
        return format!(
            "mend the address or the key of `{name}` and test again: a test goes at once, and holds back no alert"
        );
    }
    let list = client.get(&["api", "v1", "sinks"], &[]).await.unwrap_or_default();
    let items = list.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let ours = items.iter().find(|item| item.get("name").and_then(Value::as_str) == Some(sink));
    match ours.and_then(|item| item.get("waits_until")).and_then(Value::as_str) {
        Some(until) => {
            let until = printable(until);
            format!("`{name}` takes nothing now; it is tried again by {until}, and at once when you test again")
        }
        None => "it goes on being tried".to_owned(),
    }
}

struct Shown<'a> {
    what: &'a str,
    printer: &'a Printer,
}

/// Prints each try as it is made, until the delivery waits no more; its state then.
async fn follow(client: &Client, begun: &Value, shown: &Shown<'_>, printed: &mut usize) -> anyhow::Result<String> {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (id, alert, sink) = (text(begun, "id"), text(begun, "alert_id"), text(begun, "sink"));
    let mut beat = interval(LOOK_EVERY);
    loop {
        beat.tick().await;
        let list = client.get(&["api", "v1", "deliveries"], &[("alert", &alert), ("sink", &sink)]).await?;
        let items = list.get("items").and_then(Value::as_array).context("the list of deliveries has no items")?;
        let Some(delivery) = items.iter().find(|item| text(item, "id") == id) else { continue };
        let attempts = delivery.get("attempts").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for attempt in attempts.iter().skip(*printed) {
            // Not answered yet: it gets another outcome.
            if text(attempt, "message") == UNDER_WAY {
                break;
            }
            *printed += 1;
            let outcome = text(attempt, "outcome");
            let colour = if outcome == "done" { Paint::Green } else { Paint::Red };
            let outcome = shown.printer.out.paint(colour, &outcome);
            let (at, message) = (text(attempt, "at"), printable(&text(attempt, "message")));
            shown.printer.line(&format!("{at}  {:<8} try {printed}: {outcome}  {message}", shown.what))?;
        }
        let state = text(delivery, "state");
        if state != "pending" {
            return Ok(state);
        }
    }
}
