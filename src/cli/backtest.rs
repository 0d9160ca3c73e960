//! `slo backtest`: the last days from the store through the real engine and policy, beside what the rules in use did.

mod history;
mod json;
mod moment;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::FAILED;
use crate::cli::once::files_are_named;
use crate::cli::printer::Printer;
use crate::cli::run::{refused, runtime};
use crate::cli::status::{is_path, names};
use crate::clock::Clock;
use crate::diag::codes;
use crate::runtime::backtest::{self, Outcome};
use crate::runtime::blueprint::{Blueprint, Launch, Overrides, SloPlan};
use crate::runtime::files::Request;
use crate::secret::Secrets;
use crate::spec::query::{Query, matchers};
use crate::spec::selector::Selector;
use crate::telemetry::Telemetry;
use crate::telemetry::log::{self, LogFormat};
use moment::Moment;

/// Metric of the alerts of Prometheus' rules.
const ALERTS: &str = "ALERTS";
/// Steps of the progress bar.
const STEPS: f64 = 1_000.0;

/// Replay the last days: what would have fired here, beside what the rules in use fired
///
/// An argument that is there as a file or folder, or ends in `.yaml` or `.yml`, is a path; anything else names SLOs. The
/// past is read from the store and lived through by the engine and the policy of `slo run`, slice end by slice end.
/// With `--against-alerts` the firing history of the rules in use stands beside it, and every difference says why.
/// Nothing is written or sent. Exit code 0 whatever was found.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo backtest slos/ --prometheus http://127.0.0.1:9090
  slo backtest slos/ --prometheus http://127.0.0.1:9090 --against-alerts '{sloth_service=\"checkout\"}'
  slo backtest checkout/availability --from 2026-11-14 --to 2026-11-15T12:00:00Z --policy workbook --policy balanced
  slo backtest --against-alerts 'ALERTS{alertname=~\".*BudgetBurn\"}' --format json | jq '.slos[].differences'")]
pub struct Arguments {
    /// SLO files and folders, in place of `files` of the configuration; or which SLOs of them: an id
    /// (`checkout/availability`), a service, or a pattern (`*/latency`)
    #[arg(value_name = "PATH|SLO")]
    pub what: Vec<String>,
    /// The configuration [default: ./slo.yaml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A Prometheus to ask, in place of the configured sources
    #[arg(long, value_name = "URL")]
    pub prometheus: Option<String>,
    /// Begin: an RFC 3339 time, a date (UTC), `now` or a time back from now, such as `-36h`
    #[arg(long, value_name = "TIME", default_value = "-7d", allow_hyphen_values = true)]
    pub from: Moment,
    /// End, likewise
    #[arg(long, value_name = "TIME", default_value = "now", allow_hyphen_values = true)]
    pub to: Moment,
    /// Only this SLO, also where a file has its name; alerts there without labels of an SLO are taken as about it
    #[arg(long, value_name = "ID")]
    pub slo: Vec<String>,
    /// Replay with this policy in place of the SLO's own; several are replayed one beside the other
    #[arg(long, value_name = "NAME")]
    pub policy: Vec<String>,
    /// Firing history of the rules in use: a selector of `ALERTS`, or its matchers in braces
    #[arg(long, value_name = "SELECTOR", value_parser = selector)]
    pub against_alerts: Option<Selector>,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// How the histories are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Tables for people
    Table,
    /// One object
    Json,
}

/// Replays and prints.
///
/// # Errors
/// Where the store does not answer, or nothing is there to replay.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    log::init(LogFormat::Text, Some("error"), printer.err.has_colour())?;
    let (paths, words): (Vec<String>, Vec<String>) =
        arguments.what.iter().cloned().partition(|argument| is_path(argument, Path::new(argument).exists()));
    let request = Request { paths: paths.into_iter().map(PathBuf::from).collect(), config: arguments.config.clone() };
    files_are_named(&request, &words)?;
    let launch = Launch {
        request,
        overrides: Overrides { prometheus: arguments.prometheus.clone(), without_sinks: true, ..Overrides::default() },
        secrets: Arc::new(Secrets::of_process()),
        telemetry: Telemetry::default(),
    };
    let blueprint = match launch.blueprint() {
        Ok(blueprint) => blueprint,
        Err(refusal) => {
            let unreadable = refusal.findings.iter().any(|finding| finding.code == codes::UNREADABLE);
            let code = refused(refusal, "nothing replayed", printer)?;
            return Ok(if unreadable { ExitCode::from(FAILED) } else { code });
        }
    };
    let patterns: Vec<String> = words.into_iter().chain(arguments.slo.iter().cloned()).collect();
    let slos = chosen(&blueprint, &patterns)?;
    let slos = if arguments.policy.is_empty() {
        slos
    } else {
        let policies = launch.request.gather().loaded.policies;
        backtest::with_policies(&blueprint, &slos, &policies, &arguments.policy).map_err(anyhow::Error::msg)?
    };
    let clock = Clock::system();
    let (from, to) = (arguments.from.at(clock.now()), arguments.to.at(clock.now()));
    if from >= to {
        bail!("`--from` ({from}) is not before `--to` ({to})");
    }
    let request =
        backtest::Request { blueprint: &blueprint, slos, from, to, against: arguments.against_alerts.clone() };
    let bar = bar(printer);
    let progress = |share: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and STEPS")]
        bar.set_position((share.clamp(0.0, 1.0) * STEPS) as u64);
    };
    let outcome = runtime()?.block_on(backtest::replay(&request, &clock, &progress));
    bar.finish_and_clear();
    show(&outcome?, arguments, printer)?;
    Ok(ExitCode::SUCCESS)
}

fn show(outcome: &Outcome, arguments: &Arguments, printer: &Printer) -> anyhow::Result<()> {
    match arguments.format {
        Format::Json => printer.data(&(serde_json::to_string_pretty(&json::of(outcome))? + "\n"))?,
        Format::Table => printer.data(&history::rendered(printer, outcome))?,
    }
    printer.say(&history::closing(outcome, arguments.against_alerts.is_some()));
    Ok(())
}

/// The SLOs that the patterns take; all without any.
fn chosen(blueprint: &Blueprint, patterns: &[String]) -> anyhow::Result<Vec<SloPlan>> {
    if blueprint.slos.is_empty() {
        bail!("no SLOs are there to replay; name files or folders, or run `slo init` to get some");
    }
    let takes = |plan: &SloPlan, pattern: &String| names::takes(pattern, &plan.slo.id.to_string());
    if let Some(unknown) = patterns.iter().find(|pattern| !blueprint.slos.iter().any(|plan| takes(plan, pattern))) {
        bail!("no file or folder, and no SLO in the files, is `{unknown}`");
    }
    let all = blueprint.slos.iter();
    let wanted = all.filter(|plan| patterns.is_empty() || patterns.iter().any(|pattern| takes(plan, pattern)));
    Ok(wanted.cloned().collect())
}

/// A selector of `ALERTS`, as written or from matchers alone.
fn selector(text: &str) -> anyhow::Result<Selector> {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return Ok(Selector { metric: ALERTS.to_owned(), matchers: matchers(inner)?, bucket: None });
    }
    let query = Query::parse(text)?;
    query.plain().cloned().with_context(|| format!("`{text}` is not a selector such as {ALERTS}{{alertname=\"X\"}}"))
}

fn bar(printer: &Printer) -> ProgressBar {
    if !printer.err.is_terminal() {
        return ProgressBar::hidden();
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a constant")]
    let bar = ProgressBar::new(STEPS as u64);
    // The template is a constant; one that cannot be read would leave the default, which is fine too.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} replaying, {elapsed} of about {duration}") {
        bar.set_style(style);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_may_be_matchers_alone() {
        assert_eq!(selector(r#"{alertname="X"}"#).unwrap().to_string(), r#"ALERTS{alertname="X"}"#);
        let written = r#"ALERTS{sloth_service="a",alertstate="firing"}"#;
        assert_eq!(selector(written).unwrap().to_string(), written);
        assert!(selector("rate(ALERTS[5m])").is_err());
        assert!(selector("{alertname=}").is_err());
    }
}
