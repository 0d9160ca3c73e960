//! Who was told, who waits for what, what has to be mended: in the API, on the pages and on the command line.

use std::path::Path;

use serde_json::{Value, json};
use slo::config::meant::{Config, Grouping, Route, SinkConfig};
use slo::http::dashboard::layout::encoded;
use slo::policy::act::Act;
use slo::policy::alert::{AlertKind, AlertState};
use slo::policy::current::Figures;
use slo::policy::desk::{Desk, Rules};
use slo::policy::notification::{Member, Notification, Occasion};
use slo::runtime::service::{GateView, SinkView};
use slo::store::{Attempt, Delivery, DeliveryState};
use slo::units::Length;

use crate::command::slo;
use crate::fake::{Fake, PAGE, delivery, paging, time};
use crate::fake_people::{DIGEST, key};
use crate::server::Server;

/// The time of the service.
const NOW: &str = "2026-11-21T03:00:20Z";
/// An alert of which there is no row.
const SOURCE: &str = "source/backup/page/burn/2026-11-21T02:30:00Z/alert-1";
/// The alert that has ended.
const PAST: &str = r#"checkout/availability{region="eu"}/page/burn/2026-11-14T10:20:00Z/alert-1"#;
/// The row that was given up.
const GIVEN_UP: &str = r#"checkout/availability{region="eu"}/page/burn/2026-11-14T10:20:00Z/1@mail"#;

fn case(server: &Server, alert: &str, case: &Value) {
    server.fake.people.cases.lock().unwrap().insert(alert.to_owned(), case.to_string());
}

async fn telling(server: &Server, alert: &str) -> Value {
    server.get(&format!("/api/v1/alerts/{}", encoded(alert))).await.json()["telling"].clone()
}

/// The same words on the page, in the list of alerts, on the command line and in the Markdown.
async fn everywhere(server: &Server, alert: &str, words: &[&str]) {
    let id = encoded(alert);
    let texts = [
        server.get(&format!("/alerts/{id}")).await.text,
        server.get("/alerts").await.text,
        slo(&server.address, &["alerts", "show", alert]).await.out,
        server.get(&format!("/api/v1/alerts/{id}/bundle?format=md")).await.text,
    ];
    for (index, text) in texts.iter().enumerate() {
        for words in words {
            assert!(text.replace('\\', "").contains(words), "{words} is not in text {index}:\n{text}");
        }
    }
}

/// A message of several alerts, of which this is one, to `slack`.
fn in_a_digest(member: &str, state: AlertState) -> Delivery {
    let mut row = delivery(&paging(), "slack", DeliveryState::Done, 9);
    let told = &mut row.notification;
    (told.kind, told.alert_id) = (AlertKind::Digest, DIGEST.to_owned());
    r#"group{service="checkout"}"#.clone_into(&mut told.slo);
    let (alert_id, slo, reason) = (member.to_owned(), "checkout/<b>".to_owned(), "it fails".to_owned());
    told.members = vec![Member { alert_id, slo, kind: AlertKind::Burn, state, reason, ..Member::of(told) }];
    row.id = format!("{DIGEST}@slack");
    row
}

fn sink(name: &str, gate: GateView) -> SinkView {
    SinkView {
        name: name.into(),
        kind: "webhook".into(),
        destination: None,
        pending: 1,
        oldest: Some(Length::from_minutes(5)),
        last: Some(failure()),
        failure: Some(failure()),
        last_success_at: Some(time("2026-11-21T02:00:20Z")),
        attention: None,
        gate,
        failures: 3,
    }
}

fn failure() -> Attempt {
    Attempt { at: time("2026-11-21T03:00:10Z"), outcome: "retry".into(), message: "status 503 <b>busy".into() }
}

#[tokio::test]
async fn what_a_digest_told_is_told_of_each_alert_in_it() {
    let server = Server::start().await;
    case(&server, SOURCE, &json!({"digests": [DIGEST], "told": {"slack": {"at": "2026-11-21T02:55:15Z", "count": 1}}}));
    let of_another = Delivery { id: "other".into(), ..in_a_digest(PAGE, AlertState::Firing) };
    *server.fake.more_deliveries.lock().unwrap() = vec![in_a_digest(SOURCE, AlertState::Firing), of_another];
    let told = telling(&server, SOURCE).await;
    assert_eq!((&told["told"], &told["waits"]), (&json!(true), &Value::Null));
    assert_eq!(told["sinks"][0]["in_digest"], true);
    let alert = server.get(&format!("/api/v1/alerts/{}", encoded(SOURCE))).await.json();
    assert_eq!(alert["deliveries"].as_array().unwrap().len(), 1, "not of a message that does not name it: {alert}");
    let row = &alert["deliveries"][0];
    assert_eq!((&row["alert_id"], &row["tells"], &row["members"]), (&json!(DIGEST), &json!("firing"), &json!([])));
    everywhere(&server, SOURCE, &["slack in a digest; last 02:55:16 UTC (5 min ago)"]).await;
    let page = server.get(&format!("/alerts/{}", encoded(SOURCE))).await.text;
    assert!(page.contains("slack told in a digest") && page.contains(", in a digest</span>"), "{page}");
}

#[tokio::test]
async fn an_alert_of_which_nobody_heard_says_why_and_until_when() {
    let server = Server::start().await;
    assert_eq!(telling(&server, SOURCE).await["waits"]["kind"], "nobody");
    everywhere(&server, SOURCE, &["nobody yet, because it runs in shadow, or no route leads to a sink"]).await;
    let nine = "2026-11-21T09:00:00Z";
    case(&server, SOURCE, &json!({"waits": true, "waits_until": nine}));
    assert_eq!(
        telling(&server, SOURCE).await["waits"],
        json!({"kind": "hours", "name": "", "reason": "", "until": nine})
    );
    everywhere(&server, SOURCE, &["nobody yet, because it waits for working hours until 09:00:00 UTC (in 5 h)"]).await;
    let quiet = json!({"kind": "silence", "name": "s1", "reason": "upgrade", "until": "2026-11-22T04:00:00Z"});
    case(&server, SOURCE, &json!({"waits": true, "quiet": quiet}));
    everywhere(&server, SOURCE, &["it is silenced by s1 until 2026-11-22 04:00:00 UTC (in 24 h), upgrade"]).await;
}

#[tokio::test]
async fn a_digest_is_read_once_for_a_list_whatever_the_alerts_in_it() {
    let server = Server::start().await;
    for alert in [SOURCE, PAGE, PAST] {
        case(&server, alert, &json!({"digests": [DIGEST]}));
    }
    let mut row = in_a_digest(SOURCE, AlertState::Firing);
    let more = Member { alert_id: PAST.to_owned(), state: AlertState::Resolved, ..row.notification.members[0].clone() };
    row.notification.members.push(more);
    *server.fake.more_deliveries.lock().unwrap() = vec![row];
    for path in ["/alerts", "/api/v1/alerts"] {
        server.fake.asked.lock().unwrap().clear();
        let list = server.get(path).await;
        assert_eq!(list.status, 200);
        let asked = server.fake.asked.lock().unwrap().clone();
        let of_digest = asked.iter().filter(|filter| filter.alert_id.as_deref() == Some(DIGEST)).count();
        assert_eq!(of_digest, 1, "{path}: {asked:?}");
    }
    let list = server.get("/api/v1/alerts").await.json();
    let tells = |id: &str| {
        let alert = list["items"].as_array().unwrap().iter().find(|alert| alert["id"] == id).unwrap();
        let rows = alert["deliveries"].as_array().unwrap().iter().filter(|row| row["alert_id"] == DIGEST);
        rows.map(|row| (row["tells"].as_str().unwrap(), row["members"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(tells(SOURCE), [("firing", json!([]))]);
    assert_eq!(tells(PAST), [("resolved", json!([]))]);
    assert_eq!(tells(PAGE), []);
}

#[tokio::test]
async fn an_alert_for_whose_name_a_digest_had_no_room_is_told_when_the_digest_is() {
    let server = Server::start().await;
    let mut row = in_a_digest(SOURCE, AlertState::Firing);
    let other = |index: usize| Member { alert_id: format!("other-{index}"), ..row.notification.members[0].clone() };
    row.notification.members = (0..1_000).map(other).collect();
    row.created_at = time("2026-11-21T02:56:00Z");
    let first = row.created_at;
    let told = |at: &str| json!({"digests": [DIGEST], "told": {"slack": {"at": at, "first_at": at, "count": 1}}});
    case(&server, SOURCE, &told(&first.to_string()));
    for (state, expected) in
        [(DeliveryState::Pending, "waits"), (DeliveryState::Done, "told"), (DeliveryState::Failed, "failed")]
    {
        *server.fake.more_deliveries.lock().unwrap() = vec![Delivery { state, ..row.clone() }];
        let telling = telling(&server, SOURCE).await;
        assert_eq!((&telling["told"], &telling["sinks"][0]["state"]), (&json!(expected == "told"), &json!(expected)));
    }
    // A message of before it was in the digest tells nothing of it.
    case(&server, SOURCE, &told("2026-11-21T02:58:00Z"));
    let alert = server.get(&format!("/api/v1/alerts/{}", encoded(SOURCE))).await.json();
    assert_eq!(alert["deliveries"], json!([]));
}

/// The case of an alert that a desk was given just now, as it keeps it.
fn decided(alert: &str, routes: Vec<Route>) -> Value {
    let mut config = Config::empty(Path::new(""));
    config.sinks = ["hook", "slack"].map(|name| (name.to_owned(), SinkConfig::Stdout)).into();
    config.routes = routes;
    let about =
        Notification { alert_id: alert.to_owned(), ..delivery(&paging(), "", DeliveryState::Done, 1).notification };
    let rules = Rules { config: &config, quiet: &|_, _| None, current: &|about, _| Some(Figures::of(about)) };
    let mut desk = Desk::default();
    assert!(desk.take(about, &rules, time(NOW)));
    desk.due(&rules, time(NOW));
    let kept = desk.drain().kept.into_iter().rfind(|kept| !kept.is_digest).unwrap();
    serde_json::from_str(&kept.text.unwrap()).unwrap()
}

fn grouped() -> Route {
    let grouping = Grouping { by: vec![], wait: Length::from_minutes(5), interval: Length::from_minutes(5) };
    Route { to: vec!["slack".to_owned()], grouping: Some(grouping), continue_: true, ..Route::default() }
}

#[tokio::test]
async fn an_alert_that_waits_for_its_group_says_so_whoever_else_was_told() {
    let server = Server::start().await;
    case(&server, SOURCE, &decided(SOURCE, vec![grouped()]));
    let until = "2026-11-21T03:05:20Z";
    let waits = json!({"kind": "group", "name": "", "reason": "", "until": until});
    assert_eq!(telling(&server, SOURCE).await["waits"], waits);
    let words = "it waits for others of its group until 03:05:20 UTC (in 5 min)";
    everywhere(&server, SOURCE, &[&format!("nobody yet, because {words}")]).await;
    let hook = Route { to: vec!["hook".to_owned()], ..Route::default() };
    case(&server, SOURCE, &decided(SOURCE, vec![grouped(), hook]));
    let told = telling(&server, SOURCE).await;
    assert_eq!((&told["told"], &told["waits"]), (&json!(true), &waits));
}

#[tokio::test]
async fn a_sink_that_waits_says_until_when_and_why() {
    let server = Server::start().await;
    *server.fake.sinks.lock().unwrap() = vec![sink("hook", GateView::Waiting(time("2026-11-21T03:02:20Z")))];
    let told = telling(&server, PAGE).await;
    let states: Vec<(&str, &str)> = told["sinks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sink| (sink["sink"].as_str().unwrap(), sink["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states, [("hook", "waits"), ("oncall", "told")]);
    assert_eq!(told["sinks"][0]["waits_until"], "2026-11-21T03:02:20Z", "of the gate, not of the row");
    everywhere(&server, PAGE, &["sink hook waits until 03:02:20 UTC (in 2 min): 503: come back later", "oncall; last"])
        .await;
    let past = telling(&server, PAST).await;
    assert_eq!((&past["told"], &past["sinks"][0]["state"]), (&json!(false), &json!("failed")));
    everywhere(&server, PAST, &["mail: 400: no such routing key"]).await;
}

#[tokio::test]
async fn what_comes_next_is_said_until_somebody_takes_it_on() {
    let server = Server::start().await;
    let next = json!({
        "told": {"oncall": {"at": "2026-11-21T02:55:16Z", "count": 1}}, "repeats_at": "2026-11-21T03:10:20Z",
        "escalates": {"at": "2026-11-21T03:05:20Z", "to": ["boss", "mail"]},
    });
    case(&server, PAGE, &next);
    let (again, boss) = ("03:10:20 UTC (in 10 min) unless acknowledged", "to boss, mail 03:05:20 UTC (in 5 min)");
    everywhere(&server, PAGE, &[again, boss]).await;
    let mut acked = next;
    acked["acked"] = json!({"by": "anna", "at": "2026-11-21T02:57:16Z", "note": null});
    case(&server, PAGE, &acked);
    let page = server.get(&format!("/alerts/{}", encoded(PAGE))).await.text;
    assert!(!page.contains(again) && !page.contains(boss), "{page}");
    for path in ["/", "/alerts"] {
        assert!(server.get(path).await.text.contains("acknowledged by anna"), "{path}");
    }
    let status = slo(&server.address, &["status", "checkout"]).await;
    assert!(status.out.contains("page (acknowledged by anna)"), "{}", status.out);
}

#[tokio::test]
async fn why_a_message_was_sent_again_is_said() {
    let server = Server::start().await;
    let of = |occasion, sequence| {
        let mut row = delivery(&paging(), "oncall", DeliveryState::Done, sequence);
        row.notification.occasion = occasion;
        row.id = format!("{}{sequence}", row.id);
        row
    };
    let occasions =
        [Occasion::Repeat, Occasion::Escalation, Occasion::QuietEnded, Occasion::Acknowledged, Occasion::InPlace];
    *server.fake.more_deliveries.lock().unwrap() =
        occasions.into_iter().zip(10..).map(|(occasion, sequence)| of(occasion, sequence)).collect();
    assert_eq!(telling(&server, PAGE).await["sinks"][1]["count"], 5, "an acknowledgement is no telling of it");
    let page = server.get(&format!("/alerts/{}", encoded(PAGE))).await.text;
    for words in
        ["told again", "told, escalated", "told, no longer quiet", "told that it is acknowledged", "told in place"]
    {
        assert!(page.contains(&format!("oncall {words}")), "{words}: {page}");
    }
    let listed = slo(&server.address, &["deliveries", "--sink", "oncall"]).await;
    assert!(listed.out.contains("Firing, quiet ended") && listed.out.contains("Acknowledged"), "{}", listed.out);
}

#[tokio::test]
async fn the_same_answer_again_and_again_is_one_line() {
    let server = Server::start().await;
    let mut row = delivery(&paging(), "bad", DeliveryState::Pending, 10);
    let retry = |at: &str| Attempt { at: time(at), ..row.attempts[0].clone() };
    row.attempts = vec![retry("2026-11-21T02:55:16Z"), retry("2026-11-21T02:56:16Z"), retry("2026-11-21T02:58:16Z")];
    *server.fake.more_deliveries.lock().unwrap() = vec![row];
    let page = server.get(&format!("/alerts/{}", encoded(PAGE))).await.text;
    assert_eq!(page.matches("bad not told").count(), 1, "{page}");
    assert!(page.contains("503: come back later (3 tries, the last 2026-11-21 02:58:16 UTC)"), "{page}");
}

#[tokio::test]
async fn the_page_of_an_alert_says_where_it_fails_and_whom_to_ask_and_of_when_it_is() {
    let server = Server::start().await;
    let page = server.get(&format!("/alerts/{}", encoded(PAGE))).await.text;
    let shown = slo(&server.address, &["alerts", "show", PAGE]).await.out;
    let markdown = server.get(&format!("/api/v1/alerts/{}/bundle?format=md", encoded(PAGE))).await.text;
    for text in [&page, &shown, &markdown] {
        for words in ["code=503", "97%", "v41", "payments #payments", "https://wiki.example/checkout", "2026-11-21"] {
            assert!(text.replace('\\', "").contains(words), "{words}: {text}");
        }
    }
    assert!(page.contains("figures as of 03:00:00 UTC (20 s ago)"), "{page}");
    assert!(shown.contains("figures of   2026-11-21 03:00:00 UTC (20 s ago)"), "{shown}");
    let alert = server.get(&format!("/api/v1/alerts/{}", encoded(PAGE))).await.json();
    assert_eq!(alert["as_of"], "2026-11-21T03:00:00Z");
}

#[tokio::test]
async fn an_alert_has_buttons_for_those_who_may_press_them() {
    let path = |what: &str| format!("/alerts/{}{what}", encoded(PAGE));
    let server = Server::start().await;
    let page = server.get(&path("")).await.text;
    for act in ["ack", "silence", "close"] {
        assert!(page.contains(&format!("formaction=\"{}\"", path(&format!("/{act}")))), "{act}: {page}");
    }
    let ended = server.get(&format!("/alerts/{}", encoded(PAST))).await.text;
    assert!(!ended.contains("formaction"), "{ended}");
    let elsewhere = Server::of(Fake::default(), "0.0.0.0:0").await;
    assert!(!elsewhere.get(&path("")).await.text.contains("formaction"), "writes are not open there");
    assert_eq!(elsewhere.post(&path("/ack"), &[], vec![]).await.status, 403);
    assert_eq!(server.post(&path("/ack"), &[("sec-fetch-site", "cross-site")], vec![]).await.status, 403);
    assert_eq!(server.fake.people.take(), []);

    let own = [("sec-fetch-site", "same-origin")];
    for (what, expected) in [
        ("/ack", Act::Ack { alert: PAGE.to_owned(), note: None }),
        ("/close", Act::Close { alert: PAGE.to_owned(), note: None }),
    ] {
        let done = server.post(&path(what), &own, b"by=Anna+B%C3%A4r".to_vec()).await;
        assert_eq!(done.status, 200, "{}", done.text);
        assert!(done.text.contains("Done") && !done.text.contains("http-equiv"), "{}", done.text);
        let (act, by) = server.fake.people.take().pop().unwrap();
        assert_eq!((act, by.name.as_str(), by.via.as_str()), (expected, "Anna Bär", "dashboard"));
    }
    assert_eq!(server.post(&path("/silence"), &own, vec![]).await.status, 200);
    let (Act::Silence(draft), by) = server.fake.people.take().pop().unwrap() else { panic!("no silence") };
    assert_eq!((draft.ends_at, by.name.as_str()), (time("2026-11-21T04:00:20Z"), "anonymous"));
    assert_eq!(draft.matchers.iter().map(|matcher| matcher.name.as_str()).collect::<Vec<_>>(), ["slo_name"]);
    let over = server.post(&format!("/alerts/{}/ack", encoded(PAST)), &own, vec![]).await;
    assert!(over.status == 409 && !over.text.contains("http-equiv"), "{}", over.text);
    assert_eq!(server.post("/alerts/x/laugh", &own, vec![]).await.status, 404);
}

#[tokio::test]
async fn the_page_of_health_says_what_keeps_each_sink_and_has_a_button_for_what_was_given_up() {
    let server = Server::start().await;
    let mut odd = sink("slack", GateView::Open);
    (odd.failures, odd.attention) = (0, Some((time("2026-11-21T02:59:20Z"), "the template <i> failed".into())));
    *server.fake.sinks.lock().unwrap() = vec![sink("hook", GateView::Waiting(time("2026-11-21T03:02:20Z"))), odd];
    let page = server.get("/health").await.text;
    for words in [
        "until 03:02:20 UTC (in 2 min)",
        "<td data-name=\"Failures\">3</td>",
        "status 503 &lt;b&gt;busy",
        "60 min ago",
        "oldest 5 min ago",
        "Needs attention</b> the template &lt;i&gt; failed",
        "next try 03:01:00 UTC (in 40 s)",
        &format!("href=\"/alerts/{}\"", encoded(PAGE)),
        "Send again",
        &GIVEN_UP.replace('"', "&quot;"),
        &format!("/deliveries/{}/resend", encoded(GIVEN_UP)),
        "<span class=\"quiet\">by link</span>",
        "kim <span class=\"quiet\">by cli</span>",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let sinks = server.get("/api/v1/sinks").await.json();
    assert_eq!(sinks["items"][0]["waits_because"], "status 503 <b>busy");
    assert_eq!(sinks["items"][0]["last_success_at"], "2026-11-21T02:00:20Z");
    assert_eq!(sinks["items"][1]["attention"]["text"], "the template <i> failed");
    let resend = format!("/deliveries/{}/resend", encoded(GIVEN_UP));
    assert_eq!(server.post(&resend, &[("sec-fetch-site", "same-origin")], vec![]).await.status, 200);
    assert_eq!(server.fake.people.take().pop().unwrap().0, Act::Resend { delivery: GIVEN_UP.to_owned() });
    let elsewhere = Server::of(Fake::default(), "0.0.0.0:0").await;
    assert!(!elsewhere.get("/health").await.text.contains("Send again"));
}

#[tokio::test]
async fn home_and_status_say_that_messages_wait() {
    let server = Server::start().await;
    let page = server.get("/").await.text;
    assert!(page.contains("1 message given up within the last day") && !page.contains("sink hook"), "{page}");
    *server.fake.sinks.lock().unwrap() = vec![sink("hook", GateView::Waiting(time("2026-11-21T03:02:20Z")))];
    let page = server.get("/").await.text;
    for words in
        ["sink hook waits until 03:02:20 UTC (in 2 min): status 503 &lt;b&gt;busy; 1 message waits", "href=\"/health\""]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    let status = slo(&server.address, &["status"]).await;
    assert!(status.err.contains("sink hook failed 3 times in a row"), "the clock has gone on: {}", status.err);
}

#[tokio::test]
async fn links_that_lead_nowhere_hold_still_and_nothing_speaks_of_a_button_that_is_not_there() {
    let server = Server::start().await;
    let forged = server.get("/a/x").await.text;
    assert!(!forged.contains("http-equiv") && !forged.contains("reload by itself"), "{forged}");
    let action = slo::runtime::links::LinkAction::Ack;
    let token = |alert| key().token(alert, action, time("2026-11-21T04:00:20Z"));
    let over = server.get(&format!("/a/{}", token(PAST))).await.text;
    assert!(over.contains("has ended") && !over.contains("The button"), "{over}");
    let open = server.get(&format!("/a/{}", token(PAGE))).await.text;
    assert!(open.contains("The button") && !open.contains("placeholder=\"link\""), "{open}");
}

#[tokio::test]
async fn deliveries_and_the_audit_have_verbs() {
    let server = Server::start().await;
    let said = slo(&server.address, &["deliveries", "--state", "failed"]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    for words in ["✕ Failed", "mail", "page checkout/availability", GIVEN_UP, "400: no such routing key"] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    assert!(said.err.contains(&format!("slo deliveries resend '{GIVEN_UP}'")), "{}", said.err);
    let json = slo(&server.address, &["deliveries", "--state", "pending", "--format", "json"]).await.out;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json, server.get("/api/v1/deliveries?state=pending").await.json());
    let sent = slo(&server.address, &["deliveries", "resend", GIVEN_UP, "nope"]).await;
    assert_eq!(sent.code, 1, "{}", sent.err);
    assert!(sent.err.contains(&format!("{GIVEN_UP}: ")) && sent.err.contains("1 of 2 sent again"), "{}", sent.err);
    assert_eq!(server.fake.people.take().pop().unwrap().0, Act::Resend { delivery: GIVEN_UP.to_owned() });

    let said = slo(&server.address, &["audit"]).await;
    assert_eq!((said.code, said.err.as_str()), (0, "2 entries\n"));
    assert!(
        said.out.contains("kim (cli)") && said.out.contains(" link ") && !said.out.contains("link (link)"),
        "{}",
        said.out
    );
    let kim = slo(&server.address, &["audit", "--actor", "kim"]).await;
    assert!(kim.out.contains("kim") && kim.err == "1 entry\n", "{} {}", kim.out, kim.err);
    let json = slo(&server.address, &["audit", "--format", "json"]).await.out;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["total"], 2);
    let alerts = slo(&server.address, &["alerts", "list"]).await;
    assert!(alerts.out.contains(PAGE), "ids can be copied: {}", alerts.out);
}
