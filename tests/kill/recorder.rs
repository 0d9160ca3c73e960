//! The receivers: what came, to whom, and whether it was taken. Some is refused, some is answered late, to senders that are
//! often dead by then.

use std::sync::{Arc, Mutex};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::Value;
use tokio::sync::Notify;

use super::world::Quick;
use crate::{Dice, text};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Virtual time.
    pub at: i64,
    pub sink: String,
    pub body: Value,
    /// As the header says.
    pub key: String,
    pub accepted: bool,
}

impl Heard {
    pub fn id(&self) -> &str {
        text(&self.body, "id")
    }

    /// Its row's id.
    pub fn delivery(&self) -> String {
        format!("{}@{}", self.id(), self.sink)
    }

    pub fn fires(&self) -> bool {
        self.body["state"] == "firing"
    }

    pub fn is_digest(&self) -> bool {
        self.body["kind"] == "digest"
    }

    /// The alerts that it says are in this state.
    pub fn alerts(&self, state: &str) -> Vec<&str> {
        if !self.is_digest() {
            return if self.body["state"] == state { vec![text(&self.body, "alert_id")] } else { Vec::new() };
        }
        let members = self.body["members"].as_array().unwrap().iter();
        members.filter(|member| member["state"] == state).map(|member| text(member, "alert_id")).collect()
    }
}

/// All that was received, in order.
#[derive(Clone)]
pub struct Recorder {
    heard: Arc<Mutex<Vec<Heard>>>,
    dice: Arc<Mutex<Dice>>,
    quick: Quick,
    /// Something came, and is not answered yet.
    pub came: Arc<Notify>,
}

impl Recorder {
    pub async fn serve(port: u16, dice: Dice, quick: Quick) -> Self {
        let recorder = Self { heard: Arc::default(), dice: Arc::new(Mutex::new(dice)), quick, came: Arc::default() };
        let router = axum::Router::new().route("/hook/{sink}", post(hear)).with_state(recorder.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        recorder
    }

    pub fn all(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

async fn hear(
    State(recorder): State<Recorder>,
    Path(sink): Path<String>,
    headers: HeaderMap,
    body: axum::body::Bytes,
) -> StatusCode {
    let (accepted, late) = {
        let mut dice = recorder.dice.lock().unwrap();
        (dice.roll(6) > 0, [0, 0, 0, 50, 250][usize::try_from(dice.roll(5)).unwrap()])
    };
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    let body = serde_json::from_slice(&body).unwrap();
    recorder.heard.lock().unwrap().push(Heard { at: recorder.quick.now(), sink, body, key, accepted });
    recorder.came.notify_waiters();
    super::pause(late).await;
    if accepted { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
}
