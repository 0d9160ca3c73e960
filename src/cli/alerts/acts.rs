//! `slo alerts ack|close|verdict|bundle`: what people do with alerts of a running service.

use std::process::ExitCode;

use anyhow::bail;
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::cli::alerts::find::{Found, find};
use crate::cli::client::{Client, Refused, decoded};
use crate::cli::printer::Printer;
use crate::cli::table::printable;
use crate::cli::{FAILED, FINDINGS, Server};
use crate::http::dto::bundle::{Answer, Bundle};
use crate::http::markdown;

/// What an alert may have been worth.
const VERDICTS: [&str; 3] = ["real", "noise", "duplicate"];

/// Options of `slo alerts ack` and `slo alerts close`.
#[derive(Clone, Debug, clap::Args)]
pub struct Word {
    /// The alerts' ids or dedup keys, or begins of ids that are the only ones so
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// In your words
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Who does it; a token's name goes before it
    #[command(flatten)]
    pub by: By,
    /// Which service is asked.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `slo alerts verdict`.
#[derive(Clone, Debug, clap::Args)]
pub struct Verdict {
    /// What they were worth: `real`, `noise` or `duplicate`; may stand last too
    #[arg(value_name = "VERDICT")]
    pub verdict: String,
    /// The alerts' ids or dedup keys, or begins of ids that are the only ones so
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// Who says so; a token's name goes before it
    #[command(flatten)]
    pub by: By,
    /// Which service is asked.
    #[command(flatten)]
    pub server: Server,
}

/// Options of `slo alerts bundle`.
#[derive(Clone, Debug, clap::Args)]
pub struct Everything {
    /// The alerts' ids or dedup keys, or begins of ids that are the only ones so
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<String>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub format: Format,
    /// Which service is asked.
    #[command(flatten)]
    pub server: Server,
}

/// Who acts.
#[derive(Clone, Debug, clap::Args)]
pub struct By {
    /// Who acts, where no token says
    #[arg(long = "by", value_name = "NAME", env = "USER", hide_env = true)]
    pub name: Option<String>,
}

/// How everything about an alert is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One object an alert, as the API answers
    Json,
    /// For a review or a ticket
    Md,
}

/// Acknowledges or closes, as `action` says.
///
/// # Errors
/// Where the service does not answer.
pub fn run_word(action: &str, word: &Word, printer: &Printer) -> anyhow::Result<ExitCode> {
    let body = json!({"by": word.by.name, "note": word.note});
    Client::block_on(post_each(&word.server, &word.ids, (action, &body), printer))
}

/// Judges.
///
/// # Errors
/// Where the service does not answer.
pub fn run_verdict(verdict: &Verdict, printer: &Printer) -> anyhow::Result<ExitCode> {
    let (said, ids) = said(&verdict.verdict, &verdict.ids)?;
    let body = json!({"by": verdict.by.name, "verdict": said});
    Client::block_on(post_each(&verdict.server, &ids, ("verdict", &body), printer))
}

/// The verdict, which stands first or last, and the ids: the other verbs have the id first, so people write it there.
fn said(first: &str, others: &[String]) -> anyhow::Result<(String, Vec<String>)> {
    let is_verdict = |text: &str| VERDICTS.contains(&text);
    if is_verdict(first) {
        return Ok((first.to_owned(), others.to_vec()));
    }
    match others.split_last() {
        Some((last, between)) if is_verdict(last) => {
            Ok((last.clone(), [first.to_owned()].into_iter().chain(between.iter().cloned()).collect()))
        }
        _ => bail!("say what the alert was worth: `slo alerts verdict {} ID`", VERDICTS.join("|")),
    }
}

/// Prints everything about each.
///
/// # Errors
/// Where the service does not answer.
pub fn run_bundle(everything: &Everything, printer: &Printer) -> anyhow::Result<ExitCode> {
    Client::block_on(async {
        let client = Client::new(&everything.server)?;
        let mut code = ExitCode::SUCCESS;
        for id in &everything.ids {
            let Some(id) = meant(&client, id, None, printer).await? else {
                code = ExitCode::from(FINDINGS);
                continue;
            };
            let bundle = client.get(&["api", "v1", "alerts", &id, "bundle"], &[]).await?;
            match everything.format {
                Format::Json => printer.data(&(serde_json::to_string_pretty(&bundle)? + "\n"))?,
                Format::Md => printer.data(&markdown::bundle(&decoded::<Bundle>(bundle)?))?,
            }
        }
        Ok(code)
    })
}

/// Posts to each, and says what came of it. One that is refused does not keep the others from being done.
async fn post_each(
    server: &Server,
    ids: &[String],
    (action, body): (&str, &Value),
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let client = Client::new(server)?;
    let (mut done, mut unchanged) = (0_usize, 0_usize);
    let mut refused_by_service = false;
    for id in ids {
        // What is no alert may be a digest: the service knows.
        let Some(id) = meant(&client, id, Some(id), printer).await? else { continue };
        match client.post(&["api", "v1", "alerts", &id, action], body).await {
            Ok(answer) => {
                let answer: Answer = decoded(answer)?;
                printer.say(&format!("{}: {}", printable(&id), printable(answer.message())));
                let count = if answer.changed() { &mut done } else { &mut unchanged };
                *count += 1;
            }
            Err(error) => {
                let refused = error.downcast::<Refused>()?;
                refused_by_service |= refused.status.is_server_error() || matches!(refused.status.as_u16(), 401 | 403);
                printer.say(&format!("{}: {}", printable(&id), printable(&refused.message)));
            }
        }
    }
    printer.say(&came_to(done, unchanged, ids.len()));
    Ok(match (done + unchanged == ids.len(), refused_by_service) {
        (true, _) => ExitCode::SUCCESS,
        (false, true) => ExitCode::from(FAILED),
        (false, false) => ExitCode::from(FINDINGS),
    })
}

/// What came of all of them.
fn came_to(done: usize, unchanged: usize, of: usize) -> String {
    let was_so =
        if unchanged > 0 { format!(", {unchanged} was so already and nothing changed") } else { String::new() };
    let next = if done > 0 { "; `slo alerts show ID` tells what happened" } else { "" };
    format!("{done} of {of} done{was_so}{next}")
}

/// The id that is meant, `unknown` where it is that of no alert; says why where none is.
async fn meant(
    client: &Client,
    text: &str,
    unknown: Option<&String>,
    printer: &Printer,
) -> anyhow::Result<Option<String>> {
    match find(client, text).await? {
        Found::One(alert) => Ok(Some(alert.id)),
        Found::Unknown(_) if unknown.is_some() => Ok(unknown.cloned()),
        Found::None(why) | Found::Unknown(why) => {
            printer.say(&why);
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_stands_before_the_ids_or_after_them() {
        let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        assert_eq!(said("real", &ids(&["a", "b"])).unwrap(), ("real".to_owned(), ids(&["a", "b"])));
        assert_eq!(said("a", &ids(&["b", "noise"])).unwrap(), ("noise".to_owned(), ids(&["a", "b"])));
        assert_eq!(said("noise", &ids(&["real"])).unwrap(), ("noise".to_owned(), ids(&["real"])), "the first counts");
        let error = said("a", &ids(&["b"])).unwrap_err().to_string();
        assert!(error.contains("slo alerts verdict real|noise|duplicate ID"), "{error}");
    }

    #[test]
    fn what_was_so_already_is_not_done() {
        assert_eq!(came_to(0, 1, 1), "0 of 1 done, 1 was so already and nothing changed");
        assert_eq!(came_to(2, 0, 2), "2 of 2 done; `slo alerts show ID` tells what happened");
    }
}
