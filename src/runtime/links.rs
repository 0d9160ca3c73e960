//! Signed links in messages: one alert, one action, and an end. Who holds one may do that and nothing else.
//!
//! Why not a session: the person at 3 am has a phone and no password at hand, and the link is worth less than what it
//! saves. A token is 33 bytes in base64 for addresses: action, expiry (minutes), what the alert's id hashes to, and 16 bytes
//! of an HMAC-SHA256 over the three. The alert is found by its hash among those that there are, after the signature was
//! proved: 96 bits are enough, since only we sign. The key is made once and kept in the store, so that links survive a
//! restart; copies of the service with stores of their own make one of the same `server.link_secret`. Invariant: no token is ever logged, and looking at one changes nothing.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::clock;
use crate::config::meant::{Config, SecretRef};
use crate::config::people::host_of;
use crate::policy::alert::{AlertKind, AlertState};
use crate::policy::notification::{Mark, Notification};
use crate::secret::Secrets;
use crate::store::{Commit, Record, RecordKind, Store, StoreError};
use crate::units::{InstanceId, Labels, Length, Timestamp};

/// How long a link holds: a week of holidays is not the time to act on an old page.
pub const HOLDS: Length = Length::from_days(7);

/// How long `mute` keeps an alert quiet.
pub const MUTE: Length = Length::from_hours(1);

/// Name of the record with the key.
const KEY_RECORD: &str = "link-key";
/// Version of that record.
const KEY_VERSION: u32 = 1;
/// Bytes of a key: as many as the hash has.
const KEY_BYTES: usize = 32;
/// Characters that a shared secret has at least.
const LEAST_SECRET: usize = 20;
/// Bytes of an alert's id in a token.
const ALERT_BYTES: usize = 12;
/// Bytes of the signature in a token.
const SIGNATURE_BYTES: usize = 16;
/// Bytes that are signed: action, expiry, alert.
const SIGNED_BYTES: usize = 1 + 4 + ALERT_BYTES;
/// Members of a digest that have a link each: more than a message lists.
const LINKED: usize = 20;
/// What expiries are counted in.
const MINUTE: i64 = 60_000;

/// What a link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkAction {
    /// Takes the alert on.
    Ack,
    /// Silences its labels for [`MUTE`].
    Mute,
}

impl LinkAction {
    /// As it is named in a notification's links: `ack`, `mute`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Mute => "mute",
        }
    }

    const fn byte(self) -> u8 {
        match self {
            Self::Ack => 1,
            Self::Mute => 2,
        }
    }

    const fn of(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Ack),
            2 => Some(Self::Mute),
            _ => None,
        }
    }
}

/// A token whose signature is ours and that has not expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it does.
    pub action: LinkAction,
    /// Until when (wall clock).
    pub expires_at: Timestamp,
    alert: [u8; ALERT_BYTES],
}

impl Link {
    /// Whether it is about this alert.
    #[must_use]
    pub fn is_about(&self, alert: &str) -> bool {
        self.alert == hashed(alert)
    }
}

/// Why a link does nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not signed by us, or not whole.
    #[error("this link is none of ours, or it was not copied whole")]
    Forged,
    /// Too old.
    #[error("this link has expired")]
    Expired,
    /// Its alert is not there any more.
    #[error("the alert of this link is not kept any more")]
    Gone,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What links are signed with; shows nothing.
pub struct LinkKey([u8; KEY_BYTES]);

#[derive(Serialize, Deserialize)]
struct StoredKey {
    version: u32,
    key: String,
}

impl LinkKey {
    /// Of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The key that every copy makes of the same secret.
    ///
    /// # Errors
    /// Where it is so short that it could be guessed: who has a link can try secrets on it.
    pub fn shared(secret: &SecretString) -> Result<Self, String> {
        let secret = secret.expose_secret().trim();
        if secret.len() < LEAST_SECRET {
            return Err(format!("is shorter than {LEAST_SECRET} characters"));
        }
        let mut hash = Sha256::new();
        // What else may be made of the same secret is another key.
        hash.update(b"slo links 1\0");
        hash.update(secret.as_bytes());
        Ok(Self(hash.finalize().into()))
    }

    /// The key of the secret, where one is configured, else that of the store.
    ///
    /// # Errors
    /// Where the secret cannot be had, or as the store's.
    pub async fn chosen(
        secret: Option<&SecretRef>,
        secrets: &Secrets,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let Some(secret) = secret else { return Self::of(store, now).await };
        let shared = secrets.resolve(secret).map_err(|error| error.to_string()).and_then(|text| Self::shared(&text));
        let doing = "making the key of links (`server.link_secret`)".to_owned();
        shared.map_err(|problem| StoreError { doing, problem, locked: false })
    }

    /// The key of this store; makes one where there is none, and writes it before it is used.
    ///
    /// # Errors
    /// As the store's; also where what is stored is no key, or the system gives no random bytes.
    pub async fn of(store: &dyn Store, now: Timestamp) -> Result<Self, StoreError> {
        let error = |problem: String| StoreError {
            doing: format!("looking for the key of links (setting `{KEY_RECORD}`)"),
            problem,
            locked: false,
        };
        let known = store.record(RecordKind::Setting, KEY_RECORD).await?.and_then(|record| record.text);
        if let Some(text) = known {
            // The parser's own message may quote the key.
            return Self::read(&text).ok_or_else(|| error("what is stored is no key of this version".to_owned()));
        }
        let key = Self(clock::random_bytes().map_err(error)?);
        let stored = StoredKey { version: KEY_VERSION, key: STANDARD.encode(key.0) };
        let text = serde_json::to_string(&stored).map_err(|problem| error(problem.to_string()))?;
        let record = Record { kind: RecordKind::Setting, id: KEY_RECORD.to_owned(), at: now, text: Some(text) };
        store.commit(Commit { records: vec![record], ..Commit::default() }).await?;
        Ok(key)
    }

    fn read(text: &str) -> Option<Self> {
        let stored: StoredKey = serde_json::from_str(text).ok()?;
        let bytes = STANDARD.decode(stored.key).ok()?;
        (stored.version == KEY_VERSION).then(|| bytes.try_into().ok().map(Self)).flatten()
    }

    /// The token of an action on an alert, that holds until `expires_at` (whole minutes).
    #[must_use]
    pub fn token(&self, alert: &str, action: LinkAction, expires_at: Timestamp) -> String {
        let minutes = u32::try_from(expires_at.millis().div_euclid(MINUTE)).unwrap_or_default();
        let mut bytes = vec![action.byte()];
        bytes.extend(minutes.to_be_bytes());
        bytes.extend(hashed(alert));
        let signature = self.signature(&bytes);
        bytes.extend(signature);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What a token says, where it is one of ours and still holds at `now`.
    ///
    /// # Errors
    /// `Forged` or `Expired`.
    pub fn read_token(&self, token: &str, now: Timestamp) -> Result<Link, LinkError> {
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| LinkError::Forged)?;
        let (signed, signature) = bytes.split_at_checked(SIGNED_BYTES).ok_or(LinkError::Forged)?;
        if !bool::from(self.signature(signed).ct_eq(signature)) {
            return Err(LinkError::Forged);
        }
        let (action, rest) = signed.split_first().ok_or(LinkError::Forged)?;
        let (minutes, alert) = rest.split_first_chunk::<4>().ok_or(LinkError::Forged)?;
        let link = Link {
            action: LinkAction::of(*action).ok_or(LinkError::Forged)?,
            expires_at: Timestamp::from_millis(i64::from(u32::from_be_bytes(*minutes)) * MINUTE),
            alert: alert.try_into().map_err(|_| LinkError::Forged)?,
        };
        if now < link.expires_at { Ok(link) } else { Err(LinkError::Expired) }
    }

    fn signature(&self, signed: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut short = [0; SIGNATURE_BYTES];
        // A key of any length is taken.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return short };
        mac.update(signed);
        for (byte, signed) in short.iter_mut().zip(mac.finalize().into_bytes()) {
            *byte = signed;
        }
        short
    }
}

fn hashed(alert: &str) -> [u8; ALERT_BYTES] {
    let mut short = [0; ALERT_BYTES];
    for (byte, hash) in short.iter_mut().zip(Sha256::digest(alert.as_bytes())) {
        *byte = hash;
    }
    short
}

/// Puts links into notifications, once the service knows its key and its address.
#[derive(Default)]
pub struct Links {
    made: OnceLock<(LinkKey, String)>,
    /// Nobody who reads a message could open one.
    lead_nowhere: AtomicBool,
}

impl Links {
    /// From now on, with this key, below this address for people.
    pub fn open(&self, key: LinkKey, external_url: &str) {
        // Only the first is taken: there is one key.
        let _ = self.made.set((key, external_url.trim_end_matches('/').to_owned()));
    }

    /// Looks whether those who read messages can open a link, as a configuration has it. Where they cannot, none is added.
    pub fn consider(&self, config: &Config) {
        let Some((_, base)) = self.made.get() else { return };
        // What somebody named is good; another name holds from the next start on.
        let is_named = config.server.external_url.as_deref().map(|url| url.trim_end_matches('/')) == Some(base);
        let address = host_of(base).and_then(|host| host.parse().ok()).filter(|_| !is_named);
        let no_way = address.and_then(|address: IpAddr| config.no_way_to(address));
        self.lead_nowhere.store(no_way.is_some(), Ordering::Relaxed);
    }

    /// The key and the address, where links lead somewhere.
    fn usable(&self) -> Option<&(LinkKey, String)> {
        self.made.get().filter(|_| !self.lead_nowhere.load(Ordering::Relaxed))
    }

    /// Adds `ack`, `mute` and `why` to what tells of a firing, before it is frozen; a drill is not muted. What is no
    /// alert, or only a test, has none. Names of the files give way.
    pub fn add(&self, notification: &mut Notification, now: Timestamp) {
        let is_alert = !matches!(notification.kind, AlertKind::Watchdog | AlertKind::Digest | AlertKind::Report);
        if notification.state != AlertState::Firing || !is_alert || notification.mark == Some(Mark::Test) {
            return;
        }
        let Some((key, base)) = self.usable() else { return };
        for action in [LinkAction::Ack, LinkAction::Mute] {
            if action == LinkAction::Mute && notification.mark.is_some() {
                continue;
            }
            let link = address(key, base, (&notification.alert_id, action), now);
            notification.links.insert(action.name().to_owned(), link);
        }
        notification.links.insert("why".to_owned(), format!("{base}{}", page_of(notification)));
    }

    /// Adds `ack` and `why` (the list of what fires) to what tells of several firing alerts as one: `ack` takes all of them on. One of a single alert
    /// has that alert's `mute` and `why`.
    pub fn add_to_digest(&self, digest: &mut Notification, now: Timestamp) {
        let firing = digest.kind == AlertKind::Digest && digest.state == AlertState::Firing;
        if !firing || digest.mark == Some(Mark::Test) {
            return;
        }
        let Some((key, base)) = self.usable() else { return };
        // What was taken on is not to be taken on again.
        if !digest.tells_ack() {
            let ack = address(key, base, (&digest.alert_id, LinkAction::Ack), now);
            digest.links.insert(LinkAction::Ack.name().to_owned(), ack);
        }
        digest.links.entry("why".to_owned()).or_insert_with(|| format!("{base}/alerts?state=firing"));
        for member in digest.members.iter_mut().take(LINKED) {
            let id = member.slo.parse::<InstanceId>().ok().filter(|_| member.kind != AlertKind::Source);
            member.link = id.map(|id| format!("{base}{}", page(&id.slo.service, &id.slo.name, &id.group)));
        }
    }

    /// What a token says.
    ///
    /// # Errors
    /// As [`LinkKey::read_token`].
    pub fn read(&self, token: &str, now: Timestamp) -> Result<Link, LinkError> {
        self.made.get().ok_or(LinkError::Forged)?.0.read_token(token, now)
    }
}

/// Where an action on an alert is done, from now on.
fn address(key: &LinkKey, base: &str, (alert, action): (&str, LinkAction), now: Timestamp) -> String {
    format!("{base}/a/{}", key.token(alert, action, now + HOLDS))
}

/// The page of what an alert is about.
fn page_of(notification: &Notification) -> String {
    if notification.kind == AlertKind::Source {
        return "/health".to_owned();
    }
    page(&notification.service, &notification.name, &notification.group)
}

/// The page of an instance.
fn page(service: &str, name: &str, group: &Labels) -> String {
    let page = format!("/slo/{service}/{name}");
    if group.is_empty() { page } else { format!("{page}?group={}", encoded(group)) }
}

/// Safe as a value in a query.
fn encoded(group: &Labels) -> String {
    let mut text = String::new();
    for byte in group.to_string().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'A' + value - 10 });
            text.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::config::meant::{SecretRef, SinkConfig};
    use crate::config::sinks::slack::{Slack, SlackReceiver};
    use crate::policy::heartbeat::heartbeat;
    use crate::policy::notification::Occasion;
    use crate::policy::sample;
    use crate::store::memory::MemoryStore;

    const ALERT: &str = "checkout/availability/page/burn/2026-11-21T02:54:00Z/alert-1";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn key() -> LinkKey {
        LinkKey::new([7; KEY_BYTES])
    }

    #[test]
    fn a_token_is_short_fits_into_an_address_and_says_what_it_was_made_for() {
        let expires = at("2026-11-28T03:00:00Z");
        let token = key().token(ALERT, LinkAction::Ack, expires);
        assert_eq!(token.len(), 44);
        assert!(token.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{token}");
        let link = key().read_token(&token, at("2026-11-28T02:59:59Z")).unwrap();
        assert_eq!((link.action, link.expires_at), (LinkAction::Ack, expires));
        assert!(link.is_about(ALERT));
        assert!(!link.is_about("checkout/availability/page/burn/2026-11-21T02:54:00Z/alert-2"));
        assert_eq!(key().read_token(&token, expires), Err(LinkError::Expired));
    }

    #[test]
    fn every_changed_bit_and_another_key_are_forgeries() {
        let now = at("2026-11-21T03:00:00Z");
        let token = key().token(ALERT, LinkAction::Ack, now + HOLDS);
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for index in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[index] ^= 1 << bit;
                let read = key().read_token(&URL_SAFE_NO_PAD.encode(changed), now);
                assert_eq!(read, Err(LinkError::Forged), "byte {index}, bit {bit}");
            }
        }
        assert_eq!(LinkKey::new([8; KEY_BYTES]).read_token(&token, now), Err(LinkError::Forged));
        for text in ["", "a", "!", token.get(..43).unwrap(), &format!("{token}AAAA")] {
            assert_eq!(key().read_token(text, now), Err(LinkError::Forged), "{text}");
        }
    }

    #[test]
    fn no_link_leads_to_an_address_of_nothing_or_to_another_machine_s_loopback() {
        let now = at("2026-11-21T03:00:00Z");
        let told = |base: &str, change: &dyn Fn(&mut Config)| {
            let links = Links::default();
            links.open(key(), base);
            let mut config = Config::empty(Path::new(""));
            change(&mut config);
            links.consider(&config);
            let mut page = sample::samples().remove(0).1;
            page.links.clear();
            links.add(&mut page, now);
            let mut digest = heartbeat(&BTreeMap::new(), now);
            (digest.kind, digest.state) = (AlertKind::Digest, AlertState::Firing);
            links.add_to_digest(&mut digest, now);
            assert_eq!(page.links.is_empty(), digest.links.is_empty(), "{base}");
            page.links.values().next().cloned().unwrap_or_default()
        };
        let chat = |config: &mut Config| {
            let url = SecretRef::Env("SLACK_URL".to_owned());
            let slack = Slack { to: SlackReceiver::Webhook { url }, signing_secret: None };
            config.sinks.insert("chat".to_owned(), SinkConfig::Slack(slack));
        };
        let named = |config: &mut Config| {
            chat(config);
            config.server.external_url = Some("http://127.0.0.1:9777".to_owned());
        };
        let slashed = |config: &mut Config| {
            chat(config);
            config.server.external_url = Some("http://127.0.0.1:9777/".to_owned());
        };
        for base in ["http://0.0.0.0:9777", "http://[::]:9777"] {
            assert_eq!(told(base, &|_| {}), "", "{base}");
            assert_eq!(told(base, &chat), "", "{base}");
        }
        assert!(told("http://127.0.0.1:9777", &|_| {}).starts_with("http://127.0.0.1:9777/a/"));
        assert_eq!(told("http://127.0.0.1:9777", &chat), "", "who reads Slack is elsewhere");
        assert!(told("http://127.0.0.1:9777", &named).starts_with("http://127.0.0.1:9777/a/"), "as somebody said");
        assert!(
            told("http://127.0.0.1:9777/", &slashed).starts_with("http://127.0.0.1:9777/a/"),
            "and with a last slash"
        );
        assert!(told("http://10.1.2.3:9777", &chat).starts_with("http://10.1.2.3:9777/a/"));
    }

    #[test]
    fn a_digest_is_taken_on_as_a_whole_and_one_of_a_single_alert_keeps_its_mute() {
        let now = at("2026-11-21T03:00:00Z");
        let links = Links::default();
        links.open(key(), "https://slo.example/");
        let mut digest = heartbeat(&BTreeMap::new(), now);
        (digest.kind, digest.state) = (AlertKind::Digest, AlertState::Firing);
        digest.alert_id = "group{}/page/digest/2026-11-21T02:54:00Z/alert-1".to_owned();
        digest.links = BTreeMap::from([("ack".to_owned(), "of a member".to_owned())]);
        let mut single = digest.clone();
        single.links.insert("mute".to_owned(), "of the member".to_owned());
        single.links.insert("why".to_owned(), "/slo/a/b".to_owned());
        let mut over = digest.clone();
        over.state = AlertState::Resolved;
        let mut answered = digest.clone();
        (answered.occasion, answered.links) = (Occasion::Acknowledged, BTreeMap::new());
        for told in [&mut digest, &mut single, &mut over, &mut answered] {
            links.add_to_digest(told, now);
        }
        assert_eq!(digest.links.keys().collect::<Vec<_>>(), ["ack", "why"]);
        assert_eq!(answered.links.keys().collect::<Vec<_>>(), ["why"], "it leads where it led");
        assert_eq!(digest.links["why"], "https://slo.example/alerts?state=firing");
        assert_eq!((single.links["mute"].as_str(), single.links["why"].as_str()), ("of the member", "/slo/a/b"));
        for told in [&digest, &single] {
            let token = told.links["ack"].strip_prefix("https://slo.example/a/").unwrap();
            let link = links.read(token, now).unwrap();
            assert!(link.action == LinkAction::Ack && link.is_about(&digest.alert_id));
        }
        assert_eq!(over.links["ack"], "of a member", "what is over is left as it is");
    }

    #[tokio::test]
    async fn the_key_is_made_once_and_survives() {
        let store = MemoryStore::new();
        let now = at("2026-11-21T03:00:00Z");
        let first = LinkKey::of(&store, now).await.unwrap();
        let token = first.token(ALERT, LinkAction::Mute, now + HOLDS);
        let second = LinkKey::of(&store, now + HOLDS).await.unwrap();
        assert_eq!(second.read_token(&token, now).unwrap().action, LinkAction::Mute);
        assert_ne!(first.0, [0; KEY_BYTES]);
        let other = LinkKey::of(&MemoryStore::new(), now).await.unwrap();
        assert_eq!(other.read_token(&token, now), Err(LinkError::Forged));
    }

    #[tokio::test]
    async fn copies_with_one_secret_have_one_key_and_it_is_not_to_be_guessed() {
        let now = at("2026-11-21T03:00:00Z");
        let secrets = Secrets::new(|name| Some(format!("{name} of all the copies")));
        let (ours, theirs) = (SecretRef::Env("LINKS".to_owned()), SecretRef::Env("OTHER".to_owned()));
        let key = async |secret| LinkKey::chosen(secret, &secrets, &MemoryStore::new(), now).await.unwrap();
        let token = key(Some(&ours)).await.token(ALERT, LinkAction::Ack, now + HOLDS);
        assert_eq!(key(Some(&ours)).await.read_token(&token, now).unwrap().action, LinkAction::Ack);
        for other in [Some(&theirs), None] {
            assert_eq!(key(other).await.read_token(&token, now), Err(LinkError::Forged));
        }
        let short = LinkKey::shared(&SecretString::from("canary of 19 chars."));
        assert_eq!(short.err().as_deref(), Some("is shorter than 20 characters"));
    }

    #[tokio::test]
    async fn what_is_no_key_is_refused_and_not_shown() {
        let store = MemoryStore::new();
        let text = Some(r#"{"version":1,"key":"canary"}"#.to_owned());
        let record =
            Record { kind: RecordKind::Setting, id: KEY_RECORD.to_owned(), at: at("2026-11-21T03:00:00Z"), text };
        store.commit(Commit { records: vec![record], ..Commit::default() }).await.unwrap();
        let error = LinkKey::of(&store, at("2026-11-21T03:00:00Z")).await.err().unwrap().to_string();
        assert!(error.contains("link-key") && !error.contains("canary"), "{error}");
    }
}
