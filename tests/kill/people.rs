//! What people do while the service is killed, and what they were answered: silences that are added and expired, alerts and
//! digests that are taken on, and things that have to be refused. Each under a name of its own, by which it is found later.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use slo::units::Timestamp;
use tokio::sync::Notify;

use super::recorder::Recorder;
use super::world::{Line, Quick, SERVICES};
use crate::{Dice, text};

/// What was asked for.
#[derive(Clone, Debug)]
pub enum Wish {
    /// Taken on: an alert, or a digest.
    Ack(String),
    /// Of all shards of a service, or one; until then.
    Silence { line: (&'static str, Option<u64>), ends: i64 },
    /// The silence of this id.
    Expire(String),
    /// What cannot be: an alert that is not there, a silence without a comment.
    Wrong,
}

impl Wish {
    /// A silence of this shard.
    pub fn covers(&self, of: Line) -> bool {
        matches!(self, Self::Silence { line: (service, shard), .. }
            if *service == of.0 && shard.is_none_or(|shard| shard == of.1))
    }
}

/// One act; times are virtual.
#[derive(Clone, Debug)]
pub struct Act {
    pub name: String,
    pub wish: Wish,
    pub sent: i64,
    /// When, status and body; `None`: the service died, or nobody knows.
    pub answer: Option<(i64, u16, Value)>,
    /// Some time after a yes: when, and the deliveries that were there by then.
    pub after: Option<(i64, Arc<BTreeSet<String>>)>,
}

impl Act {
    pub fn is_done(&self) -> bool {
        matches!(self.answer, Some((_, 200, _)))
    }

    pub fn is_refused(&self) -> bool {
        matches!(self.answer, Some((_, status, _)) if status != 200)
    }
}

/// When an alert was seen to fire, and in which life of the service.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub at: i64,
    pub life: u64,
}

/// The people, their client, and what they share with who kills.
#[derive(Clone)]
pub struct People {
    pub base: String,
    pub quick: Quick,
    pub recorder: Recorder,
    /// Somebody is about to ask for something.
    pub asking: Arc<Notify>,
    pub stop: Arc<AtomicBool>,
    pub life: Arc<AtomicU64>,
    http: reqwest::Client,
}

impl People {
    pub fn new(port: u16, quick: Quick, recorder: Recorder) -> Self {
        let base = format!("http://127.0.0.1:{port}");
        let (asking, stop, life) = (Arc::default(), Arc::default(), Arc::default());
        Self { base, quick, recorder, asking, stop, life, http: crate::service::client() }
    }

    pub async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await.ok()?;
        if answer.status().as_u16() != 200 {
            return None;
        }
        serde_json::from_str(&answer.text().await.ok()?).ok()
    }

    /// Whether the service has judged what there is.
    pub async fn is_ready(&self) -> bool {
        let answer = self.http.get(format!("{}/-/ready", self.base)).send().await;
        answer.is_ok_and(|answer| answer.status().as_u16() == 200)
    }

    pub async fn items(&self, path: &str) -> Option<Vec<Value>> {
        self.get(path).await?["items"].as_array().cloned()
    }

    async fn ask(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> Option<(i64, u16, Value)> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        self.asking.notify_waiters();
        let answer = request.send().await.ok()?;
        let (status, text) = (answer.status().as_u16(), answer.text().await.ok()?);
        Some((self.quick.now(), status, serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }

    /// Acts until told to stop.
    pub async fn act(self, mut dice: Dice) -> Vec<Act> {
        let mut acts: Vec<Act> = Vec::new();
        while !self.stop.load(Ordering::SeqCst) {
            super::pause(dice.roll(400)).await;
            if !self.is_ready().await {
                continue;
            }
            let name = format!("p{}-", acts.len());
            let Some((wish, sent, answer)) = self.one(&name, &acts, &mut dice).await else { continue };
            let mut act = Act { name, wish, sent, answer, after: None };
            // Until then something may have been decided before it.
            while act.is_done() && act.after.is_none() && !self.stop.load(Ordering::SeqCst) {
                act.after = self.told_so_far().await;
                super::pause(20).await;
            }
            acts.push(act);
        }
        acts
    }

    /// Delivery ids that there are: heard of, or waiting.
    async fn told_so_far(&self) -> Option<(i64, Arc<BTreeSet<String>>)> {
        let pending = self.items("/api/v1/deliveries?state=pending&limit=5000").await?;
        let mut known: BTreeSet<String> = pending.iter().map(|row| text(row, "id").to_owned()).collect();
        known.extend(self.recorder.all().iter().map(super::recorder::Heard::delivery));
        Some((self.quick.now(), Arc::new(known)))
    }

    async fn one(&self, name: &str, acts: &[Act], dice: &mut Dice) -> Option<(Wish, i64, Option<(i64, u16, Value)>)> {
        let by = json!({"by": name, "note": "on it"});
        let post = reqwest::Method::POST;
        match dice.roll(10) {
            0..3 => {
                let firing = self.items("/api/v1/alerts?state=firing&limit=5000").await?;
                let id = text(pick(&firing, dice)?, "id").to_owned();
                let sent = self.quick.now();
                let path = format!("/api/v1/alerts/{}/ack", encoded(&id));
                Some((Wish::Ack(id), sent, self.ask(post, &path, Some(by)).await))
            }
            3 => {
                let heard = self.recorder.all();
                let digests: Vec<_> = heard.iter().filter(|heard| heard.body["kind"] == "digest").collect();
                let newest = &digests[digests.len().saturating_sub(3)..];
                let id = text(&pick(newest, dice)?.body, "alert_id").to_owned();
                let sent = self.quick.now();
                let path = format!("/api/v1/alerts/{}/ack", encoded(&id));
                Some((Wish::Ack(id), sent, self.ask(post, &path, Some(by)).await))
            }
            4..6 => {
                let (service, shards) = *pick(&SERVICES, dice)?;
                let shard = (dice.roll(3) > 0).then(|| dice.roll(shards));
                let sent = self.quick.now();
                let ends = sent + 1_000 * i64::try_from(60 + dice.roll(240)).unwrap();
                let mut matchers = vec![json!({"name": "slo_service", "value": service})];
                matchers.extend(shard.map(|shard| json!({"name": "shard", "value": format!("s{shard}")})));
                let until = Timestamp::from_millis(ends);
                let body =
                    json!({"matchers": matchers, "comment": name, "created_by": name, "ends_at": until.to_string()});
                let answer = self.ask(post, "/api/v1/silences", Some(body)).await;
                Some((Wish::Silence { line: (service, shard), ends }, sent, answer))
            }
            6..9 => {
                let made: Vec<&Act> =
                    acts.iter().filter(|act| act.is_done() && matches!(act.wish, Wish::Silence { .. })).collect();
                let newest = &made[made.len().saturating_sub(4)..];
                let id = text(&pick(newest, dice)?.answer.as_ref()?.2, "id").to_owned();
                let sent = self.quick.now();
                let path = format!("/api/v1/silences/{id}?by={name}");
                Some((Wish::Expire(id), sent, self.ask(reqwest::Method::DELETE, &path, None).await))
            }
            _ => {
                let sent = self.quick.now();
                let answer = if dice.roll(2) == 0 {
                    self.ask(post, &format!("/api/v1/alerts/{name}/ack"), Some(by)).await
                } else {
                    let until = Timestamp::from_millis(sent + 3_600_000).to_string();
                    let all = json!([{"name": "slo_service", "value": ".+", "is_regex": true}]);
                    let body = json!({"matchers": all, "comment": "", "created_by": name, "ends_at": until});
                    self.ask(post, "/api/v1/silences", Some(body)).await
                };
                Some((Wish::Wrong, sent, answer))
            }
        }
    }

    /// Looks again and again at what fires, until told to stop.
    pub async fn watch(self) -> Vec<(String, Seen)> {
        let mut seen = Vec::new();
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        while !self.stop.load(Ordering::SeqCst) {
            tick.tick().await;
            let now = Seen { at: self.quick.now(), life: self.life.load(Ordering::SeqCst) };
            let firing = self.items("/api/v1/alerts?state=firing&limit=5000").await;
            seen.extend(firing.into_iter().flatten().map(|alert| (text(&alert, "id").to_owned(), now)));
        }
        seen
    }
}

fn pick<'a, T>(of: &'a [T], dice: &mut Dice) -> Option<&'a T> {
    if of.is_empty() { None } else { of.get(usize::try_from(dice.roll(of.len() as u64)).unwrap()) }
}

fn encoded(id: &str) -> String {
    id.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02X}"))
}
