//! Reads `slo/v1` documents.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diag::{Diagnostic, codes};
use crate::spec::events::{ReadSli, query, read_events};
use crate::spec::gauge::{read_gauge, read_probe};
use crate::spec::latency::read_latency;
use crate::spec::meant::{Alerting, Alive, Mode, Slo};
use crate::spec::overrides::read_overrides;
use crate::spec::policy::Policy;
use crate::spec::ratio::read_ratio;
use crate::spec::selector::{Matcher, Selector};
use crate::spec::upkeep::{read_formerly, read_review};
use crate::spec::written::{AlertingItem, Defaults, SliItem, SloFile, SloItem};
use crate::spec::{preset, value};
use crate::units::{Length, Objective, SloId, Step};
use crate::yaml::{NodeId, Reader, Shape, suggestion};

/// Period of an SLO that names none.
const WINDOW: Length = Length::from_days(30);
/// Shortest and longest period: a few slices, and five years of hourly cells.
const WINDOWS: (Length, Length) = (Length::from_minutes(5), Length::from_days(1_830));

/// The modes by name.
pub const MODES: &[(&str, Mode)] = &[("live", Mode::Live), ("shadow", Mode::Shadow), ("off", Mode::Off)];

/// What an SLO file is read against.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The policies by name.
    pub policies: &'a BTreeMap<String, Arc<Policy>>,
    /// Names of policies that stand in files, readable or not.
    pub policy_names: &'a BTreeSet<String>,
    /// The source of an SLO that names none; `None`: it has to name one.
    pub source: Option<&'a str>,
    /// The slice of the configuration.
    pub slice: Step,
    /// The alerting mode of the configuration.
    pub mode: Mode,
}

/// What the document says for all its SLOs.
struct Shared {
    service: Option<String>,
    owner: Option<String>,
    labels: BTreeMap<String, String>,
    links: BTreeMap<String, String>,
    source: Option<String>,
    window: Option<Length>,
    policy: Option<(String, NodeId)>,
}

/// The SLOs of a document, each with its item; what is wrong is noted, and an SLO that lacks something is left out.
pub fn read_slos(reader: &mut Reader<'_>, root: NodeId, around: &Surroundings<'_>) -> Vec<(Slo, NodeId)> {
    let document = reader.document();
    // What the uses of templates made says for all its SLOs what the document says that uses them.
    let read = |reader: &mut Reader<'_>| read_shared(reader, root);
    let shared = if document.is_assembled() { reader.quietly(read) } else { read(reader) };
    let Some(shared) = shared else { return Vec::new() };
    if document.child(root, "slos").is_none() && document.child(root, "use").is_none() {
        reader.missing(root, "slos", "a list of SLOs");
    }
    let items = reader.items(root, "slos");
    let mut slos = Vec::new();
    for item in items {
        let name = document.child(*item, "name").and_then(|name| document.text(name));
        reader.slo = shared.service.as_ref().zip(name).map(|(service, name)| SloId::new(service, name));
        slos.extend(read_slo(reader, *item, &shared, around).map(|slo| (slo, *item)));
        reader.slo = None;
    }
    slos
}

fn read_shared(reader: &mut Reader<'_>, root: NodeId) -> Option<Shared> {
    let file: SloFile = reader.decode(root)?;
    if file.service.is_none() {
        reader.missing(root, "service", "the service that the SLOs speak about");
    }
    let document = reader.document();
    let defaults = document.child(root, "defaults").filter(|node| document.shape(*node) != Shape::Nothing);
    let read: Defaults = defaults.and_then(|node| reader.decode(node)).unwrap_or_default();
    let node = defaults.unwrap_or(root);
    Some(Shared {
        service: value::name(reader, root, "service", file.service),
        owner: value::name(reader, root, "owner", file.owner),
        labels: value::labels(reader, root, "labels"),
        links: value::links(reader, root, "links"),
        source: value::name(reader, node, "source", read.source),
        window: defaults.and_then(|node| read_window(reader, node)),
        policy: read.policy.zip(document.child(node, "policy")),
    })
}

fn read_slo(reader: &mut Reader<'_>, node: NodeId, shared: &Shared, around: &Surroundings<'_>) -> Option<Slo> {
    let item: SloItem = reader.decode(node)?;
    let document = reader.document();
    if item.name.is_none() {
        reader.missing(node, "name", "what is promised, such as availability");
    }
    let own_policy = item.policy.zip(document.child(node, "policy"));
    let name = value::name(reader, node, "name", item.name);
    let by = read_by(reader, node);
    let written_window = document.child(node, "window").is_some();
    let window = if written_window { read_window(reader, node) } else { Some(shared.window.unwrap_or(WINDOW)) };
    let sli = read_sli(reader, node, &by, around.slice);
    let stated = sli.as_ref().and_then(|(_, stated)| *stated);
    let objective = read_objective(reader, node, stated, sli.is_some());
    let overrides = read_overrides(reader, node, &by, objective);
    let (formerly, review_by) = (read_formerly(reader, node), read_review(reader, node));
    let target = sli.as_ref().map(|(read, _)| read.target.clone()).unwrap_or_default();
    let alive = read_alive(reader, node, item.alive.as_deref(), target);
    let alerting = read_alerting(reader, node, own_policy.or_else(|| shared.policy.clone()), around);
    let owner = value::name(reader, node, "owner", item.owner).or_else(|| shared.owner.clone());
    let labels = joined(&shared.labels, value::labels(reader, node, "labels"));
    let links = joined(&shared.links, value::links(reader, node, "links"));
    let own_source = value::name(reader, node, "source", item.source);
    let source = own_source.or_else(|| shared.source.clone()).or_else(|| around.source.map(str::to_owned));
    if source.is_none() && document.child(node, "source").is_none() {
        reader.missing(node, "source", "there are several sources; say which one answers, here or in `defaults`");
    }
    Some(Slo {
        id: SloId::new(shared.service.clone()?, name?),
        description: item.description.unwrap_or_default(),
        owner,
        labels,
        links,
        objective: objective?,
        window: window?,
        source: source?,
        sli: sli?.0.sli,
        by,
        overrides,
        formerly,
        review_by,
        alive: alive?,
        alerting: alerting?,
        place: document.place(node),
    })
}

fn joined(shared: &BTreeMap<String, String>, own: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut joined = shared.clone();
    joined.extend(own);
    joined
}

fn read_by(reader: &mut Reader<'_>, node: NodeId) -> Vec<String> {
    let document = reader.document();
    let mut by: Vec<String> = Vec::new();
    for item in reader.items(node, "by") {
        if !reader.expect(*item, Shape::Text) {
            continue;
        }
        let label = document.text(*item).unwrap_or_default();
        if !value::is_label(label) {
            reader.report(*item, value::bad_label(label));
        } else if by.iter().any(|known| known == label) {
            reader.report(*item, Diagnostic::error(codes::BAD_LABEL, format!("`{label}` stands in `by` twice")));
        } else {
            by.push(label.to_owned());
        }
    }
    by
}

/// The `window` of an SLO or of the defaults, rolling.
fn read_window(reader: &mut Reader<'_>, node: NodeId) -> Option<Length> {
    let document = reader.document();
    let window = document.child(node, "window")?;
    if let Some(calendar) = document.child(window, "calendar") {
        reader.report_key(calendar, Diagnostic::error(codes::NOT_BUILT, "`calendar` windows are not built yet"));
        return None;
    }
    if !reader.expect(window, Shape::Text) {
        return None;
    }
    let length = value::positive_length(reader, node, "window", document.text(window))?;
    if let Some(finding) = window_finding(length) {
        reader.report(window, finding);
        return None;
    }
    Some(length)
}

/// What is wrong with a period that is too short or too long.
#[must_use]
pub fn window_finding(length: Length) -> Option<Diagnostic> {
    if length >= WINDOWS.0 && length <= WINDOWS.1 {
        return None;
    }
    let message = format!("a period of {length} is not between {} and {}", WINDOWS.0, WINDOWS.1);
    Some(Diagnostic::error(codes::BAD_DURATION, message))
}

/// The objective: written, or stated by `p95`; `complete` where the SLI could be read, so that it is known to state none.
fn read_objective(
    reader: &mut Reader<'_>,
    node: NodeId,
    stated: Option<(Objective, NodeId)>,
    complete: bool,
) -> Option<Objective> {
    let document = reader.document();
    let Some(written) = document.child(node, "objective") else {
        if stated.is_none() && complete {
            reader.missing(node, "objective", "the share of events that must be good, such as 99.9%");
        }
        return stated.map(|(objective, _)| objective);
    };
    if let Some(at_most) = document.child(written, "at_most") {
        reader.report_key(at_most, Diagnostic::error(codes::NOT_BUILT, "`at_most` is not built yet"));
        return None;
    }
    if !reader.expect(written, Shape::Text) {
        return None;
    }
    let objective: Objective = value::parsed(reader, node, "objective", document.text(written), codes::BAD_OBJECTIVE)?;
    if let Some((stated, quantile)) = stated
        && stated != objective
    {
        let message =
            format!("the objective is {objective}, and `{}` says {stated}", document.key(quantile).unwrap_or_default());
        let finding = Diagnostic::error(codes::BAD_OBJECTIVE, message);
        reader.report(written, finding.with_help("keep one of the two, or write `below`"));
        return None;
    }
    Some(objective)
}

/// The kinds of SLI that can be written; one of them is.
const KINDS: [&str; 5] = ["events", "latency", "gauge", "probe", "ratio"];

type StatedSli = (ReadSli, Option<(Objective, NodeId)>);

fn read_sli(reader: &mut Reader<'_>, node: NodeId, by: &[String], slice: Step) -> Option<StatedSli> {
    let document = reader.document();
    let Some(sli) = document.child(node, "sli") else {
        reader.missing(node, "sli", "what is counted: `events`, `latency`, `gauge`, `probe` or `ratio`");
        return None;
    };
    let before = reader.count();
    reader.decode::<SliItem>(sli)?;
    let mut kinds = KINDS.iter().filter_map(|kind| document.child(sli, kind).map(|node| (*kind, node)));
    let Some((kind, first)) = kinds.next() else {
        if reader.count() == before {
            reader.missing(sli, "events", "`events`, `latency`, `gauge`, `probe` or `ratio` says what is counted");
        }
        return None;
    };
    if let Some((_, second)) = kinds.next() {
        let finding = Diagnostic::error(codes::BAD_SLI, "an SLI has one kind, and this one has two");
        reader.report_key(second, finding.with_help("write an SLO for each"));
    }
    match kind {
        "latency" => read_latency(reader, first, by, slice).map(|read| (read.read, read.objective)),
        "gauge" => read_gauge(reader, first).map(|read| (read, None)),
        "probe" => read_probe(reader, sli, first).map(|read| (read, None)),
        "ratio" => read_ratio(reader, sli, first).map(|read| (read, None)),
        _ => read_events(reader, first, by, slice).map(|read| (read, None)),
    }
}

/// How "is the target up" is asked where the file does not say: `up` with the matchers that name the target.
#[must_use]
pub fn derived_alive(target: Vec<Matcher>) -> Alive {
    if target.is_empty() {
        return Alive::None;
    }
    Alive::Selector(Selector { metric: "up".to_owned(), matchers: target, bucket: None })
}

fn read_alive(reader: &mut Reader<'_>, node: NodeId, written: Option<&str>, target: Vec<Matcher>) -> Option<Alive> {
    match written {
        None => Some(derived_alive(target)),
        Some("none") => Some(Alive::None),
        Some(text) => {
            let query = query(reader, node, "alive", Some(text))?;
            let selector = query.plain().filter(|_| !query.windowed).cloned();
            if selector.is_none() {
                let finding =
                    Diagnostic::error(codes::BAD_SLI, "`alive` has to be a metric name with matchers, or `none`");
                reader.report_in(node, "alive", finding.with_help("write it like up{job=\"checkout\"}"));
            }
            selector.map(Alive::Selector)
        }
    }
}

/// `alerting`; `outer` is the policy named beside it or by the document.
fn read_alerting(
    reader: &mut Reader<'_>,
    slo: NodeId,
    outer: Option<(String, NodeId)>,
    around: &Surroundings<'_>,
) -> Option<Alerting> {
    let document = reader.document();
    let node = document.child(slo, "alerting").filter(|node| document.shape(*node) != Shape::Nothing);
    let Some(node) = node else {
        let policy = find_policy(reader, slo, outer, around)?;
        let (labels, annotations) = (BTreeMap::new(), BTreeMap::new());
        return Some(Alerting { policy, labels, annotations, mode: around.mode, foreign: None });
    };
    let item: AlertingItem = reader.decode(node)?;
    let own = item.policy.zip(document.child(node, "policy"));
    if let (Some((inner, at)), Some(beside)) = (&own, document.child(slo, "policy"))
        && document.text(beside) != Some(inner)
    {
        let finding = Diagnostic::error(codes::BAD_CHOICE, "the policy is chosen twice, here and beside `alerting`");
        reader.report(*at, finding.with_help("keep one of the two"));
    }
    let policy = find_policy(reader, slo, own.or(outer), around);
    let mode = value::choice(reader, node, "mode", item.mode.as_deref(), MODES).unwrap_or(around.mode);
    let labels = value::labels(reader, node, "labels");
    let annotations = value::labels(reader, node, "annotations");
    Some(Alerting { policy: policy?, labels, annotations, mode, foreign: None })
}

fn find_policy(
    reader: &mut Reader<'_>,
    slo: NodeId,
    named: Option<(String, NodeId)>,
    around: &Surroundings<'_>,
) -> Option<Arc<Policy>> {
    let (name, node) = named.unwrap_or_else(|| (preset::DEFAULT.to_owned(), slo));
    if let Some(policy) = around.policies.get(&name) {
        return Some(Arc::clone(policy));
    }
    if around.policy_names.contains(&name) {
        // It stands in a file and could not be read, which was said there.
        return None;
    }
    let known = around.policies.keys().map(String::as_str);
    let help = match suggestion(&name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", known.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    reader
        .report(node, Diagnostic::error(codes::UNKNOWN_POLICY, format!("there is no policy `{name}`")).with_help(help));
    None
}
