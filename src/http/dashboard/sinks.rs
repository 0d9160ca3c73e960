//! The sinks as people see them: what waits for each, what keeps it, what has to be mended.

use maud::{Markup, html};

use crate::http::dashboard::format::{self, when};
use crate::http::dashboard::layout::{Frame, counted};
use crate::http::dto::state::Sink;
use crate::runtime::service::{GateView, SinkView};
use crate::units::Timestamp;

/// What waits for each sink, and what keeps it.
pub fn table(frame: &Frame, sinks: &[SinkView]) -> Markup {
    html! {
        @if sinks.is_empty() { p.quiet { "No sink is configured: nobody is told of anything." } } @else {
            div.scroll {
                table.sources {
                    thead { tr {
                        th scope="col" { "Sink" } th scope="col" { "State" } th scope="col" { "Waiting" }
                        th scope="col" { "Failures in a row" } th scope="col" { "Last success" } th scope="col" { "Last try" }
                    } }
                    tbody { @for sink in sinks { (row(frame, sink)) } }
                }
            }
        }
    }
}

fn row(frame: &Frame, sink: &SinkView) -> Markup {
    let (class, word) = match sink.gate {
        GateView::Open if sink.failures > 0 || sink.attention.is_some() => ("ticket", "Failing"),
        GateView::Open => ("ok", "Open"),
        GateView::Waiting(_) => ("down", "Waiting"),
        GateView::Probing => ("ticket", "Probing"),
    };
    let never = || "never".to_owned();
    html! {
        tr {
            th.nobreak scope="row" { (sink.name) " " span.quiet { (sink.kind) } }
            td data-name="State" {
                span class={ "pill " (class) } { (word) }
                @match sink.gate {
                    GateView::Waiting(until) if until > frame.now => div.quiet.small.nobreak { "until " (when(frame.now, until)) },
                    GateView::Waiting(_) => div.quiet.small { "for a message to try" },
                    GateView::Open | GateView::Probing => {}
                }
            }
            td data-name="Waiting" {
                (sink.pending)
                @if let Some(oldest) = sink.oldest { div.quiet.small.nobreak { "oldest " (format::ago(frame.now, frame.now - oldest)) } }
            }
            td data-name="Failures" { (sink.failures) }
            td.nobreak data-name="Last success" { (sink.last_success_at.map_or_else(never, |at| format::ago(frame.now, at))) }
            td.answer data-name="Last try" {
                @match &sink.last {
                    Some(last) => { (last.outcome) ", " span.nobreak { (format::ago(frame.now, last.at)) } " " span.quiet { (last.message) } }
                    None => span.quiet { "never" },
                }
                @if let Some((at, text)) = &sink.attention {
                    div.attention { b { "Needs attention" } " " (text) " " span.quiet { (format::ago(frame.now, *at)) } }
                }
            }
        }
    }
}

/// A line that leads to `/health` where messages wait, a sink fails, or something was given up lately.
pub fn banner(frame: &Frame, sinks: &[SinkView], given_up: usize) -> Markup {
    let trouble = trouble(sinks, frame.now);
    html! {
        @if !trouble.is_empty() || given_up > 0 {
            div.notice-bar role="status" {
                @for line in &trouble { p { (line) } }
                @if given_up > 0 { p { (counted(given_up, "message")) " given up within the last day" } }
                p { a href=(frame.path("/health")) { "What waits, and what has to be mended" } }
            }
        }
    }
}

/// One line for each sink in trouble.
#[must_use]
pub fn trouble(sinks: &[SinkView], now: Timestamp) -> Vec<String> {
    sinks.iter().map(Sink::from).filter_map(|sink| sink.trouble(now)).collect()
}
