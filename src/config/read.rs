//! Reads the configuration: what is written, with every default (FORMATS 3).
//!
//! Decided here: without `files.slos` everything below the folder of the configuration is looked at, without
//! `files.rules` and `files.exclusions` the folders `rules` and `exclusions` there, if they are there; without `routes`
//! every configured sink is told everything, and without sinks standard output is. Paths are relative to the folder of
//! the file that holds them. A source, sink, owner or route with a mistake is there, with a default in its place: what
//! names it is not wrong, and nothing runs with it, since its mistake is an error.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::config::meant::{
    Compat, Config, Files, Limits, Owner, Route, SecretRef, Server, SinkConfig, Storage, Watchdog,
};
use crate::config::routes::read_route;
use crate::config::secrets::has_userinfo;
use crate::config::written::{
    AlertingItem, ConfigFile, FilesItem, LimitsItem, OwnerItem, SecretItem, ServerItem, SlothItem, StorageItem,
    WatchdogItem,
};
use crate::config::{DEFAULT_SINK, DEFAULT_SOURCE, access, reports, sinks, sources};
use crate::diag::{Diagnostic, codes};
use crate::spec::foreign::windows;
use crate::spec::meant::Mode;
use crate::spec::policy::AlertSeverity;
use crate::spec::slos::{MODES, window_finding};
use crate::spec::value;
use crate::units::{Length, Step, is_name};
use crate::yaml::{NodeId, Reader, Shape, Written};

/// How long daily buckets are kept: a year and a month (FORMATS 3).
const HISTORY: Length = Length::from_days(400);
/// Time between heartbeats (FORMATS 3).
const HEARTBEAT: Length = Length::from_minutes(1);
/// More often nobody looks, and every heartbeat writes to the store.
const SHORTEST_HEARTBEAT: Length = Length::from_seconds(1);
/// `server.compat`.
const COMPATS: &[(&str, Compat)] = &[("none", Compat::None), ("sloth", Compat::Sloth)];
/// Where the service listens (FORMATS 3): loopback, because everything is open there.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 9777);
/// FORMATS 3.
const LIMITS: Limits = Limits { instances_per_slo: 1_000, instances: 100_000, series_per_query: 50_000, storm: 20 };

impl Config {
    /// An empty configuration in this folder: the SLO files beside it, Prometheus on 127.0.0.1:9090, notifications to
    /// standard output.
    #[must_use]
    pub fn empty(folder: &Path) -> Self {
        let source = sources::default_source();
        Self {
            files: files_beside(folder),
            slice: Step::DEFAULT,
            mode: Mode::default(),
            owners: BTreeMap::new(),
            sources: BTreeMap::from([(DEFAULT_SOURCE.to_owned(), source)]),
            sinks: BTreeMap::from([(DEFAULT_SINK.to_owned(), SinkConfig::Stdout)]),
            templates: BTreeMap::new(),
            routes: vec![Route { to: vec![DEFAULT_SINK.to_owned()], ..Route::default() }],
            fallback: Vec::new(),
            reports: Vec::new(),
            watchdog: Vec::new(),
            storage: Storage { path: folder.join("data/slo.db"), history: HISTORY },
            server: Server {
                listen: SocketAddr::from(LISTEN),
                external_url: None,
                external_labels: BTreeMap::new(),
                compat: Compat::None,
                tokens: None,
            },
            limits: LIMITS,
            sloth_period: windows::PERIOD,
        }
    }

    /// The source of an SLO that names none: the only one, or the one called `prometheus`.
    #[must_use]
    pub fn default_source(&self) -> Option<&str> {
        let mut names = self.sources.keys().map(String::as_str);
        match (names.next(), names.next()) {
            (Some(only), None) => Some(only),
            _ => self.sources.contains_key(DEFAULT_SOURCE).then_some(DEFAULT_SOURCE),
        }
    }
}

/// Reads a `config/v1` document that lies in `folder`; what is wrong is noted, and its default stands in.
pub fn read_config(reader: &mut Reader<'_>, root: NodeId, folder: &Path) -> Option<Config> {
    let item: ConfigFile = reader.decode(root)?;
    let mut config = Config::empty(folder);
    if let Some(slice) = value::positive_length(reader, root, "slice", item.slice.as_deref()) {
        match Step::new(slice) {
            Ok(step) => config.slice = step,
            Err(error) => reader.report_in(root, "slice", Diagnostic::error(codes::BAD_DURATION, error.to_string())),
        }
    }
    if let Some((node, item)) = section::<AlertingItem>(reader, root, "alerting") {
        config.mode = value::choice(reader, node, "mode", item.mode.as_deref(), MODES).unwrap_or_default();
    }
    read_files(reader, root, folder, &mut config.files);
    for (name, node) in named(reader, root, "owners") {
        config.owners.insert(name, read_owner(reader, node).unwrap_or_default());
    }
    let sources = named(reader, root, "sources");
    if !sources.is_empty() {
        config.sources.clear();
    }
    for (name, node) in sources {
        let source = sources::read_source(reader, node, folder).unwrap_or_else(sources::default_source);
        config.sources.insert(name, source);
    }
    read_sinks_and_routes(reader, root, folder, &mut config);
    config.fallback = item.fallback.unwrap_or_default();
    config.watchdog = reader.items(root, "watchdog").iter().filter_map(|item| read_watchdog(reader, *item)).collect();
    config.reports = reports::read_reports(reader, root);
    read_storage(reader, root, folder, &mut config.storage);
    read_server(reader, root, folder, &mut config.server);
    read_limits(reader, root, &mut config.limits);
    if let Some((node, item)) = section::<SlothItem>(reader, root, "sloth")
        && let Some(period) = value::positive_length(reader, node, "period", item.period.as_deref())
    {
        match window_finding(period) {
            None => config.sloth_period = period,
            Some(finding) => reader.report_in(node, "period", finding),
        }
    }
    Some(config)
}

/// A mapping of the document, decoded; `None` where there is none.
pub(super) fn section<T: Written>(reader: &mut Reader<'_>, node: NodeId, key: &str) -> Option<(NodeId, T)> {
    let document = reader.document();
    let child = document.child(node, key).filter(|child| document.shape(*child) != Shape::Nothing)?;
    Some((child, reader.decode(child)?))
}

/// The things under `key` by name; a name outside the grammar is noted, and its thing left out.
fn named(reader: &mut Reader<'_>, root: NodeId, key: &str) -> Vec<(String, NodeId)> {
    let document = reader.document();
    let Some(mapping) = document.child(root, key) else { return Vec::new() };
    if document.shape(mapping) == Shape::Nothing || !reader.expect(mapping, Shape::Mapping) {
        return Vec::new();
    }
    let mut named = Vec::new();
    for child in document.children(mapping) {
        let name = document.key(*child).unwrap_or_default();
        if is_name(name) {
            named.push((name.to_owned(), *child));
        } else {
            reader.report_key(*child, value::bad_name(name));
        }
    }
    named
}

fn files_beside(folder: &Path) -> Files {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let (rules, exclusions) = (vec![folder.join("rules")], vec![folder.join("exclusions")]);
    Files { slos: vec![folder.to_owned()], rules, exclusions }
}

fn read_files(reader: &mut Reader<'_>, root: NodeId, folder: &Path, files: &mut Files) {
    let Some((_, item)) = section::<FilesItem>(reader, root, "files") else { return };
    let paths = |written: Vec<String>| -> Vec<PathBuf> { written.iter().map(|path| folder.join(path)).collect() };
    if let Some(slos) = item.slos {
        files.slos = paths(slos);
    }
    if let Some(rules) = item.rules {
        files.rules = paths(rules);
    }
    if let Some(exclusions) = item.exclusions {
        files.exclusions = paths(exclusions);
    }
}

fn read_owner(reader: &mut Reader<'_>, node: NodeId) -> Option<Owner> {
    let item: OwnerItem = reader.decode(node)?;
    let lists =
        [(AlertSeverity::Page, item.page), (AlertSeverity::Ticket, item.ticket), (AlertSeverity::Notice, item.notice)];
    let sinks = lists.into_iter().filter_map(|(severity, sinks)| sinks.map(|sinks| (severity, sinks))).collect();
    Some(Owner { sinks, contact: item.contact })
}

fn read_sinks_and_routes(reader: &mut Reader<'_>, root: NodeId, folder: &Path, config: &mut Config) {
    let written = named(reader, root, "sinks");
    if !written.is_empty() {
        config.sinks.clear();
        config.routes = vec![Route { to: written.iter().map(|(name, _)| name.clone()).collect(), ..Route::default() }];
    }
    for (name, node) in written {
        let sink = sinks::read_sink(reader, node, folder);
        let template = sink.as_ref().and_then(|sink| sinks::read_template(reader, node, folder, sink));
        config.templates.extend(template.map(|template| (name.clone(), template)));
        config.sinks.insert(name, sink.unwrap_or(SinkConfig::Stdout));
    }
    let routes = reader.items(root, "routes");
    if !routes.is_empty() {
        config.routes = routes.iter().map(|route| read_route(reader, *route).unwrap_or_default()).collect();
    }
}

fn read_watchdog(reader: &mut Reader<'_>, node: NodeId) -> Option<Watchdog> {
    let item: WatchdogItem = reader.decode(node)?;
    if item.to.as_ref().is_none_or(Vec::is_empty) {
        reader.missing(node, "to", "a list of sinks");
    }
    let mut every = value::positive_length(reader, node, "every", item.every.as_deref()).unwrap_or(HEARTBEAT);
    if every < SHORTEST_HEARTBEAT {
        let message = format!("a heartbeat every {every} is more often than {SHORTEST_HEARTBEAT}");
        reader.report_in(node, "every", Diagnostic::error(codes::BAD_DURATION, message));
        every = HEARTBEAT;
    }
    Some(Watchdog { to: item.to.unwrap_or_default(), every })
}

fn read_storage(reader: &mut Reader<'_>, root: NodeId, folder: &Path, storage: &mut Storage) {
    let Some((node, item)) = section::<StorageItem>(reader, root, "storage") else { return };
    if let Some(path) = item.path {
        storage.path = folder.join(path);
    }
    if let Some(history) = value::positive_length(reader, node, "history", item.history.as_deref()) {
        storage.history = history;
    }
}

fn read_server(reader: &mut Reader<'_>, root: NodeId, folder: &Path, server: &mut Server) {
    let Some((node, item)) = section::<ServerItem>(reader, root, "server") else { return };
    if let Some(listen) = item.listen {
        if let Ok(address) = listen.parse() {
            server.listen = address;
        } else {
            let finding = Diagnostic::error(codes::BAD_ADDRESS, format!("`{listen}` is no address to listen on"));
            reader.report_in(node, "listen", finding.with_help("write an address and a port, such as 127.0.0.1:9777"));
        }
    }
    let compat = value::choice(reader, node, "compat", item.compat.as_deref(), COMPATS);
    server.compat = compat.unwrap_or_default();
    server.external_url = address(reader, node, "external_url", item.external_url.as_deref());
    server.external_labels = value::labels(reader, node, "external_labels");
    server.tokens = access::read_auth(reader, node, folder);
}

fn read_limits(reader: &mut Reader<'_>, root: NodeId, limits: &mut Limits) {
    let Some((node, item)) = section::<LimitsItem>(reader, root, "limits") else { return };
    let mut limit = |key: &str, written: Option<&str>, default: usize| {
        value::whole(reader, node, key, written, (1, 10_000_000)).unwrap_or(default)
    };
    limits.instances_per_slo = limit("instances_per_slo", item.instances_per_slo.as_deref(), limits.instances_per_slo);
    limits.instances = limit("instances", item.instances.as_deref(), limits.instances);
    limits.series_per_query = limit("series_per_query", item.series_per_query.as_deref(), limits.series_per_query);
    limits.storm = limit("storm", item.storm.as_deref(), limits.storm);
}

/// The http or https address under `key`, without a slash at its end; with a password in it, it is a literal secret.
pub(super) fn address(reader: &mut Reader<'_>, node: NodeId, key: &str, written: Option<&str>) -> Option<String> {
    let value = reader.document().child(node, key).unwrap_or(node);
    checked_address(reader, value, written?)
}

/// The same for the text of a node.
pub(super) fn checked_address(reader: &mut Reader<'_>, node: NodeId, text: &str) -> Option<String> {
    if has_userinfo(text) {
        let finding = Diagnostic::error(codes::LITERAL_SECRET, "user and password stand in an address");
        reader.report(node, finding.with_help("use `auth: {basic: {user: .., password: {env: NAME}}}`"));
        return None;
    }
    if !value::is_http(text) {
        let finding = Diagnostic::error(codes::BAD_ADDRESS, "this is no http or https address");
        reader.report(node, finding.with_help("write it like http://127.0.0.1:9090"));
        return None;
    }
    if text.contains('?') || text.contains('#') {
        let finding = Diagnostic::error(codes::BAD_ADDRESS, "an address here ends with its path");
        reader.report(node, finding.with_help("take out what follows `?` or `#`"));
        return None;
    }
    Some(text.trim_end_matches('/').to_owned())
}

/// The secret under `key`; a literal is noted, and its place is masked in every excerpt.
pub(super) fn secret(reader: &mut Reader<'_>, node: NodeId, key: &str, folder: &Path) -> Option<SecretRef> {
    const HELP: &str = "write {env: NAME} or {file: PATH}";
    let document = reader.document();
    let value = document.child(node, key)?;
    if document.shape(value) != Shape::Mapping {
        let finding = match document.shape(value) {
            Shape::Nothing => Diagnostic::error(codes::MISSING_KEY, format!("`{key}` is empty")),
            _ => Diagnostic::error(codes::LITERAL_SECRET, format!("`{key}` is a literal secret")),
        };
        reader.report(value, finding.with_help(HELP));
        return None;
    }
    let item: SecretItem = reader.decode(value)?;
    match (item.env, item.file) {
        (Some(name), None) if is_variable(&name) => Some(SecretRef::Env(name)),
        (Some(_), None) => {
            let finding = Diagnostic::error(codes::BAD_NAME, "this is no name of an environment variable");
            reader.report_in(value, "env", finding.with_help("letters, digits and `_`, no digit first"));
            None
        }
        (None, Some(path)) if !path.is_empty() => Some(SecretRef::File(folder.join(path))),
        (Some(_), Some(_)) => {
            let finding =
                Diagnostic::error(codes::BAD_CHOICE, "a secret comes from `env` or from `file`, not from both");
            reader.report(value, finding.with_help("keep one of the two"));
            None
        }
        _ => {
            reader.missing(value, "env", HELP);
            None
        }
    }
}

/// Whether an environment variable may be called so.
pub(super) fn is_variable(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit())
}
