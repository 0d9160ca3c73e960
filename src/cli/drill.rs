//! `slo drill`: an alert that is none, through the real routes, escalation and acknowledgement, timed.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use crate::cli::alerts::acts::By;
use crate::cli::client::{Client, Refused, decoded};
use crate::cli::printer::Printer;
use crate::cli::table::printable;
use crate::cli::{FINDINGS, Server};
use crate::http::dashboard::format;
use crate::http::dto::alert::Alert;
use crate::http::dto::bundle::{Bundle, Done};
use crate::http::dto::case::Quiet;
use crate::http::dto::delivery::Attempt;
use crate::store::UNDER_WAY;
use crate::units::Timestamp;

/// How often the service is asked how far it is.
const POLL: Duration = Duration::from_millis(500);

/// Without `--wait` what is told at once is waited for this long; a group or working hours may hold it longer.
const FIRST_ANSWERS: Duration = Duration::from_secs(20);

/// With `--wait`: until the drill has ended by itself, and a little more.
const WHOLE: Duration = Duration::from_mins(31);

/// Play an alert through the real routes, escalation and acknowledgement, and time it
///
/// It is marked as a drill, has a key of its own, is kept out of precision and out of the SLO's status, and ends when it
/// is acknowledged or closed, else after 30 min.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo drill checkout/availability --severity page --wait
  slo drill checkout/availability --group 'region=\"eu\"' --severity ticket")]
pub struct Arguments {
    /// The SLO, or one of its instances
    #[arg(value_name = "SLO")]
    pub slo: String,
    /// As what
    #[arg(long, value_name = "SEVERITY", value_parser = ["page", "ticket", "notice"])]
    pub severity: String,
    /// Which group of an SLO that has groups: `region="eu"`
    #[arg(long, value_name = "GROUP")]
    pub group: Option<String>,
    /// Follow it until somebody acknowledges it, or it ends
    #[arg(long)]
    pub wait: bool,
    /// Who begins it.
    #[command(flatten)]
    pub by: By,
    /// Which service is asked.
    #[command(flatten)]
    pub server: Server,
}

/// Begins it and prints what happens: when, after how long, what. Exit code 0 where a sink took it (with `--wait`: where
/// it was acknowledged), else 1.
///
/// # Errors
/// Where the service does not answer.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    Client::block_on(drill(arguments, printer))
}

async fn drill(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    let client = Client::new(&arguments.server)?;
    let body = json!({
        "slo": arguments.slo, "group": arguments.group, "severity": arguments.severity, "by": arguments.by.name,
    });
    let begun: Done = match client.post(&["api", "v1", "drills"], &body).await {
        Ok(answer) => decoded(answer)?,
        Err(error) => {
            let refused = error.downcast::<Refused>()?;
            if !refused.status.is_client_error() || matches!(refused.status.as_u16(), 401 | 403) {
                return Err(refused.into());
            }
            printer.say(&printable(&refused.message));
            return Ok(ExitCode::from(FINDINGS));
        }
    };
    let since = begun.alert.fired_at.unwrap_or(begun.alert.started_at);
    printer.line(&format!("{} begun   {}", format::moment(since), printable(&begun.alert.id)))?;
    printer.say(&printable(&begun.message));
    let mut shown = Shown { since, lines: 0 };
    let end = tokio::time::Instant::now() + if arguments.wait { WHOLE } else { FIRST_ANSWERS };
    loop {
        let answer = client.get(&["api", "v1", "alerts", &begun.alert.id, "bundle"], &[]).await?;
        let bundle: Bundle = decoded(answer)?;
        shown.print(&bundle, printer)?;
        let over = if arguments.wait { ended(&bundle.alert) } else { told(&bundle.alert) };
        if over || tokio::time::Instant::now() >= end {
            return Ok(closing(&bundle, arguments.wait, printer));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// What has been printed so far.
struct Shown {
    since: Timestamp,
    lines: usize,
}

impl Shown {
    /// Prints what is new. What happened is only added to, so a count is enough.
    fn print(&mut self, bundle: &Bundle, printer: &Printer) -> anyhow::Result<()> {
        let lines = self.lines_of(bundle);
        for line in lines.iter().skip(self.lines) {
            printer.line(line)?;
        }
        self.lines = self.lines.max(lines.len());
        Ok(())
    }

    fn lines_of(&self, bundle: &Bundle) -> Vec<String> {
        let mut all: Vec<(Timestamp, String)> = Vec::new();
        for delivery in &bundle.alert.deliveries {
            for attempt in delivery.attempts.iter().filter(|attempt| has_ended(attempt)) {
                let (sink, message) = (printable(&delivery.sink), printable(&attempt.message));
                all.push((attempt.at, format!("{sink} {}: {message}", attempt.outcome)));
            }
        }
        all.extend(bundle.case.escalated_at.map(|at| (at, "escalated: nobody had acknowledged it".to_owned())));
        all.extend(bundle.case.acked.as_ref().map(|acked| (acked.at, format!("acked by {}", printable(&acked.by)))));
        all.extend(bundle.alert.resolved_at.map(|at| (at, format!("ended: {}", printable(&bundle.alert.reason)))));
        all.sort();
        let after = |at: Timestamp| format!("+{}", format::roughly(at.since(self.since)));
        all.into_iter().map(|(at, what)| format!("{} {:<7} {what}", format::moment(at), after(at))).collect()
    }
}

fn ended(alert: &Alert) -> bool {
    // The end is told too: what it came to is worth a line.
    alert.state == "resolved" && told(alert)
}

/// Whether every delivery has come to something, and there is one.
fn told(alert: &Alert) -> bool {
    !alert.deliveries.is_empty() && alert.deliveries.iter().all(|delivery| delivery.attempts.iter().any(has_ended))
}

/// Whether a try has come to something.
fn has_ended(attempt: &Attempt) -> bool {
    attempt.message != UNDER_WAY
}

/// That nothing was sent, and what keeps it from being sent.
fn nobody_hears(quiet: &Quiet) -> String {
    let until = quiet.until.map_or_else(String::new, |at| format!(" until {}", format::moment(at)));
    format!("nobody was told: quiet by {} {}{until}", printable(&quiet.kind), printable(&quiet.name))
}

/// What it came to.
fn closing(bundle: &Bundle, wait: bool, printer: &Printer) -> ExitCode {
    let alert = &bundle.alert;
    let took = alert.deliveries.iter().filter(|delivery| delivery.state == "done").count();
    let of = alert.deliveries.len();
    let acked = match (&bundle.case.acked, alert.time_to_ack_seconds) {
        (Some(acked), Some(seconds)) => {
            format!("acknowledged by {} {:.0} s after it was told", printable(&acked.by), seconds.0)
        }
        (Some(acked), None) => format!("acknowledged by {}", printable(&acked.by)),
        (None, _) if wait => "not acknowledged".to_owned(),
        (None, _) => "`--wait` follows it until somebody acknowledges it".to_owned(),
    };
    let quiet = bundle.case.quiet.as_ref().filter(|_| of == 0);
    printer
        .say(&format!("{}; {acked}", quiet.map_or_else(|| format!("{took} of {of} deliveries taken"), nobody_hears)));
    let well = if wait { bundle.case.acked.is_some() } else { took > 0 };
    if well { ExitCode::SUCCESS } else { ExitCode::from(FINDINGS) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drill_of_which_nobody_hears_says_why() {
        let quiet = Quiet {
            kind: "silence".into(),
            name: "ce3f".into(),
            reason: String::new(),
            until: Some(Timestamp::from_seconds(1_794_960_000)),
        };
        assert!(nobody_hears(&quiet).starts_with("nobody was told: quiet by silence ce3f until 2026-11-18 "));
    }
}
