//! The files as the lints see them: things as meant, each with the node of the document that says it.
//!
//! A finding stands on the nearest thing that is there: [`At::nearest`] walks down as far as the file goes, so a rule
//! names the key that it speaks about and need not care whether it was written.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::check::load::{Loaded, Origin};
use crate::config::meant::Config;
use crate::diag::{Diagnostic, Place, Severity};
use crate::spec::exclusion::Exclusion;
use crate::spec::meant::{self, Mode, Slo};
use crate::spec::policy::{AlertSeverity, Policy, PolicyTier};
use crate::units::{Day, Length, SloId, Step};
use crate::yaml::{Document, NodeId, Shape};

/// A node of a document.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// The document.
    pub document: &'a Document,
    /// The node.
    pub node: NodeId,
}

impl<'a> At<'a> {
    /// The document's outermost node.
    #[must_use]
    pub const fn root(self) -> Self {
        Self { document: self.document, node: self.document.root() }
    }

    /// The node below, if it is written: keys of mappings, indices of lists.
    #[must_use]
    pub fn find(self, keys: &[&str]) -> Option<Self> {
        keys.iter().try_fold(self, |at, key| at.child(key))
    }

    /// The node below, or the deepest above it that is written.
    #[must_use]
    pub fn nearest(self, keys: &[&str]) -> Self {
        let mut at = self;
        for key in keys {
            match at.child(key) {
                Some(child) => at = child,
                None => break,
            }
        }
        at
    }

    fn child(self, key: &str) -> Option<Self> {
        let node = match self.document.shape(self.node) {
            Shape::List => self.document.children(self.node).get(key.parse::<usize>().ok()?).copied(),
            _ => self.document.child(self.node, key),
        };
        node.map(|node| Self { document: self.document, node })
    }

    /// Items of a list, values of a mapping.
    pub fn items(self) -> impl Iterator<Item = Self> {
        let document = self.document;
        document.children(self.node).iter().map(move |node| Self { document, node: *node })
    }

    /// The key of this value in its mapping.
    #[must_use]
    pub fn key(self) -> Option<&'a str> {
        self.document.key(self.node)
    }

    /// The text of a scalar.
    #[must_use]
    pub fn text(self) -> Option<&'a str> {
        self.document.text(self.node)
    }

    /// Where a finding about it stands: a scalar itself; of a list or mapping its key.
    #[must_use]
    pub fn place(self) -> Place {
        match self.document.shape(self.node) {
            Shape::Text => self.document.place(self.node),
            _ => self.document.key_place(self.node),
        }
    }

    /// Where its key stands.
    #[must_use]
    pub fn key_place(self) -> Place {
        self.document.key_place(self.node)
    }

    /// Puts a finding at a place that belongs to this.
    #[must_use]
    pub fn mark_at(self, finding: Diagnostic, place: Place) -> Diagnostic {
        finding.at(place, self.document.path(self.node)).used(self.document.used_at(self.node))
    }

    /// Puts a finding here.
    #[must_use]
    pub fn mark(self, finding: Diagnostic) -> Diagnostic {
        self.mark_at(finding, self.place())
    }

    /// Puts a finding on the first occurrence of `word` in this scalar, else on the whole of it.
    #[must_use]
    pub fn mark_word(self, finding: Diagnostic, word: &str) -> Diagnostic {
        let place = self.text().and_then(|text| {
            let start = word_start(text, word)?;
            Some(self.document.place_within(self.node, start, start + word.chars().count()))
        });
        self.mark_at(finding, place.unwrap_or_else(|| self.place()))
    }
}

fn owners(loaded: &Loaded) -> Vec<(At<'_>, Option<SloId>)> {
    let mut owners = Vec::new();
    for (index, node) in &loaded.slo_files {
        let Some(root) = loaded.documents.get(*index).map(|document| At { document, node: *node }) else { continue };
        let text = |at: At<'_>, key: &str| at.find(&[key]).and_then(At::text).map(str::to_owned);
        let service = text(root, "service");
        owners.extend(root.find(&["owner"]).map(|owner| (owner, None)));
        let slos = root.find(&["slos"]).into_iter().flat_map(At::items);
        owners.extend(slos.filter_map(|slo| {
            let id = service.clone().zip(text(slo, "name")).map(|(service, name)| SloId::new(service, name));
            Some((slo.find(&["owner"])?, id))
        }));
    }
    owners
}

/// Characters before the first occurrence of `word` that is not part of a longer metric name.
fn word_start(text: &str, word: &str) -> Option<usize> {
    let inner = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':'));
    text.match_indices(word)
        .find(|(at, _)| {
            let before = text.get(..*at).and_then(|head| head.chars().next_back());
            let after = text.get(at + word.len()..).and_then(|tail| tail.chars().next());
            !inner(before) && !inner(after)
        })
        .and_then(|(at, _)| text.get(..at))
        .map(|head| head.chars().count())
}

/// Where the numerator stands below an SLI: ours, Sloth's, Pyrra's.
const EVENTS: &[&[&str]] = &[
    &["events", "bad"],
    &["events", "good"],
    &["latency", "good"],
    &["latency", "histogram"],
    &["events", "error_query"],
    &["events", "errorQuery"],
    &["ratio", "errors", "metric"],
    &["latency", "success", "metric"],
    &["latencyNative", "total", "metric"],
];
/// Where the total stands, or the only query.
const TOTAL: &[&[&str]] = &[
    &["events", "total"],
    &["latency", "histogram"],
    &["gauge", "query"],
    &["probe"],
    &["ratio", "query"],
    &["events", "total_query"],
    &["events", "totalQuery"],
    &["ratio", "total", "metric"],
    &["latency", "total", "metric"],
    &["latencyNative", "total", "metric"],
    &["raw", "error_ratio_query"],
    &["raw", "errorRatioQuery"],
    &["bool_gauge", "metric"],
    &["ratio"],
];

/// An SLO with its node.
#[derive(Clone, Copy, Debug)]
pub struct SloAt<'a> {
    /// As meant.
    pub slo: &'a Slo,
    /// Its item of `slos`.
    pub at: At<'a>,
}

impl<'a> SloAt<'a> {
    /// Where `key` was said for this SLO: by itself, by `defaults` or by the document; else the SLO.
    #[must_use]
    pub fn said(&self, key: &str) -> At<'a> {
        let root = self.at.root();
        self.at.find(&[key]).or_else(|| root.find(&["defaults", key])).or_else(|| root.find(&[key])).unwrap_or(self.at)
    }

    /// Puts a finding where `key` was said. What the document says for all its SLOs is not this one's finding, so it is
    /// told once.
    #[must_use]
    pub fn blame(&self, key: &str, finding: Diagnostic) -> Diagnostic {
        let shared = self.at.find(&[key]).is_none() && self.said(key).node != self.at.node;
        let finding = if shared { finding } else { finding.of(self.slo.id.clone()) };
        self.said(key).mark(finding)
    }

    /// Where a policy's finding stands that is seen only through this SLO: on `alerting`, where the policy was chosen
    /// there, else on `objective`.
    #[must_use]
    pub fn policy_place(&self) -> At<'a> {
        match self.at.find(&["alerting", "policy"]) {
            Some(_) => self.at.nearest(&["alerting"]),
            // Pyrra's word for it is `target`.
            None => self.at.find(&["target"]).unwrap_or_else(|| self.at.nearest(&["objective"])),
        }
    }

    /// Where the side of the SLI stands that is not the total: `bad`, `good`, or what makes it.
    #[must_use]
    pub fn events_place(&self) -> At<'a> {
        self.first_of(EVENTS)
    }

    /// Where the total stands, or the only query.
    #[must_use]
    pub fn total_place(&self) -> At<'a> {
        self.first_of(TOTAL)
    }

    /// The first of these places below the SLI that is written, else the SLI.
    fn first_of(&self, places: &[&[&str]]) -> At<'a> {
        let sli = self.at.find(&["indicator"]).unwrap_or_else(|| self.at.nearest(&["sli"]));
        places.iter().find_map(|keys| sli.find(keys)).unwrap_or(sli)
    }

    /// The tool whose file it stands in; `None`: a native file.
    #[must_use]
    pub fn origin(&self) -> Option<meant::Origin> {
        self.slo.alerting.foreign.as_ref().map(|foreign| foreign.origin)
    }

    /// Whether its policy is evaluated at all.
    #[must_use]
    pub fn alerts(&self) -> bool {
        self.slo.alerting.mode != Mode::Off
    }

    /// The tiers of its policy for its period.
    #[must_use]
    pub fn tiers(&self) -> &'a [PolicyTier] {
        self.slo.alerting.policy.tiers_for(self.slo.window).map_or(&[], |(_, tiers)| tiers)
    }

    /// Severities that its tiers use, ascending, each once.
    #[must_use]
    pub fn severities(&self) -> Vec<AlertSeverity> {
        let mut severities: Vec<AlertSeverity> = self.tiers().iter().map(|tier| tier.severity).collect();
        severities.sort_unstable();
        severities.dedup();
        severities
    }
}

/// The tiers of Sloth's `AlertWindows`, in the order of the policy that they make.
const WINDOWS: [[&str; 2]; 4] = [["page", "quick"], ["page", "slow"], ["ticket", "quick"], ["ticket", "slow"]];

/// Where a tier stands in its policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierPlace {
    /// Which of `periods`; `None`: among `tiers`.
    pub period: Option<usize>,
    /// Position there, from 0.
    pub index: usize,
}

/// A policy of the files, with its node.
#[derive(Clone, Copy, Debug)]
pub struct PolicyAt<'a> {
    /// As meant.
    pub policy: &'a Policy,
    /// Its item of `policies`.
    pub at: At<'a>,
}

impl<'a> PolicyAt<'a> {
    /// The node of a tier, of one of `periods` where it stands there.
    #[must_use]
    pub fn tier(&self, place: TierPlace) -> At<'a> {
        let pair = WINDOWS.get(place.index).and_then(|pair| self.at.find(pair));
        let index = place.index.to_string();
        match (pair, place.period) {
            (Some(pair), _) => pair,
            (None, None) => self.at.nearest(&["tiers", &index]),
            (None, Some(period)) => self.at.nearest(&["periods", &period.to_string(), "tiers", &index]),
        }
    }
}

/// The configuration with its node.
#[derive(Clone, Copy, Debug)]
pub struct ConfigAt<'a> {
    /// As meant.
    pub config: &'a Config,
    /// Its document.
    pub at: At<'a>,
}

/// Everything that was read.
#[derive(Clone, Debug, Default)]
pub struct Set<'a> {
    /// In the order of the files.
    pub slos: Vec<SloAt<'a>>,
    /// Those of the files; presets are not among them.
    pub policies: Vec<PolicyAt<'a>>,
    /// Every `owner` of our SLO files, of the documents and of SLOs, also of those that could not be understood.
    pub owners: Vec<(At<'a>, Option<SloId>)>,
    /// Those that could be understood, each with its item.
    pub exclusions: Vec<(&'a Exclusion, At<'a>)>,
    /// Where there is one.
    pub config: Option<ConfigAt<'a>>,
    /// The texts of the message templates that it names, by path.
    pub templates: Option<&'a BTreeMap<PathBuf, String>>,
    /// Where errors of the readers stand: file and path.
    pub errors: Vec<(&'a str, &'a str)>,
    /// Only some of the files are looked at that the configuration names.
    pub is_part: bool,
    /// The day of the check.
    pub today: Day,
}

impl<'a> Set<'a> {
    /// From what was loaded. Things without an origin (presets) are left out.
    #[must_use]
    pub fn of(loaded: &'a Loaded, today: Day) -> Self {
        let node = |origin: &Origin| -> Option<At<'a>> {
            let document = loaded.documents.get(origin.document)?;
            Some(At { document, node: document.find(&origin.path)? })
        };
        let slos = loaded
            .slos
            .iter()
            .filter_map(|slo| Some(SloAt { slo: slo.as_ref(), at: node(loaded.slo_origins.get(&slo.id)?)? }));
        let policies = loaded.policies.iter().filter_map(|(name, policy)| {
            Some(PolicyAt { policy: policy.as_ref(), at: node(loaded.policy_origins.get(name)?)? })
        });
        let exclusions =
            loaded.exclusions.iter().filter_map(|(exclusion, origin)| Some((exclusion.as_ref(), node(origin)?)));
        let errors = loaded.findings.iter().filter(|finding| finding.severity == Severity::Error);
        let errors = errors.filter_map(|error| Some((error.place.as_ref()?.file.as_ref(), error.path.as_str())));
        let config = loaded.config.as_ref().zip(loaded.config_origin.as_ref().and_then(node));
        Self {
            slos: slos.collect(),
            policies: policies.collect(),
            owners: owners(loaded),
            exclusions: exclusions.collect(),
            config: config.map(|(config, at)| ConfigAt { config, at }),
            templates: Some(&loaded.templates),
            errors: errors.collect(),
            is_part: loaded.is_part,
            today,
        }
    }

    /// Whether all at and below a node could be understood. Of what could not, a default stands in for what was meant,
    /// and nothing is to be said that follows from it.
    #[must_use]
    pub fn is_sound(&self, at: At<'_>) -> bool {
        let path = at.document.path(at.node);
        let is_in = |(file, error): &(&str, &str)| {
            let rest = error.strip_prefix(path.as_str()).filter(|_| *file == at.document.file().as_ref());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !self.errors.iter().any(is_in)
    }

    /// Whether there is no SLO but those here: all files were looked at, and only the configuration has mistakes.
    #[must_use]
    pub fn knows_all_slos(&self) -> bool {
        let keys = self.config.iter().flat_map(|config| config.at.items().map(|child| (config.at.document, child)));
        let own: Vec<(&str, String)> =
            keys.map(|(document, child)| (document.file().as_ref(), document.path(child.node))).collect();
        let is_own = |(file, path): &(&str, &str)| {
            own.iter().any(|(own_file, key)| file == own_file && path.starts_with(key.as_str()))
        };
        !self.is_part && self.errors.iter().all(|error| is_own(error))
    }

    /// [`Self::is_sound`] of some keys of the configuration.
    #[must_use]
    pub fn is_config_sound(&self, keys: &[&str]) -> bool {
        let config = self.config.as_ref();
        config.is_none_or(|config| {
            keys.iter().filter_map(|key| config.at.find(&[key])).all(|section| self.is_sound(section))
        })
    }

    /// `s`: the configured slice, or the default.
    #[must_use]
    pub fn slice(&self) -> Length {
        self.config.map_or(Step::DEFAULT, |config| config.config.slice).length()
    }

    /// The scrape interval of a source: the configured one, or the default of 30 s.
    #[must_use]
    pub fn interval(&self, source: &str) -> Length {
        let configured = self.config.and_then(|config| config.config.sources.get(source));
        configured.map_or(Length::from_seconds(30), |source| source.interval)
    }

    /// The policy of an SLO, where it stands in the files; `None` for a preset.
    #[must_use]
    pub fn policy_of(&self, slo: &Slo) -> Option<&PolicyAt<'a>> {
        self.policies.iter().find(|policy| policy.policy.name == slo.alerting.policy.name)
    }
}
