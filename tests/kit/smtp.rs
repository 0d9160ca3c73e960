//! A real SMTP server, aiosmtpd, with TLS, login and programmed faults.
//!
//! It lives in a virtual environment under `target/tmp`, made once with a pinned version; Debian needs `python3` and
//! `python3-venv` for that, and a package index that answers. Where it cannot be had, tests say so in one line and end,
//! or fail where servers are required ([`super::REQUIRE_SERVERS`]). Certificates are made here; the authority's is what a
//! client has to trust.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use super::{REQUIRE_SERVERS, wait_for};

const VERSION: &str = "aiosmtpd==1.4.6";

/// How a server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    Plain,
    Starttls,
    Implicit,
}

/// A running server; ends with this value.
pub struct Smtp {
    pub port: u16,
    child: Child,
    stdin: ChildStdin,
    events: Arc<Mutex<Vec<Value>>>,
    folder: tempfile::TempDir,
}

impl Smtp {
    /// With a certificate for 127.0.0.1; `login` is name and password, where one is wanted.
    pub fn start(encryption: Encryption, login: Option<(&str, &str)>) -> Option<Self> {
        Self::named(encryption, login, "127.0.0.1")
    }

    /// With a certificate for another name.
    pub fn named(encryption: Encryption, login: Option<(&str, &str)>, name: &str) -> Option<Self> {
        let python = python()?;
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path(), name);
        let options = json!({
            "tls": match encryption {
                Encryption::Plain => "plain",
                Encryption::Starttls => "starttls",
                Encryption::Implicit => "implicit",
            },
            "login": login.map(|(user, password)| [user, password]),
            "certificate": folder.path().join("server.pem"),
            "key": folder.path().join("server.key"),
        });
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kit/smtp_server.py");
        let errors = std::fs::File::create(folder.path().join("errors")).unwrap();
        let mut command = Command::new(python);
        command.arg(script).arg(options.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_else(|| {
            panic!("no SMTP server: {}", std::fs::read_to_string(folder.path().join("errors")).unwrap())
        });
        let first: Value = serde_json::from_str(&first).unwrap();
        let port = first["port"].as_u64().and_then(|port| u16::try_from(port).ok()).unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&events);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Some(Self { port, child, stdin, events, folder })
    }

    /// The certificate that a client has to trust.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Sets all faults: `greeting`, `mail`, `data`, `dot` (a reply, `silence`, or `drop`), `rcpt` by address.
    pub async fn faults(&mut self, faults: &Value) {
        let before = self.of("set").len();
        writeln!(self.stdin, "{faults}").unwrap();
        wait_for("the faults are set", || async { (self.of("set").len() > before).then_some(()) }).await;
    }

    /// What the server told under this key.
    pub fn of(&self, key: &str) -> Vec<Value> {
        self.events.lock().unwrap().iter().filter(|event| event.get(key).is_some()).cloned().collect()
    }

    /// The letters that it took, once there are as many.
    pub async fn letters(&self, count: usize) -> Vec<Value> {
        let letters = || self.of("mail").iter().map(|event| event["mail"].clone()).collect::<Vec<_>>();
        wait_for("the letters", || async { Some(letters()).filter(|letters| letters.len() >= count) }).await
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An authority, and a certificate of it for `name`.
fn certificates(folder: &Path, name: &str) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = authority.self_signed(&key).unwrap();
    std::fs::write(folder.join("authority.pem"), certificate.pem()).unwrap();
    let issuer = Issuer::new(authority, key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    std::fs::write(folder.join("server.pem"), certificate.pem()).unwrap();
    std::fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}

/// A python that has aiosmtpd; made once.
fn python() -> Option<PathBuf> {
    static PYTHON: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match PYTHON.get_or_init(make) {
        Ok(python) => Some(python.clone()),
        Err(why) => {
            let required = std::env::var_os(REQUIRE_SERVERS).is_some_and(|value| value == "1");
            assert!(!required, "no aiosmtpd, and {REQUIRE_SERVERS}=1: {why}");
            println!("skipped: no aiosmtpd: {why}");
            None
        }
    }
}

fn make() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("smtp-venv");
    let python = folder.join("bin/python");
    let ready = folder.join(VERSION);
    if ready.is_file() {
        return Ok(python);
    }
    let run = |command: &mut Command| -> Result<(), String> {
        let output = command.stdin(Stdio::null()).output().map_err(|why| format!("{command:?}: {why}"))?;
        let said = String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned();
        if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {} {said}", output.status)) }
    };
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", VERSION]))?;
    std::fs::write(&ready, "").map_err(|why| why.to_string())?;
    Ok(python)
}
