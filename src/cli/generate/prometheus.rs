//! `slo generate prometheus`: recording and alerting rules from the same SLOs, or rules that watch `slo` itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::ValueEnum;

use crate::check;
use crate::cli::FINDINGS;
use crate::cli::generate::deliver;
use crate::cli::printer::{Paint, Printer};
use crate::clock;
use crate::config::meant::{Config, SinkConfig, SourceKind};
use crate::diag::{Diagnostic, Severity, codes, human};
use crate::engine::definition::Definition;
use crate::policy::compile::{Terms, definition};
use crate::ruler::{self, Item, Output, Ruler, watch};
use crate::runtime::files::{Gathered, Request};
use crate::spec::meant::Slo;
use crate::spec::policy::AlertSeverity;
use crate::units::Length;

/// Scrape interval where no source says it.
const INTERVAL: Length = Length::from_seconds(30);

/// Write recording and alerting rules for a ruler, from the same SLOs
///
/// Events are summed and ratios never averaged; the recorded series have the names and labels of `/metrics/slos`. What
/// rules cannot express is told on standard error, with the SLOs that it concerns.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo generate prometheus slos/ --out rules/slo.yaml && promtool check rules rules/slo.yaml
  slo generate prometheus --config slo.yaml --ruler mimir --out slo.yaml && mimirtool rules load slo.yaml
  slo generate prometheus --self --out rules/watch-slo.yaml")]
pub struct Arguments {
    /// SLO files and folders, as for `slo check`
    #[arg(value_name = "PATH", conflicts_with = "itself")]
    paths: Vec<PathBuf>,
    /// The configuration [default: ./slo.yaml, where there is one]
    #[arg(long, value_name = "FILE", conflicts_with = "itself")]
    config: Option<PathBuf>,
    /// Whose rules
    #[arg(long, value_enum, default_value_t = Choice::Prometheus)]
    ruler: Choice,
    /// Rules that watch `slo` itself, from its `/metrics`
    #[arg(long = "self")]
    itself: bool,
    /// Write here, whole or not at all, in place of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Whose rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Choice {
    /// Prometheus 2.42 and later
    Prometheus,
    /// Thanos Ruler
    Thanos,
    /// Mimir, for `mimirtool rules load`
    Mimir,
    /// `VictoriaMetrics`' vmalert
    #[value(name = "victoriametrics")]
    VictoriaMetrics,
}

impl From<Choice> for Ruler {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Prometheus => Self::Prometheus,
            Choice::Thanos => Self::Thanos,
            Choice::Mimir => Self::Mimir,
            Choice::VictoriaMetrics => Self::VictoriaMetrics,
        }
    }
}

/// Generates and writes.
///
/// # Errors
/// Where there are no SLO files, or the result cannot be written.
pub(super) fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    let ruler = Ruler::from(arguments.ruler);
    if arguments.itself {
        let output = watch::compile(ruler);
        deliver(&output.text, arguments.out.as_deref(), printer)?;
        printer.say(&last_line(&output, None, ruler, arguments.out.as_deref()));
        return Ok(ExitCode::SUCCESS);
    }
    let request = Request { paths: arguments.paths.clone(), config: arguments.config.clone() };
    let gathered = request.gather();
    let checked = check::report(&gathered.loaded, clock::today());
    if gathered.loaded.documents.is_empty() && checked.findings().is_empty() {
        anyhow::bail!("no SLO files there; name files or folders, or run `slo init` to get some");
    }
    if checked.count(Severity::Error) > 0 || gathered.unreadable {
        return Ok(refused(checked.findings().to_vec(), &gathered, printer));
    }
    let config = gathered.loaded.config.clone().unwrap_or_else(|| Config::empty(Path::new("")));
    let compiled = match compiled(&gathered.loaded.slos, &config) {
        Ok(compiled) => compiled,
        Err(findings) => return Ok(refused(findings, &gathered, printer)),
    };
    let items: Vec<Item<'_>> =
        compiled.iter().map(|(slo, definition)| Item { slo, definition, interval: interval(slo, &config) }).collect();
    let severity = severities(&config);
    let mut output = ruler::compile(&items, ruler::Terms { ruler, severity: &severity });
    output.notes.extend(scraped(&items, &config));
    for note in &output.notes {
        printer.say(&format!("{}: {note}", printer.err.paint(Paint::Yellow, "warning")));
    }
    deliver(&output.text, arguments.out.as_deref(), printer)?;
    printer.say(&last_line(&output, Some(items.len()), ruler, arguments.out.as_deref()));
    Ok(ExitCode::SUCCESS)
}

/// The findings, as `slo check` prints them; nothing is written.
fn refused(findings: Vec<Diagnostic>, gathered: &Gathered, printer: &Printer) -> ExitCode {
    let counts = check::report(&gathered.loaded, clock::today()).counts();
    let report = crate::diag::Report::new(findings, counts);
    let errors = report.count(Severity::Error);
    printer.say(human::render(&report, &gathered.texts, &gathered.loaded.masked, printer.err.has_colour()).trim_end());
    printer.say(&format!("nothing generated: {}; next: slo check", counted(errors, "error")));
    ExitCode::from(FINDINGS)
}

/// The definitions, as `slo run` makes them.
fn compiled(slos: &[Arc<Slo>], config: &Config) -> Result<Vec<(Arc<Slo>, Definition)>, Vec<Diagnostic>> {
    let mut found = Vec::new();
    let mut findings = Vec::new();
    for slo in slos {
        let gap = config.sources.get(&slo.source).map_or(INTERVAL * 10, |source| source.gap);
        let terms = Terms { slice: config.slice, gap, instances_limit: config.limits.instances_per_slo };
        match definition(slo, terms) {
            Ok(definition) => found.push((Arc::clone(slo), definition)),
            Err(misfit) => {
                let finding = Diagnostic::error(codes::BAD_TIER, misfit.message).with_help(misfit.help);
                findings.push(finding.at(slo.place.clone(), "").of(slo.id.clone()));
            }
        }
    }
    if findings.is_empty() { Ok(found) } else { Err(findings) }
}

fn interval(slo: &Slo, config: &Config) -> Length {
    config.sources.get(&slo.source).map_or(INTERVAL, |source| source.interval)
}

/// What the configured Alertmanager calls our severities, where one is configured.
fn severities(config: &Config) -> BTreeMap<AlertSeverity, String> {
    let of = |sink: &SinkConfig| match sink {
        SinkConfig::Alertmanager { severity, .. } => Some(severity.clone()),
        _ => None,
    };
    config.sinks.values().find_map(of).unwrap_or_default()
}

/// A ruler has to have the series that `slo` scrapes by itself.
fn scraped(items: &[Item<'_>], config: &Config) -> Vec<String> {
    let is_scraped =
        |name: &str| config.sources.get(name).is_some_and(|source| matches!(source.kind, SourceKind::Scrape { .. }));
    let mut names: Vec<&str> =
        items.iter().map(|item| item.slo.source.as_str()).filter(|name| is_scraped(name)).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| format!("the source `{name}` is scraped by `slo` itself; the ruler has to have its series"))
        .collect()
}

/// Counts the result and says what to run next.
fn last_line(output: &Output, slos: Option<usize>, ruler: Ruler, out: Option<&Path>) -> String {
    let slos = slos.map(|slos| counted(slos, "SLO") + ", ").unwrap_or_default();
    let file = out.map_or_else(|| "FILE".to_owned(), |path| path.display().to_string());
    let next = match ruler {
        Ruler::Prometheus => format!("promtool check rules {file}"),
        Ruler::Thanos => format!("thanos tools rules-check --rules {file}"),
        Ruler::Mimir => format!("mimirtool rules check {file}"),
        Ruler::VictoriaMetrics => format!("vmalert -dryRun -rule={file}"),
    };
    let written = format!("{} in {}", counted(output.rules, "rule"), counted(output.groups, "group"));
    format!("{slos}{written} for {}; next: {next}", ruler.name())
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
