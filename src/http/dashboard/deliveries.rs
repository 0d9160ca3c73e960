//! Rows of the outbox as a table: what was told to whom, what came of it, and a button for what was given up.

use maud::{Markup, html};

use crate::http::dashboard::format;
use crate::http::dashboard::layout::{Frame, counted, encoded, words};
use crate::http::dto::alert::state_name;
use crate::http::dto::delivery::{delivery_state_name, occasion_name, told_of};
use crate::policy::alert::AlertKind;
use crate::policy::notification::{Mark, Occasion};
use crate::store::{Delivery, UNDER_WAY};

/// Alerts of a digest that are named.
const NAMED: usize = 3;

/// What a table is for.
#[derive(Clone, Copy, Debug)]
pub enum Of<'a> {
    /// One alert, by its id: it need not be named.
    Alert(&'a str),
    /// All of them.
    All,
    /// What was given up; with a button where the visitor may.
    GivenUp {
        /// Whether the visitor may.
        may: bool,
    },
}

/// Deliveries with their last try.
pub fn table(frame: &Frame, deliveries: &[Delivery], of: Of<'_>) -> Markup {
    let (named, given_up) = (!matches!(of, Of::Alert(_)), matches!(of, Of::GivenUp { .. }));
    html! {
        div.scroll {
            table.deliveries {
                thead { tr {
                    th scope="col" { "Sink" }
                    @if named { th scope="col" { "About" } }
                    th scope="col" { "Told" } th scope="col" { "State" } th scope="col" { "Tries" } th scope="col" { "Last answer" }
                    @if given_up { th scope="col" { "Again" } }
                } }
                tbody { @for delivery in deliveries { (row(frame, delivery, of)) } }
            }
        }
    }
}

fn row(frame: &Frame, delivery: &Delivery, of: Of<'_>) -> Markup {
    let (sign, word) = words(delivery_state_name(delivery.state));
    html! {
        tr {
            th scope="row" { (delivery.sink) }
            @if !matches!(of, Of::Alert(_)) { td.about data-name="About" { (about(frame, delivery)) } }
            td data-name="Told" title=(delivery.id) { (told(delivery, of)) }
            td.nobreak data-name="State" { span.sign aria-hidden="true" { (sign) " " } (word) }
            td data-name="Tries" { (delivery.attempts.len()) }
            td.answer data-name="Last answer" { (answer(frame, delivery)) }
            @if let Of::GivenUp { may } = of {
                td data-name="Again" {
                    @if may {
                        form method="post" action=(frame.path(&format!("/deliveries/{}/resend", encoded(&delivery.id)))) {
                            button.small type="submit" { "Send again" }
                        }
                    } @else { span.quiet { "with a token" } }
                }
            }
        }
    }
}

/// Which alert, with a link to it; of several told as one the first of them.
fn about(frame: &Frame, delivery: &Delivery) -> Markup {
    let notification = &delivery.notification;
    let members = &notification.members;
    let severity = words(notification.severity.name()).1;
    html! {
        @match notification.kind {
            AlertKind::Digest => {
                (counted(members.len(), "alert")) " told as one"
                @for member in members.iter().take(NAMED) {
                    br; a href=(frame.alert(&member.alert_id)) { (severity) " " (member.slo) }
                }
                @if members.len() > NAMED { br; span.quiet { "and " (members.len() - NAMED) " more" } }
            }
            AlertKind::Report => "Report",
            AlertKind::Watchdog => "Heartbeat",
            AlertKind::Source if notification.service == "sink" => { "Alarm of " (notification.slo) }
            _ if notification.mark == Some(Mark::Test) => "A test",
            _ => a href=(frame.alert(&notification.alert_id)) { (severity) " " (notification.slo) },
        }
        @if matches!(delivery.state, crate::store::DeliveryState::Failed | crate::store::DeliveryState::Expired) {
            div.quiet.small { "Id " code { (delivery.id) } }
        }
    }
}

/// What it tells, and why then: `Firing`, `Firing, repeat`, `Acknowledged`.
fn told(delivery: &Delivery, of: Of<'_>) -> Markup {
    let notification = &delivery.notification;
    let state = match of {
        Of::Alert(id) => told_of(notification, id),
        Of::All | Of::GivenUp { .. } => notification.state,
    };
    let digest = matches!(of, Of::Alert(_)) && notification.kind == AlertKind::Digest;
    html! {
        @if notification.occasion == Occasion::Acknowledged { "Acknowledged" } @else {
            (words(state_name(state)).1)
            @if !notification.occasion.is_change() { span.quiet { ", " (occasion_name(notification.occasion).replace('_', " ")) } }
        }
        @if digest { span.quiet { ", in a digest" } }
    }
}

fn answer(frame: &Frame, delivery: &Delivery) -> Markup {
    html! {
        @match delivery.attempts.last() {
            Some(last) if last.message == UNDER_WAY => span.quiet { "under way" },
            Some(last) => { (last.message) " " span.quiet.nobreak { (format::when(frame.now, last.at)) } }
            None => span.quiet { "not tried yet" },
        }
        @if let Some(next) = delivery.next_attempt_at.filter(|next| *next > frame.now) {
            div.quiet.small { "next try " (format::when(frame.now, next)) }
        }
    }
}
