//! Quiet on a whole service: silences, exclusions, holds after a deploy; what is told, what is not, and what is told when
//! they end. With a real Alertmanager for the mirror; without it that test prints one line and passes.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
#![expect(clippy::disallowed_methods, reason = "answers of our own server, on loopback, are read whole")]

mod kit;
mod service;
#[path = "service/shop.rs"]
mod shop;

use std::fs;
use std::process::Output;

use kit::alertmanager::Alertmanager;
use serde_json::{Value, json};
use service::{client, eventually};
use shop::{RULES, Shop};
use slo::clock::Clock;
use slo::units::{Length, Timestamp};

/// Longer than it takes to notice that something is to be told.
const SOON: u64 = 30;

fn now() -> Timestamp {
    Clock::system().now()
}

/// A silence of the shop's SLO, of this many seconds from now.
fn of_shop(seconds: i64) -> Value {
    json!({
        "matchers": [{"name": "slo_service", "value": "checkout"}, {"name": "slo_name", "value": "avail.*", "is_regex": true}],
        "comment": "database upgrade", "created_by": "ann", "ends_at": now() + Length::from_seconds(seconds),
    })
}

async fn post(shop: &Shop, path: &str, body: &Value) -> (u16, Value) {
    let answer = client().post(format!("http://{}{path}", shop.slo.address)).json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn delete(shop: &Shop, id: &str) -> (u16, Value) {
    let url = format!("http://{}/api/v1/silences/{id}", shop.slo.address);
    let answer = client().delete(url).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Adds a silence that has to be taken, and gives its id.
async fn add(shop: &Shop, body: &Value) -> String {
    let (status, answer) = post(shop, "/api/v1/silences", body).await;
    assert_eq!((status, &answer["id"]), (200, &answer["silenceID"]), "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

/// Id, state and number of alerts of every silence.
async fn listed(shop: &Shop) -> Vec<(String, String, u64)> {
    let list = shop.slo.json("/api/v1/silences").await.unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let read = |item: &Value| (text(&item["id"]), text(&item["state"]), item["firing_alerts"].as_u64().unwrap());
    list["items"].as_array().unwrap().iter().map(read).collect()
}

/// Waits until an alert of the shop fires, told or not.
async fn fires(shop: &Shop) -> Value {
    eventually("a firing alert", 60, || async {
        let list = shop.slo.json("/api/v1/alerts?state=firing").await?;
        list["items"].get(0).cloned().ok_or_else(|| list.to_string())
    })
    .await
}

/// What was told so far: state and reason, in order.
fn told(shop: &Shop) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    shop.hook.all().iter().map(|received| (text(&received.body["state"]), text(&received.body["reason"]))).collect()
}

/// Until an SLO is judged this much later: what was to be told meanwhile has been decided.
async fn judged_again(shop: &Shop, seconds: i64) {
    let until = now() + Length::from_seconds(seconds);
    eventually("later judgements", 60, || async {
        let slo = shop.slo.json("/api/v1/slos/checkout/availability").await?;
        let as_of: Timestamp = slo["as_of"].as_str().unwrap().parse().unwrap();
        if as_of >= until { Ok(()) } else { Err(as_of.to_string()) }
    })
    .await;
}

fn slo(shop: &Shop, arguments: &[&str]) -> Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_slo"))
        .args(arguments)
        .env("SLO_SERVER", format!("http://{}", shop.slo.address))
        .env("USER", "ann")
        .output()
        .unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silences_are_taken_changed_and_ended_and_a_kill_loses_none() {
    let mut shop = Shop::open().await;
    let first = add(&shop, &of_shop(3_600)).await;
    let theirs = json!({
        "matchers": [{"name": "slo_service", "value": "checkout", "isRegex": false, "isEqual": true}],
        "startsAt": now() + Length::from_hours(1), "endsAt": now() + Length::from_hours(2),
        "createdBy": "bob", "comment": "tonight",
    });
    let second = add(&shop, &theirs).await;
    let states =
        |list: Vec<(String, String, u64)>| list.into_iter().map(|(id, state, _)| (id, state)).collect::<Vec<_>>();
    let expected = vec![(first.clone(), "active".to_owned()), (second.clone(), "pending".to_owned())];
    assert_eq!(states(listed(&shop).await), expected);

    // Another end keeps the id; other matchers make another silence, and end this one.
    let mut longer = of_shop(7_200);
    longer["id"] = json!(first);
    assert_eq!(add(&shop, &longer).await, first);
    let mut other = of_shop(7_200);
    other["id"] = json!(first);
    other["matchers"][1]["value"] = json!("latency");
    let third = add(&shop, &other).await;
    assert_ne!(third, first);
    let expected = vec![
        (third.clone(), "active".to_owned()),
        (second.clone(), "pending".to_owned()),
        (first.clone(), "expired".to_owned()),
    ];
    assert_eq!(states(listed(&shop).await), expected);

    shop.slo.kill();
    shop.start().await;
    assert_eq!(states(listed(&shop).await), expected, "a kill loses none");

    assert_eq!(delete(&shop, &second).await.0, 200);
    for (id, status, code) in
        [(&*second, 409, "conflict"), (&*first, 409, "conflict"), ("ffffffffffff", 404, "not_found")]
    {
        let (found, answer) = delete(&shop, id).await;
        assert_eq!((found, &answer["error"]["code"]), (status, &json!(code)), "{answer}");
    }
    for (change, problem) in [
        (json!({"matchers": []}), "no matcher"),
        (json!({"matchers": [{"name": "a", "value": ".*", "is_regex": true}]}), "a label that is not there"),
        (json!({"matchers": [{"name": "a", "value": "(", "is_regex": true}]}), "not a regular expression"),
        (json!({"comment": ""}), "no comment"),
        (json!({"ends_at": "2020-01-01T00:00:00Z"}), "is past"),
    ] {
        let mut body = of_shop(3_600);
        change.as_object().unwrap().iter().for_each(|(key, value)| body[key] = value.clone());
        let (code, answer) = post(&shop, "/api/v1/silences", &body).await;
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(code == 400 && message.contains(problem), "{answer}, expected {problem}");
    }
    let mut unknown = of_shop(3_600);
    unknown["id"] = json!("ffffffffffff");
    assert_eq!(post(&shop, "/api/v1/silences", &unknown).await.0, 404);
    let audit = shop.slo.json("/api/v1/audit").await.unwrap();
    let actions: Vec<&str> =
        audit["items"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(
        actions,
        ["silence.expire", "silence.change", "silence.change", "silence.add", "silence.add"],
        "{audit}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silenced_page_is_told_once_when_its_silence_ends() {
    let shop = Shop::open().await;
    let id = add(&shop, &of_shop(3_600)).await;
    shop.traffic.set_broken(true);
    let alert = fires(&shop).await;
    eventually("it covers the page", SOON, || async {
        let list = listed(&shop).await;
        if list == [(id.clone(), "active".to_owned(), 1)] { Ok(()) } else { Err(format!("{list:?}")) }
    })
    .await;
    let page = shop.slo.get("/silences").await.unwrap().1.to_string();
    assert!(page.contains("Covers 1 alert that fires now") && page.contains("checkout/availability"), "{page}");
    judged_again(&shop, 3).await;
    assert_eq!(told(&shop), vec![], "nobody is told");

    // Shorter by a change: its end comes by itself.
    let mut shorter = of_shop(2);
    shorter["id"] = json!(id);
    assert_eq!(add(&shop, &shorter).await, id);
    let said = shop.hook.wait_for("told at its end", SOON, |body| body["state"] == "firing").await;
    assert_eq!(said["alert_id"], alert["id"]);
    assert!(said["reason"].as_str().unwrap().contains("silence ended"), "{said}");
    judged_again(&shop, 3).await;
    assert_eq!(shop.firings(), 1, "once: {:?}", told(&shop));

    // An end is told to those who were told before, silence or not.
    add(&shop, &of_shop(3_600)).await;
    shop.traffic.set_broken(false);
    shop.end_of(&alert["id"], 60).await;
    assert_eq!(shop.firings(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_silences_the_longer_one_keeps_it_quiet_and_what_ends_meanwhile_is_never_told() {
    let mut shop = Shop::open().await;
    let short = add(&shop, &of_shop(3_600)).await;
    let long = add(&shop, &of_shop(7_200)).await;
    shop.traffic.set_broken(true);
    fires(&shop).await;
    assert_eq!(delete(&shop, &short).await.0, 200);
    judged_again(&shop, 2).await;
    assert_eq!(told(&shop), vec![]);
    // Over a kill it stays quiet.
    shop.slo.kill();
    shop.start().await;
    fires(&shop).await;
    judged_again(&shop, 2).await;
    assert_eq!(told(&shop), vec![]);
    shop.traffic.set_broken(false);
    eventually("the end", 60, || async {
        let list = shop.slo.json("/api/v1/alerts?state=firing").await?;
        if list["total"] == 0 { Ok(()) } else { Err(list.to_string()) }
    })
    .await;
    assert_eq!(delete(&shop, &long).await.0, 200);
    judged_again(&shop, 2).await;
    assert_eq!(told(&shop), vec![], "what began and ended under a silence is nobody's news");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_silence_tells_at_once_and_the_command_line_does_it_all() {
    let shop = Shop::open().await;
    let added =
        slo(&shop, &["silence", "add", "checkout/availability", "region!=mars", "--for", "1h", "--comment", "why"]);
    assert!(added.status.success(), "{}", err(&added));
    let id = out(&added).trim().to_owned();
    assert!(id.len() == 12 && err(&added).contains("covers nothing that fires now"), "{id} {}", err(&added));
    let json = slo(&shop, &["silence", "list", "--format", "json"]);
    let list: Value = serde_json::from_str(&out(&json)).unwrap();
    let matchers = json!([
        {"name": "slo_service", "value": "checkout", "is_regex": false, "is_equal": true},
        {"name": "slo_name", "value": "availability", "is_regex": false, "is_equal": true},
        {"name": "region", "value": "mars", "is_regex": false, "is_equal": false},
    ]);
    assert_eq!((&list["items"][0]["matchers"], &list["items"][0]["created_by"]), (&matchers, &json!("ann")));

    shop.traffic.set_broken(true);
    let alert = fires(&shop).await;
    judged_again(&shop, 2).await;
    assert_eq!(told(&shop), vec![]);
    let table = slo(&shop, &["silence", "list"]);
    assert!(out(&table).contains(&id) && out(&table).contains(r#"region!="mars""#), "{}", out(&table));

    let ended = slo(&shop, &["silence", "expire", &id, "ffffffffffff"]);
    assert_eq!(ended.status.code(), Some(1), "one of them is not there");
    assert!(
        err(&ended).contains(&format!("the silence {id} is over")) && err(&ended).contains("no silence `ffffffffffff`")
    );
    let said = shop.hook.wait_for("told", SOON, |body| body["state"] == "firing").await;
    assert_eq!(said["alert_id"], alert["id"]);
    assert!(said["reason"].as_str().unwrap().contains("silence ended"), "{said}");
    assert!(out(&slo(&shop, &["silence", "list"])).is_empty());
    assert!(out(&slo(&shop, &["silence", "list", "--expired"])).contains(&id));
    let refused = slo(&shop, &["silence", "add", "a=~(", "--for", "1h", "--comment", "why"]);
    assert!(
        refused.status.code() == Some(2) && err(&refused).contains("not a regular expression"),
        "{}",
        err(&refused)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deploy_holds_what_the_policy_says_is_named_and_what_still_fires_is_told() {
    let mut shop = Shop::closed().await;
    shop.write(
        "rules/quick.yaml",
        &RULES.replace("    tiers:", "    on_deploy: {hold: 1h, severities: [page]}\n    tiers:"),
    );
    shop.start().await;
    let marked = slo(&shop, &["mark", "deploy", "checkout", "--version", "v2"]);
    assert!(marked.status.success() && err(&marked).contains("checkout v2 was deployed at"), "{}", err(&marked));
    let nobody = slo(&shop, &["mark", "deploy", "serach", "--version", "v2"]);
    assert!(err(&nobody).contains("no SLO of `serach` is loaded"), "{}", err(&nobody));
    let ahead = json!({"service": "checkout", "version": "v3", "at": now() + Length::from_hours(1)});
    let (status, answer) = post(&shop, "/api/v1/markers", &ahead).await;
    assert!(status == 400 && answer.to_string().contains("is ahead"), "{answer}");
    let markers = shop.slo.json("/api/v1/markers?service=checkout").await.unwrap();
    assert_eq!((&markers["total"], &markers["items"][0]["version"]), (&json!(1), &json!("v2")));

    // Over a kill the deploy is known, and holds.
    shop.slo.kill();
    shop.start().await;
    shop.traffic.set_broken(true);
    let alert = fires(&shop).await;
    assert_eq!(alert["evidence"]["deploy"]["version"], "v2", "{alert}");
    judged_again(&shop, 2).await;
    assert_eq!(told(&shop), vec![], "held");
    // Another hold in the files ends it.
    shop.write(
        "rules/quick.yaml",
        &RULES.replace("    tiers:", "    on_deploy: {hold: 1s, severities: [page]}\n    tiers:"),
    );
    assert_eq!(shop.reload().await.0, 200);
    let said = shop.hook.wait_for("told", SOON, |body| body["state"] == "firing").await;
    assert_eq!((&said["alert_id"], &said["evidence"]["deploy"]["version"]), (&alert["id"], &json!("v2")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exclusion_of_the_files_keeps_quiet_while_it_is_there() {
    let mut shop = Shop::closed().await;
    let window = |begin: Timestamp| format!("{{start: {begin}, for: 1h}}");
    let exclusion = |window: &str, more: &str| {
        format!(
            "version: exclusion/v1\nexclusions:\n  - name: upgrade\n    reason: change 4711\n    slos: [checkout/*]\n    \
             window: {window}\n{more}"
        )
    };
    let only = "    alerts_only: true\n";
    std::fs::create_dir(shop.path("exclusions")).unwrap();
    shop.write("exclusions/upgrade.yaml", &exclusion(&window(now() - Length::from_minutes(1)), only));
    shop.start().await;
    shop.traffic.set_broken(true);
    let alert = fires(&shop).await;
    judged_again(&shop, 2).await;
    assert_eq!(told(&shop), vec![]);

    // One that would change the budget is refused, and the old set stays.
    shop.write("exclusions/upgrade.yaml", &exclusion(&window(now() - Length::from_minutes(1)), ""));
    let (status, answer) = shop.reload().await;
    let text = answer.to_string();
    assert!(status == 400 && text.contains("SLO007") && text.contains("`alerts_only: true`"), "{text}");
    assert_eq!(told(&shop), vec![]);

    // It ends where the files say that it is over.
    shop.write("exclusions/upgrade.yaml", &exclusion(&window(now() - Length::from_hours(2)), only));
    assert_eq!(shop.reload().await.0, 200);
    let said = shop.hook.wait_for("told", SOON, |body| body["state"] == "firing").await;
    assert_eq!(said["alert_id"], alert["id"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silences_are_mirrored_to_alertmanager_over_a_restart_and_while_it_is_down() {
    let Some(mut real) = Alertmanager::start(&Alertmanager::to_webhook("http://127.0.0.1:9")).await else { return };
    let mut shop = Shop::closed().await;
    let config = shop.ports.config("slo.db");
    let sinks = format!("sinks:\n  peers: {{type: alertmanager, urls: ['{}']}}\n", real.url());
    shop.write("slo.yaml", &config.replace("sinks:\n", &sinks));
    shop.start().await;

    // It is down when the silence begins.
    real.stop();
    let id = add(&shop, &of_shop(3_600)).await;
    let pending = json!({
        "matchers": [{"name": "slo_service", "value": "checkout"}], "comment": "tonight", "created_by": "ann",
        "starts_at": now() + Length::from_hours(1), "ends_at": now() + Length::from_hours(2),
    });
    add(&shop, &pending).await;
    eventually("it was tried", SOON, || async {
        let log = shop.slo.log();
        if log.contains("is not mirrored yet") { Ok(()) } else { Err(service::tail(&log)) }
    })
    .await;
    real.resume().await;
    let there = |count: usize| {
        let real = &real;
        move || async move {
            let silences = real.silences().await;
            if silences.len() == count { Ok(silences) } else { Err(format!("{silences:?}")) }
        }
    };
    let made = eventually("mirrored", 60, there(1)).await;
    assert_eq!(made[0]["comment"], format!("database upgrade [slo {id}]"), "and the one to come is not");

    // Its handle is known over a kill: it is changed, not doubled, and ended.
    shop.slo.kill();
    shop.start().await;
    let mut longer = of_shop(7_200);
    longer["id"] = json!(id);
    assert_eq!(add(&shop, &longer).await, id);
    eventually("changed there", SOON, || async {
        let silences = there(1)().await?;
        let same = silences[0]["id"] == made[0]["id"] && silences[0]["endsAt"] != made[0]["endsAt"];
        if same { Ok(()) } else { Err(format!("{silences:?}")) }
    })
    .await;
    assert_eq!(delete(&shop, &id).await.0, 200);
    eventually("ended there", SOON, there(0)).await;
}

/// The share of requests that fail over the page's windows, by what was told or shown, in percent.
fn shares(of: &Value) -> Vec<f64> {
    let tier = &of["tiers"][0];
    ["confirm", "over"].map(|window| tier[window]["ratio"].as_f64().unwrap_or_default() * 100.0).to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_again_says_how_it_stands_then_and_a_page_taken_on_is_not_told_again_after_a_silence() {
    let mut shop = Shop::closed().await;
    let config = fs::read_to_string(shop.path("slo.yaml")).unwrap();
    shop.write("slo.yaml", &config.replace("to: [hook]", "to: [hook], repeat: 30s"));
    shop.start().await;
    shop.traffic.set_bad(3);
    let page = shop.hook.wait_for("the page", 60, |body| body["state"] == "firing").await;
    assert!(shares(&page)[0] < 35.0, "{page}");
    shop.traffic.set_bad(6);
    let id = page["alert_id"].as_str().unwrap();

    // The API shows the figures of now, though nothing of the alert changed.
    let path = format!("/api/v1/alerts/{}", id.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02X}")));
    let shown = eventually("60 % in both windows", 60, || async {
        let shown = shop.slo.json(&path).await?;
        if shares(&shown).iter().all(|share| (59.0..61.0).contains(share)) { Ok(shown) } else { Err(shown.to_string()) }
    })
    .await;
    assert!(
        shown["reason"].as_str().unwrap().starts_with("60% of requests failed over 4s and 60% over 10s"),
        "{shown}"
    );

    // So does the repeat, with as long as it has fired for.
    let again = shop.hook.wait_for("a repeat", 60, |body| body["occasion"] == "repeat").await;
    let time = |name: &str| again[name].as_str().unwrap().parse::<Timestamp>().unwrap();
    assert!(shares(&again).iter().all(|share| (59.0..61.0).contains(share)), "{again}");
    assert!(time("as_of").since(time("started_at")) >= Length::from_seconds(20), "{again}");
    assert_eq!(
        (&again["started_at"], &again["id"]),
        (&page["started_at"], &json!(format!("{}/r1", page["id"].as_str().unwrap())))
    );
    let reason = again["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("60% of requests failed") && reason.ends_with("; still firing, told again after 30s"),
        "{reason}"
    );
    let left = |of: &Value| of["budget"]["remaining_ratio"].as_f64().unwrap();
    assert!(left(&again) < left(&page), "the budget of now");

    // Taken on, it is not told again: neither by time, nor when a silence ends.
    let (status, answer) = post(&shop, &format!("{path}/ack"), &json!({"by": "kim"})).await;
    assert_eq!(status, 200, "{answer}");
    let silence = add(&shop, &of_shop(3_600)).await;
    judged_again(&shop, 2).await;
    let before = shop.firings();
    assert_eq!(delete(&shop, &silence).await.0, 200);
    judged_again(&shop, 3).await;
    assert_eq!(shop.firings(), before, "{:?}", told(&shop));
    shop.traffic.set_bad(0);
    let end = shop.end_of(&page["alert_id"], 60).await;
    assert_eq!(end["acked"]["by"], "kim", "{end}");
}
