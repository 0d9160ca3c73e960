//! What all pages share: frame, navigation, status words, budget bars, addresses.

use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::http::app::App;
use crate::http::dashboard::format;
use crate::http::error::ApiError;
use crate::http::query::Parameters;
use crate::units::{InstanceId, Timestamp};

/// Seconds after which a page loads itself again: half a slice of the default length.
const REFRESH: usize = 15;

/// What the frame of a page needs to know.
pub struct Frame {
    /// Path before every path of ours.
    pub prefix: String,
    /// The clock.
    pub now: Timestamp,
    /// The newest slice end that any source has reached.
    pub as_of: Timestamp,
    /// Sources that do not answer.
    pub sources_down: Vec<String>,
    /// Seconds until the page loads itself again; 0 where it is paused.
    pub refresh: usize,
    /// Whether it can be loaded again by its address: not what came of a form.
    pub reloads: bool,
    /// The page's own path and query without `refresh`, for pausing.
    pub here: String,
    /// Version of the program, and of the files.
    pub versions: String,
}

impl Frame {
    /// The frame of a request. `?refresh=0` holds a page still.
    pub fn new(app: &App, uri: &Uri, parameters: &Parameters) -> Result<Self, ApiError> {
        let config = app.service.config();
        let revision =
            config.revision.map(|revision| format!(" · files {}", revision.chars().take(10).collect::<String>()));
        let sources = app.service.sources();
        Ok(Self {
            prefix: app.prefix(),
            now: app.service.now(),
            as_of: app.as_of(),
            sources_down: sources.into_iter().filter(|source| !source.up).map(|source| source.name).collect(),
            refresh: parameters.number("refresh", &(0..=3_600), REFRESH)?,
            reloads: true,
            here: without_refresh(uri),
            versions: format!("slo {}{}", env!("CARGO_PKG_VERSION"), revision.unwrap_or_default()),
        })
    }

    /// Address of a page of ours.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    /// Address of an instance's page.
    pub fn instance(&self, id: &InstanceId) -> String {
        format!("{}/slo/{}{}", self.prefix, id.slo, group_query(id))
    }

    /// Address of what an alert is about: an instance by its id, or the sources.
    pub fn subject(&self, slo: &str) -> String {
        match slo.parse::<InstanceId>() {
            Ok(id) if id.slo.service != "source" => self.instance(&id),
            _ => self.path("/health"),
        }
    }

    /// Address of an alert's page.
    pub fn alert(&self, id: &str) -> String {
        format!("{}/alerts/{}", self.prefix, encoded(id))
    }

    /// A whole page.
    pub fn page(&self, title: &str, current: &str, content: &Markup) -> Response {
        Html(self.document(title, current, content).into_string()).into_response()
    }

    fn document(&self, title: &str, current: &str, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    @if self.refresh > 0 { meta http-equiv="refresh" content=(self.refresh); }
                    title { (title) " · slo" }
                    link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' fill='%232563eb'/%3E%3Cpath d='M3 11l4-5 3 3 3-5' stroke='%23fff' stroke-width='2' fill='none'/%3E%3C/svg%3E";
                    link rel="stylesheet" href=(self.path("/assets/style.css"));
                }
                body {
                    a.skip href="#content" { "Skip to the content" }
                    (self.header(current))
                    main #content { (content) }
                    (self.footer())
                }
            }
        }
    }

    fn header(&self, current: &str) -> Markup {
        let link = |path: &str, name: &str| {
            html! { a href=(self.path(path)) aria-current=[(path == current).then_some("page")] { (name) } }
        };
        html! {
            header.top {
                a.brand href=(self.path("/")) {
                    svg width="22" height="22" viewBox="0 0 16 16" aria-hidden="true" {
                        rect.ground width="16" height="16" rx="4" {}
                        path d="M3 11l4-5 3 3 3-5" {}
                    }
                    "slo"
                }
                nav aria-label="Pages" { (link("/", "SLOs")) (link("/alerts", "Alerts")) (link("/silences", "Silences")) (link("/health", "Health")) }
                p.data {
                    @if self.sources_down.is_empty() {
                        span.dot.ok aria-hidden="true" {} "Data as of "
                    } @else {
                        span.dot.page aria-hidden="true" {}
                        a href=(self.path("/health")) { "No data from " (self.sources_down.join(", ")) } ", as of "
                    }
                    time datetime=(self.as_of) title=(format::moment(self.as_of)) { (format::short_moment(self.as_of)) " UTC" }
                    span.quiet { " (" (format::ago(self.now, self.as_of)) ")" }
                }
            }
        }
    }

    fn footer(&self) -> Markup {
        let joint = if self.here.contains('?') { '&' } else { '?' };
        html! {
            footer {
                p {
                    (self.versions) " · times are UTC"
                    @if self.refresh > 0 {
                        " · reloads every " (self.refresh) " s, "
                        a href={ (self.here) (joint) "refresh=0" } { "hold still" }
                    } @else if self.reloads {
                        " · held still, " a href=(self.here) { "reload by itself" }
                    }
                    " · " a href=(self.path("/api/v1/openapi.json")) { "API" }
                    " · " a href=(self.path("/metrics/slos")) { "metrics" }
                }
            }
        }
    }
}

/// An error as a page. One that lies with us is tried again by itself; what was asked wrongly stays wrong.
pub fn problem(app: &App, uri: &Uri, error: &ApiError) -> Response {
    let frame = Frame::new(app, uri, &Parameters::default()).map(|mut frame| {
        if error.status().is_client_error() {
            (frame.refresh, frame.reloads) = (0, false);
        }
        frame
    });
    problem_on(frame, error)
}

/// An error as a page in this frame.
pub fn problem_on(frame: Result<Frame, ApiError>, error: &ApiError) -> Response {
    let Ok(frame) = frame else { return error.clone().into_response() };
    let title = if error.status() == StatusCode::NOT_FOUND { "Not here" } else { "That did not work" };
    let content = html! {
        section.card.problem {
            h1 { (title) }
            p { (error.message()) }
            p { a href=(frame.path("/")) { "All SLOs" } }
        }
    };
    (error.status(), frame.page(title, "", &content)).into_response()
}

/// A status or severity: a sign, a word and a colour.
pub fn pill(status: &str) -> Markup {
    let (sign, word) = words(status);
    html! { span class={ "pill " (status) } { span.sign aria-hidden="true" { (sign) } (word) } }
}

/// Sign and word of a status, severity or state.
pub fn words(status: &str) -> (&'static str, &'static str) {
    match status {
        "page" => ("▲", "Page"),
        "ticket" => ("◆", "Ticket"),
        "notice" => ("●", "Notice"),
        "down" => ("✕", "Down"),
        "no_data" => ("?", "No data"),
        "inconclusive" => ("≈", "Inconclusive"),
        "starting" => ("…", "Starting"),
        "ok" => ("✓", "OK"),
        "firing" => ("●", "Firing"),
        "pending" => ("◔", "Pending"),
        "resolved" => ("✓", "Resolved"),
        "inactive" => ("–", "Inactive"),
        "burning" => ("▲", "Burning"),
        "rising" => ("↗", "Rising"),
        "recovering" => ("↘", "Recovering"),
        "done" => ("✓", "Delivered"),
        "failed" => ("✕", "Failed"),
        "superseded" => ("–", "Superseded"),
        "expired" => ("✕", "Expired"),
        "up" => ("✓", "Up"),
        _ => ("·", "Unknown"),
    }
}

/// `1 transition`, `2 transitions`.
pub fn counted(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

/// A mark beside a status.
pub fn mark(word: &str, meaning: &str) -> Markup {
    html! { span.mark title=(meaning) { (word) } }
}

/// How much of a budget is left, as a bar with its figure.
pub fn budget_bar(remaining: f64) -> Markup {
    let left = remaining.clamp(0.0, 1.0);
    let level = match remaining {
        r if r <= 0.0 => "spent",
        r if r < 0.25 => "low",
        _ => "good",
    };
    let width = format!("{:.1}%", if remaining <= 0.0 { 100.0 } else { left * 100.0 });
    let words = format::percent(remaining);
    let figure = if remaining <= 0.0 { "figure overspent" } else { "figure" };
    html! {
        div.budget {
            svg class={ "bar " (level) } width="100%" height="10" role="img" aria-label={ (words) " of the budget left" } {
                rect.track width="100%" height="10" rx="5" {}
                rect.fill width=(width) height="10" rx="5" {}
            }
            span class=(figure) { (words) }
        }
    }
}

/// The query that chooses an instance's group; empty where it has none.
pub fn group_query(id: &InstanceId) -> String {
    if id.group.is_empty() { String::new() } else { format!("?group={}", encoded(&id.group.to_string())) }
}

/// Safe as a value in a query: everything but letters, digits, `-`, `.`, `_` and `~` as `%XX`.
pub fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// An address of a user, where it may be a link.
pub fn web_address(address: &str) -> Option<&str> {
    let lower = address.to_ascii_lowercase();
    (lower.starts_with("https://") || lower.starts_with("http://")).then_some(address)
}

fn without_refresh(uri: &Uri) -> String {
    let kept: Vec<&str> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("refresh="))
        .collect();
    // Relative, so that it holds behind any prefix.
    format!("?{}", kept.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_safe_in_addresses() {
        let id: InstanceId = r#"a/b{region="e&u #1"}"#.parse().unwrap();
        assert_eq!(group_query(&id), "?group=region%3D%22e%26u%20%231%22");
    }

    #[test]
    fn only_web_addresses_become_links() {
        assert_eq!(web_address("javascript:alert(1)"), None);
        assert_eq!(web_address("HTTPS://wiki"), Some("HTTPS://wiki"));
    }

    #[test]
    fn a_page_is_held_still_without_losing_its_query() {
        let uri: Uri = "/?q=a%20b&refresh=0&status=page".parse().unwrap();
        assert_eq!(without_refresh(&uri), "?q=a%20b&status=page");
    }

    #[test]
    fn every_status_has_a_word() {
        for status in crate::http::listing::STATUSES {
            assert_ne!(words(status).1, "Unknown", "{status}");
        }
    }
}
