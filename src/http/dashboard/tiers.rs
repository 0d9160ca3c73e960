//! The conditions of an alert policy as a table: both windows, threshold, state.

use maud::{Markup, html};

use crate::http::dashboard::format;
use crate::http::dashboard::layout::{mark, pill, words};
use crate::http::dto::alert::state_name;
use crate::policy::alert::{AlertState, TierView, WindowView};

/// All tiers, in the order of the policy.
pub fn table(tiers: &[TierView]) -> Markup {
    html! {
        div.scroll {
            table.tiers {
                thead { tr {
                    th scope="col" { "Tier" }
                    th scope="col" { "State" }
                    th scope="col" { "Fires when" }
                    th scope="col" { "Long window" }
                    th scope="col" { "Confirmed by" }
                    th scope="col" { "Ends by" }
                } }
                tbody { @for tier in tiers { (row(tier)) } }
            }
        }
    }
}

fn row(tier: &TierView) -> Markup {
    let threshold = tier.threshold_ratio;
    html! {
        tr {
            th scope="row" { (pill(tier.severity.name())) span.quiet { (kind_words(&tier.kind)) } }
            td data-name="State" {
                (state(tier.state))
                @if tier.frozen { (mark("frozen", "Neither matched nor known false")) }
                @if tier.kind == "burn" && tier.trend != "ok" { @let (sign, word) = words(&tier.trend); span.trend { (sign) " " (word) } }
            }
            td data-name="Fires when" { (condition(tier)) }
            td data-name="Long window" { (window(tier.over.as_ref(), threshold)) }
            td data-name="Confirmed by" { (window(tier.confirm.as_ref(), threshold)) }
            td data-name="Ends by" { (window(tier.resolve.as_ref(), None)) }
        }
    }
}

/// A state as a sign and a word; only what is not inactive stands out.
pub fn state(state: AlertState) -> Markup {
    let name = state_name(state);
    let (sign, word) = words(name);
    html! { span class={ "state " (name) } { span.sign aria-hidden="true" { (sign) } (word) } }
}

/// A kind in words.
pub fn kind_words(kind: &str) -> &str {
    match kind {
        "no_data" => "no data",
        "no_traffic" => "no traffic",
        "budget_left" => "budget left",
        "budget_drop" => "budget drop",
        "sli_below" => "target missed",
        other => other,
    }
}

fn condition(tier: &TierView) -> Markup {
    html! {
        @match (tier.factor, tier.threshold_ratio) {
            (Some(factor), Some(threshold)) => {
                @if tier.kind == "exhausts" { "budget ends soon, " }
                "burn over " b { (format::burn(factor)) }
                span.quiet { " · " (format::bad_percent(threshold)) " bad" }
            }
            (None, Some(threshold)) => { "over " b { (format::bad_percent(threshold)) } " bad" }
            _ => {
                @match tier.kind.as_str() {
                    "budget_left" => "little of the budget is left",
                    "budget_drop" => "much of the budget went at once",
                    "no_traffic" => "measured, and hardly an event",
                    "down" => "what is alive is down",
                    "no_data" => "no data when there usually is",
                    other => (other),
                }
            }
        }
    }
}

fn window(window: Option<&WindowView>, threshold: Option<f64>) -> Markup {
    html! {
        @if let Some(window) = window {
            @let over = threshold.is_some_and(|threshold| window.ratio * window.coverage > threshold);
            div class={ "window " (if over { "over" } else { "" }) } {
                span.quiet { (window.length) } " "
                b { (format::burn(window.rate)) }
                @if over { span.exceeds { " over" } }
                div.quiet.small {
                    (format::count(window.bad)) " of " (format::count(window.total)) " bad"
                    @if window.coverage < 0.9995 { " · " (format::percent(window.coverage)) " measured" }
                }
            }
        } @else { span.quiet { "–" } }
    }
}
