//! The walls of ARCHITECTURE.md, as a test: who may use whom, which outside crates a layer may name, how long files
//! and functions may be, and that every file says what it is for.
//!
//! It parses `src` with `syn`, so a wall cannot be dodged by formatting. Code under `#[cfg(test)]` is left out. When a
//! wall is in the way, move it here and in ARCHITECTURE.md, with the reason.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A layer, what it may use of ours, and which outside crates (beside std's pure parts) it may name.
struct Layer {
    name: &'static str,
    uses: &'static [&'static str],
    crates: &'static [&'static str],
    pure: bool,
}

const PURE_CRATES: &[&str] = &["std", "core", "alloc", "serde", "serde_json", "thiserror", "smallvec", "rust_decimal"];

const fn layer(
    name: &'static str,
    uses: &'static [&'static str],
    crates: &'static [&'static str],
    pure: bool,
) -> Layer {
    Layer { name, uses, crates, pure }
}

/// The table of ARCHITECTURE.md, bottom up.
const LAYERS: &[Layer] = &[
    layer("units", &[], &["chrono", "chrono_tz", "cron"], true),
    layer("diag", &["units"], &["annotate_snippets"], true),
    layer("yaml", &["units", "diag"], &["serde_yaml", "saphyr_parser", "strsim"], true),
    layer("spec", &["units", "diag", "yaml"], &["promql_parser", "regex", "strsim", "sha2"], true),
    layer("config", &["units", "diag", "yaml", "spec"], &["strsim"], true),
    layer("plan", &["units", "diag", "yaml", "spec", "config", "engine"], &["promql_parser", "regex"], true),
    layer("engine", &["units", "diag", "yaml", "spec", "config"], &[], true),
    layer("policy", &["units", "diag", "yaml", "spec", "config", "plan", "engine"], &["minijinja", "sha2"], true),
    layer(
        "check",
        &["units", "diag", "yaml", "spec", "config", "plan", "engine", "policy"],
        &["promql_parser", "strsim", "sha2"],
        true,
    ),
    layer("replay", &["units", "spec", "config", "plan", "engine", "policy"], &[], true),
    layer("ruler", &["units", "spec", "engine", "policy"], &[], true),
    layer("secret", &["units", "config"], &["secrecy"], false),
    layer("clock", &["units"], &["tokio", "chrono", "getrandom"], false),
    layer("telemetry", &["units", "diag"], &["tracing", "tracing_subscriber", "prometheus_client", "tokio"], false),
    layer(
        "source",
        &["units", "spec", "config", "plan", "engine", "telemetry", "secret"],
        &[
            "tokio",
            "reqwest",
            "async_trait",
            "futures_util",
            "prost",
            "snap",
            "crc32c",
            "prometheus_parse",
            "chrono",
            "secrecy",
            "rustls",
            "regex",
            "tracing",
        ],
        false,
    ),
    layer(
        "sink",
        &["units", "spec", "config", "engine", "policy", "telemetry", "secret"],
        &[
            "tokio",
            "reqwest",
            "async_trait",
            "hmac",
            "sha2",
            "base64",
            "secrecy",
            "chrono",
            "rustls",
            "futures_util",
            "lettre",
        ],
        false,
    ),
    layer("store", &["units", "spec", "engine", "policy", "telemetry"], &["tokio", "rusqlite", "async_trait"], false),
    layer(
        "runtime",
        &[
            "units",
            "diag",
            "yaml",
            "spec",
            "config",
            "plan",
            "engine",
            "policy",
            "check",
            "replay",
            "source",
            "sink",
            "store",
            "telemetry",
            "clock",
            "secret",
        ],
        &[
            "tokio",
            "tokio_util",
            "async_trait",
            "rayon",
            "notify",
            "tracing",
            "sha2",
            "futures_util",
            "hmac",
            "base64",
            "argon2",
            "secrecy",
            "subtle",
        ],
        false,
    ),
    layer(
        "http",
        &["units", "diag", "spec", "config", "engine", "policy", "store", "telemetry", "runtime"],
        &["tokio", "axum", "utoipa", "maud", "futures_util", "hyper", "hyper_util", "base64", "hmac", "sha2", "subtle"],
        false,
    ),
    layer(
        "app",
        &[
            "units",
            "diag",
            "yaml",
            "spec",
            "config",
            "plan",
            "engine",
            "policy",
            "check",
            "replay",
            "source",
            "sink",
            "store",
            "telemetry",
            "clock",
            "secret",
            "runtime",
            "http",
        ],
        &["tokio", "tokio_util", "anyhow", "rustls", "tracing"],
        false,
    ),
    layer(
        "cli",
        &[
            "units",
            "diag",
            "yaml",
            "spec",
            "config",
            "plan",
            "engine",
            "policy",
            "ruler",
            "check",
            "replay",
            "source",
            "sink",
            "store",
            "telemetry",
            "clock",
            "secret",
            "runtime",
            "http",
            "app",
        ],
        &[
            "tokio",
            "tokio_util",
            "anyhow",
            "clap",
            "comfy_table",
            "futures_util",
            "indicatif",
            "reqwest",
            "axum",
            "tracing",
            "chrono",
            "rustls",
        ],
        false,
    ),
];

/// `http` sees the service's handle, not the machinery behind it; and the words that the handle is spoken to in, where they
/// have a file of their own: who may, signed links, what receivers tell us.
const HTTP_RUNTIME_MODULES: &[&str] = &["service", "access", "hooks", "links"];

const FILE_LIMIT: usize = 500;
const FUNCTION_LIMIT: usize = 100;

struct Source {
    path: PathBuf,
    module: String,
    text: String,
    syntax: syn::File,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files.sort();
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let relative = path.strip_prefix(&root).unwrap().to_owned();
            let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
            Source { path: relative, module: first.trim_end_matches(".rs").to_owned(), text, syntax }
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || (attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test")))
    })
}

/// Every path that the code outside tests names, and the length of every function.
#[derive(Default)]
struct Reader {
    paths: Vec<(usize, Vec<String>)>,
    functions: Vec<(usize, usize, String)>,
    globs: Vec<usize>,
    root_exports: Vec<usize>,
    test_lines: usize,
}

impl Reader {
    fn use_tree(&mut self, tree: &syn::UseTree, prefix: &[String]) {
        match tree {
            syn::UseTree::Path(path) => {
                let mut longer = prefix.to_vec();
                longer.push(path.ident.to_string());
                self.use_tree(&path.tree, &longer);
            }
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.use_tree(item, prefix)),
            syn::UseTree::Glob(glob) => {
                if prefix.last().is_some_and(|last| last == "super") {
                    self.globs.push(glob.span().start().line);
                }
                self.paths.push((glob.span().start().line, prefix.to_vec()));
            }
            syn::UseTree::Name(name) => {
                let mut whole = prefix.to_vec();
                whole.push(name.ident.to_string());
                self.paths.push((name.span().start().line, whole));
            }
            syn::UseTree::Rename(rename) => {
                let mut whole = prefix.to_vec();
                whole.push(rename.ident.to_string());
                self.paths.push((rename.span().start().line, whole));
            }
        }
    }

    fn function(&mut self, name: &str, span: proc_macro2::Span) {
        let lines = span.end().line - span.start().line + 1;
        self.functions.push((span.start().line, lines, name.to_owned()));
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if is_test(&item.attrs) {
            self.test_lines += item.span().end().line - item.span().start().line + 1;
        } else {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        if !is_test(&item.attrs) {
            self.function(&item.sig.ident.to_string(), item.span());
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            self.function(&item.sig.ident.to_string(), item.span());
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if is_test(&item.attrs) {
            return;
        }
        if !matches!(item.vis, syn::Visibility::Inherited) {
            self.root_exports.push(item.span().start().line);
        }
        self.use_tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.paths.push((path.span().start().line, segments));
        }
        visit::visit_path(self, path);
    }

    /// Macro arguments are not parsed as paths: their tokens are searched for `crate::layer` and `outside::`.
    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let line = item.span().start().line;
        let tokens: Vec<String> = flatten(item.tokens.clone());
        for (index, pair) in tokens.windows(4).enumerate() {
            let starts = index == 0 || tokens.get(index.wrapping_sub(1)).is_none_or(|before| before != ":");
            if starts && pair.get(1).is_some_and(|t| t == ":") && pair.get(2).is_some_and(|t| t == ":") {
                self.paths.push((line, vec![pair[0].clone(), pair[3].clone()]));
            }
        }
        let segments: Vec<String> = item.path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.paths.push((line, segments));
    }
}

fn flatten(tokens: proc_macro2::TokenStream) -> Vec<String> {
    tokens
        .into_iter()
        .flat_map(|tree| match tree {
            proc_macro2::TokenTree::Group(group) => flatten(group.stream()),
            other => vec![other.to_string()],
        })
        .collect()
}

fn read(source: &Source) -> Reader {
    let mut reader = Reader::default();
    reader.visit_file(&source.syntax);
    reader
}

fn report(found: &[String]) {
    assert!(found.is_empty(), "{} walls broken:\n{}", found.len(), found.join("\n"));
}

/// The crates of Cargo.toml, as they are named in code.
fn dependencies() -> Vec<String> {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let mut names = Vec::new();
    let mut inside = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside && let Some((name, _)) = line.split_once('=') {
            names.push(name.trim().replace('-', "_"));
        }
    }
    assert!(names.len() > 20, "the manifest was not understood: {names:?}");
    names
}

#[test]
fn every_edge_between_layers_is_in_the_table() {
    let layers: BTreeMap<&str, &Layer> = LAYERS.iter().map(|layer| (layer.name, layer)).collect();
    let mut found = Vec::new();
    let mut edges = 0;
    for source in sources() {
        if matches!(source.module.as_str(), "lib" | "main") {
            continue;
        }
        let Some(layer) = layers.get(source.module.as_str()) else {
            found.push(format!("{}: no layer of ARCHITECTURE.md", source.path.display()));
            continue;
        };
        for (line, path) in read(&source).paths {
            let ("crate", Some(target)) = (path[0].as_str(), path.get(1)) else { continue };
            if target == layer.name || !layers.contains_key(target.as_str()) {
                continue;
            }
            edges += 1;
            if !layer.uses.contains(&target.as_str()) {
                found.push(format!("src/{}:{line}: `{}` may not use `{target}`", source.path.display(), layer.name));
            }
            let inner = path.get(2).map(String::as_str).unwrap_or_default();
            if layer.name == "http" && target == "runtime" && !HTTP_RUNTIME_MODULES.contains(&inner) {
                found.push(format!("src/{}:{line}: `http` speaks to `runtime::service` only", source.path.display()));
            }
        }
    }
    assert!(edges > 50, "only {edges} edges seen: the reader is broken");
    report(&found);
}

#[test]
fn adapters_never_import_each_other() {
    for adapter in ["source", "sink", "store"] {
        let layer = LAYERS.iter().find(|layer| layer.name == adapter).unwrap();
        for other in ["source", "sink", "store"] {
            assert!(!layer.uses.contains(&other), "`{adapter}` may not use `{other}`");
        }
    }
}

#[test]
fn outside_crates_stay_in_the_layers_that_may_name_them() {
    let known = dependencies();
    let mut found = Vec::new();
    let mut seen = 0;
    for source in sources() {
        let Some(layer) = LAYERS.iter().find(|layer| layer.name == source.module) else { continue };
        for (line, path) in read(&source).paths {
            let name = path[0].as_str();
            if !known.iter().any(|known| known == name) {
                continue;
            }
            seen += 1;
            if !PURE_CRATES.contains(&name) && !layer.crates.contains(&name) {
                found.push(format!("src/{}:{line}: `{}` may not name `{name}`", source.path.display(), layer.name));
            }
        }
    }
    assert!(seen > 50, "only {seen} uses seen: the reader is broken");
    report(&found);
}

#[test]
fn pure_layers_touch_no_files_network_environment_clock_or_processes() {
    const BANNED: &[&str] = &["fs", "net", "env", "process", "thread", "io"];
    let mut found = Vec::new();
    for source in sources() {
        let Some(layer) = LAYERS.iter().find(|layer| layer.name == source.module) else { continue };
        if !layer.pure {
            continue;
        }
        for (line, path) in read(&source).paths {
            let second = path.get(1).map(String::as_str).unwrap_or_default();
            let outside = path[0] == "std" && BANNED.contains(&second) && path.get(2).is_none_or(|t| t != "SocketAddr");
            let clock = matches!(path.last().map(String::as_str), Some("SystemTime" | "Instant"));
            if outside || clock {
                found.push(format!(
                    "src/{}:{line}: `{}` is pure, and names `{}`",
                    source.path.display(),
                    layer.name,
                    path.join("::")
                ));
            }
        }
    }
    report(&found);
}

#[test]
fn files_and_functions_stay_small_and_say_what_they_are_for() {
    let mut found = Vec::new();
    for source in sources() {
        let reader = read(&source);
        let lines = source.text.lines().count().saturating_sub(reader.test_lines);
        if lines > FILE_LIMIT {
            found.push(format!("src/{}: {lines} lines without tests, limit {FILE_LIMIT}", source.path.display()));
        }
        if !source.text.starts_with("//!") {
            found.push(format!("src/{}: no module doc", source.path.display()));
        }
        for (line, length, name) in &reader.functions {
            if *length > FUNCTION_LIMIT {
                found.push(format!(
                    "src/{}:{line}: `{name}` has {length} lines, limit {FUNCTION_LIMIT}",
                    source.path.display()
                ));
            }
        }
        for line in &reader.globs {
            found.push(format!("src/{}:{line}: `use super::*` outside tests", source.path.display()));
        }
        if source.module == "lib" && !reader.root_exports.is_empty() {
            found.push("src/lib.rs: re-exports at the crate root".to_owned());
        }
    }
    report(&found);
}
