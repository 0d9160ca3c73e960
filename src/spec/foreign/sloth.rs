//! Reads Sloth's `prometheus/v1` and its custom resource `PrometheusServiceLevel`: the same model, in `snake_case` and in
//! `camelCase`.
//!
//! A file is accepted where Sloth accepts it. The exceptions, each with a reason in its finding: an objective of 100%
//! (no budget), plugins (Go code), template actions other than `{{ .window }}`, names beyond 128 characters, and error
//! and total queries that only look different. Unknown keys are ignored by Sloth in its own format and refused by
//! Kubernetes in the resource; so they are a warning and an error.
//!
//! The two queries of `events` are counted exactly where both are the rate (or the increase) of one plain selector,
//! summed or not; everything else is evaluated by the store. Sloth's alerts are made for each group of `sum by (..)`,
//! so that grouping becomes `by`.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::diag::{Diagnostic, codes};
use crate::spec::events::{rate_of, read_step, target_of};
use crate::spec::foreign::sloth_alerts::{Named, read_alerting};
use crate::spec::foreign::windows::Catalogue;
use crate::spec::foreign::{Unknown, entries, keys, mapping, required, source, template, text};
use crate::spec::meant::{Numerator, PushdownQuery, Sli, Slo, Unit};
use crate::spec::query::Query;
use crate::spec::selector::Matcher;
use crate::spec::slos::{Surroundings, derived_alive};
use crate::spec::value;
use crate::units::{Objective, SloId, Step};
use crate::yaml::{NodeId, Reader};

/// The two spellings of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `prometheus/v1`.
    Native,
    /// `sloth.slok.dev/v1`, `PrometheusServiceLevel`.
    Resource,
}

impl Dialect {
    /// A key, given as `prometheus/v1` writes it.
    #[must_use]
    pub fn key(self, snake: &'static str) -> &'static str {
        match (self, snake) {
            (Self::Native, _) => snake,
            (Self::Resource, "error_query") => "errorQuery",
            (Self::Resource, "total_query") => "totalQuery",
            (Self::Resource, "error_ratio_query") => "errorRatioQuery",
            (Self::Resource, "page_alert") => "pageAlert",
            (Self::Resource, "ticket_alert") => "ticketAlert",
            (Self::Resource, "slo_plugins") => "sloPlugins",
            (Self::Resource, other) => other,
        }
    }

    /// What happens to keys that the format does not have.
    pub(super) const fn unknown(self) -> Unknown {
        match self {
            Self::Native => Unknown::Ignored,
            Self::Resource => Unknown::Refused,
        }
    }
}

/// What a document says for all its SLOs.
struct Shared<'a> {
    dialect: Dialect,
    service: Option<&'a str>,
    source: Option<String>,
    labels: BTreeMap<String, String>,
}

/// The SLOs of a document, each with its item; what is wrong is noted, and an SLO that lacks something is left out.
pub fn read_sloth(
    reader: &mut Reader<'_>,
    root: NodeId,
    dialect: Dialect,
    around: &Surroundings<'_>,
    catalogue: &Catalogue,
) -> Vec<(Slo, NodeId)> {
    let document = reader.document();
    let top = match dialect {
        Dialect::Native => root,
        Dialect::Resource => {
            keys(reader, root, &["apiVersion", "kind", "metadata", "spec", "status"], Unknown::Refused);
            let Some(spec) = document.child(root, "spec") else {
                reader.missing(root, "spec", "the service and its SLOs");
                return Vec::new();
            };
            spec
        }
    };
    let known: &[&str] = match dialect {
        Dialect::Native => &["version", "service", "labels", "slo_plugins", "slos"],
        Dialect::Resource => &["service", "labels", "sloPlugins", "slos"],
    };
    if !keys(reader, top, known, dialect.unknown()) {
        return Vec::new();
    }
    if let Some(plugins) = mapping(reader, top, dialect.key("slo_plugins"), PLUGINS, dialect.unknown()) {
        read_plugins(reader, plugins);
    }
    let service = required(reader, top, "service", "the service that the SLOs speak about");
    let shared = Shared {
        dialect,
        service: service.filter(|name| is_sloth_name(reader, top, "service", name)),
        source: source(reader, top, around),
        labels: labels(reader, top, "labels"),
    };
    reader.missing(top, "slos", "at least one SLO");
    let mut slos = Vec::new();
    for item in reader.items(top, "slos") {
        let name = document.child(*item, "name").and_then(|name| document.text(name));
        reader.slo = shared.service.zip(name).map(|(service, name)| SloId::new(service, name));
        slos.extend(read_slo(reader, *item, &shared, around, catalogue).map(|slo| (slo, *item)));
        reader.slo = None;
    }
    slos
}

/// Keys of `slo_plugins` and of an SLO's `plugins`.
const PLUGINS: &[&str] = &["overridePrevious", "chain"];

/// Notes every plugin, for none can be run here.
fn read_plugins(reader: &mut Reader<'_>, node: NodeId) {
    let chain = reader.items(node, "chain");
    if chain.is_empty() && super::flag(reader, node, "overridePrevious") == Some(true) {
        let message = "`overridePrevious` takes Sloth's own rules away, and no plugin stands in for them";
        reader.report_in(node, "overridePrevious", Diagnostic::error(codes::FOREIGN_PLUGIN, message));
    }
    for item in chain {
        plugin(reader, *item, "SLO");
    }
}

fn plugin(reader: &mut Reader<'_>, node: NodeId, what: &str) {
    let Some(id) = required(reader, node, "id", "the plugin's id") else { return };
    let message = format!("the {what} plugin `{id}` is Go code for Sloth, and is not run here");
    let help = "write out what it does; `slo` evaluates queries and policies only";
    reader.report_in(node, "id", Diagnostic::error(codes::FOREIGN_PLUGIN, message).with_help(help));
}

fn read_slo(
    reader: &mut Reader<'_>,
    node: NodeId,
    shared: &Shared<'_>,
    around: &Surroundings<'_>,
    catalogue: &Catalogue,
) -> Option<Slo> {
    let known = ["name", "description", "objective", "labels", "plugins", "sli", "alerting"];
    if !keys(reader, node, &known, shared.dialect.unknown()) {
        return None;
    }
    let document = reader.document();
    if let Some(plugins) = mapping(reader, node, "plugins", PLUGINS, shared.dialect.unknown()) {
        read_plugins(reader, plugins);
    }
    let name = required(reader, node, "name", "what is promised, such as availability");
    let name = name.filter(|name| is_sloth_name(reader, node, "name", name));
    let description = text(reader, node, "description").unwrap_or_default().to_owned();
    let objective = read_objective(reader, node);
    let read = read_sli(reader, node, shared.dialect, around.slice);
    let mut all = shared.labels.clone();
    all.extend(labels(reader, node, "labels"));
    let named = Named { service: shared.service.unwrap_or_default(), name: name.unwrap_or_default(), labels: &all };
    let alerting = read_alerting(reader, node, shared.dialect, &named, around, catalogue);
    let (sli, by, target) = read?;
    Some(Slo {
        id: SloId::new(shared.service?, name?),
        description,
        owner: all.get("owner").filter(|owner| crate::units::is_name(owner)).cloned(),
        labels: all,
        links: BTreeMap::new(),
        objective: objective?,
        window: catalogue.period,
        source: shared.source.clone()?,
        sli,
        by,
        overrides: Vec::new(),
        formerly: Vec::new(),
        review_by: None,
        alive: derived_alive(target),
        alerting: alerting?,
        place: document.place(node),
    })
}

/// Whether Sloth takes a name, and so do we: `[A-Za-z0-9][-A-Za-z0-9_.]*[A-Za-z0-9]`, up to 128 characters. Noted.
fn is_sloth_name(reader: &mut Reader<'_>, node: NodeId, key: &str, name: &str) -> bool {
    let ends = name.len() >= 2 && name.ends_with(|c: char| c.is_ascii_alphanumeric());
    if ends && crate::units::is_name(name) {
        return true;
    }
    let finding = Diagnostic::error(codes::BAD_NAME, format!("`{name}` cannot be the name of a Sloth SLO or service"));
    let help = "2 to 128 letters, digits, `.`, `_` and `-`, with a letter or digit first and last";
    reader.report_in(node, key, finding.with_help(help));
    false
}

/// Labels or annotations as Sloth takes them: any name but `__name__`, no empty value.
pub(super) fn labels(reader: &mut Reader<'_>, node: NodeId, key: &str) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (name, value, child) in entries(reader, node, key) {
        if name.is_empty() || name == "__name__" {
            reader.report_key(child, value::bad_label(name));
        } else if value.is_empty() {
            let finding = Diagnostic::error(codes::BAD_LABEL, format!("`{name}` has no value"));
            reader.report(child, finding.with_help("Sloth refuses an empty value; take the key out"));
        } else {
            if !value::is_label(name) {
                let message = format!("`{name}` is a label for receivers that take any UTF-8 name");
                let finding = Diagnostic::warning(codes::BAD_LABEL, message);
                reader.report_key(child, finding.with_help("letters, digits and `_` are taken everywhere"));
            }
            labels.insert(name.to_owned(), value.to_owned());
        }
    }
    labels
}

/// Above 0 and below 100, in percent. Sloth takes 100 too, which leaves no budget.
fn read_objective(reader: &mut Reader<'_>, node: NodeId) -> Option<Objective> {
    let written = required(reader, node, "objective", "the percentage of events that must be good, such as 99.9")?;
    percentage(reader, node, "objective", written)
}

/// An objective as other tools write it: a bare number of percent. Noted where it is none, or looks like a ratio.
pub(super) fn percentage(reader: &mut Reader<'_>, node: NodeId, key: &str, written: &str) -> Option<Objective> {
    let percent = written.parse::<Decimal>().or_else(|_| Decimal::from_scientific(written)).ok();
    let Some(objective) = percent.and_then(|percent| Objective::from_ratio(percent / Decimal::ONE_HUNDRED)) else {
        let message = match percent {
            None => format!("`{written}` is not a number of percent, such as 99.9"),
            Some(all) if all == Decimal::ONE_HUNDRED => {
                "100% leaves no budget, so there is nothing to spend or to burn".to_owned()
            }
            Some(_) => format!("an objective of {written}% is not above 0% and below 100%"),
        };
        reader.report_in(node, key, Diagnostic::error(codes::BAD_OBJECTIVE, message));
        return None;
    };
    if objective.good() < Decimal::new(1, 2) {
        let message = format!("`{written}` means {written}%, as written");
        let meant = (objective.good() * Decimal::from(10_000)).normalize();
        let finding = Diagnostic::warning(codes::BAD_OBJECTIVE, message);
        reader.report_in(node, key, finding.with_help(format!("did you mean {meant}?")));
    }
    Some(objective)
}

/// An SLI, its groups, and the matchers that name its target.
type ReadSli = (Sli, Vec<String>, Vec<Matcher>);

fn read_sli(reader: &mut Reader<'_>, node: NodeId, dialect: Dialect, slice: Step) -> Option<ReadSli> {
    let document = reader.document();
    let before = reader.count();
    let sli = mapping(reader, node, "sli", &["events", "raw", "plugin"], dialect.unknown());
    let child = |key: &str| sli.and_then(|sli| document.child(sli, key));
    if let Some(plugged) = child("plugin") {
        keys(reader, plugged, &["id", "options"], dialect.unknown());
        plugin(reader, plugged, "SLI");
        return None;
    }
    match (child("events"), child("raw")) {
        (Some(_), Some(raw)) => {
            let finding = Diagnostic::error(codes::BAD_SLI, "an SLI has one kind, and this one has two");
            reader.report_key(raw, finding.with_help("keep `events` or `raw`"));
            None
        }
        (Some(events), None) => read_events(reader, events, dialect, slice),
        (None, Some(raw)) => read_raw(reader, raw, dialect),
        (None, None) => {
            if reader.count() == before {
                let known = "`events` or `raw` says what is counted";
                let finding = Diagnostic::error(codes::MISSING_KEY, "this SLO does not say what is counted");
                reader.report_in(node, "sli", finding.with_help(known));
            }
            None
        }
    }
}

fn read_raw(reader: &mut Reader<'_>, node: NodeId, dialect: Dialect) -> Option<ReadSli> {
    let key = dialect.key("error_ratio_query");
    keys(reader, node, &[key], dialect.unknown());
    let query = template::query(reader, node, key)?;
    let (by, target) = (query.grouping(), target_of(&query));
    Some((Sli::Ratio { query: query.text }, by, target))
}

fn read_events(reader: &mut Reader<'_>, node: NodeId, dialect: Dialect, slice: Step) -> Option<ReadSli> {
    let [error_key, total_key] = ["error_query", "total_query"].map(|key| dialect.key(key));
    keys(reader, node, &[error_key, total_key], dialect.unknown());
    let error = template::query(reader, node, error_key);
    let total = template::query(reader, node, total_key);
    let (error, total) = (error?, total?);
    let target = target_of(&total);
    let by = if error.grouping() == total.grouping() { total.grouping() } else { Vec::new() };
    if let (Some(events), Some(all)) = (error.counted(), total.counted())
        && events.function == all.function
        && error.grouping() == total.grouping()
    {
        let (events, total) = (events.selector, all.selector);
        return Some((Sli::Exact { numerator: Numerator::Bad, events, total }, by, target));
    }
    let unit = error.unit().filter(|unit| total.unit() == Some(*unit));
    if unit.is_none() {
        let message = "it is not clear whether these queries give rates or counts: their ratio is used, and the \
                       numbers of events are not exact";
        let finding = Diagnostic::warning(codes::UNCLEAR_UNIT, message);
        let help = "use `rate` on both sides, or `increase` on both";
        reader.report_in(node, error_key, finding.with_help(help));
    }
    // One unit for both, so that their quotient is Sloth's whatever it is.
    let unit = unit.unwrap_or(Unit::Rate);
    let side = |query: &Query| match query.counted().filter(|counted| counted.function == "rate") {
        Some(plain) if unit == Unit::Rate => rate_of(&plain.selector, &query.grouping()),
        _ => PushdownQuery { text: query.text.clone(), unit },
    };
    let (events, total) = (side(&error), side(&total));
    let step = read_step(reader, node, None, slice)?;
    Some((Sli::Pushdown { numerator: Numerator::Bad, events, total, step }, by, target))
}
