//! From files to everything that is needed to run them, built beside whatever runs now.
//!
//! The same for a start and a reload: read, load, judge, compile, build sources and sinks. Anything wrong is a finding
//! and nothing is half taken. Invariant: building has no effect outside; connections are made when something is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::check;
use crate::clock;
use crate::config::meant::{Auth, Config, HistoryMode, Route, SecretRef, SinkConfig, SourceKind};
use crate::diag::{Diagnostic, Severity, codes};
use crate::engine::definition::Definition;
use crate::policy::compile::{Terms, definition};
use crate::policy::quiet;
use crate::policy::subject::Subject;
use crate::policy::template::Template;
use crate::runtime::access::problems;
use crate::runtime::files::{Gathered, Request};
use crate::runtime::links::LinkKey;
use crate::runtime::service::Refusal;
use crate::secret::Secrets;
use crate::sink::{self, Parts, Sink};
use crate::source::{self, Source};
use crate::spec::meant::{Mode, Slo};
use crate::telemetry::Telemetry;
use crate::units::{Length, SloId};

/// The name of the sink that `--alertmanager` makes.
const ALERTMANAGER: &str = "alertmanager";
/// The name of the source that `--prometheus` makes.
const PROMETHEUS: &str = "prometheus";
/// How long an alert lives in Alertmanager without being sent again (FORMATS 3).
const EXPIRES: Length = Length::from_minutes(15);

/// What the command line says beside the files.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// A Prometheus in place of the configured sources.
    pub prometheus: Option<String>,
    /// An Alertmanager in place of the configured sinks and routes.
    pub alertmanager: Option<String>,
    /// Nothing is sent, and alerts say that they are not.
    pub shadow: bool,
    /// There are no sinks, so nothing can be sent; alerts are what they would be. Their secrets need not be there.
    pub without_sinks: bool,
    /// Where to listen, in place of `server.listen`.
    pub listen: Option<SocketAddr>,
}

/// How the service was launched: enough to do it again at a reload.
#[derive(Clone)]
pub struct Launch {
    /// Which files.
    pub request: Request,
    /// What the command line says beside them.
    pub overrides: Overrides,
    /// Where secrets come from.
    pub secrets: Arc<Secrets>,
    /// Handed to sources and sinks.
    pub telemetry: Telemetry,
}

/// One SLO, compiled.
#[derive(Clone, Debug)]
pub struct SloPlan {
    /// As meant.
    pub slo: Arc<Slo>,
    /// In numbers.
    pub definition: Arc<Definition>,
    /// What its durable hours are kept under.
    pub generation: String,
    /// Whom its alerts are about.
    pub subject: Subject,
}

/// Everything needed to run a set of files.
pub struct Blueprint {
    /// The configuration.
    pub config: Arc<Config>,
    /// The SLOs, ascending by id.
    pub slos: Vec<SloPlan>,
    /// The sources, by name.
    pub sources: BTreeMap<String, Arc<dyn Source>>,
    /// The sinks, by name.
    pub sinks: BTreeMap<String, Sink>,
    /// Exclusions of alerts, and what is held after a deploy.
    pub quiet: quiet::Written,
    /// What has to be watched for changes.
    pub watched: Vec<PathBuf>,
    /// SHA-256 over what the files mean.
    pub digest: String,
    /// Git revision of the folder.
    pub revision: Option<String>,
    /// What is doubtful in the files.
    pub warnings: Vec<Diagnostic>,
}

impl Launch {
    /// Reads, judges and builds.
    ///
    /// # Errors
    /// All findings, where one is an error.
    pub fn blueprint(&self) -> Result<Blueprint, Refusal> {
        self.build(self.request.gather())
    }

    /// Judges and builds what was read.
    ///
    /// # Errors
    /// All findings, where one is an error.
    pub fn build(&self, gathered: Gathered) -> Result<Blueprint, Refusal> {
        let report = check::report(&gathered.loaded, clock::today());
        let errors = report.findings().iter().any(|finding| finding.severity == Severity::Error);
        if errors || gathered.unreadable {
            return Err(Refusal { findings: report.findings().to_vec() });
        }
        let written = gathered.loaded.config.unwrap_or_else(|| Config::empty(Path::new("")));
        let config = Arc::new(self.overrides.apply(written));
        let mut findings: Vec<Diagnostic> = secrets(&config)
            .into_iter()
            .filter_map(|secret| self.secrets.present(secret).err())
            .map(|error| Diagnostic::error(codes::BAD_ADDRESS, format!("a secret is missing: {error}")))
            .collect();
        if !self.overrides.without_sinks {
            findings.extend(self.tokens(&config));
            findings.extend(self.link_secret(&config));
        }
        let slos: Vec<SloPlan> =
            gathered.loaded.slos.iter().filter_map(|slo| self.compile(slo, &config, &mut findings)).collect();
        let mut sources = BTreeMap::new();
        for (name, source) in &config.sources {
            match source::build(name, source, &self.secrets, &self.telemetry) {
                Ok(built) => drop(sources.insert(name.clone(), built)),
                Err(problem) => findings.push(cannot_be_built("source", name, &problem.to_string())),
            }
        }
        let templates = parsed(&config, &gathered.loaded.templates, &mut findings);
        let mut sinks = BTreeMap::new();
        for (name, sink) in &config.sinks {
            let template = templates.get(name);
            let parts = Parts { name, server: &config.server, secrets: &self.secrets, template };
            match sink::build(sink, &parts) {
                Ok(built) => drop(sinks.insert(name.clone(), built)),
                Err(problem) => findings.push(cannot_be_built("sink", name, &problem.to_string())),
            }
        }
        if !findings.is_empty() {
            return Err(Refusal { findings });
        }
        let exclusions = gathered.loaded.exclusions.iter().map(|(exclusion, _)| Arc::clone(exclusion)).collect();
        let on_deploy =
            slos.iter().filter_map(|plan| Some((plan.slo.id.clone(), plan.slo.alerting.policy.on_deploy.clone()?)));
        let quiet = quiet::Written { exclusions, on_deploy: on_deploy.collect() };
        let digest = digest(&config, &slos, &quiet, &gathered.loaded.templates);
        let revision = gathered.watched.iter().find_map(|path| revision(path));
        let warnings = report.findings().iter().filter(|finding| finding.severity == Severity::Warning).cloned();
        let warnings = warnings.collect();
        Ok(Blueprint { config, slos, sources, sinks, quiet, watched: gathered.watched, digest, revision, warnings })
    }

    /// What is wrong with the file of tokens, where there is one.
    fn tokens(&self, config: &Config) -> Vec<Diagnostic> {
        let Some(path) = &config.server.tokens else { return Vec::new() };
        let finding = |problem: String| {
            let message = format!("the file of tokens `{}` cannot be used: {problem}", path.display());
            Diagnostic::error(codes::BAD_ADDRESS, message).with_help("`slo token NAME --role ROLE` makes a line of it")
        };
        match self.secrets.present(&SecretRef::File(path.clone())) {
            Ok(text) => problems(text.expose_secret()).into_iter().map(finding).collect(),
            Err(error) => vec![finding(error.to_string())],
        }
    }

    /// What is wrong with the secret of links, where there is one that can be had.
    fn link_secret(&self, config: &Config) -> Option<Diagnostic> {
        let secret = self.secrets.present(config.server.link_secret.as_ref()?).ok()?;
        let problem = LinkKey::shared(&secret).err()?;
        let finding = Diagnostic::error(codes::BAD_ADDRESS, format!("`server.link_secret` {problem}"));
        Some(finding.with_help("make one with `openssl rand -base64 32`, and give the same to every copy"))
    }

    fn compile(&self, slo: &Arc<Slo>, config: &Config, findings: &mut Vec<Diagnostic>) -> Option<SloPlan> {
        let mut slo = Arc::clone(slo);
        if self.overrides.prometheus.is_some() && slo.source != PROMETHEUS {
            PROMETHEUS.clone_into(&mut Arc::make_mut(&mut slo).source);
        }
        if self.overrides.shadow && slo.alerting.mode == Mode::Live {
            Arc::make_mut(&mut slo).alerting.mode = Mode::Shadow;
        }
        let Some(source) = config.sources.get(&slo.source) else {
            let message = format!("`{}` asks the source `{}`, which is not configured", slo.id, slo.source);
            let help = "configure it under `sources`, or set `source` of the SLO or its `defaults`";
            findings.push(
                Diagnostic::error(codes::UNKNOWN_SOURCE, message)
                    .with_help(help)
                    .at(slo.place.clone(), "")
                    .of(slo.id.clone()),
            );
            return None;
        };
        let terms = Terms { slice: config.slice, gap: source.gap, instances_limit: config.limits.instances_per_slo };
        match definition(&slo, terms) {
            Ok(definition) => Some(SloPlan {
                definition: Arc::new(definition),
                generation: slo.generation(),
                subject: Subject::of(&slo, &config.server.external_labels).found_at(&config.owners),
                slo,
            }),
            Err(misfit) => {
                let finding = Diagnostic::error(codes::BAD_TIER, misfit.message).with_help(misfit.help);
                findings.push(finding.at(slo.place.clone(), "").of(slo.id.clone()));
                None
            }
        }
    }
}

impl Overrides {
    /// The configuration as the command line wants it.
    fn apply(&self, mut config: Config) -> Config {
        if let Some(url) = &self.prometheus {
            let mut source = Config::empty(Path::new("")).sources.remove(PROMETHEUS);
            if let Some(source) = &mut source
                && let SourceKind::Prometheus { urls, history, .. } = &mut source.kind
            {
                *urls = vec![url.clone()];
                *history = HistoryMode::Auto;
            }
            config.sources = source.into_iter().map(|source| (PROMETHEUS.to_owned(), source)).collect();
        }
        if let Some(url) = &self.alertmanager {
            let sink =
                SinkConfig::Alertmanager { urls: vec![url.clone()], expires: EXPIRES, severity: BTreeMap::new() };
            config.sinks = BTreeMap::from([(ALERTMANAGER.to_owned(), sink)]);
            config.routes = vec![Route { to: vec![ALERTMANAGER.to_owned()], ..Route::default() }];
        }
        if self.without_sinks {
            config.sinks.clear();
        }
        for watchdog in &mut config.watchdog {
            watchdog.to.retain(|sink| config.sinks.contains_key(sink));
        }
        for report in &mut config.reports {
            report.to.retain(|sink| config.sinks.contains_key(sink));
        }
        if self.shadow {
            config.mode = Mode::Shadow;
        }
        if let Some(listen) = self.listen {
            config.server.listen = listen;
        }
        config
    }
}

impl Blueprint {
    /// The SLOs of a source, ascending by id: their places in its plan.
    #[must_use]
    pub fn slos_of(&self, source: &str) -> Vec<Arc<Slo>> {
        self.slos.iter().filter(|plan| plan.slo.source == source).map(|plan| Arc::clone(&plan.slo)).collect()
    }

    /// Goes on with the sources of `old` whose configuration did not change: what is scraped has its newest samples
    /// nowhere else, and a re-read of the last `G` that finds none would take the newest slices away.
    pub fn keep_sources(&mut self, old: &Self) {
        for (name, source) in &mut self.sources {
            if self.config.sources.get(name) == old.config.sources.get(name)
                && let Some(kept) = old.sources.get(name)
            {
                *source = Arc::clone(kept);
            }
        }
    }

    /// What each source is.
    #[must_use]
    pub fn source_kinds(&self) -> BTreeMap<String, &'static str> {
        let kinds = self.config.sources.iter().map(|(name, source)| (name.clone(), source.kind.name()));
        kinds.collect()
    }

    /// The ids of the SLOs.
    #[must_use]
    pub fn ids(&self) -> BTreeSet<SloId> {
        self.slos.iter().map(|plan| plan.slo.id.clone()).collect()
    }

    /// The configuration for people: secrets are references and stay so.
    #[must_use]
    pub fn shown(&self) -> Value {
        let config = &self.config;
        json!({
            "slice": config.slice.length(),
            "storage": {"path": config.storage.path, "history": config.storage.history},
            "server": {
                "listen": config.server.listen,
                "external_labels": config.server.external_labels,
                "compat": config.server.compat.name(),
            },
            "sources": self.source_kinds(),
            "sinks": config.sinks.iter().map(|(name, sink)| (name.clone(), sink.name())).collect::<BTreeMap<_, _>>(),
            "slos": self.slos.len(),
        })
    }
}

fn cannot_be_built(what: &str, name: &str, problem: &str) -> Diagnostic {
    Diagnostic::error(codes::BAD_ADDRESS, format!("the {what} `{name}` cannot be used: {problem}"))
}

/// The message templates by sink. They were tried before; one that cannot be used all the same is noted.
fn parsed(
    config: &Config,
    texts: &BTreeMap<PathBuf, String>,
    findings: &mut Vec<Diagnostic>,
) -> BTreeMap<String, Template> {
    let mut templates = BTreeMap::new();
    for (sink, file) in &config.templates {
        let Some(text) = texts.get(&file.path) else { continue };
        match Template::parse(&file.path.display().to_string(), text) {
            Ok(template) => drop(templates.insert(sink.clone(), template)),
            Err(why) => findings.push(Diagnostic::error(codes::BAD_TEMPLATE, why.to_string())),
        }
    }
    templates
}

/// Every secret that the configuration names.
fn secrets(config: &Config) -> Vec<&SecretRef> {
    let sources = config.sources.values().filter_map(|source| match &source.auth {
        Some(Auth::Bearer(secret) | Auth::Basic { password: secret, .. }) => Some(secret),
        None => None,
    });
    let sinks = config.sinks.values().flat_map(SinkConfig::secrets);
    sources.chain(sinks).chain(&config.server.link_secret).collect()
}

/// Of everything that decides: equal digests, equal behaviour.
fn digest(config: &Config, slos: &[SloPlan], quiet: &quiet::Written, templates: &BTreeMap<PathBuf, String>) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{config:?}{quiet:?}"));
    if !templates.is_empty() {
        hash.update(format!("{templates:?}"));
    }
    for plan in slos {
        hash.update(format!("{:?}{:?}{:?}", plan.definition, plan.subject, plan.generation));
    }
    hash.finalize().iter().take(16).fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The commit that is checked out where the files are; none outside a repository or without `git`.
fn revision(path: &Path) -> Option<String> {
    let folder = if path.is_dir() { path } else { path.parent()? };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let output = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
