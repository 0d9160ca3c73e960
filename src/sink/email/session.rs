//! One session with an SMTP server: opened, logged in, and a transaction for each recipient.
//!
//! A transaction each, because a server that refuses one of two recipients of one letter gives lettre no letter for the
//! other. Low-level commands, because what a reply means hangs on when it comes:
//!
//! | when | 4yz, 421 | 5yz | no reply |
//! |---|---|---|---|
//! | connect, EHLO, STARTTLS, AUTH, MAIL | retry | misconfigured | retry |
//! | RCPT, DATA | retry | refused, this recipient | retry |
//! | after the final dot | retry | refused, this recipient | ambiguous |
//!
//! The bound is around all of it: lettre's own is for connecting only, and a silent server would hold a task for ever.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use tokio::time::timeout;

/// Characters of a reply that are shown.
const EXCERPT: usize = 200;

/// For saying goodbye, which changes nothing.
const GOODBYE: Duration = Duration::from_secs(1);

/// Where to, and how.
#[derive(Clone)]
pub struct Way {
    /// Name or address, and port.
    pub server: (String, u16),
    /// TLS from the start.
    pub wrapper: Option<TlsParameters>,
    /// TLS by STARTTLS, without which nothing is sent.
    pub starttls: Option<TlsParameters>,
    /// What we call ourselves.
    pub hello: ClientId,
    /// To connect.
    pub connect: Duration,
    /// For all of it.
    pub total: Duration,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").field("server", &self.server).finish_non_exhaustive()
    }
}

/// What came of one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The server took the letter on.
    Accepted,
    /// Not now.
    Again(String),
    /// It may have been taken on.
    Perhaps(String),
    /// Never.
    Refused(String),
}

/// Why the session ended before the last recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Another time it may not.
    Early(String),
    /// Somebody has to mend something.
    Misconfigured(String),
    /// The server does not take the password.
    Password(String),
}

/// What came of all: the fates by recipient, and why some have none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// By place in the list of recipients.
    pub fates: BTreeMap<usize, Fate>,
    /// Why the others have none.
    pub ended: Option<Ended>,
}

/// How far a transaction went, for when time is over.
#[derive(Default)]
struct Progress {
    fates: BTreeMap<usize, Fate>,
    /// The recipient whose letter is on its way, up to the reply to the final dot.
    underway: Option<usize>,
    doing: &'static str,
}

/// Hands the letter over to each of these.
pub async fn hand_over(
    way: &Way,
    credentials: Option<Credentials>,
    (from, to): (&Address, &[(usize, Address)]),
    letter: &[u8],
) -> Told {
    let mut progress = Progress { doing: "connecting", ..Progress::default() };
    let ended = match timeout(way.total, dialogue(way, credentials, (from, to), letter, &mut progress)).await {
        Ok(Ok(())) => None,
        Ok(Err(ended)) => Some(ended),
        Err(_) => {
            let seconds = way.total.as_secs();
            let message = format!("no answer within {seconds} s, while {}", progress.doing);
            if let Some(recipient) = progress.underway {
                progress.fates.entry(recipient).or_insert(Fate::Perhaps(message.clone()));
            }
            Some(Ended::Early(message))
        }
    };
    Told { fates: progress.fates, ended }
}

async fn dialogue(
    way: &Way,
    credentials: Option<Credentials>,
    (from, to): (&Address, &[(usize, Address)]),
    letter: &[u8],
    progress: &mut Progress,
) -> Result<(), Ended> {
    let mut connection = open(way, credentials, progress).await?;
    for (recipient, address) in to {
        progress.doing = "naming the sender";
        let mail = connection.command(Mail::new(Some(from.clone()), Vec::new())).await;
        mail.map_err(|why| ended(&why, "the sender"))?;
        let (fate, goes_on) = transaction(&mut connection, (*recipient, address), letter, progress).await;
        progress.fates.insert(*recipient, fate);
        progress.underway = None;
        if !goes_on {
            return Err(Ended::Early("the session ended".to_owned()));
        }
    }
    // Whatever it answers, all that counts was answered.
    drop(timeout(GOODBYE, connection.quit()).await);
    Ok(())
}

async fn open(
    way: &Way,
    credentials: Option<Credentials>,
    progress: &mut Progress,
) -> Result<AsyncSmtpConnection, Ended> {
    let (host, port) = &way.server;
    let connected = AsyncSmtpConnection::connect_tokio1(
        (host.as_str(), *port),
        Some(way.connect),
        &way.hello,
        way.wrapper.clone(),
        None,
    );
    let mut connection = connected.await.map_err(|why| ended(&why, "the connection"))?;
    if let Some(parameters) = &way.starttls {
        progress.doing = "starting TLS";
        if !connection.can_starttls() {
            let message = "the server offers no STARTTLS; nothing is sent unencrypted, use smtps:// where it has that";
            return Err(Ended::Misconfigured(message.to_owned()));
        }
        let started = connection.starttls(parameters.clone(), &way.hello).await;
        started.map_err(|why| ended(&why, "STARTTLS"))?;
    }
    if let Some(credentials) = credentials {
        progress.doing = "logging in";
        let login = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
        login.map_err(|why| match why.status().map_or(0, u16::from) {
            534 | 535 | 530 => Ended::Password(shown(&why, "the login")),
            _ => ended(&why, "the login"),
        })?;
    }
    Ok(connection)
}

/// One recipient, after the sender was named; says whether another transaction may follow.
async fn transaction(
    connection: &mut AsyncSmtpConnection,
    (recipient, address): (usize, &Address),
    letter: &[u8],
    progress: &mut Progress,
) -> (Fate, bool) {
    progress.doing = "naming a recipient";
    if let Err(why) = connection.command(Rcpt::new(address.clone(), Vec::new())).await {
        return refusal(connection, &why, "the recipient").await;
    }
    progress.doing = "announcing the letter";
    if let Err(why) = connection.command(Data).await {
        return refusal(connection, &why, "the letter").await;
    }
    progress.doing = "sending the letter";
    progress.underway = Some(recipient);
    match connection.message(letter).await {
        Ok(_) => (Fate::Accepted, true),
        Err(why) if why.is_permanent() => (Fate::Refused(shown(&why, "the letter")), true),
        Err(why) if why.is_transient() => (Fate::Again(shown(&why, "the letter")), !is_goodbye(&why)),
        Err(why) => (Fate::Perhaps(shown(&why, "the reply to the letter")), false),
    }
}

/// What a refusal before the letter means; the transaction is given up, so that the next one may begin.
async fn refusal(connection: &mut AsyncSmtpConnection, why: &Error, what: &str) -> (Fate, bool) {
    let message = shown(why, what);
    let fate = if why.is_permanent() { Fate::Refused(message) } else { Fate::Again(message) };
    let replied = why.is_permanent() || (why.is_transient() && !is_goodbye(why));
    (fate, replied && connection.command(Rset).await.is_ok())
}

/// Whether the server said that it closes the connection.
fn is_goodbye(why: &Error) -> bool {
    why.status().is_some_and(|code| u16::from(code) == 421)
}

/// What an error before the first recipient means.
fn ended(why: &Error, what: &str) -> Ended {
    let message = shown(why, what);
    if why.is_permanent() || why.is_client() || why.is_tls() || is_handshake(why) {
        Ended::Misconfigured(message)
    } else {
        Ended::Early(message)
    }
}

/// Whether the two sides could not agree on TLS: a certificate of another name, of an unknown issuer, no TLS at all.
fn is_handshake(why: &Error) -> bool {
    let mut source = why.source();
    while let Some(error) = source {
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if error.is::<rustls::Error>() || inner.is_some_and(<dyn StdError + Send + Sync>::is::<rustls::Error>) {
            return true;
        }
        source = error.source();
    }
    false
}

/// Code and words of the server, in one line; or what happened on the way.
fn shown(why: &Error, what: &str) -> String {
    let reason = why.source().map_or_else(|| why.to_string(), ToString::to_string);
    let reason: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(EXCERPT).collect();
    let words = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    match why.status() {
        Some(code) => format!("{what}: {code} {words}"),
        None => format!("{what}: {words}"),
    }
}
