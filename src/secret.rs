//! Secrets by reference: `{env: NAME}` and `{file: PATH}` become values here, and nowhere else.
//!
//! Why here: sources and sinks both need them and may not use each other. A file is read again when its time or size
//! changes, and on demand after a 401 or 403 ([`Secrets::reread`]), so that a rotated token needs no restart; an
//! environment variable never changes. A file that cannot be read, or is empty, once it was good gives its last good
//! value: whoever writes it may empty it first, and a page must not be lost by that. It is told once, by whoever listens. Values are wrapped in [`SecretString`], which prints nothing and is wiped when it
//! goes. Invariants: no error and no `Debug` of this module contains a value; a file larger than 64 KiB, a folder or a
//! pipe is refused, never read without a bound.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use secrecy::{ExposeSecret, SecretString};

use crate::config::meant::SecretRef;

/// No token or key is longer; a larger file is a mistake.
const LARGEST: u64 = 64 * 1024;

/// Stands in for secrets that are not looked up.
const STAND_IN: &str = "https://secret.invalid/stands-in";

/// A secret cannot be had. Names the reference, never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The variable is missing or empty.
    #[error("secret `{{env: {name}}}`: the environment variable {problem}")]
    Environment {
        /// Name of the variable.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The file cannot be used.
    #[error("secret `{{file: {path}}}`: {problem}")]
    File {
        /// Its path.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// What a file said when it was read last.
struct Known {
    stamp: Stamp,
    value: SecretString,
    /// It cannot be read any more, which was told.
    stale: bool,
}

/// By what a change of a file is noticed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
}

type Listener = Box<dyn Fn(&SecretError) + Send + Sync>;
type Environment = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Resolves references; one for the whole process, shared behind an `Arc`.
pub struct Secrets {
    /// Stands in for every value.
    stand_in: Option<SecretString>,
    environment: Environment,
    listener: Option<Listener>,
    files: Mutex<HashMap<PathBuf, Known>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// With the environment of this process.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place where `{env: NAME}` is looked up")]
    pub fn of_process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// With another environment (tests, `slo demo`).
    #[must_use]
    pub fn new(environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        let (environment, files) = (Box::new(environment), Mutex::new(HashMap::new()));
        Self { stand_in: None, environment, listener: None, files }
    }

    /// None at all: every reference gives the same text, an address, since some secrets are addresses. To show what would
    /// be sent where the secrets are not at hand.
    #[must_use]
    pub fn standing_in() -> Self {
        Self { stand_in: Some(SecretString::from(STAND_IN)), ..Self::new(|_| None) }
    }

    /// With somebody who is told, once each time, that the last good value of a file stands in for it.
    #[must_use]
    pub fn telling(mut self, listener: impl Fn(&SecretError) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// The value, to log in with: of a file that cannot be read just now the last good one.
    pub fn resolve(&self, reference: &SecretRef) -> Result<SecretString, SecretError> {
        self.present(reference).or_else(|error| self.last_good(reference, error))
    }

    /// The value as it is now, without a stand-in: to judge what is configured, and for what ends when its file goes. A file
    /// that did not change since the last time is not read again; one line end at its end is dropped.
    pub fn present(&self, reference: &SecretRef) -> Result<SecretString, SecretError> {
        if let Some(value) = &self.stand_in {
            return Ok(value.clone());
        }
        match reference {
            SecretRef::Env(name) => self.variable(name),
            SecretRef::File(path) => self.file(path, false),
        }
    }

    /// After a 401 or 403: the file's present value, read whatever its time says. `None` for the environment, which does
    /// not change: trying again would be in vain.
    pub fn reread(&self, reference: &SecretRef) -> Result<Option<SecretString>, SecretError> {
        match reference {
            SecretRef::Env(_) => Ok(None),
            SecretRef::File(path) => self.file(path, true).map(Some),
        }
    }

    /// `text` with the present values of these hidden; one that cannot be had is nowhere in it.
    #[must_use]
    pub fn hide(&self, text: String, references: &[&SecretRef]) -> String {
        let values = references.iter().filter_map(|reference| self.resolve(reference).ok());
        values.fold(text, |text, secret| text.replace(secret.expose_secret(), "***"))
    }

    fn variable(&self, name: &str) -> Result<SecretString, SecretError> {
        let error = |problem| SecretError::Environment { name: name.to_owned(), problem };
        let value = (self.environment)(name).ok_or_else(|| error("is not set"))?;
        if value.is_empty() { Err(error("is empty")) } else { Ok(SecretString::from(value)) }
    }

    fn last_good(&self, reference: &SecretRef, error: SecretError) -> Result<SecretString, SecretError> {
        let SecretRef::File(path) = reference else { return Err(error) };
        let (value, told) = {
            let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(known) = files.get_mut(path) else { return Err(error) };
            (known.value.clone(), std::mem::replace(&mut known.stale, true))
        };
        if let Some(listener) = self.listener.as_ref().filter(|_| !told) {
            listener(&error);
        }
        Ok(value)
    }

    fn file(&self, path: &Path, again: bool) -> Result<SecretString, SecretError> {
        let error = |problem: String| SecretError::File { path: path.display().to_string(), problem };
        let about = fs::metadata(path).map_err(|why| error(format!("cannot be read: {why}")))?;
        if !about.is_file() {
            return Err(error("is not a file".to_owned()));
        }
        let stamp = Stamp { modified: about.modified().ok(), bytes: about.len() };
        // A panic elsewhere leaves the map whole: entries are only inserted.
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if !again && let Some(known) = files.get_mut(path).filter(|known| known.stamp == stamp) {
            known.stale = false;
            return Ok(known.value.clone());
        }
        let value = read(path).map_err(error)?;
        files.insert(path.to_owned(), Known { stamp, value: value.clone(), stale: false });
        Ok(value)
    }
}

fn read(path: &Path) -> Result<SecretString, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|why| format!("cannot be read: {why}"))?;
    // The reader's own message may quote bytes of the file, so it is not passed on.
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(|why| format!("cannot be read: {}", why.kind()))?;
    let secret = SecretString::from(text);
    let text = secret.expose_secret();
    if text.len() as u64 > LARGEST {
        return Err("is larger than 64 KiB: not a secret".to_owned());
    }
    let line = text.strip_suffix('\n').map_or(text, |rest| rest.strip_suffix('\r').unwrap_or(rest));
    if line.is_empty() { Err("is empty".to_owned()) } else { Ok(SecretString::from(line)) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, SecretRef) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, text).unwrap();
        (folder, SecretRef::File(path))
    }

    fn path(reference: &SecretRef) -> &Path {
        match reference {
            SecretRef::File(path) => path,
            SecretRef::Env(_) => unreachable!(),
        }
    }

    #[test]
    fn variables_come_from_the_environment_and_must_hold_something() {
        let secrets = Secrets::new(|name| match name {
            "TOKEN" => Some("abc".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        });
        assert_eq!(secrets.resolve(&SecretRef::Env("TOKEN".into())).unwrap().expose_secret(), "abc");
        let error = secrets.resolve(&SecretRef::Env("EMPTY".into())).unwrap_err();
        assert_eq!(error.to_string(), "secret `{env: EMPTY}`: the environment variable is empty");
        let error = secrets.resolve(&SecretRef::Env("NONE".into())).unwrap_err();
        assert_eq!(error.to_string(), "secret `{env: NONE}`: the environment variable is not set");
        assert!(secrets.reread(&SecretRef::Env("TOKEN".into())).unwrap().is_none());
    }

    #[test]
    fn a_file_is_read_again_when_it_changes() {
        let (_folder, reference) = file("first\n");
        let secrets = Secrets::new(|_| None);
        assert_eq!(secrets.resolve(&reference).unwrap().expose_secret(), "first");
        fs::write(path(&reference), "second one\r\n").unwrap();
        assert_eq!(secrets.resolve(&reference).unwrap().expose_secret(), "second one");
    }

    #[test]
    fn a_change_that_neither_time_nor_size_shows_is_seen_on_demand() {
        let (_folder, reference) = file("first");
        let secrets = Secrets::new(|_| None);
        let before = fs::metadata(path(&reference)).unwrap().modified().unwrap();
        assert_eq!(secrets.resolve(&reference).unwrap().expose_secret(), "first");
        fs::write(path(&reference), "other").unwrap();
        File::options().write(true).open(path(&reference)).unwrap().set_modified(before).unwrap();
        assert_eq!(secrets.resolve(&reference).unwrap().expose_secret(), "first");
        assert_eq!(secrets.reread(&reference).unwrap().unwrap().expose_secret(), "other");
        assert_eq!(secrets.resolve(&reference).unwrap().expose_secret(), "other");
    }

    #[test]
    fn the_last_good_value_stands_in_for_a_file_that_is_gone_or_empty_and_is_told_once() {
        let (_folder, reference) = file("good");
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let secrets = Secrets::new(|_| None).telling(move |error| heard.lock().unwrap().push(error.to_string()));
        let value = || secrets.resolve(&reference).unwrap().expose_secret().to_owned();
        assert_eq!(value(), "good");
        fs::write(path(&reference), "").unwrap();
        assert_eq!([value(), value()], ["good", "good"]);
        fs::remove_file(path(&reference)).unwrap();
        assert_eq!(value(), "good");
        assert!(secrets.present(&reference).is_err(), "what is configured is judged by what is there");
        assert!(secrets.reread(&reference).is_err(), "a refused value is not tried again");
        fs::write(path(&reference), "better").unwrap();
        assert_eq!(value(), "better");
        fs::remove_file(path(&reference)).unwrap();
        assert_eq!(value(), "better");
        let told = told.lock().unwrap().clone();
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].ends_with("is empty") && told[1].contains("cannot be read"), "{told:?}");
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused_without_showing_it() {
        let secrets = Secrets::new(|_| None);
        let (folder, _) = file("x");
        let missing = secrets.resolve(&SecretRef::File(folder.path().join("none"))).unwrap_err();
        assert!(missing.to_string().contains("cannot be read"), "{missing}");
        let folder = secrets.resolve(&SecretRef::File(folder.path().into())).unwrap_err();
        assert!(folder.to_string().ends_with("is not a file"), "{folder}");
        let (_folder, empty) = file("\n");
        assert!(secrets.resolve(&empty).unwrap_err().to_string().ends_with("is empty"));
        let (_folder, large) = file(&"canary".repeat(20_000));
        let error = secrets.resolve(&large).unwrap_err().to_string();
        assert!(error.contains("larger than 64 KiB") && !error.contains("canary"), "{error}");
        let (_folder, binary) = file("x");
        fs::write(path(&binary), [0xff, 0xfe, b'c', b'a', b'n']).unwrap();
        assert!(secrets.resolve(&binary).unwrap_err().to_string().contains("cannot be read"));
    }
}
