//! Against the real Alertmanager (Debian's `prometheus-alertmanager`); without it these tests print one line and pass.
//!
//! It notifies our own receiver at once, so that what its users would get is seen, annotations of a resolve included.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod kit;
#[path = "outbox_kit/sample.rs"]
mod sample;
#[path = "outbox_kit/server.rs"]
mod server;

use std::collections::BTreeMap;

use kit::alertmanager::Alertmanager as Real;
use kit::{free_port, http, local, wait_for};
use sample::Sample;
use serde_json::{Value, json};
use server::{Reply, Server};
use slo::clock::Clock;
use slo::policy::alert::AlertState;
use slo::policy::episode::Episode;
use slo::policy::facts::Facts;
use slo::policy::notification::{Notification, Telling};
use slo::policy::silence::{LabelMatcher, Silence};
use slo::policy::subject::Subject;
use slo::sink::alertmanager::mirror::Looked;
use slo::sink::alertmanager::{Alertmanager, Shape};
use slo::sink::client::{Bounds, Client};
use slo::sink::{DeliveryVerdict, RefreshSink as _};
use slo::spec::meant::{Foreign, ForeignAlert, Origin};
use slo::spec::policy::AlertSeverity;
use slo::units::{Labels, Length, SloId, Timestamp};

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    wait_for(what, async || holds().await.then_some(())).await;
}

fn sink(urls: &[String]) -> Alertmanager {
    let shape = Shape {
        expires: Length::from_minutes(15),
        severity: BTreeMap::from([(AlertSeverity::Page, "critical".into())]),
        external_url: Some("https://slo.example".into()),
    };
    Alertmanager::new(Client::new(Bounds::default()).unwrap(), urls, shape).unwrap()
}

/// A notification whose alert fired two minutes ago.
fn notification(clock: &Clock, state: AlertState) -> Notification {
    let mut told = Sample::new("checkout/availability{region=\"eu\"}", AlertSeverity::Page, 1).notification(state);
    // By whole seconds, as slice ends are.
    told.fired_at = (clock.now() - Length::from_minutes(2)).floor_to(Length::from_minutes(5));
    told.annotations.insert("run-book".into(), "restart it".into());
    told
}

/// The first alert of each post to the receiver with this status.
fn notified(server: &Server, status: &str) -> Vec<Value> {
    let bodies = server.seen().into_iter().map(|seen| seen.json());
    bodies.filter(|body| body["status"] == status).map(|body| body["alerts"][0].clone()).collect()
}

#[tokio::test]
async fn a_page_appears_stays_over_a_restart_by_refresh_and_resolves_with_its_annotations() {
    let hook = Server::start(vec![Reply::status(200)]).await;
    let clock = Clock::system();
    let Some(mut real) = Real::start(&Real::to_webhook(&hook.url)).await else { return };
    let sink = sink(&[real.url()]);
    let firing = notification(&clock, AlertState::Firing);

    let outcome = sink.deliver(&firing, clock.now()).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Done, "{}", outcome.message);
    let alerts = real.alerts().await;
    assert_eq!(alerts.len(), 1);
    let labels = json!({
        "alertname": "SLOBurn", "severity": "critical", "slo_severity": "page", "slo_service": "checkout",
        "slo_name": "availability", "owner": "payments", "team_name": "core.pay", "cluster": "eu1",
    });
    assert_eq!(alerts[0]["labels"], labels);
    assert_eq!(alerts[0]["annotations"]["run_book"], "restart it");
    let begun: slo::units::Timestamp = alerts[0]["startsAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(begun, firing.fired_at);
    assert_eq!(alerts[0]["generatorURL"], "https://slo.example/slo/checkout/availability?group=region%3D%22eu%22");
    until("notified", async || notified(&hook, "firing").len() == 1).await;

    // Alerts live in its memory: after a crash it knows none, until it is told the state again.
    real.stop();
    real.resume().await;
    assert_eq!(real.alerts().await.len(), 0);
    let outcome = sink.refresh(std::slice::from_ref(&firing), clock.now()).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Done, "{}", outcome.message);
    assert_eq!(real.alerts().await[0]["labels"], labels);

    let mut resolved = notification(&clock, AlertState::Resolved);
    resolved.fired_at = firing.fired_at;
    until("notified again, its log being lost too", async || notified(&hook, "firing").len() == 2).await;
    assert_eq!(sink.deliver(&resolved, clock.now()).await.verdict, DeliveryVerdict::Done);
    assert_eq!(sink.refresh(std::slice::from_ref(&resolved), clock.now()).await.verdict, DeliveryVerdict::Done);
    until("resolved", async || real.alerts().await.is_empty()).await;
    until("told of the end", async || !notified(&hook, "resolved").is_empty()).await;
    let (before, after) = (notified(&hook, "firing").remove(0), notified(&hook, "resolved").remove(0));
    assert_eq!((&before["labels"], &before["annotations"]), (&after["labels"], &after["annotations"]));
    assert_eq!((&before["startsAt"], &before["labels"]), (&after["startsAt"], &labels));
}

#[tokio::test]
async fn of_two_peers_one_may_be_down() {
    let hook = Server::start(vec![Reply::status(200)]).await;
    let Some(real) = Real::start(&Real::to_webhook(&hook.url)).await else { return };
    let (down, clock) = (local(free_port()).to_string(), Clock::system());
    let both = [format!("http://{down}"), real.url()];
    let outcome = sink(&both).deliver(&notification(&clock, AlertState::Firing), clock.now()).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Done, "{}", outcome.message);
    assert!(outcome.message.contains("refused") && outcome.message.contains(&down), "{}", outcome.message);
    assert_eq!(real.alerts().await.len(), 1);
    let outcome = sink(&both[..1]).deliver(&notification(&clock, AlertState::Firing), clock.now()).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Retry(None));
}

/// A routing tree as Sloth's users write it, with a route by `severity` for what else there is. Each receiver is told
/// apart by its name in the body.
fn routes_of_sloth(url: &str) -> String {
    let receivers = ["nobody", "checkout", "payments-page", "tickets", "critical"];
    let receivers: Vec<String> = receivers
        .iter()
        .map(|name| format!("- name: {name}\n  webhook_configs:\n  - {{url: '{url}', send_resolved: true}}\n"))
        .collect();
    format!(
        "route:\n  receiver: nobody\n  group_wait: 1s\n  group_interval: 1s\n  repeat_interval: 1h\n  \
         group_by: [sloth_service, sloth_slo]\n  routes:\n  \
         - {{receiver: checkout, matchers: ['alertname=\"CheckoutLatency\"']}}\n  \
         - {{receiver: payments-page, matchers: ['sloth_severity=\"page\"', 'team=\"payments\"']}}\n  \
         - {{receiver: tickets, matchers: ['sloth_severity=\"ticket\"']}}\n  \
         - {{receiver: critical, matchers: ['severity=\"critical\"']}}\n\
         receivers:\n{}",
        receivers.concat()
    )
}

fn words(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The labels that Sloth 0.11 puts into the rules of `checkout`, `slo`; Prometheus adds `alertname`.
fn labels_of_sloth(slo: &str, severity: &str) -> BTreeMap<String, String> {
    let id = format!("checkout-{slo}");
    let own = [("sloth_id", id.as_str()), ("sloth_service", "checkout"), ("sloth_slo", slo)];
    let mut labels = words(&own);
    labels.extend(words(&[("sloth_severity", severity), ("team", "payments"), ("repo", "shop/checkout")]));
    labels
}

/// What we tell of that SLO's alert, as the policy tells it. `copy` keeps it apart from Prometheus' own.
fn told_by_us(clock: &Clock, alertname: &str, slo: &str, severity: AlertSeverity) -> Notification {
    let mut subject = Subject::source("unused", &words(&[("copy", "slo")]));
    subject.id = SloId::new("checkout", slo);
    subject.owner = Some("payments".into());
    let title = "({{ $labels.sloth_severity }}) {{$labels.sloth_service}} {{$labels.sloth_slo}}: {{ $value }}";
    subject.foreign = Some(std::sync::Arc::new(Foreign {
        origin: Origin::Sloth,
        recorded: Vec::new(),
        alerts: vec![ForeignAlert {
            severity,
            silence: false,
            name: alertname.to_owned(),
            labels: labels_of_sloth(slo, severity.name()),
            annotations: words(&[("title", title)]),
        }],
    }));
    let group = Labels::new();
    let mut alert = Sample::new(&format!("checkout/{slo}"), severity, 1).alert(AlertState::Firing);
    let fired_at = (clock.now() - Length::from_minutes(2)).floor_to(Length::from_minutes(5));
    subject.origin().clone_into(&mut alert.origin);
    alert.fired_at = Some(fired_at);
    let episode = Episode::begin(fired_at, subject.shared_labels(&group), subject.foreign_labels(&group));
    let facts = Facts::Act { at: clock.now(), verdict: None };
    let telling = Telling { subject: &subject, group: &group, episode: &episode, transition: 1, facts };
    Notification::of(&alert, &telling, Vec::new())
}

/// Who was told of what, by the alert's labels without `copy`: names of receivers, of one copy.
fn receivers_told(server: &Server, copy: &str) -> BTreeMap<String, Vec<String>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for body in server.seen().into_iter().map(|seen| seen.json()) {
        for alert in body["alerts"].as_array().unwrap() {
            let mut labels = alert["labels"].as_object().unwrap().clone();
            if labels.remove("copy").is_some_and(|value| value == copy) {
                let receivers = told.entry(serde_json::to_string(&labels).unwrap()).or_default();
                receivers.push(body["receiver"].as_str().unwrap().to_owned());
                receivers.sort();
                receivers.dedup();
            }
        }
    }
    told
}

#[tokio::test]
async fn alerts_of_sloth_files_take_the_routes_that_their_users_have() {
    let hook = Server::start(vec![Reply::status(200)]).await;
    let clock = Clock::system();
    let Some(real) = Real::start(&routes_of_sloth(&hook.url)).await else { return };
    let three = [
        ("CheckoutErrors", "requests", AlertSeverity::Page, "payments-page"),
        ("CheckoutErrors", "requests", AlertSeverity::Ticket, "tickets"),
        ("CheckoutLatency", "latency", AlertSeverity::Page, "checkout"),
    ];

    // As Prometheus sends them for Sloth's rules.
    let posted = three.map(|(alertname, slo, severity, _)| {
        let mut labels = labels_of_sloth(slo, severity.name());
        labels.extend(words(&[("alertname", alertname), ("copy", "prometheus")]));
        json!({"labels": labels, "annotations": {}, "startsAt": clock.now() - Length::from_minutes(2)})
    });
    let answer = http().post(format!("{}/api/v2/alerts", real.url())).json(&posted).send().await;
    assert_eq!(answer.unwrap().status(), 200);

    let ours = three.map(|(alertname, slo, severity, _)| told_by_us(&clock, alertname, slo, severity));
    let native = notification(&clock, AlertState::Firing);
    let sink = sink(&[real.url()]);
    for one in ours.iter().chain([&native]) {
        assert_eq!(sink.deliver(one, clock.now()).await.verdict, DeliveryVerdict::Done);
    }

    until("told of all", async || {
        let natives = hook.seen().iter().filter(|seen| seen.json()["receiver"] == "critical").count();
        receivers_told(&hook, "prometheus").len() == 3 && receivers_told(&hook, "slo").len() == 3 && natives > 0
    })
    .await;
    let want: BTreeMap<String, Vec<String>> = three
        .into_iter()
        .map(|(alertname, slo, severity, receiver)| {
            let mut labels = labels_of_sloth(slo, severity.name());
            labels.insert("alertname".into(), alertname.into());
            (serde_json::to_string(&labels).unwrap(), vec![receiver.to_owned()])
        })
        .collect();
    assert_eq!(receivers_told(&hook, "prometheus"), want);
    assert_eq!(receivers_told(&hook, "slo"), want, "same labels, same receivers");

    let bodies: Vec<Value> = hook.seen().into_iter().map(|seen| seen.json()).collect();
    for body in bodies.iter().filter(|body| body["receiver"] != "critical") {
        let grouped = body["groupLabels"].as_object().unwrap();
        assert_eq!(grouped["sloth_service"], "checkout");
        let mine = body["alerts"].as_array().unwrap().iter().find(|alert| alert["labels"]["copy"] == "slo");
        let Some(mine) = mine else { continue };
        let (severity, slo) = (mine["labels"]["sloth_severity"].as_str(), mine["labels"]["sloth_slo"].as_str());
        let title = format!("({}) checkout {}: 0.0312", severity.unwrap(), slo.unwrap());
        assert_eq!(mine["annotations"]["title"], json!(title));
    }
    let critical = bodies.iter().find(|body| body["receiver"] == "critical").unwrap();
    assert_eq!(critical["alerts"][0]["labels"]["slo_severity"], "page");
    assert!(bodies.iter().all(|body| body["receiver"] != "nobody"));
}

#[tokio::test]
async fn an_end_does_not_end_what_fires_under_the_same_labels() {
    let hook = Server::start(vec![Reply::status(200)]).await;
    let clock = Clock::system();
    let Some(real) = Real::start(&Real::to_webhook(&hook.url)).await else { return };
    let sink = sink(&[real.url()]);
    let firing = told_by_us(&clock, "CheckoutErrors", "requests", AlertSeverity::Page);
    let mut ended = Notification { alert_id: "another".into(), state: AlertState::Resolved, ..firing.clone() };
    for both in [[firing.clone(), ended.clone()], [ended.clone(), firing.clone()]] {
        assert_eq!(sink.refresh(&both, clock.now()).await.verdict, DeliveryVerdict::Done);
        assert_eq!(real.alerts().await.len(), 1);
    }
    let other = told_by_us(&clock, "CheckoutErrors", "latency", AlertSeverity::Page);
    let told = sink.end(&ended, &[other.clone(), firing.clone()], clock.now()).await;
    assert_eq!(told.message, "not told: another alert fires under the same labels");
    assert_eq!((told.verdict, real.alerts().await.len()), (DeliveryVerdict::Done, 1));
    ended.alert_id = firing.alert_id;
    assert_eq!(sink.end(&ended, &[other], clock.now()).await.verdict, DeliveryVerdict::Done);
    until("resolved", async || real.alerts().await.is_empty()).await;
    assert_eq!(sink.refresh(&[ended], clock.now()).await.verdict, DeliveryVerdict::Done);
    assert!(real.alerts().await.is_empty());
}

fn silence(id: &str, now: Timestamp, matchers: &[(&str, &str)]) -> Silence {
    let equal = |(name, value): &(&str, &str)| LabelMatcher {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
        is_regex: false,
        is_equal: true,
    };
    Silence {
        id: id.into(),
        matchers: matchers.iter().map(equal).collect(),
        created_by: "ann".into(),
        comment: "database upgrade".into(),
        starts_at: now,
        ends_at: now + Length::from_hours(1),
    }
}

/// Id, end and comment of the silences that a peer has and that are not over, by their comment.
async fn silenced(real: &Real) -> Vec<(String, Timestamp, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let silence = |found: Value| {
        (text(&found["id"]), text(&found["endsAt"]).parse::<Timestamp>().unwrap(), text(&found["comment"]))
    };
    let mut all: Vec<_> = real.silences().await.into_iter().map(silence).collect();
    all.sort_by(|one, other| one.2.cmp(&other.2));
    all
}

#[tokio::test]
async fn a_silence_is_made_once_for_both_peers_and_goes_on_while_one_is_down() {
    let hook = Server::start(vec![Reply::status(200)]).await;
    let clock = Clock::system();
    let Some((mut one, other)) = Real::start_peers(&Real::to_webhook(&hook.url)).await else { return };
    let sink = sink(&[one.url(), other.url()]);
    // By milliseconds, as Alertmanager shows them.
    let now = clock.now();

    // The label is posted under another name, and so it is matched.
    let first = silence("aaaaaaaaaaaa", now, &[("team-name", "core.pay"), ("slo_severity", "page")]);
    let outcome = sink.silence(&first, None, &mut Looked::default(), clock.now()).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Done, "{}", outcome.message);
    let handle = outcome.handle.unwrap();
    let expected = vec![(handle.clone(), first.ends_at, "database upgrade [slo aaaaaaaaaaaa]".to_owned())];
    until("at both peers", async || silenced(&one).await == expected && silenced(&other).await == expected).await;
    let mut firing = notification(&clock, AlertState::Firing);
    firing.labels.insert("team-name".into(), "core.pay".into());
    assert_eq!(sink.deliver(&firing, clock.now()).await.verdict, DeliveryVerdict::Done);
    until("suppressed at both", async || {
        let state = async |real: &Real| real.alerts().await[0]["status"]["state"].clone();
        state(&one).await == "suppressed" && state(&other).await == "suppressed"
    })
    .await;

    // An answer that was lost: it is found by its mark, whatever peer is asked.
    let again = sink.silence(&first, None, &mut Looked::default(), clock.now()).await;
    assert_eq!(again.handle.as_ref(), Some(&handle), "{}", again.message);

    // With one peer down it is changed at the other, and another one is made there.
    one.stop();
    let longer = Silence { ends_at: first.ends_at + Length::from_hours(1), ..first.clone() };
    let changed = sink.silence(&longer, Some(&handle), &mut Looked::default(), clock.now()).await;
    assert_eq!(
        (changed.verdict, changed.handle.as_ref()),
        (DeliveryVerdict::Done, Some(&handle)),
        "{}",
        changed.message
    );
    let second = silence("bbbbbbbbbbbb", now, &[("slo_service", "search")]);
    let made = sink.silence(&second, None, &mut Looked::default(), clock.now()).await;
    let second_handle = made.handle.unwrap();
    one.resume().await;
    let expected = vec![
        (handle.clone(), longer.ends_at, "database upgrade [slo aaaaaaaaaaaa]".to_owned()),
        (second_handle.clone(), second.ends_at, "database upgrade [slo bbbbbbbbbbbb]".to_owned()),
    ];
    until("both at the peer that came back", async || silenced(&one).await == expected).await;
    assert_eq!(silenced(&other).await, expected, "and nothing twice");

    // Ended once it is ended at both; ending it again does no harm.
    for _ in 0..2 {
        let ended = sink.unsilence(&handle, &mut Looked::default(), clock.now()).await;
        assert_eq!(ended.verdict, DeliveryVerdict::Done, "{}", ended.message);
    }
    let rest = &expected[1..];
    until("ended at both", async || silenced(&one).await == rest && silenced(&other).await == rest).await;
    let unknown = sink.unsilence("00000000-0000-4000-8000-000000000000", &mut Looked::default(), clock.now()).await;
    assert_eq!((unknown.verdict, hook.seen().len()), (DeliveryVerdict::Done, 0), "{}", unknown.message);
}

#[tokio::test]
async fn a_silence_waits_for_a_peer_that_answers_and_one_that_means_nothing_there_is_refused() {
    let clock = Clock::system();
    let sink = sink(&[format!("http://{}", local(free_port()))]);
    let one = silence("aaaaaaaaaaaa", clock.now(), &[("slo_service", "search")]);
    assert_eq!(
        sink.silence(&one, None, &mut Looked::default(), clock.now()).await.verdict,
        DeliveryVerdict::Retry(None)
    );
    assert_eq!(sink.unsilence("x", &mut Looked::default(), clock.now()).await.verdict, DeliveryVerdict::Retry(None));

    let Some(real) = Real::start(&Real::to_webhook("http://127.0.0.1:9")).await else { return };
    let sink = self::sink(&[real.url()]);
    let mut meaningless = silence("bbbbbbbbbbbb", clock.now(), &[("slo_service", "search"), ("severity", "page")]);
    meaningless.matchers[1].is_equal = false;
    let refused = sink.silence(&meaningless, None, &mut Looked::default(), clock.now()).await;
    assert_eq!(refused.verdict, DeliveryVerdict::Refused);
    assert!(refused.message.contains("match `slo_severity` instead"), "{}", refused.message);
    assert!(real.silences().await.is_empty());
}

#[tokio::test]
async fn the_list_of_silences_is_read_once_for_all_of_a_round() {
    let raw = |body: &str| {
        let length = body.len();
        Reply::Raw(format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"))
    };
    let server = Server::start(vec![raw("[]"), raw("{\"silenceID\":\"x\"}")]).await;
    let clock = Clock::system();
    let sink = sink(std::slice::from_ref(&server.url));
    let mut looked = Looked::default();
    for id in ["aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"] {
        let one = silence(id, clock.now(), &[("slo_service", "search")]);
        let made = sink.silence(&one, None, &mut looked, clock.now()).await;
        assert_eq!((made.verdict, made.handle.as_deref()), (DeliveryVerdict::Done, Some("x")), "{}", made.message);
    }
    let ended = sink.unsilence("gone", &mut looked, clock.now()).await;
    assert_eq!(ended.verdict, DeliveryVerdict::Done, "{}", ended.message);
    let asked = server.seen().into_iter().map(|seen| seen.head.split(' ').next().unwrap_or_default().to_owned());
    assert_eq!(asked.collect::<Vec<_>>(), ["GET", "POST", "POST", "POST"]);
}
