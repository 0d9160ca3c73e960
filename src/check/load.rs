//! From source texts to everything that they mean: the one entry point of `slo check` and of a service's reload.
//!
//! Pure: files are read by whoever may, their texts come in. Everything wrong is found in one run; what could be
//! understood comes along even where other things could not, so that lints can speak about it. Lints are not here.
//!
//! Order: the configuration first (it names the sources and the slice), then policies, templates, SLOs. Decided here: an SLO
//! that names no source asks the only one, or the one called `prometheus`.
//! Invariant: where no finding is an error, the SLOs, policies and configuration are complete and fit each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::check::catalogue;
use crate::config;
use crate::config::meant::Config;
use crate::config::secrets::literal_secrets;
use crate::diag::{Diagnostic, Place, Severity, codes};
use crate::policy::compile;
use crate::spec::exclusion::{Exclusion, read_exclusions};
use crate::spec::foreign::pyrra::read_pyrra;
use crate::spec::foreign::sloth::read_sloth;
use crate::spec::foreign::windows::{self, Catalogue};
use crate::spec::kind::{self, Kind};
use crate::spec::meant::{self, Mode, Slo};
use crate::spec::policy::Policy;
use crate::spec::preset;
use crate::spec::rules::{ReadPolicy, read_policies};
use crate::spec::slos::{Surroundings, read_slos};
use crate::spec::template::{Template, instantiate, read_templates, read_uses};
use crate::spec::unsaid;
use crate::units::{Length, SloId, Step};
use crate::yaml::{Document, NodeId, Reader, SourceText, parse};

/// Where something stands: a document of [`Loaded::documents`], and the address of the thing within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Index into [`Loaded::documents`].
    pub document: usize,
    /// Address of the item, such as `/slos/0`.
    pub path: String,
}

/// Everything that the files say.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The SLOs that could be understood, ascending by id.
    pub slos: Vec<Arc<Slo>>,
    /// The policies by name, the embedded presets among them.
    pub policies: BTreeMap<String, Arc<Policy>>,
    /// The configuration, every default applied, if a `config/v1` document was among the texts.
    pub config: Option<Config>,
    /// The texts of the message templates that the configuration names, by path; read by whoever may.
    pub templates: BTreeMap<PathBuf, String>,
    /// Everything wrong, in the order of files and lines.
    pub findings: Vec<Diagnostic>,
    /// The documents of ours, with the places of everything in them.
    pub documents: Vec<Document>,
    /// Documents of SLOs, read or not, with the node at which each begins: one for what the uses of templates made too.
    pub slo_files: Vec<(usize, NodeId)>,
    /// Where each SLO stands.
    pub slo_origins: BTreeMap<SloId, Origin>,
    /// Where each policy stands; a preset that no file repeats has none.
    pub policy_origins: BTreeMap<String, Origin>,
    /// The exclusions that could be understood, each with where it stands, in the order of the files.
    pub exclusions: Vec<(Arc<Exclusion>, Origin)>,
    /// Where the configuration stands.
    pub config_origin: Option<Origin>,
    /// Only some of the files are among the texts that the configuration names.
    pub is_part: bool,
    /// Files looked at.
    pub files: usize,
    /// Documents of foreign kinds, skipped.
    pub skipped: usize,
    /// Places of literal secrets: no excerpt may show their text, whatever the finding that it is for.
    pub masked: Vec<Place>,
}

impl Loaded {
    /// Whether anything is an error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// Whether nothing is wrong at and below this path of the configuration, such as `/sinks/mail`.
    #[must_use]
    pub fn is_sound(&self, path: &str) -> bool {
        let file =
            self.config_origin.as_ref().and_then(|origin| self.documents.get(origin.document)).map(Document::file);
        let is_in = |finding: &&Diagnostic| {
            let here = finding.place.as_ref().map(|place| &place.file) == file;
            let rest = finding.path.strip_prefix(path).filter(|_| here && finding.severity == Severity::Error);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        !self.findings.iter().any(|finding| is_in(&finding))
    }

    /// The document and node of an origin, joined with a path below it (`/sli/events/total`); where that is not
    /// written, the nearest thing that is.
    #[must_use]
    pub fn node(&self, origin: &Origin, below: &str) -> Option<(&Document, NodeId)> {
        let document = self.documents.get(origin.document)?;
        Some((document, document.nearest(&format!("{}{below}", origin.path))))
    }

    /// The place of something of an SLO, `below` as in [`Loaded::node`]; the SLO's own where the path is not written.
    #[must_use]
    pub fn place(&self, slo: &SloId, below: &str) -> Option<Place> {
        let (document, node) = self.node(self.slo_origins.get(slo)?, below)?;
        Some(document.place(node))
    }
}

/// Reads all texts.
#[must_use]
pub fn load(texts: &[SourceText]) -> Loaded {
    let mut reading = Loader { loaded: Loaded { files: texts.len(), ..Loaded::default() }, parts: Vec::new() };
    for text in texts {
        reading.take(text);
    }
    reading.configuration();
    let names = reading.policies();
    let templates = reading.templates();
    reading.uses(&templates);
    reading.slos(&names);
    reading.exclusions();
    let mut loaded = reading.loaded;
    let literal = loaded.findings.iter().filter(|finding| codes::is_masked(finding.code));
    loaded.masked.extend(literal.filter_map(|finding| finding.place.clone()));
    loaded.masked.sort();
    loaded.masked.dedup();
    sort(&mut loaded.findings, texts);
    loaded
}

/// In the order of the files as they came in, then by line.
fn sort(findings: &mut [Diagnostic], texts: &[SourceText]) {
    let files: BTreeMap<&str, usize> =
        texts.iter().enumerate().map(|(index, text)| (text.file.as_ref(), index)).collect();
    findings.sort_by_key(|finding| {
        finding.place.as_ref().map(|place| (files.get(place.file.as_ref()).copied(), place.line, place.column))
    });
}

/// A document of ours, or an item of a list: where it begins and what it says it is.
struct Part {
    document: usize,
    node: NodeId,
    kind: Kind,
}

struct Loader {
    loaded: Loaded,
    parts: Vec<Part>,
}

impl Loader {
    /// Takes a file in: keeps the documents of ours, skips the others.
    fn take(&mut self, text: &SourceText) {
        let stream = parse(text);
        let parts: Vec<Vec<(NodeId, Kind)>> = stream.documents.iter().map(|(document, _)| parts_of(document)).collect();
        let holds_ours = parts.iter().flatten().any(|(_, kind)| is_ours(*kind));
        let strict = text.named || holds_ours;
        for ((document, within), parts) in stream.documents.into_iter().zip(parts) {
            let skip = |kind: Kind| kind == Kind::Foreign || (kind == Kind::Unmarked && !strict);
            self.loaded.skipped += parts.iter().filter(|(_, kind)| skip(*kind)).count();
            for (node, _) in parts.iter().filter(|(_, kind)| skip(*kind)) {
                let mut reader = Reader::new(&document);
                unsaid::note(&mut reader, *node, text.named);
                self.loaded.findings.extend(reader.into_findings());
            }
            let kept: Vec<(NodeId, Kind)> = parts.into_iter().filter(|(_, kind)| !skip(*kind)).collect();
            if kept.is_empty() {
                continue;
            }
            self.loaded.findings.extend(within);
            for (node, kind) in kept {
                if let Some((finding, key)) = kind::finding(&document, node) {
                    let mut reader = Reader::new(&document);
                    reader.report_in(node, key, finding);
                    self.loaded.findings.extend(reader.into_findings());
                }
                self.parts.push(Part { document: self.loaded.documents.len(), node, kind });
            }
            self.loaded.documents.push(document);
        }
        self.loaded.findings.extend(stream.stopped);
    }

    /// The parts of one kind with their documents.
    fn of(&self, kind: Kind) -> Vec<(usize, NodeId)> {
        self.parts.iter().filter(|part| part.kind == kind).map(|part| (part.document, part.node)).collect()
    }

    fn configuration(&mut self) {
        let parts = self.of(Kind::Configuration);
        for (document_index, node) in parts {
            let Some(document) = self.loaded.documents.get(document_index) else { continue };
            self.loaded.masked.extend(literal_secrets(document, node));
            let mut reader = Reader::new(document);
            if let Some(first) = &self.loaded.config_origin {
                let mut finding = Diagnostic::error(codes::TWO_CONFIGURATIONS, "this is the second configuration")
                    .with_help("keep one `config/v1` document");
                let first_place = self.loaded.node(first, "").map(|(document, node)| document.place(node));
                finding.related.extend(first_place.map(|place| (place, "the first".to_owned())));
                reader.report_in(node, "version", finding);
                self.loaded.findings.extend(reader.into_findings());
                continue;
            }
            let folder = Path::new(document.file().as_ref()).parent().unwrap_or(Path::new(""));
            let config = config::read::read_config(&mut reader, node, folder);
            let origin = Origin { document: document_index, path: document.path(node) };
            self.loaded.findings.extend(reader.into_findings());
            self.loaded.config = config;
            self.loaded.config_origin = Some(origin);
        }
    }

    /// Reads the templates: by name, each with its document.
    fn templates(&mut self) -> BTreeMap<String, (usize, Template)> {
        let mut templates: BTreeMap<String, (usize, Template)> = BTreeMap::new();
        for (document_index, root) in self.of(Kind::Templates) {
            let Some(document) = self.loaded.documents.get(document_index) else { continue };
            let mut reader = Reader::new(document);
            for template in read_templates(&mut reader, root) {
                let Some((index, first)) = templates.get(&template.name) else {
                    templates.insert(template.name.clone(), (document_index, template));
                    continue;
                };
                let message = format!("there are two templates `{}`", template.name);
                let mut finding = Diagnostic::error(codes::DUPLICATE_NAME, message);
                let place = self.loaded.documents.get(*index).map(|other| other.place(first.node));
                finding.related.extend(place.map(|place| (place, "the first".to_owned())));
                reader.report_in(template.node, "name", finding.with_help("give one of them another name"));
            }
            self.loaded.findings.extend(reader.into_findings());
        }
        templates
    }

    /// Makes a document of the uses of each: one more to read SLOs from.
    fn uses(&mut self, templates: &BTreeMap<String, (usize, Template)>) {
        let known: BTreeMap<String, &Template> =
            templates.iter().map(|(name, (_, template))| (name.clone(), template)).collect();
        for (document_index, root) in self.of(Kind::Slos) {
            let Some(document) = self.loaded.documents.get(document_index) else { continue };
            let mut reader = Reader::new(document);
            let uses = read_uses(&mut reader, root, &known);
            let made = instantiate(&mut reader, root, &uses, |name| {
                let (index, template) = templates.get(name)?;
                Some((self.loaded.documents.get(*index)?, template))
            });
            self.loaded.findings.extend(reader.into_findings());
            if let Some(made) = made {
                self.parts.push(Part { document: self.loaded.documents.len(), node: made.root(), kind: Kind::Slos });
                self.loaded.documents.push(made);
            }
        }
    }

    /// Reads the policies; gives the names of all that stand in files, readable or not.
    fn policies(&mut self) -> BTreeSet<String> {
        let presets = preset::presets();
        self.loaded.policies.clone_from(&presets);
        let mut names = BTreeSet::new();
        for (document_index, root) in self.of(Kind::Policies) {
            let Some(document) = self.loaded.documents.get(document_index) else { continue };
            let mut reader = Reader::new(document);
            let items = document.child(root, "policies").map_or(&[][..], |list| document.children(list));
            let name = |item: &NodeId| document.child(*item, "name").and_then(|name| document.text(name));
            names.extend(items.iter().filter_map(name).map(str::to_owned));
            for read in read_policies(&mut reader, root) {
                let origin = Origin { document: document_index, path: document.path(read.node) };
                if let Some(finding) = self.refuse(&read, &presets) {
                    reader.report_in(read.node, "name", finding);
                } else {
                    self.loaded.policy_origins.insert(read.policy.name.clone(), origin);
                    self.loaded.policies.insert(read.policy.name.clone(), Arc::new(read.policy));
                }
            }
            self.loaded.findings.extend(reader.into_findings());
        }
        names
    }

    /// Why a policy cannot have its name, if it cannot.
    fn refuse(&self, read: &ReadPolicy, presets: &BTreeMap<String, Arc<Policy>>) -> Option<Diagnostic> {
        let name = &read.policy.name;
        if let Some(first) = self.loaded.policy_origins.get(name) {
            let mut finding = Diagnostic::error(codes::DUPLICATE_NAME, format!("there are two policies `{name}`"));
            let place = self.loaded.node(first, "/name").map(|(document, node)| document.place(node));
            finding.related.extend(place.map(|place| (place, "the first".to_owned())));
            return Some(finding.with_help("give one of them another name"));
        }
        let is_preset = presets.contains_key(name);
        let equal = presets.get(name).is_some_and(|preset| preset.says_the_same(&read.policy));
        match (is_preset, read.replaces_preset) {
            (true, false) if !equal => {
                let message = format!("`{name}` is the name of a preset, and this differs from it");
                let help = "give it another name, or say `replaces: preset`";
                Some(Diagnostic::error(codes::PRESET_TAKEN, message).with_help(help))
            }
            (false, true) => {
                let finding = Diagnostic::error(codes::PRESET_TAKEN, format!("there is no preset `{name}` to replace"));
                Some(finding.with_help("take `replaces` out"))
            }
            _ => None,
        }
    }

    /// The period of Sloth's SLOs, and the policy that an `AlertWindows` document makes for it.
    fn sloth_windows(&mut self, period: Length) -> Catalogue {
        let used = self.parts.iter().any(|part| matches!(part.kind, Kind::Sloth(_)));
        let places = self.of(Kind::AlertWindows);
        let documents = &self.loaded.documents;
        let parts: Vec<_> = places.iter().filter_map(|(index, node)| Some((documents.get(*index)?, *node))).collect();
        let (found, findings) = catalogue::windows(&parts, period, used);
        self.loaded.findings.extend(findings);
        let policy = found.filter(|_| used).map(|(windows, part)| {
            let policy = Arc::new(windows.policy());
            if let Some((document, node)) = places.get(part) {
                let root = self.loaded.documents.get(*document).map(|found| found.path(*node)).unwrap_or_default();
                let origin = Origin { document: *document, path: format!("{root}/spec") };
                self.loaded.policy_origins.insert(policy.name.clone(), origin);
            }
            self.loaded.policies.insert(policy.name.clone(), Arc::clone(&policy));
            policy
        });
        Catalogue { period, policy }
    }

    fn slos(&mut self, policy_names: &BTreeSet<String>) {
        self.loaded.slo_files = self.of(Kind::Slos);
        let config = self.loaded.config.clone();
        let catalogue = self.sloth_windows(config.as_ref().map_or(windows::PERIOD, |config| config.sloth_period));
        let source = config.as_ref().map_or(Some(config::DEFAULT_SOURCE), Config::default_source);
        let slice = config.as_ref().map_or(Step::DEFAULT, |config| config.slice);
        let mode = config.as_ref().map_or(Mode::default(), |config| config.mode);
        let policies = self.loaded.policies.clone();
        let around = Surroundings { policies: &policies, policy_names, source, slice, mode };
        let mut slos: BTreeMap<SloId, Arc<Slo>> = BTreeMap::new();
        // Names by which foreign alerts are told apart, with the SLO that has them.
        let mut foreign: BTreeMap<(meant::Origin, String), Arc<Slo>> = BTreeMap::new();
        for part in &self.parts {
            let Some(document) = self.loaded.documents.get(part.document) else { continue };
            let mut reader = Reader::new(document);
            let read = match part.kind {
                Kind::Slos => read_slos(&mut reader, part.node, &around),
                Kind::Sloth(dialect) => read_sloth(&mut reader, part.node, dialect, &around, &catalogue),
                Kind::Pyrra => read_pyrra(&mut reader, part.node, &around).into_iter().collect(),
                _ => continue,
            };
            for (slo, node) in read {
                reader.slo = Some(slo.id.clone());
                if let Some(first) = slos.get(&slo.id) {
                    let mut finding =
                        Diagnostic::error(codes::DUPLICATE_NAME, format!("there are two SLOs `{}`", slo.id));
                    finding.related.push((first.place.clone(), "the first".to_owned()));
                    reader.report_in(node, "name", finding.with_help("give one of them another name"));
                    continue;
                }
                fit(&mut reader, &slo, node, self.loaded.policy_origins.get(&slo.alerting.policy.name), &self.loaded);
                let origin = Origin { document: part.document, path: document.address(node) };
                self.loaded.slo_origins.insert(slo.id.clone(), origin);
                let slo = Arc::new(slo);
                if let Some(name) = foreign_name(&slo)
                    && let Some(first) = foreign.insert(name.clone(), Arc::clone(&slo))
                {
                    reader.report(node, same_foreign_name(&name, &first));
                }
                slos.insert(slo.id.clone(), slo);
            }
            reader.slo = None;
            self.loaded.findings.extend(reader.into_findings());
        }
        self.loaded.slos = slos.into_values().collect();
        self.former_ids();
    }

    /// Reads the exclusions. Whether there is an SLO that they mean is a lint's to say.
    fn exclusions(&mut self) {
        for (document_index, root) in self.of(Kind::Exclusions) {
            let Some(document) = self.loaded.documents.get(document_index) else { continue };
            let mut reader = Reader::new(document);
            for (exclusion, node) in read_exclusions(&mut reader, root) {
                let first = self.loaded.exclusions.iter().find(|(known, _)| known.name == exclusion.name);
                if let Some((_, first)) = first {
                    let message = format!("there are two exclusions `{}`", exclusion.name);
                    let mut finding = Diagnostic::error(codes::DUPLICATE_NAME, message);
                    let place = self.loaded.node(first, "/name").map(|(document, node)| document.place(node));
                    finding.related.extend(place.map(|place| (place, "the first".to_owned())));
                    reader.report_in(node, "name", finding.with_help("give one of them another name"));
                    continue;
                }
                let origin = Origin { document: document_index, path: document.path(node) };
                self.loaded.exclusions.push((Arc::new(exclusion), origin));
            }
            self.loaded.findings.extend(reader.into_findings());
        }
    }

    /// Former ids that are in use, or that two SLOs claim: what is stored under one goes to one SLO only.
    fn former_ids(&mut self) {
        let mut claims: BTreeMap<&SloId, &SloId> = BTreeMap::new();
        let mut findings = Vec::new();
        for (slo, former) in self.loaded.slos.iter().flat_map(|slo| slo.formerly.iter().map(move |id| (slo, id))) {
            let in_use = self.loaded.slo_origins.contains_key(former).then_some(former);
            let claimed = in_use.is_none().then(|| claims.insert(former, &slo.id)).flatten();
            let Some(other) = in_use.or(claimed) else { continue };
            let (message, what) = match in_use {
                Some(_) => (format!("`{former}` is still the id of an SLO"), "it stands here"),
                None => (format!("`{former}` is claimed by `{other}` too"), "the other claim"),
            };
            let below = |id: &SloId| self.loaded.node(self.loaded.slo_origins.get(id)?, "/formerly");
            let Some((document, list)) = below(&slo.id) else { continue };
            let is_it = |item: &&NodeId| document.text(**item).is_some_and(|text| text == former.to_string());
            let node = document.children(list).iter().find(is_it).copied().unwrap_or(list);
            let mut finding = Diagnostic::error(codes::FORMER_ID, message).of(slo.id.clone());
            finding.related.extend(below(other).map(|(document, node)| (document.place(node), what.to_owned())));
            let mut reader = Reader::new(document);
            reader.report(node, finding.with_help("what is stored of it goes to one SLO; take it out here, or there"));
            findings.extend(reader.into_findings());
        }
        self.loaded.findings.extend(findings);
    }
}

/// The name by which the SLO's tool tells its alerts apart from those of others.
fn foreign_name(slo: &Slo) -> Option<(meant::Origin, String)> {
    let origin = slo.alerting.foreign.as_ref()?.origin;
    let name = match origin {
        meant::Origin::Sloth => format!("{}-{}", slo.id.service, slo.id.name),
        meant::Origin::Pyrra => slo.id.name.clone(),
    };
    Some((origin, name))
}

/// Sloth refuses what has one `sloth_id`; Pyrra mixes what has one `slo`.
fn same_foreign_name((origin, name): &(meant::Origin, String), first: &Slo) -> Diagnostic {
    let mut finding = match origin {
        meant::Origin::Sloth => {
            let message = format!("the `sloth_id` of this SLO is `{name}`, and so is that of `{}`", first.id);
            Diagnostic::error(codes::DUPLICATE_NAME, message)
        }
        meant::Origin::Pyrra => {
            let message = format!("the alerts of this SLO carry `slo=\"{name}\"`, and so do those of `{}`", first.id);
            Diagnostic::warning(codes::DUPLICATE_NAME, message)
        }
    };
    finding.related.push((first.place.clone(), "the first".to_owned()));
    finding.with_help("give one of them another name")
}

/// Notes where an SLO's policy does not fit it: on `alerting` where it was chosen there, else on `objective`.
fn fit(reader: &mut Reader<'_>, slo: &Slo, node: NodeId, origin: Option<&Origin>, loaded: &Loaded) {
    let Err(misfit) = compile::tiers(&slo.alerting.policy, slo.objective, slo.window) else { return };
    let document = reader.document();
    let alerting = document.child(node, "alerting");
    let chosen_there = alerting.is_some_and(|alerting| document.child(alerting, "policy").is_some());
    let mut finding = Diagnostic::error(codes::POLICY_MISFIT, misfit.message).with_help(misfit.help);
    let below = misfit.tier.map_or_else(String::new, |tier| format!("/tiers/{tier}"));
    let place = origin.and_then(|origin| loaded.node(origin, &below)).map(|(document, node)| document.place(node));
    finding.related.extend(place.map(|place| (place, "the policy says so here".to_owned())));
    // Pyrra's word for the objective is `target`.
    let objective = if document.child(node, "target").is_some() { "target" } else { "objective" };
    reader.report_in(node, if chosen_there { "alerting" } else { objective }, finding);
}

const fn is_ours(kind: Kind) -> bool {
    !matches!(kind, Kind::Foreign | Kind::Unmarked | Kind::List)
}

/// The document itself, or the items of a list of them.
pub(super) fn parts_of(document: &Document) -> Vec<(NodeId, Kind)> {
    let mut parts = Vec::new();
    let mut open = vec![document.root()];
    while let Some(node) = open.pop() {
        match kind::kind_of(document, node) {
            Kind::List => {
                let items = document.child(node, "items").map_or(&[][..], |items| document.children(items));
                open.extend(items.iter().rev());
            }
            kind => parts.push((node, kind)),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::report;
    use crate::diag::concise;
    use crate::units::Day;

    const TEMPLATE: &str = "version: template/v1
templates:
  - name: http
    params: [job, objective]
    slos:
      - name: availability
        objective: \"${objective}\"
        sli:
          events:
            bad: 'http_requests_total{job=\"${job}\",code=~\"5..\"}'
            total: 'http_requests_total{job=\"${job}\"}'
      - name: raw
        objective: 99%
        labels: {team: \"the ${job} team\"}
        sli:
          events:
            bad: sum(rate(errors_total{job=\"${job}\"}[$window])) * 1
            total: sum(rate(calls_total{job=\"${job}\"}[$window])) * 1
";

    const CART: &str = "version: slo/v1
service: cart
owner: web
labels: {tier: \"1\"}
links: {runbook: https://wiki.example/cart}
defaults: {window: 7d, policy: balanced}
use: [{template: http, with: {job: cart-api, objective: 99.9%}}]
";

    fn loaded(texts: &[(&str, &str)]) -> Loaded {
        load(&texts.iter().map(|(file, text)| SourceText::named(file, text)).collect::<Vec<_>>())
    }

    fn found(texts: &[(&str, &str)]) -> Vec<String> {
        report(&loaded(texts), Day::default()).findings().iter().map(concise::line).collect()
    }

    #[test]
    fn a_use_is_the_same_as_writing_the_slos() {
        let written = CART.replace("use: [{template: http, with: {job: cart-api, objective: 99.9%}}]\n", "")
            + &TEMPLATE
                .split_once("    slos:\n")
                .unwrap()
                .1
                .replace("${objective}", "99.9%")
                .replace("${job}", "cart-api");
        let written = written.replace("7d, policy: balanced}\n", "7d, policy: balanced}\nslos:\n");
        let (written, used) = (loaded(&[("a", &written)]), loaded(&[("cart.yaml", CART), ("http.yaml", TEMPLATE)]));
        assert_eq!((written.findings.len(), &used.findings), (0, &Vec::new()), "{:?}", written.findings);
        let bare = |loaded: &Loaded| -> Vec<Slo> {
            let place = SourceText::named("x", "");
            let place = Place { file: place.file, line: 1, column: 1, end_line: 1, end_column: 1 };
            loaded.slos.iter().map(|slo| Slo { place: place.clone(), ..Slo::clone(slo) }).collect()
        };
        assert_eq!(bare(&written), bare(&used));
        assert_eq!(used.slos.len(), 2);
        let place = used.place(&SloId::new("cart", "availability"), "/sli/events/total").unwrap();
        assert_eq!((place.file.as_ref(), place.line), ("http.yaml", 11));
    }

    #[test]
    fn a_finding_in_a_template_stands_there_and_names_its_use() {
        let texts = [
            ("http.yaml", &*TEMPLATE.replace("objective: 99%", "objective: 0.99")),
            ("cart.yaml", &CART.replace("99.9%", "99.9.9%")),
            ("shop.yaml", &CART.replace("cart", "shop")),
        ];
        let report = report(&loaded(&texts), Day::default());
        let lines: Vec<String> = report.findings().iter().map(concise::line).collect();
        assert_eq!(lines.len(), 2, "{lines:#?}");
        assert!(lines[0].starts_with("http.yaml:7:20: error[SLO012]: `99.9.9%`"), "{lines:#?}");
        assert!(lines[1].starts_with("http.yaml:13:20: error[SLO012]: `0.99` is below 1%"), "{lines:#?}");
        let [first, both] = report.findings() else { panic!("{lines:#?}") };
        assert_eq!(first.path, "/templates/0/slos/0/objective");
        assert_eq!(first.slo, Some(SloId::new("cart", "availability")));
        let used = |finding: &Diagnostic| -> Vec<String> {
            finding.related.iter().map(|(place, what)| format!("{}:{} {what}", place.file, place.line)).collect()
        };
        assert_eq!(used(first), ["cart.yaml:7 used here"]);
        assert_eq!(
            (used(both), &both.slo),
            (vec!["cart.yaml:7 used here".into(), "shop.yaml:7 used here".into()], &None)
        );
    }

    #[test]
    fn lints_see_what_a_template_makes_with_what_the_document_says() {
        // The policy of the defaults is looked at through the template's SLO, and the runbook is missing for both.
        let cart = CART.replace("links: {runbook: https://wiki.example/cart}\n", "");
        let lines = found(&[("cart.yaml", &cart), ("http.yaml", TEMPLATE)]);
        assert!(lines.iter().any(|line| line.contains("SLO044")), "{lines:#?}");
        let lines = found(&[("cart.yaml", &CART.replace("balanced", "balnced")), ("http.yaml", TEMPLATE)]);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        assert!(lines[0].starts_with("cart.yaml:6:32: error[SLO017]"), "{lines:#?}");
    }

    #[test]
    fn params_and_templates_that_do_not_fit_are_all_told() {
        let template =
            TEMPLATE.replace("[job, objective]", "[job, objective, zone, job]").replace("the ${job}", "the ${jbo}");
        let second =
            "version: template/v1\ntemplates: [{name: http, slos: [{name: a}]}, {name: grpc, slos: [{name: b}]}]\n";
        let cart = "version: slo/v1\nservice: cart\nuse:\n  - {template: htp}\n  - {template: http, with: {job: a, objectiv: 1, zone: [x]}}\n  - {template: grpc, wiht: {}}\n";
        let lines = found(&[("a.yaml", &template), ("b.yaml", second), ("c.yaml", cart)]);
        let expected = [
            "a.yaml:4:30: error[SLO060]: nothing in the template says `${zone}`",
            "a.yaml:4:36: error[SLO060]: `job` stands in `params` twice",
            "a.yaml:14:29: error[SLO060]: `jbo` is not in `params`",
            "b.yaml:2:20: error[SLO010]: there are two templates `http`",
            "b.yaml:2:66: error[SLO006]: `sli` is missing",
            "c.yaml:4:16: error[SLO061]: there is no template `htp`",
            "c.yaml:5:16: error[SLO060]: `http` is not given `objective`",
            "c.yaml:5:37: error[SLO060]: `http` has no param `objectiv`",
            "c.yaml:5:56: error[SLO005]: `zone` is a list, expected text",
            "c.yaml:6:22: error[SLO002]: unknown key `wiht`",
        ];
        let missing: Vec<&&str> =
            expected.iter().filter(|start| !lines.iter().any(|line| line.starts_with(**start))).collect();
        assert!(missing.is_empty(), "{missing:#?} in {lines:#?}");
    }

    #[test]
    fn two_uses_that_make_one_id_are_told_apart_by_their_places() {
        let twice = CART.replace("use: [", "use: [{template: http, with: {job: b, objective: 99%}}, ");
        let loaded = loaded(&[("cart.yaml", &twice), ("http.yaml", TEMPLATE)]);
        assert_eq!(loaded.findings.len(), 2, "{:#?}", loaded.findings);
        let finding = &loaded.findings[0];
        assert_eq!((finding.code, finding.place.as_ref().unwrap().line), (codes::DUPLICATE_NAME, 6));
        assert_eq!(finding.related.len(), 2, "the first, and the use");
    }

    #[test]
    fn two_hundred_services_on_one_template_are_read_one_by_one() {
        let uses: Vec<(String, String)> =
            (0..200).map(|n| (format!("s{n}.yaml"), CART.replace("cart", &format!("s{n}")))).collect();
        let mut texts = vec![SourceText::named("http.yaml", TEMPLATE)];
        texts.extend(uses.iter().map(|(file, text)| SourceText::named(file, text)));
        let loaded = load(&texts);
        assert_eq!((loaded.slos.len(), loaded.findings.len(), loaded.files), (400, 0, 201));
        // A copy of what is used, not of the template's whole set: the work grows with the uses alone.
        assert_eq!(loaded.documents.len(), 1 + 2 * 200);
    }

    const SHOP: &str = "version: slo/v1
service: shop
owner: web
links: {runbook: https://wiki.example/shop}
slos:
  - name: availability
    objective: 99.9%
    by: [region, zone]
    sli: {events: {bad: 'a_total{code=~\"5..\"}', total: a_total}}
";

    #[test]
    fn the_first_override_that_matches_holds_and_the_others_are_told() {
        let overrides = "    overrides:
      - {match: {region: us, zone: a}, objective: 99.95%}
      - {match: {region: us}, objective: 99.9%}
      - {match: {region: us, zone: b}, objective: 99%}
      - {match: {}, objective: 98%}
";
        let lines = found(&[("a", &format!("{SHOP}{overrides}"))]);
        let expected = [
            "a:13:17: warning[SLO063]: an earlier override takes all groups of this one",
            "a:14:9: error[SLO006]: `match` is missing",
        ];
        // The second one says the SLO's own objective, and is an exception from the third.
        assert!(
            lines.len() == 2 && lines.iter().zip(expected).all(|(line, start)| line.starts_with(start)),
            "{lines:#?}"
        );
        let equal = overrides
            .replace("zone: b}, objective: 99%}", "zone: a}, objective: 98%}")
            .replace("match: {}", "match: {region: eu}");
        let lines = found(&[("a", &format!("{SHOP}{equal}"))]);
        assert!(lines.len() == 1 && lines[0].starts_with("a:13:17"), "{lines:#?}");
        let alone = "    overrides: [{match: {region: us, zone: a}, objective: 99.95%}, {match: {region: us}, objective: 99.90%}]\n";
        let lines = found(&[("a", &format!("{SHOP}{alone}"))]);
        let expected = "a:10:101: warning[SLO063]: this override says the objective that the SLO has anyway";
        assert!(lines.len() == 1 && lines[0].starts_with(expected), "{lines:#?}");
        let first = &loaded(&[("a", &format!("{SHOP}{alone}"))]).slos[0].overrides[0];
        assert_eq!((first.matches["zone"].as_str(), first.objective.to_string().as_str()), ("a", "99.95%"));
        let wrong = "    overrides: [{match: {regoin: us}, objective: 99.95%}, {match: {zone: a}, objective: 0.9}]\n";
        let lines = found(&[("a", &format!("{SHOP}{wrong}"))]);
        assert_eq!(lines.len(), 2, "{lines:#?}");
        assert!(lines[0].contains("`regoin` is not in `by`") && lines[1].contains("SLO012"), "{lines:#?}");
    }

    #[test]
    fn former_ids_belong_to_one_slo_and_reviews_are_dates() {
        let text = SHOP.replace(
            "    by: [region, zone]\n",
            "    formerly: [shop/success, shop/b, shop/b, shop]\n    review: {by: soon}\n",
        ) + "  - {name: b, objective: 99%, formerly: [shop/success], sli: {events: {bad: 'b_total{code=\"5\"}', total: b_total}}}\n";
        let lines = found(&[("a", &text)]);
        let expected = [
            "a:8:30: error[SLO064]: `shop/b` is still the id of an SLO",
            "a:8:38: error[SLO064]: `shop/b` stands in `formerly` twice",
            "a:8:46: error[SLO009]: `shop` is not the id of an SLO",
            "a:9:18: error[SLO011]: `soon` is not a date such as 2027-03-01",
            "a:11:42: error[SLO064]: `shop/success` is claimed by `shop/availability` too",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn documents_that_forgot_their_version_are_told() {
        let forgotten = SHOP.replace("version: slo/v1\n", "");
        let texts = [SourceText::found("a.yaml", &forgotten), SourceText::found("b.yaml", SHOP)];
        let loaded = load(&texts);
        let lines: Vec<String> = loaded.findings.iter().map(concise::line).collect();
        assert_eq!((lines.len(), loaded.skipped), (1, 1), "{lines:#?}");
        assert!(lines[0].starts_with("a.yaml:1:1: warning[SLO066]"), "{lines:#?}");
        let named = found(&[("a.yaml", &SHOP.replace("slo/v1", "v1"))]);
        assert!(named[0].starts_with("a.yaml:1:10: error[SLO066]"), "{named:#?}");
    }

    #[test]
    fn a_threshold_without_a_unit_is_refused() {
        for (below, help) in [("300", "300ms or 300s?"), ("0.3", "did you mean 300ms?")] {
            let sli = format!("sli: {{latency: {{histogram: request_seconds, below: {below}}}}}\n");
            let (head, _) = SHOP.split_once("sli:").unwrap();
            let loaded = loaded(&[("a", &format!("{head}{sli}"))]);
            let finding = &loaded.findings[0];
            assert_eq!(finding.code, codes::BAD_DURATION);
            assert!(finding.help.as_ref().unwrap().starts_with(help), "{finding:?}");
        }
    }

    #[test]
    fn lints_on_objectives_look_at_overrides_too() {
        let text = format!(
            "{SHOP}    overrides: [{{match: {{zone: a}}, objective: 99.95%}}, {{match: {{region: us}}, objective: 90%}}]\n"
        );
        let lines = found(&[("a", &text)]);
        assert_eq!(lines.len(), 1, "{lines:#?}");
        let expected = "a:10:89: warning[SLO033]: tier 1 of `balanced` (page, 14.4 over 1h) can never fire: at 90%";
        assert!(lines[0].starts_with(expected), "{lines:#?}");
    }

    #[test]
    fn an_unknown_owner_is_told_together_with_everything_else() {
        let config = "---\nversion: config/v1\nowners: {web: {}}\n";
        let text = SHOP
            .replace("owner: web", "owner: wbe")
            .replace("99.9%", "0.999")
            .replace("    by: [region, zone]", "    owner: mobile");
        let lines = found(&[("a", &format!("{text}{config}"))]);
        let starts = [
            "a:3:8: error[SLO042]: unknown owner `wbe`",
            "a:7:16: error[SLO012]",
            "a:8:12: error[SLO042]: unknown owner `mobile`",
        ];
        assert!(
            lines.len() == 3 && lines.iter().zip(starts).all(|(line, start)| line.starts_with(start)),
            "{lines:#?}"
        );
    }
}
