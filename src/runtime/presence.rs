//! What the configuration names outside its files: programs, the file of tokens, secrets. Whether it is there is a finding
//! of a check, for a service would see it when somebody has to be told, or not start.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::check::load::Loaded;
use crate::config::meant::{SecretRef, SinkConfig};
use crate::diag::{Diagnostic, codes};
use crate::secret::Secrets;
use crate::yaml::{Document, NodeId, Shape};

/// Notes programs and a file of tokens that are not on this machine. It may be another one than the service's, so these
/// are warnings; of a name that is looked for in `PATH` nothing is said.
pub(super) fn look(loaded: &mut Loaded) {
    let Some(config) = &loaded.config else { return };
    let mut absent: Vec<(String, String)> = Vec::new();
    for (name, sink) in &config.sinks {
        if let SinkConfig::Exec(exec) = sink
            && exec.program.components().count() > 1
            && let Some(problem) = not_a_program(&exec.program)
        {
            let message = format!("the program `{}` of sink `{name}` {problem}", exec.program.display());
            absent.push((format!("/sinks/{name}/command/0"), message));
        }
    }
    if let Some(path) = config.server.tokens.as_ref().filter(|path| !path.exists()) {
        let message = format!("the file of tokens `{}` is not there", path.display());
        absent.push(("/server/auth/tokens/file".to_owned(), message));
    }
    for (path, message) in absent {
        let finding = Diagnostic::warning(codes::MISSING_FILE, message);
        note(loaded, &path, finding.with_help("where the service runs it has to be; here nothing else needs it"));
    }
}

/// Notes every secret of sources, sinks and signed links that cannot be had here: `slo run` would not start, or, without
/// `link_secret`, its messages would have no links.
pub fn look_for_secrets(loaded: &mut Loaded, secrets: &Secrets) {
    let Some((document, root)) = loaded.config_origin.as_ref().and_then(|origin| loaded.node(origin, "")) else {
        return;
    };
    let folder = Path::new(document.file().as_ref()).parent().unwrap_or(Path::new(""));
    // The file of tokens is no secret; `look` says whether it is there.
    let links = document.child(root, "server").and_then(|server| document.child(server, "link_secret"));
    let sections = ["sources", "sinks"].into_iter().filter_map(|key| document.child(root, key)).chain(links);
    let mut absent = Vec::new();
    let mut open: Vec<NodeId> = sections.collect();
    while let Some(node) = open.pop() {
        match reference(document, node, folder) {
            Some(secret) => absent.extend(secrets.present(&secret).err().map(|error| (document.path(node), error))),
            None => open.extend(document.children(node)),
        }
    }
    absent.sort_by(|one, other| one.0.cmp(&other.0));
    for (path, error) in absent {
        note(loaded, &path, Diagnostic::error(codes::MISSING_FILE, format!("a secret is missing: {error}")));
    }
}

/// The secret that a node refers to: `{env: NAME}` or `{file: PATH}`.
fn reference(document: &Document, node: NodeId, folder: &Path) -> Option<SecretRef> {
    let [only] = document.children(node) else { return None };
    let text = document.text(*only).filter(|_| document.shape(node) == Shape::Mapping)?;
    match document.key(*only)? {
        "env" => Some(SecretRef::Env(text.to_owned())),
        "file" => Some(SecretRef::File(folder.join(text))),
        _ => None,
    }
}

/// Why a file cannot be started, if it cannot.
fn not_a_program(path: &Path) -> Option<&'static str> {
    match fs::metadata(path) {
        Err(_) => Some("is not there"),
        Ok(about) if !about.is_file() => Some("is no file"),
        Ok(about) if about.permissions().mode() & 0o111 == 0 => Some("may not be executed: `chmod +x` it"),
        Ok(_) => None,
    }
}

/// Puts a finding at a path of the configuration.
fn note(loaded: &mut Loaded, path: &str, finding: Diagnostic) {
    let at = loaded.config_origin.as_ref().and_then(|origin| loaded.node(origin, path));
    let finding = match at {
        Some((document, node)) => finding.at(document.place(node), document.path(node)),
        None => finding,
    };
    loaded.findings.push(finding);
}

#[cfg(test)]
mod tests {
    use crate::check::load::load;
    use crate::diag::concise;
    use crate::yaml::SourceText;

    use super::*;

    fn shown(loaded: &Loaded) -> Vec<String> {
        loaded.findings.iter().map(concise::line).collect()
    }

    #[test]
    fn a_program_is_there_and_may_be_executed() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("slo.yaml").display().to_string();
        let program = folder.path().join("page.sh");
        let found = |sinks: &str| {
            let text = format!("version: config/v1\nsinks: {{{sinks}}}\n");
            let mut loaded = load(&[SourceText::named(&config, text)]);
            assert!(loaded.findings.is_empty(), "{:?}", loaded.findings);
            look(&mut loaded);
            shown(&loaded)
        };
        let ours = "run: {type: exec, command: [./page.sh, page]}";
        let lines = found(ours);
        assert!(lines.len() == 1 && lines[0].contains(":2:37: warning[SLO079]"), "{lines:?}");
        assert!(lines[0].contains("is not there"), "{lines:?}");
        fs::write(&program, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(found(ours)[0].contains("may not be executed"));
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(found(ours), Vec::<String>::new());
        assert_eq!(found("run: {type: exec, command: [nothing-of-this-name]}"), Vec::<String>::new());
    }

    #[test]
    fn every_secret_is_looked_for_where_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("there"), "canary").unwrap();
        let config = folder.path().join("slo.yaml").display().to_string();
        let text = "version: config/v1\n\
            sources: {main: {type: prometheus, auth: {bearer: {file: there}}}}\n\
            server: {link_secret: {file: none}, auth: {tokens: {file: tokens}}}\n\
            sinks:\n  hook: {type: webhook, url: 'https://hooks.example/', secret: {env: GONE}}\n  \
            pd: {type: pagerduty, routing_key: {file: gone}}\n  \
            run: {type: exec, command: [x], env: {KEY: {env: HERE}}}\n";
        let mut loaded = load(&[SourceText::named(&config, text)]);
        assert!(loaded.findings.is_empty(), "{:?}", loaded.findings);
        look_for_secrets(&mut loaded, &Secrets::new(|name| (name == "HERE").then(|| "canary".to_owned())));
        let lines = shown(&loaded);
        assert_eq!(lines.len(), 3, "the file of tokens is no secret: {lines:?}");
        assert!(lines[0].contains(":3:") && lines[0].contains("none"), "{lines:?}");
        assert!(
            lines[1].contains(":5:") && lines[1].contains("error[SLO079]") && lines[1].contains("GONE"),
            "{lines:?}"
        );
        assert!(lines[2].contains(":6:") && lines[2].contains("gone"), "{lines:?}");
    }
}
