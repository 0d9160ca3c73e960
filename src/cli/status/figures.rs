//! The table: one row an SLO, worst first, as wide as the terminal allows.

use std::collections::BTreeMap;

use comfy_table::{Attribute, Cell, Color, Table};

use crate::cli::alerts::people_marks;
use crate::cli::printer::Printer;
use crate::cli::table;
use crate::http::dashboard::format;
use crate::http::dto::alert::Alert;
use crate::http::dto::instance::{BurnRate, Instance};
use crate::http::listing::badness;

/// The widest form that the terminal holds without wrapping: all columns, fewer of them, or two lines an SLO.
pub fn rendered(printer: &Printer, slos: &[Instance], alerts: &[Alert]) -> String {
    let mut open: BTreeMap<&str, Vec<&Alert>> = BTreeMap::new();
    for alert in alerts {
        open.entry(alert.slo.as_str()).or_default().push(alert);
    }
    let width = table::width(printer).unwrap_or(u16::MAX);
    for whole in [true, false] {
        let rows = rows(printer, slos, &open, whole);
        if table::natural_width(&rows) <= width {
            return table::text(&rows);
        }
    }
    slos.iter().map(|slo| two_lines(printer, slo, of(&open, slo))).collect()
}

type Open<'a> = BTreeMap<&'a str, Vec<&'a Alert>>;

fn of<'a>(open: &'a Open<'a>, slo: &Instance) -> &'a [&'a Alert] {
    open.get(slo.id.as_str()).map(Vec::as_slice).unwrap_or_default()
}

fn rows(printer: &Printer, slos: &[Instance], open: &Open<'_>, whole: bool) -> Table {
    let header: &[&str] = if whole {
        &["STATUS", "SLO", "OBJECTIVE", "BUDGET", "LEFT", "BURN", "ALERTS"]
    } else {
        &["STATUS", "SLO", "OBJECTIVE", "LEFT", "BURN", "ALERTS"]
    };
    let mut rows = table::table(printer, header, 0);
    for slo in slos {
        let remaining = slo.budget.remaining_ratio.map(|ratio| ratio.0);
        let mut row = vec![table::status(&slo.status), Cell::new(name(slo)), Cell::new(objective(slo))];
        if whole {
            row.push(remaining.map_or_else(|| Cell::new(""), table::bar));
        }
        row.push(table::budget_figure(left(slo), remaining.unwrap_or(1.0)));
        let burn = Cell::new(burn(slo, whole));
        row.push(if fastest(slo).is_some_and(|burn| burn.rate.0 > 1.0) {
            burn.add_attribute(Attribute::Bold)
        } else {
            burn
        });
        let alerts = of(open, slo);
        let told = alerts.iter().filter(|alert| alert.state == "firing" && alert.held_back_by.is_none());
        let worst = told.min_by_key(|alert| badness(&alert.severity));
        row.push(Cell::new(open_alerts(alerts)).fg(worst.map_or(Color::Reset, |alert| table::colour(&alert.severity))));
        rows.add_row(row);
    }
    rows
}

fn two_lines(printer: &Printer, slo: &Instance, alerts: &[&Alert]) -> String {
    let mut second = vec![format!("{} left of {}", left(slo), objective(slo)), format!("burn {}", burn(slo, false))];
    if !alerts.is_empty() {
        second.push(open_alerts(alerts));
    }
    format!("{}  {}\n    {}\n", table::status_text(printer, &slo.status), name(slo), second.join(" · "))
}

fn objective(slo: &Instance) -> String {
    format!("{} {}", format::objective(slo.objective.0), slo.window)
}

fn left(slo: &Instance) -> String {
    slo.budget.remaining_ratio.map_or_else(|| "–".to_owned(), |ratio| format::percent(ratio.0))
}

fn fastest(slo: &Instance) -> Option<&BurnRate> {
    slo.burn.iter().max_by(|a, b| a.rate.0.total_cmp(&b.rate.0))
}

/// Every window's burn, or only the fastest.
fn burn(slo: &Instance, whole: bool) -> String {
    if !whole {
        return fastest(slo)
            .map_or_else(|| "–".to_owned(), |burn| format!("{} ({})", format::burn(burn.rate.0), burn.over));
    }
    let all: Vec<String> =
        slo.burn.iter().map(|burn| format!("{} {:<5}", burn.over, format::burn(burn.rate.0))).collect();
    all.join("  ").trim_end().to_owned()
}

fn name(slo: &Instance) -> String {
    let by_time = slo.mode == "gauge" || slo.mode == "ratio";
    let marks = [(slo.frozen, "frozen"), (slo.shadow, "shadow"), (by_time, "by time"), (slo.estimated, "estimated")];
    let marks: Vec<&str> = marks.into_iter().filter_map(|(holds, mark)| holds.then_some(mark)).collect();
    let id = table::printable(&slo.id);
    if marks.is_empty() { id } else { format!("{id} ({})", marks.join(", ")) }
}

fn open_alerts(alerts: &[&Alert]) -> String {
    let mut sorted = alerts.to_vec();
    sorted.sort_by_key(|alert| (alert.held_back_by.is_some(), badness(&alert.severity)));
    let words: Vec<String> = sorted
        .iter()
        .map(|alert| {
            let held = if alert.held_back_by.is_some() { " held back" } else { "" };
            let state = if alert.state == "pending" { " pending" } else { held };
            let drill = alert.drill.then(|| "drill".to_owned());
            let marks: Vec<String> = drill.into_iter().chain(people_marks(alert)).collect();
            let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
            format!("{}{state}{marks}", alert.severity)
        })
        .collect();
    words.join(", ")
}
