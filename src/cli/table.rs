//! Tables on a terminal: status words with signs, budget bars, colours where they may be.
//!
//! Meaning never depends on colour, so every status has a sign and a word. Without a terminal a table is as wide as
//! what it holds, so that pipes get whole lines.

use comfy_table::{Attribute, Cell, CellAlignment, Color, ColumnConstraint, ContentArrangement, Table, presets};

use crate::cli::printer::{Paint, Printer};
use crate::http::dashboard::layout::words;

/// Cells of a budget bar.
const BAR: usize = 12;

/// Blanks between columns.
const GAP: u16 = 2;

/// Assumed where a terminal does not tell its width.
const WIDTH: u16 = 80;

/// An empty table for standard output. With `indent` it leaves so many columns of the terminal free.
pub fn table(printer: &Printer, header: &[&str], indent: u16) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = width(printer) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width.saturating_sub(indent));
    }
    if printer.out.has_colour() {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(header.iter().map(|name| Cell::new(name).add_attribute(Attribute::Dim)));
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, GAP));
    });
    table
}

/// Keeps the first columns as wide as what they hold, so that only those after them are wrapped.
pub fn keep_whole(table: &mut Table, columns: usize) {
    table.column_iter_mut().take(columns).for_each(|column| {
        column.set_constraint(ColumnConstraint::ContentWidth);
    });
}

/// Columns that the table takes where nothing is wrapped.
pub fn natural_width(table: &Table) -> u16 {
    table.column_max_content_widths().iter().fold(0_u16, |sum, width| sum.saturating_add(*width).saturating_add(GAP))
}

/// Columns of the terminal; `None` where there is none.
pub fn width(printer: &Printer) -> Option<u16> {
    printer.out.is_terminal().then(|| Table::new().width().unwrap_or(WIDTH))
}

/// The table with its line end, without blanks at the ends of lines.
pub fn text(table: &Table) -> String {
    table.lines().fold(String::new(), |text, line| text + line.trim_end() + "\n")
}

/// A text of somebody else: control characters must not reach the terminal.
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// A status, severity or state.
pub fn status(name: &str) -> Cell {
    let (sign, word) = words(name);
    let cell = Cell::new(format!("{sign} {word}")).fg(colour(name));
    if matches!(name, "page" | "firing") { cell.add_attribute(Attribute::Bold) } else { cell }
}

/// The same without a table.
pub fn status_text(printer: &Printer, name: &str) -> String {
    let (sign, word) = words(name);
    let text = format!("{sign} {word}");
    match name {
        "page" | "firing" => printer.out.paint(Paint::Red, &text),
        "ticket" | "pending" => printer.out.paint(Paint::Yellow, &text),
        "ok" | "resolved" => printer.out.paint(Paint::Green, &text),
        "notice" => printer.out.paint(Paint::Cyan, &text),
        _ => printer.out.paint(Paint::Bold, &text),
    }
}

/// Colour of a status, severity or state.
pub fn colour(name: &str) -> Color {
    match name {
        "page" | "firing" | "failed" => Color::Red,
        "ticket" | "pending" => Color::Yellow,
        "notice" => Color::Blue,
        "down" => Color::Magenta,
        "ok" | "resolved" | "done" => Color::Green,
        _ => Color::Reset,
    }
}

/// How much of a budget is left, as a bar.
pub fn bar(remaining: f64) -> Cell {
    let eighths = (0..=BAR * 8).rev().find(|count| small(*count) <= remaining * small(BAR * 8)).unwrap_or(0);
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"].get(eighths % 8).copied().unwrap_or("");
    let filled = eighths / 8 + usize::from(!part.is_empty());
    let bar = format!("{}{part}{}", "█".repeat(eighths / 8), "░".repeat(BAR.saturating_sub(filled)));
    Cell::new(bar).fg(budget_colour(remaining))
}

/// A figure of the budget, coloured as its bar.
pub fn budget_figure(text: String, remaining: f64) -> Cell {
    Cell::new(text).fg(budget_colour(remaining)).set_alignment(CellAlignment::Right)
}

fn budget_colour(remaining: f64) -> Color {
    match remaining {
        r if r <= 0.0 => Color::Red,
        r if r < 0.25 => Color::Yellow,
        _ => Color::Green,
    }
}

/// Counts of a bar are below a hundred.
fn small(count: usize) -> f64 {
    u32::try_from(count).map_or(0.0, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_shows_what_is_left() {
        for (remaining, drawn) in [
            (1.0, "████████████"),
            (0.5, "██████░░░░░░"),
            (0.04, "▍░░░░░░░░░░░"),
            (0.0, "░░░░░░░░░░░░"),
            (-2.0, "░░░░░░░░░░░░"),
            (f64::NAN, "░░░░░░░░░░░░"),
        ] {
            assert_eq!(bar(remaining).content(), drawn, "{remaining}");
        }
    }
}
