//! `slo status PATH --prometheus URL`: the same figures without a service.
//!
//! Nothing is written, no port is opened, nothing is sent. Progress is shown on a terminal and nowhere else.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use crate::cli::FAILED;
use crate::cli::once::{computed, files_are_named, prepared};
use crate::cli::printer::Printer;
use crate::cli::run::runtime;
use crate::cli::status::{Arguments, Format, Said, names, show};
use crate::runtime::blueprint::{Blueprint, Launch};
use crate::runtime::files::Request;
use crate::runtime::once::Missing;
use crate::units::SloId;

/// SLOs named in a line about several of them.
const NAMED: usize = 3;

/// Computes and prints. Code 1 where the files do not pass, 2 where not everything could be computed.
pub fn run(
    arguments: &Arguments,
    paths: Vec<PathBuf>,
    patterns: &[String],
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let request = Request { paths, config: arguments.config.clone() };
    files_are_named(&request, patterns)?;
    let (launch, mut blueprint) = match prepared(request, arguments.prometheus.clone(), printer)? {
        Ok(prepared) => prepared,
        Err(code) => return Ok(code),
    };
    if blueprint.slos.is_empty() {
        bail!("no SLOs {}; name files or folders, or run `slo init` to get some", place(&launch.request.paths));
    }
    if !patterns.is_empty() {
        blueprint.slos.retain(|plan| patterns.iter().any(|pattern| names::may_take(pattern, &plan.slo.id)));
    }
    runtime()?.block_on(compute(launch, blueprint, arguments.format, patterns, printer))
}

async fn compute(
    launch: Launch,
    blueprint: Blueprint,
    format: Format,
    patterns: &[String],
    printer: &Printer,
) -> anyhow::Result<ExitCode> {
    let (slos, without_past) = (blueprint.slos.len(), without_past(&blueprint));
    let (client, missing) = computed(launch, blueprint, printer).await?;
    let mut said = Said::ask(&client, Format::Table).await?;
    said.next = "`slo run` with the same arguments would send it";
    if slos > 0 && missing.unjudged.len() == slos {
        bail!("nothing could be computed: {}", said.trouble.join("; "));
    }
    said.trouble.extend(told(&missing).into_iter().chain(without_past));
    if format == Format::Json {
        said.trouble.iter().for_each(|line| printer.say(line));
    }
    let code = show(said, patterns, format, printer)?;
    Ok(if missing.is_nothing() { code } else { ExitCode::from(FAILED) })
}

/// What cannot be known without a service that was there.
fn without_past(blueprint: &Blueprint) -> Option<String> {
    let has_past = |name: &String| blueprint.sources.get(name).is_none_or(|source| source.has_history());
    let slos: Vec<SloId> =
        blueprint.slos.iter().filter(|plan| !has_past(&plan.slo.source)).map(|plan| plan.slo.id.clone()).collect();
    let named = named(&slos);
    (!slos.is_empty()).then(|| format!("their source has no past, only a service that runs can count them: {named}"))
}

/// What could not be computed, in words.
fn told(missing: &Missing) -> Vec<String> {
    let mut lines = Vec::new();
    if !missing.unjudged.is_empty() {
        lines.push(format!("not computed, because questions failed: {}", named(&missing.unjudged)));
    }
    if !missing.partial.is_empty() {
        lines.push(format!("the past could not be read, so budgets cover a part of it: {}", named(&missing.partial)));
    }
    lines
}

fn named(slos: &[SloId]) -> String {
    let first: Vec<String> = slos.iter().take(NAMED).map(|slo| format!("`{slo}`")).collect();
    let more = slos.len().saturating_sub(NAMED);
    if more == 0 { first.join(", ") } else { format!("{} and {more} more", first.join(", ")) }
}

fn place(paths: &[PathBuf]) -> String {
    match paths {
        [] => "here".to_owned(),
        [path] => format!("in `{}`", path.display()),
        _ => "in any of these paths".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_and_not_at_length() {
        let ids: Vec<SloId> = ["a", "b", "c", "d", "e"].iter().map(|name| SloId::new("shop", *name)).collect();
        let missing = Missing { unjudged: ids.clone(), partial: vec![ids[0].clone()] };
        assert_eq!(
            told(&missing),
            [
                "not computed, because questions failed: `shop/a`, `shop/b`, `shop/c` and 2 more",
                "the past could not be read, so budgets cover a part of it: `shop/a`",
            ]
        );
        assert!(told(&Missing::default()).is_empty());
    }
}
