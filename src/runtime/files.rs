//! Which files are meant, read from disk: the same for `slo check`, the start of the service and a reload.
//!
//! Rules (INTERFACES 2, FORMATS): paths replace the `files` of the configuration; a folder is read recursively
//! (`*.yaml`, `*.yml`), hidden names left out, links followed (a ConfigMap volume), each file once however it is
//! reached. The configuration is the one named, else a `config/v1` among the paths, else `./slo.yaml`.
//! Decided here: where the paths hold no policy, those of the configuration's `rules` come along, so that
//! `slo check slos/checkout.yaml` finds the policy that the file names.
//! Nothing is judged here beyond "cannot be read". At most one byte more than the reader's bound is read of a file.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::check::load::{self, Loaded};
use crate::config::meant::{Config, Files, TemplateFile};
use crate::diag::{Diagnostic, Place, Texts, codes};
use crate::runtime::presence;
use crate::yaml::{MAX_BYTES, SourceText};

/// Standard input, as a path.
const STDIN: &str = "-";
/// The configuration that is used where none is named.
const CONFIG: &str = "slo.yaml";
/// As deep as folders are followed.
const MAX_DEPTH: usize = 32;

/// What the user named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// Files and folders; `-` is standard input.
    pub paths: Vec<PathBuf>,
    /// The configuration.
    pub config: Option<PathBuf>,
}

/// What was read and what it says.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// Findings about files that could not be read are among its findings.
    pub loaded: Loaded,
    /// For excerpts.
    pub texts: Texts,
    /// What has to be looked at again to notice a change.
    pub watched: Vec<PathBuf>,
    /// Whether something that was named, or is configured, could not be read.
    pub unreadable: bool,
}

impl Request {
    /// Reads and loads. Never fails: what cannot be read is a finding.
    #[must_use]
    pub fn gather(&self) -> Gathered {
        let mut reading = Reading::default();
        if let Some(config) = &self.config {
            reading.named(config);
        }
        for path in &self.paths {
            reading.named(path);
        }
        let beside = self.config.is_none() && !reading.mentions("config/v1");
        if beside && Path::new(CONFIG).is_file() {
            reading.named(Path::new(CONFIG));
        }
        let rules_wanted = reading.mentions("config/v1") && !reading.mentions("policy/v1");
        if self.paths.is_empty() || rules_wanted {
            self.configured(&mut reading);
        }
        let read = reading.seen.clone();
        let mut gathered = reading.finish();
        gathered.loaded.is_part = !self.paths.is_empty() && leaves_out(&gathered.loaded, &read);
        gathered
    }

    /// Whether nothing says which files are meant: no path, no configuration named, none here.
    #[must_use]
    pub fn names_nothing(&self) -> bool {
        self.paths.is_empty() && self.config.is_none() && !Path::new(CONFIG).is_file()
    }

    /// Adds what the configuration says: everything without paths, else the rules only.
    fn configured(&self, reading: &mut Reading) {
        let loaded = load::load(&reading.texts);
        let files = loaded.config.as_ref().map_or_else(|| self.beside(), |config| config.files.clone());
        let written = |key: &str| {
            let document = loaded.config_origin.as_ref().and_then(|origin| loaded.documents.get(origin.document));
            document.is_some_and(|document| document.find(&format!("/files/{key}")).is_some())
        };
        let slos = if self.paths.is_empty() { files.slos.as_slice() } else { &[] };
        let (rules, exclusions) = (files.rules.as_slice(), files.exclusions.as_slice());
        // Beside paths that were named they would speak of SLOs that are not looked at.
        let exclusions = if self.paths.is_empty() { exclusions } else { &[] };
        for (paths, key) in [(slos, "slos"), (rules, "rules"), (exclusions, "exclusions")] {
            for path in paths {
                // A default that is not there is nothing wrong; what somebody wrote has to be there.
                if written(key) || path.exists() {
                    reading.named(path);
                } else {
                    reading.watched.push(path.clone());
                }
            }
        }
    }

    /// The default folders, beside the configuration.
    fn beside(&self) -> Files {
        Config::empty(self.config.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))).files
    }
}

#[derive(Default)]
struct Reading {
    texts: Vec<SourceText>,
    seen: BTreeSet<PathBuf>,
    watched: Vec<PathBuf>,
    findings: Vec<Diagnostic>,
    /// Nothing is read: it is asked only which files there are.
    names_only: bool,
}

impl Reading {
    /// Reads what the user or the configuration named: a file, or all below a folder.
    fn named(&mut self, path: &Path) {
        if path == Path::new(STDIN) {
            let bytes = bounded(io::stdin().lock());
            return self.keep(path, bytes, true);
        }
        self.watched.push(path.to_owned());
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => self.folder(path, 0),
            Ok(_) => self.file(path, true),
            Err(error) => self.fail(path, &error),
        }
    }

    fn folder(&mut self, path: &Path, depth: usize) {
        if depth > MAX_DEPTH || !self.first_time(path) {
            return;
        }
        let entries = match fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(entries) => entries,
            Err(error) => return self.fail(path, &error),
        };
        let mut children: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
        children.sort();
        for child in children.iter().filter(|child| !is_hidden(child)) {
            match fs::metadata(child) {
                Ok(metadata) if metadata.is_dir() => self.folder(child, depth + 1),
                Ok(metadata) if metadata.is_file() && is_yaml(child) => self.file(child, false),
                Err(error) if is_yaml(child) => self.fail(child, &error),
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn file(&mut self, path: &Path, named: bool) {
        if self.first_time(path) && !self.names_only {
            self.keep(path, File::open(path).and_then(bounded), named);
        }
    }

    fn keep(&mut self, path: &Path, bytes: io::Result<Vec<u8>>, named: bool) {
        match bytes {
            Ok(bytes) => {
                let name = path.display().to_string();
                self.texts.push(if named { SourceText::named(&name, bytes) } else { SourceText::found(&name, bytes) });
            }
            Err(error) => self.fail(path, &error),
        }
    }

    /// Whether this file or folder was not met yet, by whatever way it is reached.
    fn first_time(&mut self, path: &Path) -> bool {
        self.seen.insert(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()))
    }

    fn fail(&mut self, path: &Path, error: &io::Error) {
        let name = path.display().to_string();
        let place = Place { file: name.as_str().into(), line: 1, column: 1, end_line: 1, end_column: 1 };
        let finding = Diagnostic::error(codes::UNREADABLE, format!("`{name}` cannot be read: {error}"));
        self.findings.push(finding.at(place, ""));
    }

    /// Whether a text says, outside comments, that it is of this version. Before parsing, so only a good guess: a wrong
    /// one is told by the loader.
    fn mentions(&self, version: &str) -> bool {
        self.texts.iter().any(|text| {
            text.text().lines().any(|line| {
                let line = line.trim_start();
                !line.starts_with('#') && line.contains("version") && line.contains(version)
            })
        })
    }

    fn finish(self) -> Gathered {
        let mut loaded = load::load(&self.texts);
        let mut unreadable = !self.findings.is_empty();
        loaded.findings.extend(self.findings);
        let mut texts: Vec<(Arc<str>, String)> =
            self.texts.iter().map(|text| (text.file.clone(), text.text().into_owned())).collect();
        let mut watched = self.watched;
        let named = loaded.config.as_ref().map(|config| config.templates.clone()).unwrap_or_default();
        for (sink, TemplateFile { path, .. }) in named {
            match File::open(&path).and_then(bounded).map(String::from_utf8) {
                Ok(Ok(text)) => {
                    texts.push((path.display().to_string().into(), text.clone()));
                    loaded.templates.insert(path.clone(), text);
                }
                Ok(Err(_)) => unreadable |= no_template(&mut loaded, &sink, &path, "is not UTF-8"),
                Err(error) => unreadable |= no_template(&mut loaded, &sink, &path, &format!("cannot be read: {error}")),
            }
            watched.push(path);
        }
        presence::look(&mut loaded);
        Gathered { loaded, texts: texts.into_iter().collect(), watched, unreadable }
    }
}

/// Whether a file that the configuration names is not among those that were read. In a service paths stand in for all of
/// them, but who checks one file has the others too.
fn leaves_out(loaded: &Loaded, read: &BTreeSet<PathBuf>) -> bool {
    let Some(config) = &loaded.config else { return false };
    let mut all = Reading { names_only: true, ..Reading::default() };
    for path in config.files.slos.iter().filter(|path| path.exists()) {
        all.named(path);
    }
    all.seen.iter().any(|path| path.is_file() && !read.contains(path))
}

/// Notes at the key `template` of a sink that there is none to be had.
fn no_template(loaded: &mut Loaded, sink: &str, path: &Path, problem: &str) -> bool {
    let finding = Diagnostic::error(codes::UNREADABLE, format!("the template `{}` {problem}", path.display()));
    let at = loaded.config_origin.as_ref().and_then(|origin| loaded.node(origin, &format!("/sinks/{sink}/template")));
    let finding = match at {
        Some((document, node)) => finding.at(document.place(node), document.path(node)),
        None => finding,
    };
    loaded.findings.push(finding);
    true
}

fn bounded(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let bound = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    input.take(bound).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Whether a file that was found, and not named, is read.
pub(super) fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(request: &Request, root: &Path) -> Vec<String> {
        let mut reading = Reading::default();
        request.paths.iter().for_each(|path| reading.named(path));
        let short = |text: &SourceText| text.file.replace(&format!("{}/", root.display()), "");
        reading.texts.iter().map(short).collect()
    }

    #[test]
    fn folders_are_read_without_what_is_hidden_and_each_file_once() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("a/.hidden")).unwrap();
        for name in ["a/x.yaml", "a/.hidden/x.yaml", "a/.x.yaml", "b.yml", "c.json", "a/d.yaml"] {
            fs::write(root.join(name), "x: 1").unwrap();
        }
        symlink(root, root.join("a/circle")).unwrap();
        let request = Request { paths: vec![root.to_owned(), root.join("a/x.yaml")], config: None };
        assert_eq!(names(&request, root), ["a/d.yaml", "a/x.yaml", "b.yml"]);
    }

    #[test]
    fn a_configmap_volume_is_read_through_its_links() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir(root.join("..2026")).unwrap();
        fs::write(root.join("..2026/slo.yaml"), "x: 1").unwrap();
        symlink("..2026", root.join("..data")).unwrap();
        symlink("..data/slo.yaml", root.join("slo.yaml")).unwrap();
        assert_eq!(names(&Request { paths: vec![root.to_owned()], config: None }, root), ["slo.yaml"]);
    }

    #[test]
    fn it_is_known_whether_files_were_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in ["a.yaml", "b.yaml"] {
            fs::write(root.join(name), "version: slo/v1\n").unwrap();
        }
        fs::write(root.join("slo.yaml"), "version: config/v1\n").unwrap();
        let is_part = |paths: &[&str]| {
            let paths = paths.iter().map(|path| root.join(path)).collect();
            Request { paths, config: Some(root.join("slo.yaml")) }.gather().loaded.is_part
        };
        assert!(is_part(&["a.yaml"]));
        assert!(!is_part(&["a.yaml", "b.yaml"]) && !is_part(&["."]) && !is_part(&[]));
    }

    #[test]
    fn what_cannot_be_read_is_a_finding() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.yaml");
        let gathered = Request { paths: vec![missing.clone()], config: None }.gather();
        assert!(gathered.unreadable);
        assert_eq!(gathered.loaded.findings.len(), 1);
        assert_eq!(gathered.loaded.findings[0].code, codes::UNREADABLE);
        assert!(gathered.loaded.findings[0].message.contains("missing.yaml"));
    }
}
