//! Faults of the wire, over real sockets.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use slo::clock::Clock;
use slo::config::meant::{SecretRef, WebhookUrl};
use slo::policy::alert::AlertState;
use slo::runtime::outbox::Receivers;
use slo::secret::Secrets;
use slo::sink::Sink;
use slo::sink::client::{Bounds, Client};
use slo::sink::webhook::Webhook;
use slo::spec::policy::AlertSeverity;
use slo::store::Delivery;
use slo::store::DeliveryState::{Done, Failed, Pending};
use slo::store::sqlite::SqliteStore;
use slo::units::{Length, Timestamp};

use crate::house::{House, Mouth, outcomes, page, receivers, shown};
use crate::sample::Sample;
use crate::server::{Reply, Server};

/// Ten minutes of the clock a second.
pub const SPEED: f64 = 600.0;

fn bounds() -> Bounds {
    Bounds { total: Duration::from_millis(400), body: Duration::from_millis(50), ..Bounds::default() }
}

fn webhook_by(client: Client, url: WebhookUrl) -> Sink {
    let secrets = Arc::new(Secrets::new(|_| None));
    Sink::event(Webhook::new(client, url, None, &secrets).unwrap())
}

pub fn webhook_to(url: WebhookUrl) -> Sink {
    webhook_by(Client::new(bounds()).unwrap(), url)
}

/// Made in no time: without roots of trust.
pub fn webhook_without_tls(url: &str) -> Sink {
    webhook_by(Client::without_tls(bounds()).unwrap(), WebhookUrl::Plain(url.to_owned()))
}

pub fn webhook(url: &str) -> Sink {
    webhook_to(WebhookUrl::Plain(url.to_owned()))
}

pub async fn durable(folder: &Path, receivers: Receivers) -> House {
    let store = SqliteStore::open(&folder.join("slo.db")).await.unwrap();
    House::start(Arc::new(store), Clock::accelerated(SPEED), receivers, Length::from_seconds(5))
}

/// One page against these answers; the last one goes on for ever.
async fn one_page(name: &str, replies: Vec<Reply>, wanted: &[&str]) -> (Vec<Timestamp>, Server) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(replies).await;
    let house = durable(folder.path(), receivers(&[("oncall", webhook(&server.url))], &[])).await;
    house.fire(&page(1), &["oncall"]).await;
    let rows = house.settled().await;
    assert_eq!(outcomes(&rows[0]), wanted, "{name}: {:#?}", rows[0].attempts);
    let ids: BTreeSet<String> =
        server.seen().iter().map(|seen| seen.header("idempotency-key").unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 1, "{name}: one id whatever happens");
    (rows[0].attempts.iter().map(|attempt| attempt.at).collect(), server)
}

#[tokio::test]
async fn every_answer_of_the_table_has_its_verdict() {
    let ok = || Reply::status(200);
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf a bo";
    let sorry = "HTTP/1.1 200 OK\r\ncontent-length: 26\r\nconnection: close\r\n\r\n{\"error\":\"no_such_channel\"}";
    let huge = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(4_000_000));
    let table: Vec<(&str, Vec<Reply>, Vec<&str>)> = vec![
        ("500", vec![Reply::status(500), ok()], vec!["ambiguous", "done"]),
        ("502, 503, 504", vec![Reply::status(502), Reply::status(504), ok()], vec!["ambiguous", "ambiguous", "done"]),
        ("408 and 425", vec![Reply::status(408), Reply::status(425), ok()], vec!["ambiguous", "ambiguous", "done"]),
        ("429 without a header", vec![Reply::status(429), ok()], vec!["retry", "done"]),
        ("silence", vec![Reply::Silence, ok()], vec!["ambiguous", "done"]),
        ("a head that drips", vec![Reply::DripHead, ok()], vec!["ambiguous", "done"]),
        ("a body that drips", vec![Reply::Drip(200)], vec!["done"]),
        ("half a body", vec![Reply::Raw(half.into())], vec!["done"]),
        ("an endless body", vec![Reply::Raw(huge)], vec!["done"]),
        ("closed after it was read", vec![Reply::CloseRead, ok()], vec!["ambiguous", "done"]),
        ("reset after it was read", vec![Reply::Reset, ok()], vec!["ambiguous", "done"]),
        ("closed before it was read", vec![Reply::CloseUnread, ok()], vec!["ambiguous", "done"]),
        ("no HTTP", vec![Reply::Raw("220 mail ESMTP\r\n".into()), ok()], vec!["ambiguous", "done"]),
        // The status decides for a webhook; sinks whose receivers answer so have verdicts of their own (tests/receivers).
        ("200 with an error", vec![Reply::Raw(sorry.into())], vec!["done"]),
    ];
    for (name, replies, wanted) in table {
        one_page(name, replies, &wanted).await;
    }
}

#[tokio::test]
async fn a_receiver_that_says_wait_is_obeyed_in_seconds_and_as_a_date() {
    let date = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:59:37 GMT\r\n";
    for (status, header, least) in
        [(429, "retry-after: 1200\r\n", 1_200), (429, date, 600), (503, "retry-after: 900\r\n", 900), (503, date, 600)]
    {
        let replies = vec![Reply::Status(status, header.into()), Reply::status(200)];
        let (at, _) = one_page(header, replies, &["retry", "done"]).await;
        let waited = at[1].since(at[0]);
        assert!(waited >= Length::from_seconds(least), "{status} {header}: {waited}");
        assert!(waited <= Length::from_seconds(least + 600), "{status} {header}: {waited}");
    }
}

#[tokio::test]
async fn what_is_final_goes_to_the_fallback_at_once() {
    for status in [301, 302, 303, 307, 308, 400, 404, 410, 413, 415, 422] {
        let folder = tempfile::tempdir().unwrap();
        let location = Reply::Status(status, "location: /elsewhere\r\n".into());
        let (broken, mail) = (Server::start(vec![location]).await, Server::start(vec![Reply::status(200)]).await);
        let sinks = [("oncall", webhook(&broken.url)), ("mail", webhook(&mail.url))];
        let house = durable(folder.path(), receivers(&sinks, &["mail"])).await;
        house.fire(&page(1), &["oncall"]).await;
        let rows = house.settled().await;
        let states: Vec<_> = rows.iter().map(|row| (row.sink.as_str(), row.state)).collect();
        assert_eq!(states, [("oncall", Failed), ("mail", Done)], "{status}");
        assert_eq!(broken.seen().len(), 1, "{status}: not followed, not tried again");
        let told = mail.wait_for(1).await[0].json();
        assert_eq!(told["id"], page(1).notification(AlertState::Firing).id);
        let reason = format!("delivery to `oncall` failed (status {status}): 3.1% of requests fail");
        // The sample is of another day, which is said.
        let said = told["reason"].as_str().unwrap();
        assert!(said.starts_with(&format!("{reason}; figures of 03:10 UTC, ")), "{said}");
        house.resolve(&page(1)).await;
        house.settled().await;
        let end = mail.wait_for(2).await[1].json();
        assert_eq!((&end["state"], &end["reason"]), (&"resolved".into(), &"3.1% of requests fail".into()));
        assert_eq!(broken.seen().len(), 1, "{status}: it was never told of the begin");
    }
}

#[tokio::test]
async fn a_key_that_is_not_good_holds_all_until_the_file_is_rotated() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Server::start(vec![Reply::status(401)]).await, Server::start(vec![Reply::status(200)]).await);
    let secret = folder.path().join("url");
    std::fs::write(&secret, &old.url).unwrap();
    let (mail, mail_sink) = Mouth::kind(&Clock::accelerated(SPEED)).sink();
    let sinks = [("oncall", webhook_to(WebhookUrl::Secret(SecretRef::File(secret.clone())))), ("mail", mail_sink)];
    let house = durable(folder.path(), receivers(&sinks, &["mail"])).await;
    house.fire(&page(1), &["oncall"]).await;
    house.until("held", |rows| rows.len() == 2 && rows[1].state == Done && !rows[0].attempts.is_empty()).await;
    assert!(!house.is_open("oncall"));
    // Decided while it is held: waits, and the fallback hears of it at once. No page, for that tries it sooner.
    let other = Sample::new("search/latency", AlertSeverity::Ticket, 1);
    house.fire(&other, &["oncall"]).await;
    let rows = house.until("told in its place", |rows| rows.len() == 4 && rows[3].state == Done).await;
    assert_eq!(rows[2].state, Pending, "{:#?}", shown(&rows));
    assert_eq!(mail.told().len(), 2);
    std::fs::write(&secret, &new.url).unwrap();
    let rows = house.settled().await;
    assert!(rows.iter().all(|row| row.state == Done), "{:#?}", shown(&rows));
    let waits: Vec<Length> = rows[0].attempts.windows(2).map(|pair| pair[1].at.since(pair[0].at)).collect();
    assert!(waits.iter().all(|wait| *wait >= Length::from_minutes(5)), "{waits:?}");
    assert_eq!((new.seen().len(), house.is_open("oncall")), (2, true));
    assert_eq!(mail.told().len(), 2, "not again");
}

#[tokio::test]
async fn a_secret_file_that_is_emptied_loses_no_page_and_one_that_cannot_be_had_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(vec![Reply::status(200)]).await;
    let file = folder.path().join("url");
    std::fs::write(&file, &server.url).unwrap();
    let emptied = webhook_to(WebhookUrl::Secret(SecretRef::File(file.clone())));
    std::fs::write(&file, "").unwrap();
    // Of a secret without a last good value.
    let (had, url) = (Arc::new(AtomicBool::new(true)), server.url.clone());
    let known = Arc::clone(&had);
    let secrets = Arc::new(Secrets::new(move |_| known.load(Ordering::SeqCst).then(|| url.clone())));
    let address = WebhookUrl::Secret(SecretRef::Env("URL".to_owned()));
    let gone = Sink::event(Webhook::new(Client::new(bounds()).unwrap(), address, None, &secrets).unwrap());
    had.store(false, Ordering::SeqCst);
    let (mail, mail_sink) = Mouth::kind(&Clock::accelerated(SPEED)).sink();
    let sinks = [("emptied", emptied), ("gone", gone), ("mail", mail_sink)];
    let house = durable(folder.path(), receivers(&sinks, &["mail"])).await;
    house.fire(&page(1), &["emptied", "gone"]).await;
    let is_held = |rows: &[Delivery]| rows.len() == 3 && rows[0].state == Done && rows[2].state == Done;
    let rows = house.until("held", |rows| is_held(rows) && !rows[1].attempts.is_empty()).await;
    assert_eq!((outcomes(&rows[0]), rows[1].state), (vec!["done"], Pending), "{:#?}", shown(&rows));
    // Shut until a probe is taken, which none is before the secret can be had; the other at the same address is not.
    assert_eq!((house.is_open("gone"), house.is_open("emptied")), (false, true));
    assert_eq!(mail.told().len(), 1);
    had.store(true, Ordering::SeqCst);
    let rows = house.settled().await;
    assert!(rows.iter().all(|row| row.state == Done), "{:#?}", shown(&rows));
    let waits: Vec<Length> = rows[1].attempts.windows(2).map(|pair| pair[1].at.since(pair[0].at)).collect();
    assert!(!waits.is_empty() && waits.iter().all(|wait| *wait >= Length::from_minutes(5)), "{waits:?}");
    assert_eq!((server.seen().len(), mail.told().len()), (2, 1), "and the fallback is not told again");
}

#[tokio::test]
async fn a_host_that_has_no_address_and_one_that_refuses_are_tried_again() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/hook", listener.local_addr().unwrap());
    drop(listener);
    for url in ["http://no-such-host.invalid/hook", nobody.as_str()] {
        let folder = tempfile::tempdir().unwrap();
        let house = durable(folder.path(), receivers(&[("oncall", webhook(url))], &[])).await;
        house.fire(&page(1), &["oncall"]).await;
        let rows = house.until("tried three times", |rows| rows[0].attempts.len() >= 3).await;
        // The last one may be under way.
        assert_eq!(outcomes(&rows[0])[..2], ["retry"; 2], "{url}: {:?}", rows[0].attempts);
        assert_eq!(rows[0].state, Pending);
        assert!(rows[0].attempts.iter().all(|attempt| !attempt.message.contains("hook")), "{:?}", rows[0].attempts);
    }
}
