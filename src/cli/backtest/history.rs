//! The replay as tables: of each SLO a time line of both histories, then why they differ.

use std::fmt::Write;

use comfy_table::Cell;

use crate::cli::printer::{Paint, Printer};
use crate::cli::table;
use crate::replay::foreign::ForeignAlert;
use crate::replay::told::Told;
use crate::replay::why::{Difference, DifferenceKind};
use crate::runtime::backtest::{Outcome, SloOutcome};
use crate::spec::policy::AlertSeverity;
use crate::units::Timestamp;

/// Columns that are never wrapped: all but the last.
const WHOLE: usize = 5;

/// All SLOs in which anything happened; the others in one line.
pub fn rendered(printer: &Printer, outcome: &Outcome) -> String {
    let (busy, quiet): (Vec<&SloOutcome>, Vec<&SloOutcome>) = outcome
        .slos
        .iter()
        .partition(|slo| !slo.told.is_empty() || !slo.against.is_empty() || !slo.held_back.is_empty());
    let policies = outcome.slos.windows(2).any(|pair| matches!(pair, [a, b] if a.id == b.id));
    let name = |slo: &SloOutcome| {
        if policies { format!("{} with `{}`", slo.id, slo.policy) } else { slo.id.to_string() }
    };
    let mut text = String::new();
    for slo in busy {
        let _ = writeln!(text, "{}", printer.out.paint(Paint::Bold, &name(slo)));
        text.push_str(&time_line(printer, slo));
        for difference in &slo.differences {
            let _ = writeln!(text, "{}", line(printer, difference));
        }
        text.push('\n');
    }
    for (title, alerts) in [
        ("there, about SLOs not replayed", &outcome.not_replayed),
        ("there, about none of these SLOs", &outcome.unmatched),
    ] {
        if !alerts.is_empty() {
            let _ = writeln!(text, "{}", printer.out.paint(Paint::Bold, title));
            for alert in alerts {
                text.push_str(&other(alert));
            }
            text.push('\n');
        }
    }
    if !quiet.is_empty() {
        let names: Vec<String> = quiet.into_iter().map(name).collect();
        let _ = writeln!(text, "nothing fired: {}", names.join(", "));
    }
    text
}

/// An alert there that is compared with nothing.
fn other(alert: &ForeignAlert) -> String {
    let labels = table::printable(&alert.labels.to_string());
    format!("  {}  {}  {{{labels}}}\n", time(alert.fired_at), end(alert.resolved_at))
}

/// What is told last: how much, from when to when, and how both compare.
pub fn closing(outcome: &Outcome, compared: bool) -> String {
    let told =
        |severity| outcome.slos.iter().flat_map(|slo| &slo.told).filter(|told| told.severity == severity).count();
    let (pages, tickets) = (told(AlertSeverity::Page), told(AlertSeverity::Ticket));
    let mut text = format!(
        "{}: {} and {} here",
        counted(outcome.slos.len(), "SLO"),
        counted(pages, "page"),
        counted(tickets, "ticket")
    );
    if let Some(slo) = outcome.slos.first() {
        text = format!("{} to {}, {text}", time(slo.from), time(slo.to));
    }
    if compared {
        let there = outcome.slos.iter().map(|slo| slo.against.len()).sum::<usize>()
            + outcome.unmatched.len()
            + outcome.not_replayed.len();
        let all = || outcome.slos.iter().flat_map(|slo| &slo.differences);
        let of = |kind: DifferenceKind| all().filter(|difference| difference.kind == kind).count();
        let lead = |sign: fn(f64) -> bool| all().filter(|difference| difference.lead_seconds.is_some_and(sign)).count();
        let _ = write!(
            text,
            ", {} there; on both sides {} ({} earlier here, {} later), only there {}, only here {}",
            counted(there, "alert"),
            of(DifferenceKind::Both),
            lead(|lead| lead > 0.0),
            lead(|lead| lead < 0.0),
            of(DifferenceKind::OnlyThere),
            of(DifferenceKind::OnlyHere)
        );
        if let Some(delay) = outcome.slos.iter().map(|slo| slo.delay).max() {
            let _ = write!(text, "; a slice end is decided {delay} after it");
        }
    }
    text + "; next: slo run --shadow"
}

fn time_line(printer: &Printer, slo: &SloOutcome) -> String {
    let mut rows: Vec<(Timestamp, Vec<Cell>)> = Vec::new();
    rows.extend(slo.told.iter().chain(&slo.held_back).map(|told| (told.fired_at, here(told, slo.to))));
    rows.extend(slo.against.iter().map(|alert| (alert.fired_at, there(alert, slo.to))));
    rows.sort_by_key(|(at, _)| *at);
    let mut drawn = table::table(printer, &["WHERE", "SEVERITY", "FIRED", "ENDED", "LASTED", "WHAT"], 0);
    for (_, row) in rows {
        drawn.add_row(row);
    }
    table::keep_whole(&mut drawn, WHOLE);
    table::text(&drawn)
}

fn here(told: &Told, until: Timestamp) -> Vec<Cell> {
    let group = if told.group.is_empty() { String::new() } else { format!("{{{}}} ", told.group) };
    let peak = told.peak_burn.map_or_else(String::new, |peak| format!("; peak burn {peak:.1}"));
    let held = match (told.was_told(), &told.held_back_by) {
        (false, _) => "not sent, held back under a page: ",
        (true, Some(_)) if told.told_at > Some(told.fired_at) => "held back at first: ",
        (true, _) => "",
    };
    let what = table::printable(&format!("{group}{held}{}{peak}", told.reason));
    row("here", Some(told.severity), (told.fired_at, told.resolved_at), until, what)
}

fn there(alert: &ForeignAlert, until: Timestamp) -> Vec<Cell> {
    let what = table::printable(alert.name());
    row("there", alert.severity, (alert.fired_at, alert.resolved_at), until, what)
}

fn row(
    place: &str,
    severity: Option<AlertSeverity>,
    (fired_at, resolved_at): (Timestamp, Option<Timestamp>),
    until: Timestamp,
    what: String,
) -> Vec<Cell> {
    let lasted = resolved_at.unwrap_or(until).since(fired_at);
    vec![
        Cell::new(place),
        severity.map_or_else(|| Cell::new("?"), |severity| table::status(severity.name())),
        Cell::new(time(fired_at)),
        Cell::new(end(resolved_at)),
        Cell::new(lasted.to_string()),
        Cell::new(what),
    ]
}

/// One difference: a sign, the severity, when, and why.
fn line(printer: &Printer, difference: &Difference) -> String {
    let (sign, what, paint) = match (difference.kind, difference.lead_seconds) {
        (DifferenceKind::Both, Some(lead)) if lead > 0.0 => ("+", "both", Paint::Green),
        (DifferenceKind::Both, _) => ("=", "both", Paint::Dim),
        (DifferenceKind::OnlyThere, _) => ("<", "only there", Paint::Yellow),
        (DifferenceKind::OnlyHere, _) => (">", "only here", Paint::Yellow),
    };
    let spans = difference.there.iter().chain(&difference.here);
    let at = spans.map(|span| span.fired_at).min().map(time).unwrap_or_default();
    let severity = difference.severity.map_or("alert", AlertSeverity::name);
    let head = printer.out.paint(paint, &format!("{sign} {what}, {severity} {at}:"));
    format!("  {head} {}", table::printable(&difference.why))
}

fn time(at: Timestamp) -> String {
    at.to_utc().format("%Y-%m-%d %H:%M:%S").to_string()
}

fn end(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "still fires".to_owned(), time)
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
