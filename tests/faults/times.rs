//! Faults that last, and those of the service itself: on paused time, with receivers in memory.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use slo::policy::alert::{AlertKind, AlertState};
use slo::policy::notification::Mark;
use slo::runtime::outbox::{Receivers, deliveries_for};
use slo::runtime::service::GateView;
use slo::sink::{DeliveryVerdict, Outcome, Sink};
use slo::spec::policy::AlertSeverity;
use slo::store::DeliveryState::{Done, Expired, Failed, Pending, Superseded};
use slo::store::memory::MemoryStore;
use slo::units::{Length, Timestamp};

use crate::house::{House, Mouth, outcomes, page, paused_clock, receivers, shown, status, unreachable};
use crate::sample::Sample;

const MINUTE: Length = Length::from_minutes(1);

fn house(clock: slo::clock::Clock, receivers: Receivers) -> House {
    House::start(Arc::new(MemoryStore::new()), clock, receivers, MINUTE)
}

/// The `number`th of many instances, a page.
fn instance(number: usize) -> Sample {
    Sample::new(&format!("shop/slo-{number}"), AlertSeverity::Page, 1)
}

#[tokio::test(start_paused = true)]
async fn down_for_24_hours_burns_no_tries_and_loses_nothing_silently() {
    let clock = paused_clock();
    let heals = clock.now() + Length::from_hours(24);
    let answer = move |heard: &crate::house::Heard, _| if heard.at < heals { unreachable() } else { status(200) };
    let (oncall, sink) = Mouth::new(&clock, answer).sink();
    let (mail, mail_sink) = Mouth::kind(&clock).sink();
    let house = house(clock, receivers(&[("oncall", sink), ("mail", mail_sink)], &["mail"]));
    // One alert every ten minutes; of each three one ends after an hour, while nobody is told.
    let mut ended = BTreeSet::new();
    for number in 0..140 {
        house.fire(&instance(number), &["oncall"]).await;
        house.clock.sleep(MINUTE * 10).await;
        if number >= 6 && number % 3 == 0 {
            house.resolve(&instance(number - 6)).await;
            ended.insert(instance(number - 6).id());
        }
    }
    let before = oncall.heard().len();
    assert!((288..700).contains(&before), "{before} tries in a day: one probe each five minutes");
    assert!(matches!(house.view("oncall").gate, GateView::Waiting(_) | GateView::Probing));
    assert!(house.view("oncall").failures > 3);
    let rows = house.settled().await;
    let told: BTreeSet<String> = oncall
        .heard()
        .into_iter()
        .filter(|heard| heard.at >= heals)
        .map(|heard| heard.task.notification.alert_id)
        .collect();
    for number in 0..140 {
        let id = instance(number).id();
        let row = rows.iter().find(|row| row.notification.alert_id == id && row.sink == "oncall").unwrap();
        if ended.contains(&id) {
            assert!(!told.contains(&id) && row.state == Superseded, "sent late: {:?}", shown(&rows));
        } else if row.state == Expired {
            let in_place = mail.told().into_iter().find(|told| told.alert_id == id).unwrap();
            assert!(in_place.reason.starts_with("delivery to `oncall` failed ("), "{}", in_place.reason);
        } else {
            assert!(row.state == Done && told.contains(&id), "lost: {id}");
        }
    }
    assert!(told.len() > 60, "{} of those that fire are told once it is back", told.len());
    let late = oncall.told().into_iter().rfind(|told| told.alert_id == instance(40).id()).unwrap();
    assert!(late.reason.starts_with("[delayed 1"), "{}", late.reason);
    assert!(house.is_open("oncall"));
}

#[tokio::test(start_paused = true)]
async fn one_success_opens_the_gate_and_all_go_at_once() {
    let clock = paused_clock();
    let heals = clock.now() + Length::from_hours(2);
    let answer = move |heard: &crate::house::Heard, _| if heard.at < heals { unreachable() } else { status(200) };
    let (oncall, sink) = Mouth::new(&clock, answer).sink();
    let house = house(clock, receivers(&[("oncall", sink)], &[]));
    for number in 0..200 {
        house.fire(&instance(number), &["oncall"]).await;
    }
    let rows = house.settled().await;
    assert!(rows.iter().all(|row| row.state == Done));
    let burnt = rows.iter().map(|row| row.attempts.len()).sum::<usize>() - 200;
    assert!(burnt < 80, "{burnt} tries in vain for 200 rows");
    let after: Vec<Timestamp> = oncall.heard().into_iter().map(|heard| heard.at).filter(|at| *at >= heals).collect();
    assert!(after.last().unwrap().since(after[0]) < MINUTE, "from the first success to the last row");
    assert!(after[0].since(heals) <= Length::from_seconds(301), "the probe comes within five minutes");
}

#[tokio::test(start_paused = true)]
async fn sinks_of_one_destination_wait_together_and_pages_overtake_tickets() {
    let clock = paused_clock();
    let pace = Length::from_seconds(2);
    let wait = || Outcome::new(DeliveryVerdict::Retry(Some(Length::from_seconds(300))), "status 429");
    let mouth = |first_fails: bool| {
        let answer =
            move |_: &crate::house::Heard, before| if first_fails && before == 0 { wait() } else { status(200) };
        Mouth { pace, destination: Some("chat.example".into()), ..Mouth::new(&clock, answer) }.sink()
    };
    let ((tickets, ticket_sink), (pages, page_sink)) = (mouth(true), mouth(false));
    let house = house(clock.clone(), receivers(&[("tickets", ticket_sink), ("pages", page_sink)], &[]));
    for number in 0..20 {
        let ticket = Sample::new(&format!("shop/slo-{number}"), AlertSeverity::Ticket, 1);
        house.fire(&ticket, &["tickets"]).await;
    }
    house.clock.sleep(Length::from_seconds(10)).await;
    let begun = tickets.heard()[0].at;
    assert_eq!((tickets.heard().len(), pages.heard().len()), (1, 0));
    assert!(matches!(house.view("pages").gate, GateView::Waiting(_)), "told to the one, it holds for the other");
    house.fire(&page(1), &["pages"]).await;
    house.clock.sleep(Length::from_seconds(310)).await;
    house.fire(&page(2), &["pages"]).await;
    house.settled().await;
    let mut all: Vec<(Timestamp, bool)> = tickets.heard().iter().map(|heard| (heard.at, false)).collect();
    all.extend(pages.heard().iter().map(|heard| (heard.at, true)));
    all.sort();
    assert!(all[1].0.since(begun) >= Length::from_seconds(300), "{all:?}");
    assert!(all.windows(2).all(|pair| pair[1].0.since(pair[0].0) >= pace), "{all:?}");
    let places: Vec<usize> = all.iter().enumerate().filter(|(_, one)| one.1).map(|(place, _)| place).collect();
    assert_eq!(all.len(), 23);
    assert!(places[0] <= 2 && places[1] < 12, "pages wait for no ticket: {places:?}");
}

#[tokio::test(start_paused = true)]
async fn an_ambiguous_create_is_decided_before_the_thread_goes_on() {
    let clock = paused_clock();
    // The receiver opens a ticket where it is given no handle and is not told to look first.
    let answer = |heard: &crate::house::Heard, before| match (before, &heard.task.handle) {
        (0..2, _) => status(502),
        (_, None) => status(200).with_handle("OPS-1"),
        (_, Some(_)) => status(200),
    };
    let (tracker, sink) = Mouth { threads: true, ..Mouth::new(&clock, answer) }.sink();
    let mut house = house(clock, receivers(&[("tracker", sink)], &[]));
    // A page and a ticket of one instance in one episode: one thread.
    let [first, second] = [AlertSeverity::Page, AlertSeverity::Ticket].map(|of| Sample::new("shop/orders", of, 1));
    house.fire(&first, &["tracker"]).await;
    house.clock.sleep(Length::from_millis(500)).await;
    house.fire(&second, &["tracker"]).await;
    house.clock.sleep(Length::from_millis(700)).await;
    house.kill().await;
    house.settled().await;
    let heard = tracker.heard();
    let tried: Vec<(bool, Option<&str>, bool)> = heard
        .iter()
        .map(|one| {
            let severity = one.task.notification.severity;
            (severity == AlertSeverity::Page, one.task.handle.as_deref(), one.task.perhaps_told)
        })
        .collect();
    let create = [(true, None, false), (true, None, true), (true, None, true)];
    assert_eq!(tried[..3], create, "{tried:?}");
    assert_eq!(tried[3..], [(false, Some("OPS-1"), false)], "{tried:?}");
    // The end, after another start: the handle is still known.
    house.kill().await;
    house.resolve(&second).await;
    house.settled().await;
    assert_eq!(tracker.heard().pop().unwrap().task.handle.as_deref(), Some("OPS-1"));
}

#[tokio::test(start_paused = true)]
async fn a_thread_whose_create_was_given_up_unsure_is_looked_for_first() {
    let clock = paused_clock();
    let answer = |_: &crate::house::Heard, before| match before {
        0 => status(502),
        1 => status(422),
        _ => status(200).with_handle("OPS-1"),
    };
    let (tracker, sink) = Mouth { threads: true, ..Mouth::new(&clock, answer) }.sink();
    let house = house(clock, receivers(&[("tracker", sink)], &[]));
    let [first, second] = [AlertSeverity::Page, AlertSeverity::Ticket].map(|of| Sample::new("shop/orders", of, 1));
    house.fire(&first, &["tracker"]).await;
    house.fire(&second, &["tracker"]).await;
    let rows = house.settled().await;
    assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), [Failed, Done]);
    let last = tracker.heard().pop().unwrap().task;
    assert!(last.perhaps_told && last.handle.is_none(), "its first try, and a ticket may be there");
}

#[tokio::test(start_paused = true)]
async fn of_updates_that_were_not_told_only_the_newest_goes() {
    let clock = paused_clock();
    let heals = clock.now() + Length::from_hours(1);
    let answer = move |heard: &crate::house::Heard, _| if heard.at < heals { unreachable() } else { status(200) };
    let (oncall, sink) = Mouth::new(&clock, answer).sink();
    let house = house(clock, receivers(&[("oncall", sink)], &[]));
    house.fire(&page(1), &["oncall"]).await;
    let mut repeat = page(1).notification(AlertState::Firing);
    let id = repeat.id.clone();
    for number in 1..=3 {
        house.clock.sleep(MINUTE * 5).await;
        repeat.id = format!("{id}/r{number}");
        repeat.reason = format!("still, the {number}th time");
        house.commit(Vec::new(), deliveries_for(&repeat, &["oncall".to_owned()], house.clock.now())).await;
    }
    let rows = house.settled().await;
    assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), [Superseded, Superseded, Superseded, Done]);
    let accepted = oncall.heard().pop().unwrap();
    assert_eq!(accepted.id(), format!("{id}/r3"));
    assert!(accepted.task.notification.reason.starts_with("[delayed "), "{}", accepted.task.notification.reason);
    house.resolve(&page(1)).await;
    house.settled().await;
    assert_eq!(oncall.told().pop().unwrap().state, AlertState::Resolved);
    assert_eq!(oncall.heard().iter().filter(|heard| heard.at >= heals).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn killed_between_deciding_and_sending_and_between_sending_and_recording() {
    let clock = paused_clock();
    let (oncall, sink) = Mouth::slow(&clock, Length::from_seconds(10)).sink();
    let mut house = house(clock, receivers(&[("oncall", sink)], &[]));
    // Decided, and killed before anything was sent.
    house.outbox.stop(Duration::ZERO).await;
    house.fire(&page(1), &["oncall"]).await;
    house.kill().await;
    house.clock.sleep(Length::from_seconds(2)).await;
    // Sent, and killed before the answer was recorded.
    house.kill().await;
    let rows = house.settled().await;
    assert_eq!((rows.len(), rows[0].state), (1, Done));
    assert_eq!(outcomes(&rows[0]), ["ambiguous", "done"]);
    let heard = oncall.heard();
    let perhaps: Vec<bool> = heard.iter().map(|one| one.task.perhaps_told).collect();
    assert_eq!((perhaps, oncall.ids().len()), (vec![false, true], 1), "twice under one id, and it says so");
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_and_forth_neither_stops_nor_expires_anything() {
    let clock = paused_clock();
    // The first try of each fails, and is to be made again after a second.
    let answer = move |_: &crate::house::Heard, before| if before % 2 == 0 { unreachable() } else { status(200) };
    let (oncall, sink) = Mouth::new(&clock, answer).sink();
    let house = house(clock, receivers(&[("oncall", sink)], &[]));
    for (number, hours) in [(0, -5), (1, 5), (2, -48), (3, 3)] {
        house.fire(&instance(number), &["oncall"]).await;
        house.clock.sleep(Length::from_millis(500)).await;
        assert_eq!(oncall.heard().len() % 2, 1);
        house.clock.set(hours * 3_600);
        let before = oncall.heard().len();
        house.clock.sleep(Length::from_minutes(2)).await;
        assert!(oncall.heard().len() > before, "stands still after {hours} h");
    }
    let rows = house.settled().await;
    assert!(rows.iter().all(|row| row.state == Done), "{:#?}", shown(&rows));
    assert_eq!(oncall.ids().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_reload_while_firing_cuts_off_nothing_and_tells_nothing_twice() {
    let clock = paused_clock();
    let (old, old_sink) = Mouth::slow(&clock, Length::from_seconds(10)).sink();
    let (new, new_sink) = Mouth::kind(&clock).sink();
    let mut house = house(clock, receivers(&[("oncall", old_sink)], &[]));
    house.fire(&page(1), &["oncall"]).await;
    house.clock.sleep(Length::from_seconds(2)).await;
    house.reload(receivers(&[("oncall", new_sink)], &[]));
    house.settled().await;
    house.resolve(&page(1)).await;
    let rows = house.settled().await;
    assert!(rows.iter().all(|row| row.state == Done && row.attempts.len() == 1), "{:#?}", shown(&rows));
    assert_eq!((old.told()[0].state, new.told()[0].state), (AlertState::Firing, AlertState::Resolved));
    assert_eq!((old.told().len(), new.told().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_end_goes_to_whom_was_told_though_no_route_names_it_any_more() {
    let clock = paused_clock();
    let (oncall, sink) = Mouth::kind(&clock).sink();
    let (other, other_sink) = Mouth::kind(&clock).sink();
    let house = house(clock, receivers(&[("oncall", sink), ("other", other_sink)], &[]));
    house.fire(&page(1), &["oncall"]).await;
    house.settled().await;
    // Which sinks an end goes to is asked of the rows, not of the routes.
    house.resolve(&page(1)).await;
    house.settled().await;
    assert_eq!(
        oncall.told().iter().map(|told| told.state).collect::<Vec<_>>(),
        [AlertState::Firing, AlertState::Resolved]
    );
    assert!(other.told().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_the_fallback_does_not_take_goes_nowhere_else_and_tests_never_go_there() {
    let clock = paused_clock();
    let gone = || Mouth::new(&paused_clock(), |_, _| status(404)).sink();
    let ((_, oncall), (mail, mail_sink), (chat, chat_sink)) = (gone(), gone(), Mouth::kind(&clock).sink());
    let house =
        house(clock, receivers(&[("oncall", oncall), ("mail", mail_sink), ("chat", chat_sink)], &["mail", "chat"]));
    house.fire(&page(1), &["oncall"]).await;
    let rows = house.settled().await;
    let states: Vec<_> = rows.iter().map(|row| (row.sink.as_str(), row.state)).collect();
    assert_eq!(states, [("oncall", Failed), ("chat", Done), ("mail", Failed)]);
    assert_eq!((mail.told().len(), chat.told().len()), (1, 1));
    let mut test = page(2).notification(AlertState::Firing);
    test.mark = Some(Mark::Test);
    let mut beat = page(3).notification(AlertState::Firing);
    beat.kind = AlertKind::Watchdog;
    for notification in [test, beat] {
        house.commit(Vec::new(), deliveries_for(&notification, &["oncall".to_owned()], house.clock.now())).await;
    }
    house.settled().await;
    assert_eq!((mail.told().len(), chat.told().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_of_a_sink_is_told_once_an_hour_and_counted() {
    let clock = paused_clock();
    let answer = |_: &crate::house::Heard, _| status(200).with_alarm("the template `short` fails");
    let (_, sink) = Mouth::new(&clock, answer).sink();
    let (mail, mail_sink) = Mouth::kind(&clock).sink();
    let house = house(clock, receivers(&[("oncall", sink), ("mail", mail_sink)], &["mail"]));
    for number in 0..12 {
        house.fire(&instance(number), &["oncall"]).await;
        house.clock.sleep(MINUTE * 15).await;
    }
    house.settled().await;
    let told = mail.told();
    assert!((3..=4).contains(&told.len()), "{} times in three hours", told.len());
    let first = &told[0];
    assert_eq!(
        (first.slo.as_str(), first.kind, first.severity),
        ("sink/oncall", AlertKind::Source, AlertSeverity::Ticket)
    );
    assert_eq!(first.reason, "sink `oncall` needs attention: the template `short` fails");
    assert_eq!(first.dedup_key, "sink/oncall/ticket/source");
    assert!(house.telemetry.render().contains("slo_delivery_alarms_total{sink=\"oncall\"} 12"));
}

#[tokio::test(start_paused = true)]
async fn how_the_gate_stands_is_shown_and_measured() {
    let clock = paused_clock();
    let heals = clock.now() + Length::from_minutes(30);
    let answer = move |heard: &crate::house::Heard, _| if heard.at < heals { status(503) } else { status(200) };
    let (_, sink): (_, Sink) = Mouth::new(&clock, answer).sink();
    let house = house(clock, receivers(&[("oncall", sink)], &[]));
    assert_eq!((house.view("oncall").gate, house.view("oncall").last), (GateView::Open, None));
    house.fire(&page(1), &["oncall"]).await;
    house.clock.sleep(MINUTE * 10).await;
    let view = house.view("oncall");
    let GateView::Waiting(until) = view.gate else { panic!("{view:?}") };
    assert!(until > house.clock.now() && until.since(house.clock.now()) <= MINUTE * 5);
    let last = view.last.unwrap();
    assert_eq!((last.outcome.as_str(), last.message.as_str()), ("ambiguous", "status 503"));
    assert!(house.telemetry.render().contains("slo_sink_gate_open{sink=\"oncall\"} 0"));
    assert_eq!(house.states().await, [Pending]);
    house.settled().await;
    house.clock.sleep(MINUTE * 2).await;
    assert!(house.telemetry.render().contains("slo_sink_gate_open{sink=\"oncall\"} 1"));
}
