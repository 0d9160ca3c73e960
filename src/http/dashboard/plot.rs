//! Plots as inline SVG: no script, sharp at any width.
//!
//! The outer SVG has pixels of the page, so letters keep their size on a telephone; the curve is drawn in an inner one
//! that is stretched to the width. Unknown stretches are holes, never zeros.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

use crate::http::dashboard::format;
use crate::units::Timestamp;

/// Inner coordinates: 0 to this, both ways.
const SCALE: f64 = 1_000.0;

/// Height of the drawing area, and of the whole with the letters below.
const HEIGHT: u32 = 150;
const WHOLE: u32 = 178;

/// Distance of the drawing area from the top.
const TOP: u32 = 8;

/// A curve over time.
pub struct Plot<'a> {
    /// Names it for who cannot see it.
    pub title: &'a str,
    /// Says the same in a sentence.
    pub description: String,
    /// Begin and end of the axis.
    pub from: Timestamp,
    /// Inclusive.
    pub to: Timestamp,
    /// Time and value, ascending; `None` is a hole.
    pub points: Vec<(Timestamp, Option<f64>)>,
    /// Lowest and highest value of the axis.
    pub range: (f64, f64),
    /// Horizontal lines with their letters.
    pub grid: Vec<(f64, String)>,
    /// A line that must not be crossed, with its letters.
    pub limit: Option<(f64, String)>,
    /// Stretches in which an alert fired, by severity.
    pub alerts: Vec<(Timestamp, Timestamp, &'static str)>,
    /// Class of the curve.
    pub class: &'static str,
}

impl Plot<'_> {
    /// Draws it.
    pub fn draw(&self) -> Markup {
        let curves = self.curves();
        let floor = self.y(self.range.0.max(0.0).min(self.range.1));
        html! {
            svg class={ "plot " (self.class) } width="100%" height=(WHOLE) role="img" {
                title { (self.title) }
                desc { (self.description) }
                svg x="0" y=(TOP) width="100%" height=(HEIGHT) viewBox={ "0 0 " (SCALE) " " (SCALE) } preserveAspectRatio="none" {
                    @for (from, to, severity) in &self.alerts {
                        @let (start, end) = (self.x(*from), self.x(*to));
                        rect class={ "fired " (severity) } x=(figure(start)) y="0" width=(figure((end - start).max(2.0))) height=(SCALE) {}
                    }
                    @for curve in &curves {
                        path.area d=(area(curve, floor)) {}
                        path.curve d=(line(curve)) {}
                    }
                }
                @for (value, letters) in &self.grid { (self.rule("grid", *value, letters)) }
                @if let Some((value, letters)) = &self.limit { (self.rule("limit", *value, letters)) }
                (self.times())
            }
        }
    }

    fn rule(&self, class: &str, value: f64, letters: &str) -> Markup {
        let y = f64::from(TOP) + self.y(value) / SCALE * f64::from(HEIGHT);
        // Letters stand on their line, except at the very top where they would be cut off.
        let base = if y < 20.0 { y + 12.0 } else { y - 4.0 };
        let (x, anchor) = if class == "limit" { ("100%", "end") } else { ("0", "start") };
        html! {
            line class=(class) x1="0" x2="100%" y1=(figure(y)) y2=(figure(y)) {}
            text class=(class) x=(x) y=(figure(base)) text-anchor=(anchor) { (letters) }
        }
    }

    /// Begin, middle and end of the time axis.
    fn times(&self) -> Markup {
        let middle = Timestamp::from_millis(i64::midpoint(self.from.millis(), self.to.millis()));
        let marks = [("0", "start", self.from), ("50%", "middle", middle), ("100%", "end", self.to)];
        html! {
            @for (x, anchor, time) in marks {
                text.time x=(x) y=(WHOLE - 4) text-anchor=(anchor) { (format::short_moment(time)) }
            }
        }
    }

    fn x(&self, time: Timestamp) -> f64 {
        let whole = self.to.since(self.from).seconds_f64();
        if whole > 0.0 { (time.since(self.from).seconds_f64() / whole).clamp(0.0, 1.0) * SCALE } else { 0.0 }
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = self.range;
        let share = if high > low { (value - low) / (high - low) } else { 0.0 };
        (1.0 - share.clamp(0.0, 1.0)) * SCALE
    }

    /// Connected stretches, in inner coordinates.
    fn curves(&self) -> Vec<Vec<(f64, f64)>> {
        let mut curves: Vec<Vec<(f64, f64)>> = vec![Vec::new()];
        for (time, value) in &self.points {
            match (value.filter(|value| value.is_finite()), curves.last_mut()) {
                (Some(value), Some(curve)) => curve.push((self.x(*time), self.y(value))),
                _ => curves.push(Vec::new()),
            }
        }
        curves.retain(|curve| !curve.is_empty());
        curves
    }
}

/// The key below a plot with alerts in it.
pub fn key(severities: &[&str]) -> Markup {
    html! {
        @if !severities.is_empty() {
            p.key.quiet {
                @for severity in severities { span class={ "swatch " (severity) } aria-hidden="true" {} (severity) " fired " }
            }
        }
    }
}

fn line(curve: &[(f64, f64)]) -> PreEscaped<String> {
    let mut path = String::new();
    for (index, (x, y)) in curve.iter().enumerate() {
        // Writing into a string does not fail.
        let _ = write!(path, "{}{} {}", if index == 0 { 'M' } else { 'L' }, figure(*x), figure(*y));
    }
    if let ([(x, y)], true) = (curve, curve.len() == 1) {
        // A single point would not be seen.
        let _ = write!(path, "L{} {}", figure(x + 3.0), figure(*y));
    }
    PreEscaped(path)
}

fn area(curve: &[(f64, f64)], floor: f64) -> PreEscaped<String> {
    let (Some(first), Some(last)) = (curve.first(), curve.last()) else { return PreEscaped(String::new()) };
    let PreEscaped(line) = line(curve);
    PreEscaped(format!("{line}L{} {}L{} {}Z", figure(last.0), figure(floor), figure(first.0), figure(floor)))
}

/// Two decimals are far below a pixel.
fn figure(value: f64) -> String {
    format!("{value:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(values: &[Option<f64>]) -> Plot<'static> {
        let at = |index: usize| Timestamp::from_seconds(60 * i64::try_from(index).unwrap());
        Plot {
            title: "t",
            description: String::new(),
            from: at(0),
            to: at(values.len() - 1),
            points: values.iter().enumerate().map(|(index, value)| (at(index), *value)).collect(),
            range: (0.0, 1.0),
            grid: vec![],
            limit: None,
            alerts: vec![],
            class: "budget",
        }
    }

    #[test]
    fn holes_part_the_curve_and_are_never_zero() {
        let curves = plot(&[Some(0.0), Some(0.5), None, Some(1.0), Some(f64::NAN)]).curves();
        assert_eq!(curves, vec![vec![(0.0, 1000.0), (250.0, 500.0)], vec![(750.0, 0.0)]]);
    }

    #[test]
    fn values_beyond_the_axis_stay_on_its_edge() {
        let curves = plot(&[Some(-3.0), Some(7.0)]).curves();
        assert_eq!(curves, vec![vec![(0.0, 1000.0), (1000.0, 0.0)]]);
    }

    #[test]
    fn drawings_name_themselves() {
        let svg = plot(&[Some(0.1), Some(0.2)]).draw().into_string();
        assert!(svg.contains("<title>t</title>"), "{svg}");
        assert!(svg.contains("M0.00 900.00L1000.00 800.00"), "{svg}");
    }
}
