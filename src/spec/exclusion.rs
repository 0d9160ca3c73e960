//! Exclusions (FORMATS 4): time that was agreed not to count, of some SLOs, with a reason.
//!
//! Built so far: `alerts_only`, nobody is told of what fires meanwhile. Without it the time would leave the budget too,
//! which is refused as not built. Decided here: a source's own alert is never excluded, for it says that we are blind.

use crate::diag::{Diagnostic, codes};
use crate::spec::tiers::read_schedule;
use crate::spec::value;
use crate::spec::written::{ExclusionFile, ExclusionItem, ExclusionWindowItem};
use crate::units::{Length, Schedule, SloId, Timestamp, is_name};
use crate::yaml::{NodeId, Reader, Shape};

/// One exclusion.
#[derive(Clone, Debug, PartialEq)]
pub struct Exclusion {
    /// Its name, its own among all exclusions.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Who agreed.
    pub approved_by: Option<String>,
    /// Which SLOs.
    pub slos: Vec<SloPattern>,
    /// When.
    pub window: ExclusionWindow,
}

/// When an exclusion holds, in wall clock: begins are in it, ends are not.
#[derive(Clone, Debug, PartialEq)]
pub enum ExclusionWindow {
    /// Once.
    Once {
        /// From here on.
        start: Timestamp,
        /// Until here.
        end: Timestamp,
    },
    /// Again and again.
    Cron(Schedule),
}

impl ExclusionWindow {
    /// Until when it goes on, if it holds at `at`.
    #[must_use]
    pub fn on_until(&self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once { start, end } => (*start <= at && at < *end).then_some(*end),
            Self::Cron(schedule) => schedule.on_until(at),
        }
    }

    /// Its first begin or end after `at`.
    #[must_use]
    pub fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Once { start, end } => [*start, *end].into_iter().find(|change| *change > at),
            Self::Cron(schedule) => schedule.next_change(at),
        }
    }
}

/// SLOs by service and name; `*` in either stands for any letters: `checkout/*`, `*/latency`, `shop-*/*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SloPattern {
    written: String,
    service: Vec<String>,
    name: Vec<String>,
}

impl SloPattern {
    /// `None` where it is not `SERVICE/NAME`.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let (service, name) = text.split_once('/')?;
        // With stars filled in it has to be an id.
        let sound = |part: &str| is_name(&part.replace('*', "a"));
        let parts = |text: &str| text.split('*').map(str::to_owned).collect();
        (sound(service) && sound(name)).then(|| Self {
            written: text.to_owned(),
            service: parts(service),
            name: parts(name),
        })
    }

    /// Whether it means this SLO.
    #[must_use]
    pub fn matches(&self, slo: &SloId) -> bool {
        self.matches_parts(&slo.service, &slo.name)
    }

    /// The same by service and name.
    #[must_use]
    pub fn matches_parts(&self, service: &str, name: &str) -> bool {
        fits(&self.service, service) && fits(&self.name, name)
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

/// Whether `text` is made of these pieces with anything between them.
fn fits(pieces: &[String], text: &str) -> bool {
    let [first, middle @ .., last] = pieces else {
        return pieces.first().is_some_and(|only| only == text);
    };
    let Some(rest) = text.strip_prefix(first.as_str()) else { return false };
    let Some(mut rest) = rest.strip_suffix(last.as_str()) else { return false };
    for piece in middle {
        // The leftmost place leaves the most for those that follow.
        let Some((_, after)) = rest.split_once(piece.as_str()) else { return false };
        rest = after;
    }
    true
}

/// The exclusions of a document with their items; what is wrong is noted, and one with anything wrong is left out.
pub fn read_exclusions(reader: &mut Reader<'_>, root: NodeId) -> Vec<(Exclusion, NodeId)> {
    if reader.decode::<ExclusionFile>(root).is_none() {
        return Vec::new();
    }
    if reader.document().child(root, "exclusions").is_none() {
        reader.missing(root, "exclusions", "a list of exclusions");
    }
    let items = reader.items(root, "exclusions");
    items.iter().filter_map(|item| Some((read_exclusion(reader, *item)?, *item))).collect()
}

fn read_exclusion(reader: &mut Reader<'_>, node: NodeId) -> Option<Exclusion> {
    let before = reader.count();
    let item: ExclusionItem = reader.decode(node)?;
    if item.name.is_none() {
        reader.missing(node, "name", "people are told it while it holds");
    }
    let name = value::name(reader, node, "name", item.name);
    let reason = item.reason.filter(|reason| !reason.trim().is_empty());
    if reason.is_none() {
        let finding = Diagnostic::error(codes::NO_REASON, "this exclusion has no reason");
        let finding = finding.with_help("say in `reason` why nobody is to be told, for those who ask later");
        reader.report_in(node, "reason", finding);
    }
    if !item.alerts_only.is_some_and(|flag| flag.0) {
        let message = "an exclusion without `alerts_only: true` takes time out of the budget, which is not built yet";
        let finding = Diagnostic::error(codes::NOT_BUILT, message);
        let help = "add `alerts_only: true`: nobody is told of what fires meanwhile, and the budget counts all";
        reader.report_in(node, "alerts_only", finding.with_help(help));
    }
    let slos = read_patterns(reader, node);
    let window = read_window(reader, node);
    let exclusion = Exclusion { name: name?, reason: reason?, approved_by: item.approved_by, slos, window: window? };
    (reader.count() == before).then_some(exclusion)
}

fn read_patterns(reader: &mut Reader<'_>, node: NodeId) -> Vec<SloPattern> {
    let document = reader.document();
    let items = reader.items(node, "slos");
    if items.is_empty() {
        reader.missing(node, "slos", "which SLOs, such as [checkout/*]");
    }
    let mut patterns = Vec::new();
    for item in items {
        if !reader.expect(*item, Shape::Text) {
            continue;
        }
        let text = document.text(*item).unwrap_or_default();
        if let Some(pattern) = SloPattern::new(text) {
            patterns.push(pattern);
        } else {
            let message = format!("`{text}` cannot be the id of an SLO");
            let help = "service and name with a slash between, `*` for any letters, such as checkout/*";
            reader.report(*item, Diagnostic::error(codes::BAD_NAME, message).with_help(help));
        }
    }
    patterns
}

/// `{start: 2026-12-01T22:00:00Z, for: 2h}` or `{cron: "0 2 * * *", for: 30m, zone: Europe/Berlin}`.
fn read_window(reader: &mut Reader<'_>, exclusion: NodeId) -> Option<ExclusionWindow> {
    let help = "{start: 2026-12-01T22:00:00Z, for: 2h}, or {cron: \"0 2 * * *\", for: 30m, zone: Europe/Berlin}";
    let Some(node) = reader.document().child(exclusion, "window") else {
        reader.missing(exclusion, "window", help);
        return None;
    };
    let item: ExclusionWindowItem = reader.decode(node)?;
    let Some(start) = item.start.as_deref() else {
        if item.cron.is_none() {
            reader.missing(node, "start", help);
            return None;
        }
        let words = (item.cron.as_deref(), item.for_.as_deref(), item.zone.as_deref());
        return read_schedule(reader, node, words).map(ExclusionWindow::Cron);
    };
    for (key, written) in [("cron", &item.cron), ("zone", &item.zone)] {
        if written.is_some() {
            let message = format!("`start` and `{key}` do not go together");
            let finding = Diagnostic::error(codes::BAD_CHOICE, message);
            let help = "a window is once, with `start` and its offset from UTC, or comes back, with `cron` and `zone`";
            reader.report_in(node, key, finding.with_help(help));
        }
    }
    if item.for_.is_none() {
        reader.missing(node, "for", "how long it lasts, such as 2h");
    }
    let length: Option<Length> = value::positive_length(reader, node, "for", item.for_.as_deref());
    let start: Option<Timestamp> = value::parsed(reader, node, "start", Some(start), codes::BAD_DURATION);
    let (start, length) = start.zip(length)?;
    Some(ExclusionWindow::Once { start, end: start + length })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{SourceText, parse};

    /// What is read of one item, and code, line and column of every finding.
    fn read(item: &str) -> (Vec<Exclusion>, Vec<String>) {
        let text = format!("version: exclusion/v1\nexclusions:\n  - {item}\n");
        let stream = parse(&SourceText::named("nights.yaml", text));
        let document = &stream.documents[0].0;
        let mut reader = Reader::new(document);
        let found = read_exclusions(&mut reader, document.root()).into_iter().map(|(exclusion, _)| exclusion).collect();
        let shown = |finding: Diagnostic| {
            let place = finding.place.unwrap();
            let excerpt: String = item
                .chars()
                .skip((place.column as usize).saturating_sub(5))
                .take((place.end_column - place.column) as usize)
                .collect();
            format!("{} {excerpt}", finding.code)
        };
        (found, reader.into_findings().into_iter().map(shown).collect())
    }

    #[test]
    fn one_that_is_once_and_one_that_comes_back_are_read() {
        let (once, findings) = read(
            "{name: db, reason: 'Upgrade, 4711', approved_by: leads, slos: [checkout/*, '*/latency'], \
             window: {start: 2026-12-01T23:00:00+01:00, for: 2h}, alerts_only: true}",
        );
        assert_eq!(findings, Vec::<String>::new());
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let window = ExclusionWindow::Once { start: time("2026-12-01T22:00:00Z"), end: time("2026-12-02T00:00:00Z") };
        assert_eq!(once[0].window, window);
        assert_eq!((once[0].reason.as_str(), once[0].approved_by.as_deref()), ("Upgrade, 4711", Some("leads")));
        for (at, until, next) in [
            ("2026-12-01T21:59:59.999Z", None, Some("2026-12-01T22:00:00Z")),
            ("2026-12-01T22:00:00Z", Some("2026-12-02T00:00:00Z"), Some("2026-12-02T00:00:00Z")),
            ("2026-12-01T23:59:59.999Z", Some("2026-12-02T00:00:00Z"), Some("2026-12-02T00:00:00Z")),
            ("2026-12-02T00:00:00Z", None, None),
        ] {
            assert_eq!(window.on_until(time(at)), until.map(time), "{at}");
            assert_eq!(window.next_change(time(at)), next.map(time), "{at}");
        }
        let (nightly, findings) = read(
            "{name: nightly, reason: batch, slos: ['*/latency'], \
             window: {cron: 0 2 * * *, for: 30m, zone: Europe/Berlin}, alerts_only: true}",
        );
        assert_eq!(findings, Vec::<String>::new());
        let ExclusionWindow::Cron(schedule) = &nightly[0].window else { panic!("{nightly:?}") };
        assert_eq!(schedule.to_string(), "0 2 * * * for 30m, Europe/Berlin");
    }

    #[test]
    fn everything_wrong_stands_at_its_place() {
        let good = "name: a, reason: b, slos: [c/*], window: {cron: 0 2 * * *, for: 1h}, alerts_only: true";
        for (old, new, expected) in [
            ("reason: b, ", "", vec!["SLO080 {name: a,"]),
            ("reason: b", "reason: ' '", vec!["SLO080 ' '"]),
            (", alerts_only: true", "", vec!["SLO007 {name: a,"]),
            ("alerts_only: true", "alerts_only: false", vec!["SLO007 false"]),
            ("c/*", "c", vec!["SLO009 c"]),
            ("c/*", "c/d/e", vec!["SLO009 c/d/e"]),
            ("[c/*]", "[]", vec!["SLO006 {name: a,"]),
            ("0 2 * * *", "0 25 * * *", vec!["SLO011 0 25 * * *"]),
            (", for: 1h}", ", for: 1h, zone: Berlin}", vec!["SLO024 Berlin"]),
            (", for: 1h}", ", for: 0s}", vec!["SLO011 0s"]),
            ("cron: 0 2 * * *", "start: yesterday", vec!["SLO011 yesterday"]),
            ("cron: 0 2 * * *", "start: 2026-12-01T22:00:00Z, zone: UTC", vec!["SLO024 UTC"]),
            ("cron: 0 2 * * *, ", "", vec!["SLO006 {for: 1h}"]),
        ] {
            let (exclusions, findings) = read(&format!("{{{}}}", good.replace(old, new)));
            let fits = findings.len() == expected.len()
                && findings.iter().zip(&expected).all(|(found, wanted)| {
                    let (found, wanted) = (found.split_once(' ').unwrap(), wanted.split_once(' ').unwrap());
                    found.0 == wanted.0 && (found.1.starts_with(wanted.1) || wanted.1.starts_with(found.1))
                });
            assert!(fits && exclusions.is_empty(), "{new}: {findings:?}, expected {expected:?}");
        }
    }

    #[test]
    fn stars_stand_for_any_letters() {
        for (pattern, slo, expected) in [
            ("checkout/*", "checkout/latency", true),
            ("checkout/*", "checkout2/latency", false),
            ("*/latency", "search/latency", true),
            ("*/latency", "search/latency-eu", false),
            ("*/*", "a/b", true),
            ("shop-*/lat*cy", "shop-eu/latency", true),
            ("shop-*/lat*cy", "shop/latency", false),
            ("a*a/b", "a/b", false),
            ("a*b*b/c", "axbb/c", true),
            ("a*b*b/c", "axb/c", false),
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
        ] {
            assert_eq!(SloPattern::new(pattern).unwrap().matches(&slo.parse().unwrap()), expected, "{pattern} {slo}");
        }
        for bad in ["", "a", "/b", "a/", "a/b/c", "a b/c", "*"] {
            assert_eq!(SloPattern::new(bad), None, "{bad}");
        }
    }
}
