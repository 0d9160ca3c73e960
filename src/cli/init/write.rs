//! The files of what was chosen, as text. Pure.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::cli::init::candidates::{Candidate, Kind};
use crate::cli::init::choose::Chosen;
use crate::http::dashboard::format;

/// Service of the SLOs that are computed to choose from.
pub const CANDIDATES: &str = "candidates";

/// A document with every candidate, named by its place: what they did is computed of it, so it sends nothing.
#[must_use]
pub fn candidates_file(candidates: &[Candidate]) -> String {
    let mut text =
        format!("version: slo/v1\nservice: {CANDIDATES}\ndefaults: {{source: prometheus, window: 30d}}\nslos:\n");
    for (place, candidate) in candidates.iter().enumerate() {
        text += &item(&format!("c{place}"), "99%", None, &candidate.sli);
        text += "    alerting: {mode: off}\n";
    }
    text
}

/// A file for each service, by its name.
#[must_use]
pub fn files(chosen: &[Chosen], address: &str) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for slo in chosen {
        let text = files.entry(slo.service.clone()).or_insert_with(|| head(&slo.service, address));
        let done = &slo.computed;
        let unit = if done.candidate.kind == Kind::Probe { "slices" } else { "events" };
        let good = format::good_percent(done.counted.good_ratio(), 0.999);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "\n  # {good} of {} {unit} were good in the {} that were measured.",
            format::count(done.counted.total),
            format::roughly(done.measured)
        );
        text.push_str(&item(&slo.name, slo.objective, Some(&done.candidate.description), &done.candidate.sli));
    }
    files
}

fn head(service: &str, address: &str) -> String {
    format!(
        "# Written by `slo init` from what {address} has. Each objective is one that the last 30 d would have met with a\n\
         # step to spare: make it what your users need, and say who owns it and where its runbook is:\n\
         # owner: a name under `owners` in slo.yaml\n\
         # links: {{runbook: https://wiki.example/{service}}}\n\
         version: slo/v1\n\
         service: '{service}'\n\
         defaults: {{source: prometheus, window: 30d, policy: balanced}}\n\
         slos:"
    )
}

fn item(name: &str, objective: &str, description: Option<&str>, sli: &[String]) -> String {
    let mut text = format!("  - name: '{name}'\n");
    if let Some(description) = description {
        let _ = writeln!(text, "    description: {description}");
    }
    let _ = write!(text, "    objective: {objective}\n    sli:\n");
    for line in sli {
        let _ = writeln!(text, "      {line}");
    }
    text
}

/// The configuration of the repository, with this Prometheus as its source.
#[must_use]
pub fn config(template: &str, address: &str) -> String {
    template.replacen("http://127.0.0.1:9090", &format!("'{}'", address.replace('\'', "''")), 1)
}
