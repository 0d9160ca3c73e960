//! What people do with real pages of a real service: acknowledge, close, judge, drill; by API, command line and link; and
//! a restart keeps all of it.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]
#![expect(clippy::disallowed_methods, reason = "a test reads its own server")]

#[path = "people/hooks.rs"]
mod hooks;
mod service;
#[path = "service/shop.rs"]
mod shop;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use service::{client, eventually};
use sha2::Sha256;
use shop::{RULES, Shop, slo as slo_of, slos};
use tokio::process::Command;

/// A ticket beside the page, held back under it.
const TICKET: &str = "      - {severity: ticket, burn: {factor: 2, over: 30s, confirm: 10s}}\n";

/// A shop that pages and tickets, running.
async fn open() -> Shop {
    let mut shop = Shop::closed().await;
    shop.write("rules/quick.yaml", &format!("{RULES}{TICKET}"));
    shop.start().await;
    shop
}

fn encoded(id: &str) -> String {
    id.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02X}"))
}

async fn post(shop: &Shop, path: &str, body: Value) -> (u16, Value) {
    let url = format!("http://{}{path}", shop.slo.address);
    let request = client().post(url).header("content-type", "application/json").body(body.to_string());
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn act(shop: &Shop, id: &str, action: &str, body: Value) -> (u16, Value) {
    post(shop, &format!("/api/v1/alerts/{}/{action}", encoded(id)), body).await
}

async fn alert(shop: &Shop, id: &str) -> Value {
    shop.slo.json(&format!("/api/v1/alerts/{}", encoded(id))).await.unwrap()
}

/// `slo`, with the service as its server: exit code, data, talk.
async fn slo(shop: &Shop, arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_slo"))
        .args(arguments)
        .env("SLO_SERVER", format!("http://{}", shop.slo.address))
        .env("USER", "carol")
        .output()
        .await
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// The path of a link in what was told.
fn path(told: &Value, link: &str) -> String {
    let url = told["links"][link].as_str().unwrap_or_else(|| panic!("no link `{link}`: {}", told["links"]));
    format!("/{}", url.splitn(4, '/').nth(3).unwrap())
}

async fn press(shop: &Shop, path: &str, form: &'static str) -> (u16, String) {
    let request = client().post(format!("http://{}{path}", shop.slo.address)).body(form);
    let answer = request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_taken_on_once_judged_closed_and_remembered() {
    let mut shop = open().await;
    let page = shop.break_until_paged().await;
    assert_eq!(page["severity"], "page");
    let id = page["alert_id"].as_str().unwrap().to_owned();
    let (ack, mute) = (path(&page, "ack"), path(&page, "mute"));
    assert!(path(&page, "why").starts_with("/slo/checkout/availability"));

    // Looking at a link does nothing, whoever looks.
    for link in [&ack, &mute, &ack] {
        let (status, shown) = shop.slo.get(link).await.unwrap();
        assert_eq!(status, 200, "{shown}");
        assert!(shown.as_str().unwrap().contains("<button"), "{shown}");
    }
    assert_eq!(alert(&shop, &id).await["acked"], Value::Null);
    let (status, shown) = press(&shop, &format!("{ack}x"), "").await;
    assert_eq!(status, 403, "{shown}");
    assert_eq!(alert(&shop, &id).await["acked"], Value::Null);

    let (status, shown) = press(&shop, &ack, "by=anna").await;
    assert_eq!(status, 200, "{shown}");
    let acked = alert(&shop, &id).await;
    assert_eq!(acked["acked"]["by"], "anna");
    assert!(acked["time_to_ack_seconds"].as_f64().unwrap() >= 0.0);
    assert_eq!(acked["state"], "firing", "taken on, not over");

    // The first one stands, by whatever way the second comes.
    let (status, again) = act(&shop, &id, "ack", json!({"by": "bob", "note": "me too"})).await;
    assert_eq!((status, &again["acked"]["by"]), (200, &json!("anna")), "{again}");
    assert!(again["message"].as_str().unwrap().contains("`anna` acknowledged it already"), "{again}");
    let key = page["dedup_key"].as_str().unwrap();
    let (code, _, talk) = slo(&shop, &["alerts", "ack", key, "--note", "x"]).await;
    assert!(code == 0 && talk.contains("acknowledged it already"), "{code} {talk}");

    let (code, _, talk) = slo(&shop, &["alerts", "verdict", "noise", key]).await;
    assert!(code == 0 && talk.contains("judged `noise`"), "{code} {talk}");
    assert_eq!(act(&shop, &id, "verdict", json!({"by": "bob", "verdict": "real"})).await.1["verdict"], "real");

    // Muted: by the same alert's other link.
    let (status, shown) = press(&shop, &mute, "").await;
    assert_eq!(status, 200, "{shown}");

    // Closed: its end is told, and the ticket that was held back under it goes out.
    let ticket = |body: &Value| body["severity"] == "ticket";
    assert!(!shop.hook.all().iter().any(|received| ticket(&received.body)), "held back");
    let (code, _, talk) = slo(&shop, &["alerts", "close", &id, "--by", "dora", "--note", "switched off"]).await;
    assert!(code == 0 && talk.contains("it still burns") && talk.contains("it fires again once"), "{code} {talk}");
    let end = shop.end_of(&page["alert_id"], 20).await;
    assert_eq!(end["ended_by"], "closed");
    assert!(end["reason"].as_str().unwrap().contains("closed by dora: switched off"), "{end}");
    shop.hook.wait_for("the ticket", 20, |body| ticket(body) && body["state"] == "firing").await;
    for action in ["ack", "close"] {
        assert_eq!(act(&shop, &id, action, json!({})).await.0, 409);
    }
    assert_eq!(act(&shop, "nothing", "ack", json!({})).await.0, 404);
    // A restart keeps it: case, audit, and the key of the links.
    shop.slo.kill();
    shop.start().await;
    let kept = alert(&shop, &id).await;
    let expected = (&json!("anna"), &json!("real"), &json!("resolved"));
    assert_eq!((&kept["acked"]["by"], &kept["verdict"], &kept["state"]), expected);
    assert!(kept["time_to_resolve_seconds"].as_f64().unwrap() >= 0.0);
    let (status, shown) = shop.slo.get(&ack).await.unwrap();
    assert!(status == 200 && shown.as_str().unwrap().contains("The alert has ended"), "{status} {shown}");

    let bundle = shop.slo.json(&format!("/api/v1/alerts/{}/bundle", encoded(&id))).await.unwrap();
    let acts: Vec<(&str, &str)> = bundle["audit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["action"].as_str().unwrap(), entry["actor"].as_str().unwrap()))
        .collect();
    let expected = [("ack", "anna"), ("verdict", "carol"), ("verdict", "bob"), ("close", "dora")];
    assert_eq!(acts, expected, "{bundle}");
    let (code, shown, talk) = slo(&shop, &["alerts", "show", &id]).await;
    assert_eq!(code, 0, "{talk}");
    for words in ["acknowledged by anna", "real, says bob", "told         hook"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let (code, markdown, _) = slo(&shop, &["alerts", "bundle", &id, "--format", "md"]).await;
    assert!(code == 0 && markdown.contains("**Closed by dora \\(cli\\)**: switched off"), "{markdown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_goes_the_real_way_is_marked_and_ends_when_it_is_taken_on() {
    let mut shop = open().await;
    let drill = ["drill", "checkout/availability", "--severity", "page", "--by", "dora"];
    let (code, out, talk) = slo(&shop, &drill).await;
    assert_eq!(code, 0, "{out}{talk}");
    assert!(out.contains("hook done"), "{out}");
    let told = shop.hook.wait_for("the drill", 20, |body| body["mark"] == "drill" && body["state"] == "firing").await;
    assert!(told["dedup_key"].as_str().unwrap().ends_with("/page/burn/drill"), "{told}");
    assert_eq!((&told["kind"], &told["labels"]["slo_drill"]), (&json!("burn"), &json!("true")));
    let id = told["alert_id"].as_str().unwrap().to_owned();
    assert_eq!(alert(&shop, &id).await["drill"], true);
    let status = shop.of("availability").await["status"].clone();
    assert!(status != "page" && status != "ticket", "the SLO knows nothing of it: {status}");
    let (code, _, talk) = slo(&shop, &drill).await;
    assert!(code == 1 && talk.contains("a drill is under way"), "{code} {talk}");
    assert_eq!(act(&shop, &id, "verdict", json!({"verdict": "real"})).await.0, 409);

    shop.slo.kill();
    shop.start().await;
    assert_eq!(alert(&shop, &id).await["state"], "firing", "a restart does not end it");
    let (status, shown) = press(&shop, &path(&told, "ack"), "by=anna").await;
    assert_eq!(status, 200, "{shown}");
    let end = shop.end_of(&told["alert_id"], 20).await;
    assert_eq!((&end["mark"], &end["ended_by"]), (&json!("drill"), &json!("closed")));
    assert_eq!(end["reason"], "acknowledged by `anna`");
    assert_eq!(alert(&shop, &id).await["acked"]["by"], "anna");

    // Followed until somebody takes it on.
    let followed = async { slo(&shop, &[&drill[..], &["--wait"]].concat()).await };
    let taken = async {
        let is_new =
            |body: &Value| body["mark"] == "drill" && body["state"] == "firing" && body["alert_id"] != id.as_str();
        let told = shop.hook.wait_for("the second drill", 20, is_new).await;
        let second = told["alert_id"].as_str().unwrap().to_owned();
        // Told is told: the command has seen it, or will.
        eventually("taken on", 20, || async {
            match act(&shop, &second, "ack", json!({"by": "bob"})).await {
                (200, answer) => Ok(answer),
                (status, answer) => Err(format!("{status} {answer}")),
            }
        })
        .await;
    };
    let ((code, out, talk), ()) = tokio::join!(followed, taken);
    assert_eq!(code, 0, "{out}{talk}");
    assert!(out.contains("acked by bob") && out.contains("ended: acknowledged by `bob`"), "{out}");
    assert!(talk.contains("acknowledged by bob"), "{talk}");
}

/// Two services, each a group of its own, and two who hear of it where nobody takes it on.
async fn open_with_groups() -> Shop {
    let mut shop = Shop::closed().await;
    let hook = format!("http://127.0.0.1:{}/hook", shop.ports.hook);
    let others = format!(
        "  lead: {{type: webhook, url: '{hook}'}}
  boss: {{type: webhook, url: '{hook}'}}
  pd: {{type: pagerduty, routing_key: {{file: key}}, url: '{hook}', hook_secret: {{file: secret}}}}
"
    );
    let route = "routes:
  - match: {}
    to: [hook]
    group_by: [service]
    group_wait: 0s
    escalate: [{after: 10s, to: [lead]}, {after: 15s, to: [boss]}]
";
    let config =
        shop.ports.config("slo.db").replace("routes: [{match: {}, to: [hook]}]\n", &format!("{others}{route}"));
    shop.write("key", "k");
    shop.write("secret", HOOK_SECRET);
    shop.write("slo.yaml", &config);
    let search = slos(&[slo_of("availability", "90%")]).replace("service: checkout", "service: search");
    shop.write("slos/search.yaml", &search);
    shop.start().await;
    shop
}

/// What PagerDuty signs with.
const HOOK_SECRET: &str = "of the test";

/// Somebody acknowledges it in PagerDuty: what comes of it here.
async fn acknowledged_in_pagerduty(shop: &Shop, key: &str) -> Value {
    let event = json!({"event": {
        "event_type": "incident.acknowledged", "agent": {"summary": "Carla", "type": "user_reference"},
        "data": {"type": "incident", "incident_key": key},
    }});
    let body = event.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(HOOK_SECRET.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    let hex = mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let url = format!("http://{}/api/v1/hooks/pd", shop.slo.address);
    let request = client().post(url).header("x-pagerduty-signature", format!("v1={hex}")).body(body);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    answer.json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_comes_in_a_group_is_taken_on_by_its_message_and_not_escalated() {
    let shop = open_with_groups().await;
    shop.traffic.set_broken(true);
    let of = |service: &'static str| {
        move |body: &Value| {
            let key = body["dedup_key"].as_str().unwrap();
            body["state"] == "firing" && key == format!("group{{service=\"{service}\"}}/page/digest")
        }
    };
    let page = shop.hook.wait_for("the page of checkout", 60, of("checkout")).await;
    let (kind, id) = (&page["kind"], page["alert_id"].as_str().unwrap());
    assert_eq!((kind, page["members"].as_array().unwrap().len()), (&json!("digest"), 1));
    let member = page["members"][0]["alert_id"].as_str().unwrap();
    let (ack, mute) = (path(&page, "ack"), path(&page, "mute"));

    let (status, shown) = shop.slo.get(&ack).await.unwrap();
    let shown = shown.as_str().unwrap();
    assert!(status == 200 && shown.contains("<button") && shown.contains("1 alert told as one"), "{shown}");
    assert_eq!(alert(&shop, member).await["acked"], Value::Null, "looking does nothing");
    let (status, shown) = press(&shop, &ack, "by=anna").await;
    assert_eq!(status, 200, "{shown}");
    assert_eq!(alert(&shop, member).await["acked"]["by"], "anna");

    // The first one stands, whichever way the second comes.
    let (status, again) = act(&shop, id, "ack", json!({"by": "bob"})).await;
    assert_eq!((status, &again["id"], &again["acked"]["by"]), (200, &json!(id), &json!("anna")), "{again}");
    assert_eq!((&again["members"][0]["alert_id"], &again["members"][1]), (&json!(member), &Value::Null), "{again}");
    assert!(again["message"].as_str().unwrap().contains("`anna` acknowledged it already"), "{again}");
    let (code, _, talk) = slo(&shop, &["alerts", "ack", id]).await;
    assert!(code == 0 && talk.contains("`anna` acknowledged it already"), "{code} {talk}");
    let (code, _, talk) = slo(&shop, &["alerts", "close", id]).await;
    assert!(code == 1 && talk.contains("is a digest") && talk.contains(member), "{code} {talk}");

    // The other service's page nobody takes on: when it is escalated for the second time, after 15 s, the first time of
    // the one that was taken on, after 10 s, has passed.
    let escalated = |body: &Value| body["reason"].as_str().unwrap().contains("nobody acknowledged within");
    let later =
        |body: &Value| of("search")(body) && body["reason"].as_str().unwrap().contains("acknowledged within 15s");
    let left = shop.hook.wait_for("the second escalation of search", 60, later).await;
    let all = shop.hook.all();
    assert!(all.iter().any(|received| of("search")(&received.body) && escalated(&received.body)));
    let of_checkout: Vec<&Value> =
        all.iter().map(|received| &received.body).filter(|body| of("checkout")(body)).collect();
    assert!(!of_checkout.iter().any(|body| escalated(body)), "{of_checkout:?}");

    // By its key, as PagerDuty knows it.
    let done = acknowledged_in_pagerduty(&shop, left["dedup_key"].as_str().unwrap()).await;
    assert_eq!(done["done"], true, "{done}");
    let left = left["members"][0]["alert_id"].as_str().unwrap();
    assert_eq!(alert(&shop, left).await["acked"]["by"], "Carla");
    assert_eq!(acknowledged_in_pagerduty(&shop, "group{}/page/digest").await["done"], false);

    // A message of one alert mutes that alert.
    let (status, shown) = press(&shop, &mute, "by=anna").await;
    assert_eq!(status, 200, "{shown}");
    let silences = shop.slo.json("/api/v1/silences").await.unwrap();
    let matchers = silences["items"][0]["matchers"].as_array().unwrap();
    let named = |name: &str| matchers.iter().find(|matcher| matcher["name"] == name).map(|found| &found["value"]);
    assert_eq!(named("slo_service"), Some(&json!("checkout")), "{silences}");
    assert_eq!(named("slo_name"), Some(&json!("availability")), "{silences}");
}
