//! A program that is started for each notification: the webhook's body on its standard input.
//!
//! | it ends | verdict |
//! |---|---|
//! | with 0 | done |
//! | with 75 (`EX_TEMPFAIL` of sysexits.h) | retry |
//! | with anything else | refused |
//! | by a signal, or is killed when its time is over | ambiguous: it may have acted |
//! | it cannot be started: no such program, no permission | misconfigured |
//!
//! No shell: arguments are as written, and nothing of a notification is among them. It sees `PATH`, what is configured under
//! `env`, and `SLO_NOTIFICATION_ID`, `SLO_ALERT_ID`, `SLO_DEDUP_KEY`, `SLO_STATE`, `SLO_SEVERITY`, `SLO_KIND`, `SLO_INSTANCE`,
//! `SLO_PERHAPS_TOLD` (`1` where an earlier try may have acted). It has a process group of its own, and when its time is over
//! all of that is killed. Of what it prints 64 KiB are read and the beginning is shown, without the secrets under `env`.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::meant::SecretRef;
use crate::config::sinks::exec::Exec as Config;
use crate::policy::alert::AlertState;
use crate::sink::credentials::Credentials;
use crate::sink::{DeliveryVerdict, EventSink, Outcome, Parts, Sink, Task, body};
use crate::units::Timestamp;

/// "Temporary failure" of sysexits.h.
const TEMPORARY: i32 = 75;

/// What is read of each of its outputs; the rest is thrown away, so that it never waits for us.
const OUTPUT: u64 = 64 * 1024;

/// Characters of its output that are shown.
const EXCERPT: usize = 200;

/// After its end, for output that is still on the way; what it left running may hold its outputs open for ever.
const GRACE: Duration = Duration::from_millis(500);

/// Where programs are looked for if our own environment does not say.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// One program.
#[derive(Debug)]
pub struct Exec {
    program: PathBuf,
    arguments: Vec<String>,
    timeout: Duration,
    path: String,
    names: Vec<String>,
    credentials: Credentials,
}

/// Makes one from its configuration; fails where a secret is missing.
pub fn build(config: &Config, parts: &Parts<'_>) -> Result<Sink, String> {
    Exec::new(config, parts).map(Sink::event)
}

impl Exec {
    /// As [`build`].
    ///
    /// # Errors
    /// Where a secret is missing.
    pub fn new(config: &Config, parts: &Parts<'_>) -> Result<Self, String> {
        let path = parts.secrets.resolve(&SecretRef::Env("PATH".to_owned()));
        Ok(Self {
            program: config.program.clone(),
            arguments: config.arguments.clone(),
            timeout: Duration::from_millis(u64::try_from(config.timeout.millis()).unwrap_or_default()),
            path: path.map_or_else(|_| PATH.to_owned(), |path| path.expose_secret().to_owned()),
            names: config.environment.keys().cloned().collect(),
            credentials: Credentials::new(config.environment.values().cloned(), parts.secrets)?,
        })
    }

    fn start(&self, task: &Task, secrets: &[SecretString]) -> io::Result<Child> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().env("PATH", &self.path).envs(variables(task));
        for (name, value) in self.names.iter().zip(secrets) {
            command.env(name, value.expose_secret());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true).spawn()
    }

    /// Its end, and what it printed; no end where its time was over.
    async fn run(&self, task: &Task, mut child: Child) -> (Option<io::Result<ExitStatus>>, String) {
        let input = format!("{}\n", body::render(&task.notification));
        let mut streams = JoinSet::new();
        if let Some(mut stdin) = child.stdin.take() {
            streams.spawn(async move {
                // It need not read what it does not want.
                drop(stdin.write_all(input.as_bytes()).await);
                (0, Vec::new())
            });
        }
        if let Some(stdout) = child.stdout.take() {
            streams.spawn(async move { (2, read(stdout).await) });
        }
        if let Some(stderr) = child.stderr.take() {
            streams.spawn(async move { (1, read(stderr).await) });
        }
        let group = child.id();
        let ended = timeout(self.timeout, child.wait()).await.ok();
        if ended.is_none() {
            if let Some(group) = group {
                kill(group).await;
            }
            drop(child.kill().await);
        }
        // What went wrong is on its standard error, so that comes first.
        let mut outputs = Vec::new();
        while let Ok(Some(stream)) = timeout(GRACE, streams.join_next()).await {
            outputs.extend(stream);
        }
        outputs.sort();
        let printed: Vec<u8> = outputs.into_iter().flat_map(|(_, bytes)| bytes.into_iter().chain([b' '])).collect();
        (ended, String::from_utf8_lossy(&printed).into_owned())
    }
}

#[async_trait]
impl EventSink for Exec {
    fn preview(&self, task: &Task, _now: Timestamp) -> Option<String> {
        let set = variables(task).into_iter().map(|(name, value)| format!("{name}={value}"));
        let hidden = self.names.iter().map(|name| format!("{name}=***"));
        let lines: Vec<String> = set.chain(hidden).collect();
        Some(format!("{}\n\n{}", lines.join("\n"), body::render(&task.notification)))
    }

    async fn deliver(&self, task: &Task, _now: Timestamp) -> Outcome {
        let secrets = match self.credentials.values() {
            Ok(secrets) => secrets,
            Err(none) => return Outcome::new(DeliveryVerdict::Unauthorized, none.message),
        };
        let child = match self.start(task, &secrets) {
            Ok(child) => child,
            Err(why) => return unstarted(&why),
        };
        let (ended, printed) = self.run(task, child).await;
        let said = shown(printed, &secrets);
        match ended {
            None => {
                let message = format!("killed after {} s{said}", self.timeout.as_secs_f64());
                Outcome::new(DeliveryVerdict::Ambiguous, message)
            }
            Some(Err(why)) => Outcome::new(DeliveryVerdict::Ambiguous, format!("its end is not known: {why}")),
            Some(Ok(status)) => judge(status, &said),
        }
    }
}

/// What it sees of the notification beside the body; no value can hold a NUL.
fn variables(task: &Task) -> BTreeMap<&'static str, String> {
    let notification = &task.notification;
    let state = if notification.state == AlertState::Resolved { "resolved" } else { "firing" };
    let variables = [
        ("SLO_NOTIFICATION_ID", notification.id.as_str()),
        ("SLO_ALERT_ID", &notification.alert_id),
        ("SLO_DEDUP_KEY", &notification.dedup_key),
        ("SLO_STATE", state),
        ("SLO_SEVERITY", notification.severity.name()),
        ("SLO_KIND", notification.kind.name()),
        ("SLO_INSTANCE", &notification.slo),
        ("SLO_PERHAPS_TOLD", if task.perhaps_told { "1" } else { "0" }),
    ];
    variables.into_iter().map(|(name, value)| (name, value.replace('\0', "\u{fffd}"))).collect()
}

/// As much as is kept; the rest is read and thrown away.
async fn read(mut stream: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut kept = Vec::new();
    if (&mut stream).take(OUTPUT).read_to_end(&mut kept).await.is_ok() {
        drop(tokio::io::copy(&mut stream, &mut tokio::io::sink()).await);
    }
    kept
}

/// Kills all that it started. There is no safe call for that; every POSIX shell has it built in.
async fn kill(group: u32) {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "kill -s KILL -- \"-$1\"", "sh", &group.to_string()]);
    shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    drop(shell.status().await);
}

fn unstarted(why: &io::Error) -> Outcome {
    let verdict = match why.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput => {
            DeliveryVerdict::Misconfigured
        }
        _ => DeliveryVerdict::Retry(None),
    };
    Outcome::new(verdict, format!("cannot be started: {why}"))
}

fn judge(status: ExitStatus, said: &str) -> Outcome {
    let verdict = match (status.code(), status.signal()) {
        (Some(0), _) => DeliveryVerdict::Done,
        (Some(TEMPORARY), _) => DeliveryVerdict::Retry(None),
        (Some(_), _) => DeliveryVerdict::Refused,
        (None, _) => DeliveryVerdict::Ambiguous,
    };
    let end = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, signal) => format!("ended by signal {}", signal.unwrap_or_default()),
    };
    Outcome::new(verdict, format!("{end}{said}"))
}

/// The beginning of what it printed, in one line, without secrets.
fn shown(printed: String, secrets: &[SecretString]) -> String {
    let hidden = secrets.iter().fold(printed, |text, secret| text.replace(secret.expose_secret(), "***"));
    let plain: String = hidden.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let excerpt: String = words.chars().take(EXCERPT).collect();
    if excerpt.is_empty() { String::new() } else { format!(": {excerpt}") }
}
