//! Acknowledgements that come back from PagerDuty and Slack, end to end: what they were really sent is what comes back, for
//! an alert and for a digest; who forges, replays or comes second changes nothing; nobody is called again after it.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use slo::clock::Clock;
use slo::units::{Length, Timestamp};

use super::service::{client, eventually};
use super::shop::{Shop, slo as slo_of, slos};
use super::{alert, encoded};

/// What PagerDuty signs with, and Slack.
const PAGER_SECRET: &str = "of the pager";
const CHAT_SECRET: &str = "of the chat";

fn now() -> Timestamp {
    Clock::system().now()
}

fn signature(secret: &str, parts: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(parts.as_bytes());
    mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// PagerDuty's events and Slack's messages, as they were sent.
#[derive(Clone, Default)]
struct Vendors {
    events: Arc<Mutex<Vec<Value>>>,
    messages: Arc<Mutex<Vec<Value>>>,
}

impl Vendors {
    async fn serve() -> (Self, u16) {
        let vendors = Self::default();
        let enqueue = async |State(vendors): State<Self>, body: String| {
            vendors.events.lock().unwrap().push(serde_json::from_str(&body).unwrap());
            (StatusCode::ACCEPTED, "{\"status\":\"success\",\"message\":\"Event processed\"}")
        };
        let chat = async |State(vendors): State<Self>, body: String| {
            vendors.messages.lock().unwrap().push(serde_json::from_str(&body).unwrap());
            "ok"
        };
        let router = axum::Router::new().route("/v2/enqueue", post(enqueue)).route("/chat", post(chat));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = router.with_state(vendors.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (vendors, port)
    }

    /// Keys under which PagerDuty was told to open an incident, each time.
    fn triggered(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        let triggers = events.iter().filter(|event| event["event_action"] == "trigger");
        triggers.map(|event| event["dedup_key"].as_str().unwrap().to_owned()).collect()
    }

    /// What the buttons of Slack's messages say, each time.
    fn buttons(&self) -> Vec<String> {
        let messages = self.messages.lock().unwrap();
        let blocks = messages.iter().filter_map(|message| message["blocks"].as_array()).flatten();
        let elements = blocks.filter_map(|block| block["elements"].as_array()).flatten();
        let acks = elements.filter(|element| element["action_id"] == "ack");
        acks.map(|button| button["value"].as_str().unwrap().to_owned()).collect()
    }
}

/// A key of PagerDuty, or a button's value, that begins so.
async fn begins(what: &str, list: impl Fn() -> Vec<String>) -> String {
    eventually(what, 60, || async {
        list().into_iter().find(|text| text.starts_with(what)).ok_or_else(|| format!("{:?}", list()))
    })
    .await
}

/// Pages to each vendor alone and to both, groups to each, and one of each kind that nobody takes on.
async fn open() -> (Shop, Vendors) {
    let mut shop = Shop::closed().await;
    let (vendors, port) = Vendors::serve().await;
    let rest = "repeat: 1m, escalate: {after: 20s, to: [hook]}";
    let route =
        |matches: &str, to: &str, group: &str| format!("  - {{match: {{{matches}}}, to: [{to}], {group}{rest}}}\n");
    let group = "group_by: [service], group_wait: 0s, group_interval: 5m, ";
    let routes = [
        route("slo: checkout/paged", "pd", ""),
        route("slo: checkout/chatted", "chat", ""),
        route("slo: checkout/both", "pd, chat", ""),
        route("service: search", "pd", group),
        route("service: maps", "chat", group),
        route("service: left", "pd, chat", group),
        route("", "pd, chat", ""),
    ];
    let sinks = format!(
        "  pd: {{type: pagerduty, routing_key: {{file: key}}, url: 'http://127.0.0.1:{port}', hook_secret: {{file: pager}}}}
  chat: {{type: slack, url: {{file: chat}}, signing_secret: {{file: signing}}}}
routes:
{}",
        routes.concat()
    );
    let config = shop.ports.config("slo.db").replace("routes: [{match: {}, to: [hook]}]\n", &sinks);
    for (name, text) in [("key", "k"), ("pager", PAGER_SECRET), ("signing", CHAT_SECRET)] {
        shop.write(name, text);
    }
    shop.write("chat", &format!("http://127.0.0.1:{port}/chat"));
    shop.write("slo.yaml", &config);
    shop.write("slos/shop.yaml", &slos(&["paged", "chatted", "both", "left"].map(|name| slo_of(name, "90%"))));
    for service in ["search", "maps", "left"] {
        let file = slos(&["a", "b"].map(|name| slo_of(name, "90%")))
            .replace("service: checkout", &format!("service: {service}"));
        shop.write(&format!("slos/{service}.yaml"), &file);
    }
    shop.start().await;
    shop.traffic.set_broken(true);
    (shop, vendors)
}

/// What PagerDuty posts when somebody acknowledges an incident, with this signature.
async fn from_pager(shop: &Shop, key: &str, by: &str, at: Timestamp, secret: &str) -> (u16, Value) {
    let body = json!({"event": {
        "id": "5ac64822", "event_type": "incident.acknowledged", "resource_type": "incident", "occurred_at": at.to_string(),
        "agent": {"id": "PLH1HKV", "summary": by, "type": "user_reference"}, "client": {"name": "PagerDuty"},
        "data": {"id": "PGR0VU2", "type": "incident", "number": 2, "status": "acknowledged", "incident_key": key},
    }})
    .to_string();
    let url = format!("http://{}/api/v1/hooks/pd", shop.slo.address);
    let signed = format!("v1={}", signature(secret, &body));
    let answer = client().post(url).header("x-pagerduty-signature", signed).body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// What Slack posts when somebody presses the button, with this signature.
async fn from_chat(shop: &Shop, value: &str, by: &str, at: Timestamp, secret: &str) -> (u16, Value) {
    let payload = json!({
        "type": "block_actions", "user": {"id": "U1", "username": by, "team_id": "T1"},
        "actions": [{"type": "button", "block_id": "b", "action_id": "ack", "value": value}],
    });
    let body = format!("payload={}", encoded(&payload.to_string()));
    let seconds = at.millis().div_euclid(1_000).to_string();
    let signed = format!("v0={}", signature(secret, &format!("v0:{seconds}:{body}")));
    let url = format!("http://{}/api/v1/hooks/chat", shop.slo.address);
    let request = client().post(url).header("content-type", "application/x-www-form-urlencoded");
    let request = request.header("x-slack-request-timestamp", seconds).header("x-slack-signature", signed);
    let answer = request.body(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// All alerts of a service, or of one of its SLOs, that fire.
async fn firing(shop: &Shop, slo: &str) -> Vec<String> {
    let list = shop.slo.json("/api/v1/alerts?state=firing").await.unwrap();
    let items = list["items"].as_array().unwrap().iter();
    let of = items.filter(|item| item["slo"].as_str().unwrap().starts_with(slo));
    of.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// Who has it, since when, by the API, the case and the audit alike.
async fn taken_on(shop: &Shop, id: &str, by: &str, via: &str, told_as: &str, since: Timestamp) {
    let bundle = shop.slo.json(&format!("/api/v1/alerts/{}/bundle", encoded(id))).await.unwrap();
    let acked = alert(shop, id).await["acked"].clone();
    assert_eq!(acked["by"], by, "{bundle}");
    assert_eq!(bundle["case"]["acked"], acked);
    let at: Timestamp = acked["at"].as_str().unwrap().parse().unwrap();
    assert!(since <= at && at <= now(), "{since} {at}");
    let audit = shop.slo.json(&format!("/api/v1/audit?action=ack&actor={}", encoded(by))).await.unwrap();
    let entries = audit["items"].as_array().unwrap();
    assert!(entries.iter().any(|e| e["via"] == via && e["object"] == told_as), "{audit}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_told_comes_back_from_pagerduty_and_slack_and_nobody_else_can_say_so() {
    let (shop, vendors) = open().await;
    let begun = now();
    let key = |begin: &'static str| begins(begin, || vendors.triggered());
    let button = |begin: &'static str| begins(begin, || vendors.buttons());
    let (paged, search) = (key("checkout/paged/").await, key("group{service=\"search\"}").await);
    let (chatted, maps) = (button("checkout/chatted/").await, button("group{service=\"maps\"}").await);
    let (both, pressed) = (key("checkout/both/").await, button("checkout/both/").await);
    let old = now() - Length::from_minutes(6);

    // Forged, replayed, unknown: nothing is done, and nothing is written.
    assert_eq!(from_pager(&shop, &paged, "Eve", now(), CHAT_SECRET).await.0, 401);
    assert_eq!(from_chat(&shop, &chatted, "eve", now(), PAGER_SECRET).await.0, 401);
    assert_eq!(from_chat(&shop, &chatted, "eve", old, CHAT_SECRET).await.0, 401, "sent again later");
    for answer in [
        from_pager(&shop, &paged, "Eve", old, PAGER_SECRET).await,
        from_pager(&shop, "checkout/nothing/page/burn", "Eve", now(), PAGER_SECRET).await,
        from_chat(&shop, "checkout/nothing/page/burn/2026-11-21T02:54:00Z/alert-1", "eve", now(), CHAT_SECRET).await,
    ] {
        assert_eq!((answer.0, &answer.1["done"]), (200, &json!(false)), "{}", answer.1);
    }
    let audit = shop.slo.json("/api/v1/audit?action=ack").await.unwrap();
    assert_eq!(audit["items"], json!([]), "{audit}");

    // An alert and a digest each way.
    for (status, done) in [
        from_pager(&shop, &paged, "Anna Low", now(), PAGER_SECRET).await,
        from_pager(&shop, &search, "Anna Low", now(), PAGER_SECRET).await,
        from_chat(&shop, &chatted, "ben", now(), CHAT_SECRET).await,
        from_chat(&shop, &maps, "ben", now(), CHAT_SECRET).await,
    ] {
        assert_eq!((status, &done["done"]), (200, &json!(true)), "{done}");
    }
    let id = &firing(&shop, "checkout/paged").await[0];
    taken_on(&shop, id, "Anna Low", "pagerduty", id, begun).await;
    taken_on(&shop, &chatted, "ben", "slack", &chatted, begun).await;
    for (service, by, via) in [("search/", "Anna Low", "pagerduty"), ("maps/", "ben", "slack")] {
        let members = firing(&shop, service).await;
        assert_eq!(members.len(), 2, "{members:?}");
        let list = shop.slo.json(&format!("/api/v1/audit?action=ack&actor={}", encoded(by))).await.unwrap();
        let entries =
            list["items"].as_array().unwrap().iter().map(|entry| entry["object"].as_str().unwrap().to_owned());
        let told_as = entries.into_iter().find(|object| object.contains("/digest/")).unwrap();
        for member in &members {
            taken_on(&shop, member, by, via, &told_as, begun).await;
        }
    }

    // Two at once: both are told yes, one has it.
    let (from_pagerduty, chat) = tokio::join!(
        from_pager(&shop, &both, "Cleo", now(), PAGER_SECRET),
        from_chat(&shop, &pressed, "dan", now(), CHAT_SECRET),
    );
    assert_eq!(
        (from_pagerduty.0, &from_pagerduty.1["done"], chat.0, &chat.1["done"]),
        (200, &json!(true), 200, &json!(true))
    );
    let by = alert(&shop, &pressed).await["acked"]["by"].as_str().unwrap().to_owned();
    let second = if by == "Cleo" { &chat.1 } else { &from_pagerduty.1 };
    assert!(["Cleo", "dan"].contains(&by.as_str()), "{by}");
    let message = second["message"].as_str().unwrap();
    assert!(message.contains(&format!("`{by}` acknowledged it already")), "{message}");

    // What nobody took on is escalated and repeated; by then the others would have been, too.
    let left = |body: &Value| body["dedup_key"].as_str().unwrap().starts_with("checkout/left/");
    shop.hook.wait_for("the escalation of an alert", 60, left).await;
    let left = |body: &Value| body["dedup_key"].as_str().unwrap().starts_with("group{service=\"left\"}");
    shop.hook.wait_for("the escalation of a digest", 60, left).await;
    let twice = |list: Vec<String>, begin: &str| list.iter().filter(|text| text.starts_with(begin)).count() > 1;
    eventually("repeats", 90, || async {
        let (keys, buttons) = (vendors.triggered(), vendors.buttons());
        let of = |begin: &str| twice(keys.clone(), begin) && twice(buttons.clone(), begin);
        let all = of("checkout/left/") && of("group{service=\"left\"}");
        if all { Ok(()) } else { Err(format!("{keys:?} {buttons:?}")) }
    })
    .await;
    let escalated: Vec<String> =
        shop.hook.all().iter().map(|heard| heard.body["dedup_key"].as_str().unwrap().to_owned()).collect();
    assert!(escalated.iter().all(|key| key.contains("left")), "{escalated:?}");
    let (keys, buttons) = (vendors.triggered(), vendors.buttons());
    for begin in ["checkout/paged/", "checkout/both/", "group{service=\"search\"}"] {
        assert!(!twice(keys.clone(), begin), "{begin} was repeated: {keys:?}");
    }
    for begin in ["checkout/chatted/", "checkout/both/", "group{service=\"maps\"}"] {
        assert!(!twice(buttons.clone(), begin), "{begin} was repeated: {buttons:?}");
    }
}
