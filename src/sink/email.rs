//! E-mail by SMTP: a letter with text and HTML, handed over to each recipient by itself.
//!
//! | what came of the recipients | verdict |
//! |---|---|
//! | all accepted | done |
//! | some accepted, the others refused for good | done, with an alarm that names them |
//! | none accepted, all refused for good | refused |
//! | one perhaps accepted | ambiguous; it is sent again under the same `Message-ID` |
//! | one not now | retry |
//! | the server or the login is not as configured | misconfigured |
//!
//! The handle holds who has been told of this notification, so that a retry goes to the others only, and the id of the
//! first letter of the thread. A password that is refused is read again, once.

pub mod html;
pub mod letter;
pub mod session;
mod tables;

use std::fs;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials as SmtpCredentials;
use lettre::transport::smtp::client::{Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use crate::config::sinks::email::{Email as Config, SmtpTls};
use crate::sink::credentials::Credentials;
use crate::sink::email::letter::{Addresses, Letter};
use crate::sink::email::session::{Ended, Fate, Told, Way};
use crate::sink::text::Text;
use crate::sink::{DeliveryVerdict, EventSink, Outcome, Parts, Sink, Task};
use crate::units::{Length, Timestamp};

/// To connect, and for a whole session (INTERFACES 5).
const BOUNDS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(15));

/// Servers of mail count connections by the minute: at most this many sessions a second from one sink.
const PACE: Length = Length::from_millis(200);

/// No file of certificates is larger.
const LARGEST_CA: u64 = 1024 * 1024;

/// One sink of e-mail.
#[derive(Debug)]
pub struct Email {
    way: Way,
    addresses: Addresses,
    user: String,
    credentials: Option<Credentials>,
    text: Text,
}

/// Who has been told, and the first letter of the thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Handle {
    /// `Message-ID` of the first letter that was accepted.
    #[serde(default)]
    first: Option<String>,
    /// The notification that the lists are of.
    id: String,
    /// Addresses that accepted it.
    done: Vec<String>,
    /// Addresses that never will, with the reason.
    refused: Vec<(String, String)>,
}

/// Makes one from its configuration; fails where a secret is missing, an address is none or a certificate cannot be read.
pub fn build(config: &Config, parts: &Parts<'_>) -> Result<Sink, String> {
    Email::new(config, parts, BOUNDS).map(Sink::event)
}

impl Email {
    /// With bounds to connect and for the whole session; tests have shorter ones.
    ///
    /// # Errors
    /// As [`build`].
    pub fn new(config: &Config, parts: &Parts<'_>, (connect, total): (Duration, Duration)) -> Result<Self, String> {
        let to = config.to.iter().map(|text| mailbox(text)).collect::<Result<Vec<_>, _>>()?;
        let addresses = Addresses { from: mailbox(&config.from)?, to };
        let host = config.smtp.host.clone();
        let tls = match config.smtp.tls {
            SmtpTls::Plain => None,
            SmtpTls::Implicit | SmtpTls::Required => Some(parameters(&host, config.ca.as_deref())?),
        };
        let (wrapper, starttls) = if config.smtp.tls == SmtpTls::Implicit { (tls, None) } else { (None, tls) };
        let hello = config.hello_name.clone().map_or_else(ClientId::default, ClientId::Domain);
        let way = Way { server: (host, config.smtp.port), wrapper, starttls, hello, connect, total };
        let login = config.login.as_ref();
        let user = login.and_then(|login| login.user.clone()).unwrap_or_else(|| addresses.from.email.to_string());
        let credentials = login.map(|login| Credentials::new([login.password.clone()], parts.secrets)).transpose()?;
        Ok(Self { way, addresses, user, credentials, text: Text::of(parts) })
    }

    /// The letter of a notification, whose first one of the thread is known or not; for tests and dry runs.
    ///
    /// # Errors
    /// Where lettre refuses a header, which it does not.
    pub fn letter(&self, task: &Task, now: Timestamp) -> Result<Letter, String> {
        let first = Handle::of(task).first;
        letter::render(&task.notification, &self.text, &self.addresses, first.as_deref(), now)
    }

    /// One session; with another password where the first was refused and comes from a file.
    async fn told(&self, to: &[(usize, Address)], letter: &Letter) -> Told {
        let from = &self.addresses.from.email;
        let Some(credentials) = &self.credentials else {
            return session::hand_over(&self.way, None, (from, to), &letter.bytes).await;
        };
        let is_refused = |told: &Result<Told, _>| matches!(told, Ok(Told { ended: Some(Ended::Password(_)), .. }));
        let attempt = |values: Vec<secrecy::SecretString>| async move {
            let password = values.first().map_or("", |value| value.expose_secret()).to_owned();
            let login = SmtpCredentials::new(self.user.clone(), password);
            Ok(session::hand_over(&self.way, Some(login), (from, to), &letter.bytes).await)
        };
        match credentials.attempt_unless(is_refused, attempt).await {
            Ok(told) => told,
            Err(none) => Told { ended: Some(Ended::Password(none.message)), ..Told::default() },
        }
    }
}

impl Handle {
    /// What is known of this notification, and of its thread.
    fn of(task: &Task) -> Self {
        let known: Self = task.handle.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        if known.id == task.notification.id {
            return known;
        }
        Self { first: known.first, id: task.notification.id.clone(), ..Self::default() }
    }

    fn holds(&self, address: &str) -> bool {
        self.done.iter().any(|done| done == address) || self.refused.iter().any(|(refused, _)| refused == address)
    }
}

#[async_trait]
impl EventSink for Email {
    async fn deliver(&self, task: &Task, now: Timestamp) -> Outcome {
        let letter = match self.letter(task, now) {
            Ok(letter) => letter,
            Err(problem) => return Outcome::new(DeliveryVerdict::Refused, problem),
        };
        let mut handle = Handle::of(task);
        let recipients = self.addresses.to.iter().map(|mailbox| mailbox.email.clone()).enumerate();
        let open: Vec<(usize, Address)> = recipients.filter(|(_, address)| !handle.holds(address.as_ref())).collect();
        let told = if open.is_empty() { Told::default() } else { self.told(&open, &letter).await };
        for (recipient, address) in &open {
            match told.fates.get(recipient) {
                Some(Fate::Accepted) => handle.done.push(address.to_string()),
                Some(Fate::Refused(why)) => handle.refused.push((address.to_string(), why.clone())),
                _ => {}
            }
        }
        if !handle.done.is_empty() && handle.first.is_none() {
            handle.first = Some(letter.id.clone());
        }
        let outcome = judge(&told, &handle, self.addresses.to.len()).and_alarm(letter.alarm);
        if handle.done.is_empty() && handle.refused.is_empty() {
            return outcome;
        }
        // Strings in lists: there is nothing in it that JSON could refuse.
        outcome.with_handle(serde_json::to_string(&handle).unwrap_or_default())
    }

    fn preview(&self, task: &Task, now: Timestamp) -> Option<String> {
        let letter = self.letter(task, now).ok()?;
        Some(String::from_utf8_lossy(&letter.bytes).replace("\r\n", "\n"))
    }

    fn keeps_threads(&self) -> bool {
        true
    }

    fn destination(&self) -> Option<String> {
        let (host, port) = &self.way.server;
        Some(format!("smtp://{host}:{port}"))
    }

    fn pace(&self) -> Length {
        PACE
    }
}

/// The verdict on a session, with what earlier ones came to; pure. `all` is how many recipients there are.
fn judge(told: &Told, handle: &Handle, all: usize) -> Outcome {
    let (done, refused) = (handle.done.len(), handle.refused.len());
    let words = |refused: &[(String, String)]| -> String {
        refused.iter().map(|(address, why)| format!("{address}: {why}")).collect::<Vec<_>>().join("; ")
    };
    if done + refused >= all {
        return match (done, refused) {
            (0, _) => Outcome::new(DeliveryVerdict::Refused, words(&handle.refused)),
            (_, 0) => Outcome::done(format!("accepted for {done} of {all}")),
            _ => Outcome::done(format!("accepted for {done} of {all}"))
                .with_alarm(format!("refused for good: {}", words(&handle.refused))),
        };
    }
    let perhaps = told.fates.values().find_map(|fate| if let Fate::Perhaps(why) = fate { Some(why) } else { None });
    let again = told.fates.values().find_map(|fate| if let Fate::Again(why) = fate { Some(why) } else { None });
    let (verdict, why) = match (perhaps, &told.ended, again) {
        (Some(why), ..) => (DeliveryVerdict::Ambiguous, why.as_str()),
        (None, Some(Ended::Misconfigured(why)), _) => (DeliveryVerdict::Misconfigured, why.as_str()),
        (None, Some(Ended::Password(why)), _) => (DeliveryVerdict::Unauthorized, why.as_str()),
        (None, _, Some(why)) | (None, Some(Ended::Early(why)), None) => (DeliveryVerdict::Retry(None), why.as_str()),
        (None, None, None) => (DeliveryVerdict::Retry(None), "not all were told"),
    };
    let so_far = if done > 0 { format!("accepted for {done} of {all}; ") } else { String::new() };
    Outcome::new(verdict, format!("{so_far}{why}"))
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    let mailbox: Mailbox = text.parse().map_err(|why| format!("`{text}` is no e-mail address: {why}"))?;
    // Needs an extension that servers often lack, on every hop.
    let is_plain = AsRef::<str>::as_ref(&mailbox.email).is_ascii();
    is_plain.then_some(mailbox).ok_or_else(|| format!("`{text}` has letters beyond ASCII in its address"))
}

fn parameters(host: &str, ca: Option<&Path>) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = ca {
        let problem = |why: &dyn std::fmt::Display| format!("`ca` {}: {why}", path.display());
        let size = fs::metadata(path).map_err(|why| problem(&why))?.len();
        if size > LARGEST_CA {
            return Err(problem(&"is larger than 1 MiB"));
        }
        let pem = fs::read(path).map_err(|why| problem(&why))?;
        let certificate = Certificate::from_pem(&pem).map_err(|_| problem(&"holds no certificate in PEM"))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder.build_rustls().map_err(|why| format!("no TLS: {why}"))
}
