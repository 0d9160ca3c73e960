//! Reads `sources`.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::meant::{Auth, Flavour, HistoryMode, SourceConfig, SourceKind};
use crate::config::read::{checked_address, secret, section};
use crate::config::written::{AuthItem, BasicItem, PrometheusItem, ScrapeItem, SourceAlertItem, SourceItem};
use crate::diag::{Diagnostic, codes};
use crate::spec::policy::AlertSeverity;
use crate::spec::policy::SEVERITIES;
use crate::spec::value;
use crate::units::Length;
use crate::yaml::{NodeId, Reader};

/// What `type` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Prometheus(Flavour),
    Scrape,
    NotBuilt,
}

const TYPES: &[(&str, Type)] = &[
    ("prometheus", Type::Prometheus(Flavour::Prometheus)),
    ("victoriametrics", Type::Prometheus(Flavour::VictoriaMetrics)),
    ("thanos", Type::Prometheus(Flavour::Thanos)),
    ("mimir", Type::Prometheus(Flavour::Mimir)),
    ("scrape", Type::Scrape),
    ("tempo", Type::NotBuilt),
    ("jaeger", Type::NotBuilt),
    ("zipkin", Type::NotBuilt),
    ("clickhouse", Type::NotBuilt),
    ("otlp", Type::NotBuilt),
];

const HISTORIES: &[(&str, HistoryMode)] =
    &[("auto", HistoryMode::Auto), ("remote_read", HistoryMode::RemoteRead), ("query", HistoryMode::Query)];

/// Longest distance of two samples that counts as continuous (SEMANTICS 1).
const GAP: Length = Length::from_minutes(5);
/// At least so many scrape intervals (SEMANTICS 1).
const GAP_INTERVALS: i64 = 4;
const TIMEOUT: Length = Length::from_seconds(10);
const CONCURRENCY: usize = 4;
const ALERT_AFTER: Length = Length::from_minutes(5);

/// Headers that carry a secret: they come from `auth`.
const SECRET_HEADERS: &[&str] = &["authorization", "proxy-authorization", "cookie"];

const fn default_delay(kind: Type) -> Length {
    Length::from_seconds(match kind {
        Type::Scrape => 1,
        Type::Prometheus(Flavour::VictoriaMetrics) => 45,
        Type::Prometheus(Flavour::Thanos | Flavour::Mimir) => 60,
        Type::Prometheus(Flavour::Prometheus) | Type::NotBuilt => 15,
    })
}

const fn default_interval(kind: Type) -> Length {
    Length::from_seconds(if matches!(kind, Type::Scrape) { 15 } else { 30 })
}

/// Prometheus on 127.0.0.1:9090, as an empty configuration has it.
pub(super) fn default_source() -> SourceConfig {
    let kind = Type::Prometheus(Flavour::Prometheus);
    let urls = vec![default_url(Flavour::Prometheus).to_owned()];
    SourceConfig {
        kind: SourceKind::Prometheus { flavour: Flavour::Prometheus, urls, history: HistoryMode::Auto },
        delay: default_delay(kind),
        timeout: TIMEOUT,
        concurrency: CONCURRENCY,
        interval: default_interval(kind),
        gap: GAP,
        lateness: GAP,
        headers: BTreeMap::new(),
        auth: None,
        alert_after: ALERT_AFTER,
        alert_severity: AlertSeverity::Page,
    }
}

const fn default_url(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::Prometheus => "http://127.0.0.1:9090",
        Flavour::VictoriaMetrics => "http://127.0.0.1:8428",
        Flavour::Thanos => "http://127.0.0.1:10902",
        Flavour::Mimir => "http://127.0.0.1:8080/prometheus",
    }
}

/// Reads one source; what is wrong is noted. `None` where its type is not known.
pub(super) fn read_source(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> Option<SourceConfig> {
    let item: SourceItem = reader.decode(node)?;
    let kind = read_type(reader, node)?;
    let (specific, concurrency) = match kind {
        Type::Prometheus(flavour) => read_prometheus(reader, node, flavour)?,
        Type::Scrape => read_scrape(reader, node)?,
        Type::NotBuilt => return None,
    };
    let mut length = |key: &str, written: Option<&str>| value::positive_length(reader, node, key, written);
    let timeout = length("timeout", item.timeout.as_deref()).unwrap_or(TIMEOUT);
    let interval = length("interval", item.interval.as_deref()).unwrap_or(default_interval(kind));
    let gap = length("gap", item.gap.as_deref());
    let lateness = length("lateness", item.lateness.as_deref());
    let delay = value::length(reader, node, "delay", item.delay.as_deref()).unwrap_or(default_delay(kind));
    let least = interval * GAP_INTERVALS;
    if gap.is_some_and(|gap| gap < least) {
        let message = format!("`gap` is below {GAP_INTERVALS} scrape intervals, {least}");
        reader.report_in(node, "gap", Diagnostic::error(codes::BAD_DURATION, message));
    }
    let gap = gap.unwrap_or_else(|| GAP.max(least));
    let alert: Option<(NodeId, SourceAlertItem)> = section(reader, node, "alert");
    let (after, severity) = alert.map_or((None, None), |(alert, item)| {
        let after = value::positive_length(reader, alert, "after", item.after.as_deref());
        (after, value::choice(reader, alert, "severity", item.severity.as_deref(), SEVERITIES))
    });
    Some(SourceConfig {
        kind: specific,
        delay,
        timeout,
        concurrency,
        interval,
        gap,
        lateness: lateness.unwrap_or(gap),
        headers: read_headers(reader, node),
        auth: read_auth(reader, node, folder),
        alert_after: after.unwrap_or(ALERT_AFTER),
        alert_severity: severity.unwrap_or(AlertSeverity::Page),
    })
}

fn read_type(reader: &mut Reader<'_>, node: NodeId) -> Option<Type> {
    let document = reader.document();
    let Some(child) = document.child(node, "type") else {
        reader.missing(node, "type", "`prometheus`, `scrape` or another kind of source");
        return None;
    };
    let text = document.text(child);
    if text.is_none() {
        reader.expect(child, crate::yaml::Shape::Text);
    }
    let kind = value::choice(reader, node, "type", text, TYPES)?;
    if kind == Type::NotBuilt {
        let message = format!("sources of type `{}` are not built yet", text.unwrap_or_default());
        reader.report(child, Diagnostic::error(codes::NOT_BUILT, message));
    }
    Some(kind)
}

fn read_prometheus(reader: &mut Reader<'_>, node: NodeId, flavour: Flavour) -> Option<(SourceKind, usize)> {
    let item: PrometheusItem = reader.decode(node)?;
    let urls = read_urls(reader, node, "urls").unwrap_or_else(|| vec![default_url(flavour).to_owned()]);
    let history = value::choice(reader, node, "history", item.history.as_deref(), HISTORIES);
    if history == Some(HistoryMode::RemoteRead) && matches!(flavour, Flavour::Thanos | Flavour::VictoriaMetrics) {
        let finding = Diagnostic::error(codes::BAD_CHOICE, "this kind of source has no remote read");
        reader.report_in(node, "history", finding.with_help("say `auto` or `query`"));
    }
    let kind = SourceKind::Prometheus { flavour, urls, history: history.unwrap_or(HistoryMode::Auto) };
    Some((kind, read_concurrency(reader, node, item.concurrency.as_deref())))
}

fn read_scrape(reader: &mut Reader<'_>, node: NodeId) -> Option<(SourceKind, usize)> {
    let item: ScrapeItem = reader.decode(node)?;
    let targets = read_urls(reader, node, "targets");
    if item.targets.is_none() && reader.document().child(node, "targets").is_none() {
        reader.missing(node, "targets", "addresses of pages, such as http://127.0.0.1:8080/metrics");
    }
    let kind =
        SourceKind::Scrape { targets: targets.unwrap_or_default(), labels: value::labels(reader, node, "labels") };
    Some((kind, read_concurrency(reader, node, item.concurrency.as_deref())))
}

fn read_concurrency(reader: &mut Reader<'_>, node: NodeId, written: Option<&str>) -> usize {
    value::whole(reader, node, "concurrency", written, (1, 256)).unwrap_or(CONCURRENCY)
}

/// A list of addresses; `None` where the key is missing.
pub(super) fn read_urls(reader: &mut Reader<'_>, node: NodeId, key: &str) -> Option<Vec<String>> {
    let document = reader.document();
    let list = document.child(node, key)?;
    let mut urls = Vec::new();
    for child in document.children(list) {
        if let Some(text) = document.text(*child) {
            urls.extend(checked_address(reader, *child, text));
        }
    }
    if document.shape(list) == crate::yaml::Shape::List && document.children(list).is_empty() {
        reader.report(list, Diagnostic::error(codes::MISSING_KEY, format!("`{key}` is empty")));
    }
    Some(urls)
}

fn read_headers(reader: &mut Reader<'_>, node: NodeId) -> BTreeMap<String, String> {
    let headers = value::texts(reader, node, "headers");
    let document = reader.document();
    let mapping = document.child(node, "headers");
    for (name, text) in &headers {
        let Some(child) = mapping.and_then(|mapping| document.child(mapping, name)) else { continue };
        if SECRET_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            let finding = Diagnostic::error(codes::LITERAL_SECRET, format!("`{name}` is a literal secret"));
            reader.report(child, finding.with_help("use `auth: {bearer: {file: PATH}}` or `auth: {basic: ..}`"));
        } else if !is_header(name) || !text.chars().all(|c| (' '..='~').contains(&c)) {
            let finding = Diagnostic::error(codes::BAD_CHOICE, format!("`{name}` cannot be sent as a header"));
            reader.report_key(
                child,
                finding.with_help("letters, digits and `-` in the name, visible ASCII in the value"),
            );
        }
    }
    headers
}

fn is_header(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c))
}

fn read_auth(reader: &mut Reader<'_>, node: NodeId, folder: &Path) -> Option<Auth> {
    let document = reader.document();
    let auth = document.child(node, "auth")?;
    if document.text(auth).is_some() {
        let finding = Diagnostic::error(codes::LITERAL_SECRET, "`auth` is a literal secret");
        reader.report(auth, finding.with_help("write auth: {bearer: {file: PATH}}"));
        return None;
    }
    let (node, _) = section::<AuthItem>(reader, node, "auth")?;
    let bearer = document.child(node, "bearer");
    let Some(basic) = document.child(node, "basic") else {
        if bearer.is_none() && document.children(node).is_empty() {
            reader.missing(node, "bearer", "`bearer` or `basic`");
        }
        return secret(reader, node, "bearer", folder).map(Auth::Bearer);
    };
    if bearer.is_some() {
        let finding = Diagnostic::error(codes::BAD_CHOICE, "`bearer` and `basic` both stand here");
        reader.report_key(basic, finding.with_help("keep one of the two"));
    }
    if document.text(basic).is_some() {
        let finding = Diagnostic::error(codes::LITERAL_SECRET, "`basic` is a literal secret");
        reader.report(basic, finding.with_help("write basic: {user: .., password: {env: NAME}}"));
        return None;
    }
    let item: BasicItem = reader.decode(basic)?;
    if item.user.is_none() {
        reader.missing(basic, "user", "the name to log in with");
    }
    if document.child(basic, "password").is_none() {
        reader.missing(basic, "password", "{env: NAME} or {file: PATH}");
    }
    let password = secret(reader, basic, "password", folder);
    Some(Auth::Basic { user: item.user?, password: password? })
}
