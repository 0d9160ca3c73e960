//! Alertmanager's v2 API: the state of alerts, posted to every peer, again and again.
//!
//! Alertmanager keeps alerts in memory and identifies them by their labels, so it is told states and not events: what
//! fires is posted again each minute with an `endsAt` ahead of now, an end goes on being posted for a while. Peers share
//! silences and not alerts: every one of them gets everything, and one that accepts is enough for success. A 400 names no
//! alert (and may have stored the good ones), a 422 stores none: the batch is halved until the bad one is found.

pub mod mirror;
pub mod silence;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use futures_util::future::join_all;
use serde::Serialize;

use crate::policy::alert::{AlertKind, AlertState};
use crate::policy::notification::Notification;
use crate::policy::silence::Silence;
use crate::sink::alertmanager::mirror::Looked;
use crate::sink::client::Client;
use crate::sink::{DeliveryVerdict, Outcome, RefreshSink, preview, verdict};
use crate::spec::policy::AlertSeverity;
use crate::units::{Length, Timestamp, portable_name};

/// Bytes that are read of an answer: a list of 10,000 silences, kept for five days after their end.
const ANSWER: usize = 8 * 1024 * 1024;

/// Alerts in one POST.
const BATCH: usize = 256;

/// How a notification becomes an alert of Alertmanager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// `endsAt` is now plus this while it fires.
    pub expires: Length,
    /// What our severities are called there.
    pub severity: BTreeMap<AlertSeverity, String>,
    /// Address of this service for people, without a slash at its end.
    pub external_url: Option<String>,
}

/// One alert as it is posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PostedAlert {
    /// Its identity.
    pub labels: BTreeMap<String, String>,
    /// What it says.
    pub annotations: BTreeMap<String, String>,
    /// When it fired, data time.
    pub starts_at: Timestamp,
    /// Ahead of now while it fires; now when it ended.
    pub ends_at: Timestamp,
    /// The SLO's page.
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    pub generator_url: Option<String>,
}

/// The alert of a notification; pure. A resolve has the labels of its firing, and annotations under the same names.
#[must_use]
pub fn render(notification: &Notification, shape: &Shape, now: Timestamp) -> PostedAlert {
    let mut labels = notification.labels.clone();
    if notification.takes_severity() {
        let severity = shape.severity.get(&notification.severity);
        let severity = severity.map_or(notification.severity.name(), String::as_str);
        labels.insert("severity".to_owned(), severity.to_owned());
    }
    // An empty value is no label there; left out, what we say we sent is what stands there.
    labels.retain(|_, value| !value.is_empty());
    let starts_at = notification.fired_at;
    let ends_at = if notification.state == AlertState::Resolved { now } else { now + shape.expires };
    PostedAlert {
        labels: valid_names(labels),
        annotations: valid_names(annotations(notification)),
        starts_at,
        // Our clock may be behind the data's; an end before the begin would be refused.
        ends_at: ends_at.max(starts_at),
        generator_url: shape.external_url.as_deref().and_then(|base| page(base, notification)),
    }
}

/// Without the ends of alerts that fire under the same labels: to Alertmanager they are one alert, and would flap. Alerts of
/// another tool's file may be so labelled (a `down` and a `no_data` that it knows as one); ours never are.
fn standing<'a>(notifications: &'a [Notification], shape: &Shape, now: Timestamp) -> Vec<&'a Notification> {
    let fires = |one: &Notification| one.state != AlertState::Resolved;
    let labels = |one: &Notification| render(one, shape, now).labels;
    let foreign = |one: &Notification| !one.takes_severity();
    let firing: BTreeSet<_> = notifications.iter().filter(|one| fires(one) && foreign(one)).map(labels).collect();
    notifications.iter().filter(|one| fires(one) || firing.is_empty() || !firing.contains(&labels(one))).collect()
}

/// Ours first, then links and what the files say, which win.
fn annotations(notification: &Notification) -> BTreeMap<String, String> {
    let what = match notification.kind {
        AlertKind::Burn => "burns its error budget too fast",
        AlertKind::Budget => "is running out of its error budget",
        AlertKind::Down => "has no target that is up",
        AlertKind::NoData => "has no data where there usually is some",
        AlertKind::Source => "does not answer",
        AlertKind::Watchdog => "is alive",
        AlertKind::Digest => "and others fire",
        AlertKind::Report => "is reviewed",
    };
    let mut all = BTreeMap::from([
        ("summary".to_owned(), format!("{} {what}", notification.slo)),
        ("reason".to_owned(), notification.reason.clone()),
        ("alert_id".to_owned(), notification.alert_id.clone()),
        ("episode".to_owned(), notification.episode.to_string()),
    ]);
    if let Some(runbook) = notification.links.get("runbook") {
        // The name under which tools around Alertmanager look for it.
        all.insert("runbook_url".to_owned(), runbook.clone());
    }
    // Whoever sees Alertmanager's pages sees these: none that acts for whoever follows it.
    all.extend(notification.open_links());
    all.extend(notification.annotations.clone());
    all
}

/// Names that every version of Alertmanager accepts: `[a-zA-Z_][a-zA-Z0-9_]*`. Where two become one, the one that was
/// valid as written keeps the name and the other gets `_` at its end.
fn valid_names(pairs: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let (mut valid, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        pairs.into_iter().partition(|(name, _)| portable_name(name) == *name);
    for (name, value) in others {
        let mut name = portable_name(&name);
        while valid.contains_key(&name) {
            name.push('_');
        }
        valid.insert(name, value);
    }
    valid
}

/// The SLO's page; `None` where there is none (a source's alert), or where the address is no URL.
pub(super) fn page(base: &str, notification: &Notification) -> Option<String> {
    if matches!(notification.kind, AlertKind::Source | AlertKind::Watchdog) {
        return reqwest::Url::parse(base).ok().map(String::from);
    }
    if notification.kind == AlertKind::Digest {
        // It is of several SLOs: their list.
        return reqwest::Url::parse(&format!("{base}/alerts?state=firing")).ok().map(String::from);
    }
    let mut url = reqwest::Url::parse(&format!("{base}/slo/{}/{}", notification.service, notification.name)).ok()?;
    if !notification.group.is_empty() {
        url.query_pairs_mut().append_pair("group", &notification.group.to_string());
    }
    Some(url.into())
}

/// One set of peers.
#[derive(Debug)]
pub struct Alertmanager {
    client: Client,
    /// Address of the API's `alerts`, and the peer's own for people.
    peers: Vec<(String, String)>,
    shape: Shape,
}

impl Alertmanager {
    /// Fails where an address is none.
    pub fn new(client: Client, urls: &[String], shape: Shape) -> Result<Self, String> {
        let mut peers = Vec::new();
        for url in urls {
            let base = reqwest::Url::parse(url).map_err(|why| format!("`{url}` is no address: {why}"))?;
            if !matches!(base.scheme(), "http" | "https") {
                return Err(format!("`{url}` is neither http nor https"));
            }
            let host = base.host_str().unwrap_or_default();
            let shown = base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            peers.push((format!("{}/api/v2/alerts", url.trim_end_matches('/')), shown));
        }
        if peers.is_empty() {
            return Err("it has no `urls`".to_owned());
        }
        Ok(Self { client: client.reading(ANSWER), peers, shape })
    }

    /// Posts to every peer at once; one that accepts all is success.
    async fn post(&self, notifications: &[&Notification], shape: &Shape, now: Timestamp) -> Outcome {
        let outcomes = join_all(self.peers.iter().map(|(url, _)| self.post_to(url, notifications, shape, now))).await;
        let told = self.peers.iter().zip(outcomes).map(|((_, peer), outcome)| (peer.as_str(), outcome));
        combine(&told.collect::<Vec<_>>())
    }

    /// Everything to one peer, in batches.
    async fn post_to(&self, url: &str, notifications: &[&Notification], shape: &Shape, now: Timestamp) -> Outcome {
        let mut batches: Vec<&[&Notification]> = notifications.chunks(BATCH).rev().collect();
        let mut refused = Vec::new();
        while let Some(batch) = batches.pop() {
            let alerts: Vec<PostedAlert> = batch.iter().map(|one| render(one, shape, now)).collect();
            // Text in maps: there is nothing in it that JSON could refuse.
            let body = serde_json::to_vec(&alerts).unwrap_or_default();
            let exchange = self.client.post(url, &[], body).await;
            let outcome = verdict::judge(&exchange, now);
            match (outcome.verdict, batch) {
                (DeliveryVerdict::Done, _) => {}
                (DeliveryVerdict::Refused, [one]) => refused.push(format!("`{}`: {}", one.alert_id, outcome.message)),
                (DeliveryVerdict::Refused, _) => {
                    let (first, second) = batch.split_at(batch.len() / 2);
                    batches.extend([second, first]);
                }
                _ => return outcome,
            }
        }
        if refused.is_empty() {
            Outcome::done("accepted".to_owned())
        } else {
            Outcome::new(DeliveryVerdict::Refused, refused.join("; "))
        }
    }
}

/// The best of the peers' outcomes, with what each of the others said. Pure.
fn combine(outcomes: &[(&str, Outcome)]) -> Outcome {
    let rank = |verdict: DeliveryVerdict| match verdict {
        DeliveryVerdict::Done => 0,
        DeliveryVerdict::Ambiguous => 1,
        DeliveryVerdict::Retry(_) => 2,
        DeliveryVerdict::Refused => 3,
        DeliveryVerdict::Misconfigured | DeliveryVerdict::Unauthorized => 4,
    };
    let mut best = DeliveryVerdict::Misconfigured;
    for (_, outcome) in outcomes {
        best = match (best, outcome.verdict) {
            // The first peer that wants to be asked again says when.
            (DeliveryVerdict::Retry(one), DeliveryVerdict::Retry(other)) => {
                DeliveryVerdict::Retry(one.zip(other).map(|(one, other)| one.min(other)))
            }
            (one, other) => {
                if rank(other) < rank(one) {
                    other
                } else {
                    one
                }
            }
        };
    }
    let message = match outcomes {
        [(_, only)] => only.message.clone(),
        all => all.iter().map(|(peer, outcome)| format!("{peer}: {}", outcome.message)).collect::<Vec<_>>().join("; "),
    };
    Outcome::new(best, message)
}

#[async_trait]
impl RefreshSink for Alertmanager {
    async fn deliver(&self, notification: &Notification, now: Timestamp) -> Outcome {
        self.post(&[notification], &self.shape, now).await
    }

    fn preview(&self, notification: &Notification, now: Timestamp) -> Option<String> {
        let body = serde_json::to_value([render(notification, &self.shape, now)]).ok()?;
        let peers: Vec<&str> = self.peers.iter().map(|(url, _)| url.as_str()).collect();
        Some(preview::posted(&peers.join("\nPOST "), &[], &body, None))
    }

    async fn end(&self, ended: &Notification, firing: &[Notification], now: Timestamp) -> Outcome {
        let all: Vec<Notification> = firing.iter().chain([ended]).cloned().collect();
        if standing(&all, &self.shape, now).iter().any(|one| one.state == AlertState::Resolved) {
            return self.deliver(ended, now).await;
        }
        let message = "not told: another alert fires under the same labels".to_owned();
        Outcome::done(message)
    }

    async fn refresh(&self, notifications: &[Notification], now: Timestamp) -> Outcome {
        if notifications.is_empty() {
            return Outcome::done("nothing to tell".to_owned());
        }
        self.post(&standing(notifications, &self.shape, now), &self.shape, now).await
    }

    async fn heartbeat(&self, beat: &Notification, expires: Length, now: Timestamp) -> Outcome {
        let shape = Shape { expires, ..self.shape.clone() };
        self.post(&[beat], &shape, now).await
    }

    async fn silence(&self, silence: &Silence, known: Option<&str>, looked: &mut Looked, now: Timestamp) -> Outcome {
        self.silence_at_each(silence, known, looked, now).await
    }

    async fn unsilence(&self, handle: &str, looked: &mut Looked, now: Timestamp) -> Outcome {
        self.unsilence_at_each(handle, looked, now).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_valid_and_stay_apart() {
        let pairs =
            [("team-name", "1"), ("team_name", "2"), ("team.name", "3"), ("9lives", "4"), ("ä", "5"), ("", "6")];
        let pairs = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let valid: Vec<String> =
            valid_names(pairs).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(valid, ["_=6", "_9lives=4", "__=5", "team_name=2", "team_name_=1", "team_name__=3"]);
    }

    #[test]
    fn one_peer_that_accepts_is_enough_and_the_other_is_told() {
        let outcome = |verdict, message: &str| Outcome::new(verdict, message);
        let retry = |seconds| DeliveryVerdict::Retry(Some(Length::from_seconds(seconds)));
        let both = combine(&[
            ("a:9093", outcome(DeliveryVerdict::Retry(None), "refused")),
            ("b:9093", outcome(DeliveryVerdict::Done, "accepted")),
        ]);
        assert_eq!(both, outcome(DeliveryVerdict::Done, "a:9093: refused; b:9093: accepted"));
        let waits = combine(&[("a", outcome(retry(60), "429")), ("b", outcome(retry(5), "429"))]);
        assert_eq!(waits.verdict, retry(5));
        let bad = combine(&[
            ("a", outcome(DeliveryVerdict::Refused, "400")),
            ("b", outcome(DeliveryVerdict::Retry(None), "down")),
        ]);
        assert_eq!(bad.verdict, DeliveryVerdict::Retry(None), "the one that is down may accept it later");
        assert_eq!(combine(&[("a", outcome(DeliveryVerdict::Ambiguous, "x"))]).message, "x");
    }
}
