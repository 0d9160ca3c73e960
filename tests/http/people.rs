//! What people do over HTTP: acknowledging, closing, judging, drills, signed links, and what receivers tell us.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use slo::policy::act::{Act, AlertVerdict};
use slo::runtime::links::LinkAction;
use slo::spec::policy::AlertSeverity;
use slo::units::{Length, Timestamp};
use tokio::sync::Notify;

use crate::fake::{Fake, PAGE, time};
use crate::fake_people::{DIGEST, HOOK_SECRET, key};
use crate::server::{Server, encoded, keys};

/// The alert that has ended.
const PAST: &str = r#"checkout/availability{region="eu"}/page/burn/2026-11-14T10:20:00Z/alert-1"#;

fn body(json: &Value) -> Vec<u8> {
    json.to_string().into_bytes()
}

/// The clock of the fake service.
fn now() -> Timestamp {
    time("2026-11-21T03:00:20Z")
}

/// Half of an act is worse than either end of it: who hangs up meanwhile changes nothing.
#[tokio::test]
async fn an_act_goes_to_its_end_although_whoever_asked_has_gone() {
    let fake = Fake::default();
    let (begun, may_end) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    *fake.people.slow.lock().unwrap() = Some((Arc::clone(&begun), Arc::clone(&may_end)));
    let server = Server::of(fake, "127.0.0.1:0").await;
    let path = format!("/api/v1/alerts/{}/ack", encoded(PAGE));
    let word = body(&json!({"by": "anna"}));
    tokio::select! {
        answer = server.post(&path, &[], word) => panic!("answered before it was done: {}", answer.text),
        () = begun.notified() => {}
    }
    // The connection is gone with the request; another one proves that the server has seen it go.
    assert_eq!(server.get("/-/healthy").await.status, 200);
    may_end.notify_one();
    let waits = async {
        while server.fake.people.acts.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waits).await.expect("the act came to its end");
}

#[tokio::test]
async fn acts_take_who_and_what_and_answer_with_the_alert() {
    let server = Server::start().await;
    let word = body(&json!({"by": "anna", "note": "rolling\nback"}));
    for (action, encode) in [("ack", true), ("ack", false), ("close", true)] {
        let id = if encode { encoded(PAGE) } else { PAGE.replace('"', "%22").replace('{', "%7B").replace('}', "%7D") };
        let answer = server.post(&format!("/api/v1/alerts/{id}/{action}"), &[], word.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let json = answer.json();
        assert_eq!((&json["id"], &json["message"]), (&json!(PAGE), &json!("done")));
        let (act, by) = server.fake.people.take().pop().unwrap();
        let (alert, note) = (PAGE.to_owned(), Some("rolling back".to_owned()));
        let expected = if action == "ack" { Act::Ack { alert, note } } else { Act::Close { alert, note } };
        assert_eq!(act, expected);
        assert_eq!((by.name.as_str(), by.via.as_str()), ("anna", "api"));
    }
    let verdict = body(&json!({"by": "bob", "verdict": "noise"}));
    let answer = server.post(&format!("/api/v1/alerts/{}/verdict", encoded(PAST)), &[], verdict).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let expected = Act::Judge { alert: PAST.to_owned(), verdict: AlertVerdict::Noise };
    assert_eq!(server.fake.people.take().pop().unwrap().0, expected);
    let bare = server.post(&format!("/api/v1/alerts/{}/ack", encoded(PAGE)), &[], vec![]).await;
    assert_eq!(bare.status, 200, "nothing has to be said: {}", bare.text);
    assert_eq!(server.fake.people.take().pop().unwrap().1.name, "anonymous");
}

#[tokio::test]
async fn what_cannot_be_done_is_not_done_and_says_why() {
    let server = Server::start().await;
    let long = "x".repeat(2_001);
    let (page, past) = (encoded(PAGE), encoded(PAST));
    for (path, sent, status, code) in [
        (format!("/api/v1/alerts/{past}/ack"), "{}", 409, "conflict"),
        (format!("/api/v1/alerts/{past}/close"), "{}", 409, "conflict"),
        ("/api/v1/alerts/nothing/ack".to_owned(), "{}", 404, "unknown_alert"),
        (format!("/api/v1/alerts/{page}/ack"), "[]", 400, "bad_body"),
        (format!("/api/v1/alerts/{page}/ack"), r#"{"notes": "x"}"#, 400, "bad_body"),
        (format!("/api/v1/alerts/{page}/ack"), &format!(r#"{{"note": "{long}"}}"#), 400, "bad_body"),
        (format!("/api/v1/alerts/{page}/ack?x=1"), "{}", 400, "unknown_parameter"),
        (format!("/api/v1/alerts/{page}/verdict"), r#"{"verdict": "good"}"#, 400, "bad_body"),
        (format!("/api/v1/alerts/{page}/verdict"), "{}", 400, "bad_body"),
        (format!("/api/v1/alerts/{page}/bundle"), "{}", 405, "method_not_allowed"),
        (format!("/api/v1/alerts/{page}"), "{}", 405, "method_not_allowed"),
        ("/api/v1/drills".to_owned(), r#"{"slo": "checkout/nothing"}"#, 404, "unknown_slo"),
        ("/api/v1/drills".to_owned(), r#"{"slo": "checkout/availability"}"#, 400, "group_required"),
        ("/api/v1/drills".to_owned(), r#"{"slo": "checkout/latency", "severity": "loud"}"#, 400, "bad_body"),
    ] {
        let answer = server.post(&path, &[], sent.as_bytes().to_vec()).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path} {sent}: {}", answer.text);
    }
    assert_eq!(server.fake.people.take(), []);
    let elsewhere = Server::of(Fake::default(), "0.0.0.0:0").await;
    let answer = elsewhere.post(&format!("/api/v1/alerts/{page}/ack"), &[], vec![]).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"));
}

#[tokio::test]
async fn a_drill_names_an_instance_in_either_way() {
    let server = Server::start().await;
    for sent in [
        json!({"slo": "checkout/availability", "group": r#"region="eu""#, "severity": "ticket", "by": "dora"}),
        json!({"slo": r#"checkout/availability{region="eu"}"#, "severity": "ticket", "by": "dora"}),
    ] {
        let answer = server.post("/api/v1/drills", &[], body(&sent)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let (act, by) = server.fake.people.take().pop().unwrap();
        let instance = r#"checkout/availability{region="eu"}"#.parse().unwrap();
        assert_eq!(act, Act::Drill { instance, severity: AlertSeverity::Ticket });
        assert_eq!(by.name, "dora");
    }
}

#[tokio::test]
async fn an_alert_shows_its_case() {
    let server = Server::start().await;
    let case = json!({
        "version": 1, "alert_id": PAGE, "acked": {"by": "anna", "at": "2026-11-21T02:57:16Z", "note": "on it"},
        "verdict": "real", "verdict_by": "bob", "drill": false, "ended_at": null,
        "quiet": {"kind": "silence", "name": "s1", "reason": "<b>batch", "until": "2026-11-21T04:00:00Z"},
        "told": {"oncall": {"at": "2026-11-21T02:55:16Z", "count": 1}}, "first_told_at": "2026-11-21T02:55:16Z",
    });
    server.fake.people.cases.lock().unwrap().insert(PAGE.to_owned(), case.to_string());
    let alert = server.get(&format!("/api/v1/alerts/{}", encoded(PAGE))).await.json();
    assert_eq!(alert["acked"], json!({"by": "anna", "at": "2026-11-21T02:57:16Z", "note": "on it"}));
    assert_eq!((&alert["verdict"], &alert["drill"]), (&json!("real"), &json!(false)));
    assert_eq!((&alert["time_to_ack_seconds"], &alert["time_to_resolve_seconds"]), (&json!(120), &Value::Null));
    assert_eq!(alert["quiet"]["name"], "s1");
    let past = server.get(&format!("/api/v1/alerts/{}", encoded(PAST))).await.json();
    assert_eq!((&past["acked"], &past["time_to_resolve_seconds"]), (&Value::Null, &json!(44 * 60)));

    let bundle = server.get(&format!("/api/v1/alerts/{}/bundle", encoded(PAGE))).await.json();
    assert_eq!(keys(&bundle), ["alert", "audit", "case", "contact", "instance", "links", "made_at"]);
    assert_eq!(bundle["alert"], alert);
    assert_eq!(bundle["case"]["told"]["oncall"]["count"], 1);
    assert_eq!(bundle["instance"]["id"], alert["slo"]);
    let markdown = server.get(&format!("/api/v1/alerts/{}/bundle?format=md", encoded(PAGE))).await;
    assert_eq!(markdown.headers["content-type"], "text/markdown; charset=utf-8");
    let text = markdown.text;
    for words in [
        "# Page: checkout/availability\\{region=\"eu\"\\}\n",
        "- acknowledged: 2026-11-21 02:57:16 UTC by anna\n",
        "- acknowledged after: 2 min\n",
        "- verdict: real, says bob\n",
        "silence s1: \\<b\\>batch\n",
        "- 2026-11-21 02:55:16 UTC **oncall told**: 200 OK\n",
        "- budget left: -29%\n",
    ] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
    let answer = server.get(&format!("/api/v1/alerts/{}/bundle?format=pdf", encoded(PAGE))).await;
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_parameter"));
    let answer = server.get("/api/v1/alerts/nothing/bundle").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "unknown_alert"));
}

#[tokio::test]
async fn looking_at_a_link_does_nothing_and_pressing_its_button_acts_on_any_address() {
    for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
        let server = Server::of(Fake::default(), listen).await;
        let path = |alert: &str, action| format!("/a/{}", key().token(alert, action, now() + Length::from_hours(1)));
        let (ack, mute) = (path(PAGE, LinkAction::Ack), path(PAGE, LinkAction::Mute));
        for (path, title) in [(&ack, "Acknowledge"), (&mute, "Mute for 1 h")] {
            let page = server.get(path).await;
            assert_eq!(page.status, 200, "{}", page.text);
            assert!(page.text.contains(&format!("<button type=\"submit\">{title}</button>")), "{}", page.text);
            assert!(page.text.contains("method=\"post\"") && !page.text.contains("http-equiv"), "{}", page.text);
            assert_eq!(page.headers["cache-control"], "no-store");
        }
        assert_eq!(server.fake.people.take(), [], "looking does nothing");

        let done = server.post(&ack, &[], b"by=Anna+B%C3%A4r".to_vec()).await;
        assert_eq!(done.status, 200, "{}", done.text);
        let (act, by) = server.fake.people.take().pop().unwrap();
        assert_eq!(act, Act::Ack { alert: PAGE.to_owned(), note: None });
        assert_eq!((by.name.as_str(), by.via.as_str()), ("Anna Bär", "link"));
        let _ = server.post(&ack, &[], vec![]).await;
        assert_eq!(server.fake.people.take().pop().unwrap().1.name, "link");

        assert_eq!(server.post(&mute, &[], vec![]).await.status, 200);
        let (act, _) = server.fake.people.take().pop().unwrap();
        let Act::Silence(draft) = act else { panic!("{act:?}") };
        assert_eq!(draft.ends_at, now() + Length::from_hours(1));
        let matchers: Vec<(&str, &str)> = draft.matchers.iter().map(|m| (m.name.as_str(), m.value.as_str())).collect();
        assert_eq!(matchers, [("slo_name", "availability")], "what is told of it");
    }
}

#[tokio::test]
async fn several_alerts_that_are_told_as_one_are_taken_on_as_one() {
    let server = Server::start().await;
    let path = format!("/api/v1/alerts/{}", encoded(DIGEST));
    let other = "checkout/other/page/burn/2026-11-21T02:56:00Z/alert-1";
    let answer = server.post(&format!("{path}/ack"), &[], body(&json!({"by": "anna"}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let json = answer.json();
    assert_eq!(keys(&json), ["acked", "changed", "id", "members", "message"]);
    assert_eq!((&json["id"], &json["message"]), (&json!(DIGEST), &json!("done")));
    let slo = "checkout/<b>";
    assert_eq!(json["members"][0], json!({"alert_id": PAGE, "slo": slo, "state": "firing", "acked": null}));
    assert_eq!(json["members"][1]["alert_id"], other);
    let expected = Act::Ack { alert: DIGEST.to_owned(), note: None };
    assert_eq!(server.fake.people.take().pop().unwrap().0, expected);

    for path in [path.clone(), format!("{path}/bundle")] {
        let answer = server.get(&path).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "unknown_alert"));
        assert_eq!(answer.json()["error"]["detail"], json!({"alert": DIGEST, "members": [PAGE, other]}));
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains("is a digest") && message.contains(&format!("it holds 2: `{PAGE}`, `{other}`")));
    }

    let link = format!("/a/{}", key().token(DIGEST, LinkAction::Ack, now() + Length::from_hours(1)));
    let page = server.get(&link).await;
    assert_eq!(page.status, 200, "{}", page.text);
    for words in ["2 alerts told as one", "checkout/&lt;b&gt;", "it fails", "you take all of these on", "<button"] {
        assert!(page.text.contains(words), "{words}: {}", page.text);
    }
    assert_eq!(server.fake.people.take(), []);
    assert_eq!(server.post(&link, &[], b"by=ben".to_vec()).await.status, 200);
    let (act, by) = server.fake.people.take().pop().unwrap();
    assert_eq!((act, by.name.as_str()), (expected, "ben"));
}

#[tokio::test]
async fn links_that_are_forged_old_or_of_what_is_over_do_nothing() {
    let server = Server::start().await;
    let token = |alert: &str, at| key().token(alert, LinkAction::Ack, at);
    let holds = now() + Length::from_hours(1);
    let mut tampered = token(PAGE, holds).into_bytes();
    tampered[0] = if tampered[0] == b'A' { b'B' } else { b'A' };
    for (token, status, words) in [
        (String::from_utf8(tampered).unwrap(), 403, "none of ours"),
        ("x".to_owned(), 403, "none of ours"),
        (token(PAGE, now() - Length::from_minutes(1)), 410, "expired"),
        (token("nothing", holds), 404, "not kept any more"),
        (token(PAST, holds), 409, "has ended"),
    ] {
        let path = format!("/a/{token}");
        let shown = server.get(&path).await;
        assert_eq!(shown.status, if status == 409 { 200 } else { status }, "{words}");
        assert!(shown.text.contains(words) && !shown.text.contains("<button"), "{words}: {}", shown.text);
        let pressed = server.post(&path, &[], vec![]).await;
        assert_eq!(pressed.status, status, "{words}: {}", pressed.text);
        assert!(pressed.text.contains(words), "{words}: {}", pressed.text);
    }
    assert_eq!(server.fake.people.take(), []);
}

/// A signed event of PagerDuty's webhooks v3.
fn event(name: &str, alert: &str) -> (String, Vec<u8>) {
    let body = json!({"event": {
        "id": "1", "event_type": name, "resource_type": "incident", "occurred_at": "2026-11-21T03:00:10Z",
        "agent": {"id": "P1", "summary": "Anna", "type": "user_reference"}, "client": null,
        "data": {"id": "Q1", "type": "incident", "status": "acknowledged", "incident_key": alert},
    }})
    .to_string()
    .into_bytes();
    let mut mac = Hmac::<Sha256>::new_from_slice(HOOK_SECRET).unwrap();
    mac.update(&body);
    let hex = mac.finalize().into_bytes().iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    (format!("v1={hex}"), body)
}

#[tokio::test]
async fn an_acknowledgement_in_pagerduty_is_one_here_and_only_a_signed_one() {
    for listen in ["127.0.0.1:0", "0.0.0.0:0"] {
        let server = Server::of(Fake::default(), listen).await;
        let (good, sent) = event("incident.acknowledged", PAGE);
        let push = |forged: &'static str, real: String| {
            let (server, sent) = (&server, sent.clone());
            async move {
                let headers = [("x-pagerduty-signature", if forged.is_empty() { real } else { forged.into() })];
                let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
                server.post("/api/v1/hooks/oncall", &headers, sent).await
            }
        };
        let answer = server.post("/api/v1/hooks/oncall", &[], sent.clone()).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unsigned"));
        let answer = push("v1=00", String::new()).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unsigned"));
        assert_eq!(server.fake.people.take(), []);
        let answer = push("", good).await;
        assert_eq!((answer.status, answer.json()["done"].clone()), (200, json!(true)), "{}", answer.text);
        let (act, by) = server.fake.people.take().pop().unwrap();
        assert_eq!(act, Act::Ack { alert: PAGE.to_owned(), note: None });
        assert_eq!((by.name.as_str(), by.via.as_str()), ("Anna", "pagerduty"));

        let (signature, sent) = event("incident.resolved", PAST);
        let answer = server.post("/api/v1/hooks/oncall", &[("x-pagerduty-signature", &signature)], sent).await;
        assert_eq!((answer.status, answer.json()["done"].clone()), (200, json!(false)), "over: it is not sent again");
        for (sink, status, code) in [("silent", 403, "no_secret"), ("nothing", 404, "unknown_sink")] {
            let answer = server.post(&format!("/api/v1/hooks/{sink}"), &[], vec![]).await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code));
        }
    }
}
