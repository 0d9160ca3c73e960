//! What the demo shows: a line for every event and, on a terminal, a live line for each SLO below them.
//!
//! It draws what the running service says through its handle; it works nothing out by itself. On anything but a
//! terminal the live lines are left out and a line a quarter of an hour stands in for them.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::cli::printer::{Channel, Paint, Printer};
use crate::runtime::service::InstanceView;
use crate::units::{Length, Timestamp};

/// Cells of a budget bar.
const BAR: usize = 24;
/// Burn rates kept for the little curve.
const CURVE: usize = 16;
/// The curve has a point this often, in the demo's time.
const CURVE_EVERY: Length = Length::from_minutes(2);
/// Without a terminal: a line of figures this often, in the demo's time.
const PLAIN_EVERY: Length = Length::from_minutes(15);

/// The demo's output.
pub struct Screen<'a> {
    printer: &'a Printer,
    opened: Timestamp,
    lines: MultiProgress,
    clock: Option<ProgressBar>,
    slos: Vec<(String, ProgressBar, Vec<f64>)>,
    curve_at: Timestamp,
    plain_at: Timestamp,
}

impl<'a> Screen<'a> {
    /// A screen for a shop that opened at `opened`.
    #[must_use]
    pub fn new(printer: &'a Printer, opened: Timestamp) -> Self {
        Self {
            printer,
            opened,
            lines: MultiProgress::new(),
            clock: None,
            slos: Vec::new(),
            curve_at: opened,
            plain_at: opened + PLAIN_EVERY,
        }
    }

    /// An event: time since the shop opened, who speaks, what happened.
    pub fn event(&self, now: Timestamp, who: &str, paint: Paint, text: &str) {
        let err = self.printer.err;
        for (index, line) in text.lines().enumerate() {
            let stamp = if index == 0 { elapsed(self.opened, now) } else { "     ".to_owned() };
            let name = if index == 0 { format!("{who:<6}") } else { " ".repeat(6) };
            self.write(&format!("{}  {} {line}", err.paint(Paint::Dim, &stamp), err.paint(paint, &name)));
        }
    }

    /// A line of talk without a time.
    pub fn say(&self, text: &str) {
        self.write(text);
    }

    /// The newest figures of all SLOs.
    pub fn figures(&mut self, now: Timestamp, views: &[InstanceView]) {
        let mut views: Vec<&InstanceView> = views.iter().collect();
        views.sort_by_key(|view| view.id.clone());
        if self.printer.err.is_terminal() {
            self.live(now, &views);
        } else if now >= self.plain_at {
            self.plain_at = self.plain_at + PLAIN_EVERY;
            for view in views {
                let burn = view.burn.first().map_or(0.0, |window| window.rate);
                let left = view.budget.remaining * 100.0;
                let text = format!("{} {}: {left:.1}% of budget left, burn {burn:.1}", view.status, view.id);
                self.event(now, "slo", Paint::Dim, &text);
            }
        }
    }

    /// Takes the live lines away.
    pub fn close(&mut self) {
        for (_, bar, _) in &self.slos {
            bar.finish_and_clear();
        }
        if let Some(clock) = self.clock.take() {
            clock.finish_and_clear();
        }
        self.slos.clear();
    }

    fn live(&mut self, now: Timestamp, views: &[&InstanceView]) {
        let err = self.printer.err;
        let rule = err.paint(Paint::Dim, &format!("{}  {}", elapsed(self.opened, now), "─".repeat(70)));
        let lines = &self.lines;
        self.clock.get_or_insert_with(|| live_line(lines)).set_message(rule);
        for view in views {
            let id = view.id.to_string();
            if !self.slos.iter().any(|(known, _, _)| *known == id) {
                self.slos.push((id.clone(), live_line(&self.lines), Vec::new()));
            }
            let Some((_, bar, curve)) = self.slos.iter_mut().find(|(known, _, _)| *known == id) else { continue };
            if now >= self.curve_at {
                curve.push(view.burn.first().map_or(0.0, |window| window.rate));
                curve.drain(..curve.len().saturating_sub(CURVE));
            }
            bar.set_message(line(err, view, curve));
        }
        if now >= self.curve_at {
            self.curve_at = now + CURVE_EVERY;
        }
    }

    fn write(&self, text: &str) {
        if self.printer.err.is_terminal() {
            // A terminal that went away is seen by the caller when the demo ends.
            let _ = self.lines.println(text);
        } else {
            self.printer.say(text);
        }
    }
}

/// An empty line below the events, redrawn in place.
fn live_line(lines: &MultiProgress) -> ProgressBar {
    let bar = lines.add(ProgressBar::new_spinner());
    bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar
}

/// Minutes and seconds since the shop opened.
fn elapsed(opened: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(opened).millis() / 1_000;
    format!("{:02}:{:02}", seconds / 60, seconds % 60)
}

/// One SLO: status, name, budget bar, share left, burn over the shortest window with its little curve.
fn line(err: Channel, view: &InstanceView, curve: &[f64]) -> String {
    let paint = match view.status.as_str() {
        "page" | "down" => Paint::Red,
        "ticket" | "notice" | "no_data" | "inconclusive" => Paint::Yellow,
        "starting" => Paint::Dim,
        _ => Paint::Green,
    };
    let window = view.burn.first();
    let burn = window.map_or(0.0, |window| window.rate);
    let over = window.map(|window| window.length.to_string()).unwrap_or_default();
    let status = format!("{:<8}", view.status);
    format!(
        "  {} {:<24} budget {} {:>6.1}%   burn {over} {} {burn:>6.1}",
        err.paint(paint, &status),
        view.id.to_string(),
        err.paint(paint, &bar(view.budget.remaining)),
        view.budget.remaining * 100.0,
        err.paint(paint, &sparkline(curve)),
    )
}

/// A bar of the budget that is left; empty where it is overspent.
fn bar(remaining: f64) -> String {
    let full = (remaining.clamp(0.0, 1.0) * BAR as f64).round();
    (0..BAR).map(|cell| if (cell as f64) < full { '█' } else { '░' }).collect()
}

/// A little curve of burn rates, on a logarithmic scale from 0.1 to 1,000.
fn sparkline(curve: &[f64]) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let level = |rate: f64| {
        let share = (rate.max(0.1).log10() + 1.0) / 4.0;
        let steps = (share * 7.0).round().clamp(0.0, 7.0);
        LEVELS.iter().enumerate().find(|(index, _)| *index as f64 >= steps).map_or(' ', |(_, level)| *level)
    };
    let empty = CURVE.saturating_sub(curve.len());
    " ".repeat(empty) + &curve.iter().map(|rate| level(*rate)).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_and_curves_keep_their_width_and_say_what_they_mean() {
        assert_eq!(bar(1.0), "█".repeat(BAR));
        assert_eq!(bar(-0.3), "░".repeat(BAR));
        assert_eq!(bar(0.5).matches('█').count(), BAR / 2);
        assert_eq!(sparkline(&[0.0, 1_000.0]).trim_start(), "▁█");
        assert_eq!(sparkline(&[1.0]).chars().count(), CURVE);
    }

    #[test]
    fn time_is_shown_since_the_shop_opened() {
        let opened = Timestamp::from_seconds(1_000);
        assert_eq!(elapsed(opened, opened + Length::from_seconds(754)), "12:34");
    }
}
