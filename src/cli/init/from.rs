//! `slo init --from URL`: a repository for what a Prometheus has.
//!
//! Look ([`super::look`]), compute what each candidate did in 30 d with the engine itself, choose what it may promise
//! ([`super::choose`]), write. Objectives come from counted events, never from averages of ratios.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use comfy_table::Cell;
use reqwest::Url;

use crate::check::load;
use crate::cli::init::candidates::{Candidate, candidates};
use crate::cli::init::choose::{Choice, Chosen, Computed, Declined, Why, choose};
use crate::cli::init::ladder::Counted;
use crate::cli::init::look::look;
use crate::cli::init::write::{CANDIDATES, candidates_file, config, files};
use crate::cli::init::{FILES, write_new};
use crate::cli::printer::{Paint, Printer};
use crate::cli::progress::Bar;
use crate::cli::run::runtime;
use crate::cli::{FINDINGS, table};
use crate::clock::Clock;
use crate::http::dashboard::format;
use crate::runtime::blueprint::{Blueprint, Launch, Overrides};
use crate::runtime::files::{Gathered, Request};
use crate::runtime::once::Once;
use crate::secret::Secrets;
use crate::source::client::meant_address;
use crate::telemetry::Telemetry;
use crate::telemetry::log::{self, LogFormat};
use crate::units::{InstanceId, SloId};
use crate::yaml::SourceText;

/// Files of the plain repository that make way for what was found.
const REPLACED: [&str; 2] = ["slo.yaml", "slos/shop.yaml"];
/// Jobs named in one line.
const NAMED: usize = 10;

/// Looks, computes, writes and tells. Code 1 where nothing was found that an SLO could be made of.
pub fn run(root: &Path, address: &str, printer: &Printer) -> anyhow::Result<ExitCode> {
    if let Some(meant) = meant_address(address) {
        bail!("`{address}` is not an http or https address; did you mean {meant}?");
    }
    let url: Url = address.parse().with_context(|| format!("`{address}` is not an address"))?;
    if !url.username().is_empty() || url.password().is_some() {
        bail!("a password does not belong into a file: leave it out of the address, and write `auth` into slo.yaml");
    }
    log::init(LogFormat::Text, Some("error"), printer.err.has_colour())?;
    let choice = runtime()?.block_on(chosen(address, printer))?;
    if choice.slos.is_empty() {
        told(&choice.declined, printer)?;
        printer
            .say("nothing was written: no job has anything that an SLO could be made of; `slo init` writes an example");
        return Ok(ExitCode::from(FINDINGS));
    }
    write(root, address, &choice.slos, printer)?;
    printer.data(&summary(&choice.slos, printer))?;
    told(&choice.declined, printer)?;
    let services: BTreeSet<&str> = choice.slos.iter().map(|slo| slo.service.as_str()).collect();
    let next =
        if root == Path::new(".") { "slo check".to_owned() } else { format!("cd {} && slo check", root.display()) };
    let next = printer.err.paint(Paint::Cyan, &next);
    printer.say(&format!("{} SLOs of {} services; next: {next}", choice.slos.len(), services.len()));
    Ok(ExitCode::SUCCESS)
}

async fn chosen(address: &str, printer: &Printer) -> anyhow::Result<Choice> {
    let launch = Launch {
        request: Request::default(),
        overrides: Overrides { prometheus: Some(address.to_owned()), without_sinks: true, ..Overrides::default() },
        secrets: Arc::new(Secrets::of_process()),
        telemetry: Telemetry::default(),
    };
    let clock = Clock::system();
    let bar = Bar::new(printer);
    let source = build(&launch, "")?.sources.into_values().next().context("there is no source")?;
    let found = look(&source, clock.now(), |share| bar.show(share, "looking at metrics".to_owned())).await?;
    let candidates = candidates(&found);
    let blueprint = build(&launch, &candidates_file(&candidates))?;
    let once = Once::start(launch, blueprint, clock).await?;
    let missing = once.finish(|progress| bar.computing(progress)).await;
    if !missing.is_nothing() {
        let problem = once.service().sources().into_iter().find_map(|source| source.last_error);
        let problem = problem.map_or_else(String::new, |(_, message)| format!(": {message}"));
        let what = format!("{} of {} candidates could not be computed{problem}", missing.count(), candidates.len());
        if missing.count() == candidates.len() {
            bail!(what);
        }
        drop(bar);
        printer.say(&what);
    }
    let lacking: BTreeSet<&SloId> = missing.unjudged.iter().chain(&missing.partial).collect();
    let computed = candidates.into_iter().enumerate().map(|(place, candidate)| {
        let id = SloId::new(CANDIDATES, format!("c{place}"));
        let known = !lacking.contains(&id);
        computed(&once, id, candidate, known)
    });
    Ok(choose(&found, computed.collect()))
}

/// A blueprint of one text, as `slo run` would build it of a file.
fn build(launch: &Launch, text: &str) -> anyhow::Result<Blueprint> {
    let texts = if text.is_empty() { Vec::new() } else { vec![SourceText::named("candidates", text)] };
    let gathered = Gathered { loaded: load::load(&texts), ..Gathered::default() };
    launch.build(gathered).map_err(|refusal| {
        let first = refusal.findings.first().map(|finding| finding.message.clone()).unwrap_or_default();
        anyhow::anyhow!("what was found cannot be used: {first}")
    })
}

/// What the engine counted of a candidate.
fn computed(once: &Once, id: SloId, candidate: Candidate, known: bool) -> Computed {
    let window = once.service().instance(&InstanceId::ungrouped(id)).map(|view| view.budget.window);
    let counted = window.map_or_else(Counted::default, |window| Counted { bad: window.bad, total: window.total });
    Computed { candidate, counted, measured: window.map(|window| window.measured).unwrap_or_default(), known }
}

fn write(root: &Path, address: &str, slos: &[Chosen], printer: &Printer) -> anyhow::Result<()> {
    let config = config(include_str!("from.yaml"), address);
    let mut all: Vec<(String, String)> = vec![("slo.yaml".to_owned(), config)];
    let services = files(slos, address);
    all.extend(services.into_iter().map(|(service, text)| (format!("slos/{service}.yaml"), text)));
    let others = FILES.iter().filter(|(name, _)| !REPLACED.contains(name));
    all.extend(others.map(|(name, content)| ((*name).to_owned(), (*content).to_owned())));
    for (name, content) in all {
        let path = root.join(name);
        let done = if write_new(&path, &content)? { "wrote" } else { "kept" };
        let note = if done == "kept" { ", which was already there" } else { "" };
        printer.line(&format!("{done} {}{note}", path.display()))?;
    }
    Ok(())
}

fn summary(slos: &[Chosen], printer: &Printer) -> String {
    let header = ["SLO", "OBJECTIVE", "MEASURED", "EVENTS", "OVER", "OF"];
    let mut rows = table::table(printer, &header, 0);
    for slo in slos {
        let done = &slo.computed;
        rows.add_row(vec![
            Cell::new(format!("{}/{}", slo.service, slo.name)),
            Cell::new(slo.objective),
            Cell::new(format::good_percent(done.counted.good_ratio(), 0.999)),
            Cell::new(format::count(done.counted.total)),
            Cell::new(format::roughly(done.measured)),
            Cell::new(table::printable(&done.candidate.subject)),
        ]);
    }
    format!("\n{}", table::text(&rows))
}

/// What there is no SLO for, and why: a line each, jobs without anything together.
fn told(declined: &[Declined], printer: &Printer) -> anyhow::Result<()> {
    let mut nothing = Vec::new();
    for Declined { job, why } in declined {
        let job = table::printable(job);
        let line = match why {
            Why::Nothing => {
                nothing.push(job);
                continue;
            }
            Why::Failed(subject) => {
                format!("no SLO: `{}` of job `{job}` could not be computed", table::printable(subject))
            }
            Why::NoTraffic(subject) => {
                format!("no SLO: `{}` of job `{job}` counted nothing in 30 d", table::printable(subject))
            }
            Why::NoRung(subject, share) => format!(
                "no SLO: `{}` of job `{job}` had {share} good, and even 90% wants 95% to have a step to spare",
                table::printable(subject)
            ),
            Why::Probes(count) => {
                format!("no SLO: {count} more probes of job `{job}`; `by: [instance]` in one SLO has them all")
            }
        };
        printer.line(&line)?;
    }
    for jobs in nothing.chunks(NAMED) {
        let jobs: Vec<String> = jobs.iter().map(|job| format!("`{job}`")).collect();
        printer.line(&format!("no SLO: no request counter, latency histogram or probe of job {}", jobs.join(", ")))?;
    }
    Ok(())
}
