//! Who hears of it when a sink does not: sinks that are gone, sinks that are down for long, and alarms that end.

use std::sync::Arc;

use slo::policy::alert::AlertState;
use slo::runtime::outbox::{Receivers, deliveries_for};
use slo::spec::policy::AlertSeverity;
use slo::store::DeliveryState::{Done, Failed, Pending, Superseded};
use slo::store::memory::MemoryStore;
use slo::units::Length;

use crate::house::{House, Mouth, page, paused_clock, receivers, status, unreachable};
use crate::sample::Sample;

const MINUTE: Length = Length::from_minutes(1);

fn house(clock: slo::clock::Clock, receivers: Receivers) -> House {
    House::start(Arc::new(MemoryStore::new()), clock, receivers, MINUTE)
}

/// The alert ends; only `oncall` is to be told, as the route says.
async fn end(house: &House, sample: &Sample) {
    let rows = deliveries_for(&sample.notification(AlertState::Resolved), &["oncall".to_owned()], house.clock.now());
    house.commit(vec![sample.alert(AlertState::Resolved)], rows).await;
}

#[tokio::test(start_paused = true)]
async fn rows_of_a_sink_that_a_reload_took_out_go_to_the_fallback_at_once() {
    let clock = paused_clock();
    let (_, sink) = Mouth::new(&clock, |_, _| unreachable()).sink();
    let (mail, mail_sink) = Mouth::kind(&clock).sink();
    let mut house = house(clock, receivers(&[("oncall", sink.clone()), ("mail", mail_sink.clone())], &["mail"]));
    house.fire(&page(1), &["oncall"]).await;
    house.clock.sleep(MINUTE).await;
    assert_eq!(mail.told(), []);
    house.reload(receivers(&[("mail", mail_sink)], &["mail"]));
    house.clock.sleep(MINUTE * 2).await;
    let told = mail.told();
    assert_eq!(told.len(), 1);
    assert!(told[0].reason.starts_with("delivery to `oncall` failed (there is no such sink any more): "));
    assert_eq!(told[0].id, page(1).notification(AlertState::Firing).id);
    assert_eq!(house.states().await, [Pending, Done], "it may come back");
    house.clock.sleep(MINUTE * 10).await;
    end(&house, &page(1)).await;
    house.clock.sleep(MINUTE * 2).await;
    let told: Vec<_> = mail.told().into_iter().map(|told| (told.state, told.alert_id)).collect();
    assert_eq!(told, [(AlertState::Firing, page(1).id()), (AlertState::Resolved, page(1).id())]);
    // What was decided while there was no such sink.
    house.fire(&page(2), &["oncall"]).await;
    house.clock.sleep(MINUTE * 2).await;
    assert_eq!(mail.told().len(), 3);
    assert_eq!(house.rows().await.into_iter().filter(|row| row.state == Pending).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_page_of_an_alert_that_is_over_is_told_nowhere_when_its_sink_is_gone() {
    let clock = paused_clock();
    let (_, sink) = Mouth::new(&clock, |_, _| unreachable()).sink();
    let (mail, mail_sink) = Mouth::kind(&clock).sink();
    let mut house = house(clock, receivers(&[("oncall", sink), ("mail", mail_sink.clone())], &["mail"]));
    house.fire(&page(1), &["oncall"]).await;
    house.clock.sleep(MINUTE).await;
    house.reload(receivers(&[("mail", mail_sink)], &["mail"]));
    end(&house, &page(1)).await;
    house.clock.sleep(MINUTE * 2).await;
    assert_eq!((house.states().await, mail.told().len()), (vec![Superseded, Superseded], 0));
}

#[tokio::test(start_paused = true)]
async fn a_page_that_waits_for_a_sink_that_is_down_goes_to_the_fallback_after_a_quarter_of_an_hour() {
    let clock = paused_clock();
    let heals = clock.now() + Length::from_hours(2);
    let answer = move |heard: &crate::house::Heard, _| if heard.at < heals { unreachable() } else { status(200) };
    let (oncall, sink) = Mouth::new(&clock, answer).sink();
    let (mail, mail_sink) = Mouth::kind(&clock).sink();
    let mut house = house(clock, receivers(&[("oncall", sink), ("mail", mail_sink)], &["mail"]));
    let ticket = Sample::new("search/latency", AlertSeverity::Ticket, 1);
    let [ends, over] = ["cart/latency", "cart/errors"].map(|slo| Sample::new(slo, AlertSeverity::Page, 1));
    for sample in [&page(1), &ticket, &ends, &over] {
        house.fire(sample, &["oncall"]).await;
    }
    house.clock.sleep(MINUTE * 13).await;
    end(&house, &over).await;
    assert_eq!(mail.told(), []);
    house.clock.sleep(MINUTE * 4).await;
    let mut told: Vec<_> = mail.told().into_iter().map(|told| told.alert_id).collect();
    told.sort();
    assert_eq!(told, [ends.id(), page(1).id()], "no ticket, and nothing that is over");
    assert!(mail.told()[0].reason.starts_with("delivery to `oncall` failed (connection refused): "));
    house.kill().await;
    end(&house, &ends).await;
    house.clock.sleep(Length::from_hours(1)).await;
    assert_eq!(mail.told().len(), 3, "once, and the end");
    assert_eq!((mail.told()[2].state, mail.told()[2].alert_id.clone()), (AlertState::Resolved, ends.id()));
    house.settled().await;
    let heard: Vec<_> = oncall.heard().into_iter().filter(|heard| heard.at >= heals).collect();
    let mut heard: Vec<_> = heard.into_iter().map(|heard| heard.task.notification.alert_id).collect();
    heard.sort();
    assert_eq!(heard, [page(1).id(), ticket.id()], "still tried at its own sink");
    end(&house, &page(1)).await;
    house.settled().await;
    assert_eq!((mail.told().len(), mail.told()[3].state), (4, AlertState::Resolved));
}

#[tokio::test(start_paused = true)]
async fn a_digest_that_begins_anew_ends_at_the_fallback_again() {
    let clock = paused_clock();
    let (_, sink) = Mouth::new(&clock, |_, _| status(404)).sink();
    let (mail, mail_sink) = Mouth::kind(&clock).sink();
    let house = house(clock, receivers(&[("oncall", sink), ("mail", mail_sink)], &["mail"]));
    for number in [1, 2] {
        for state in [AlertState::Firing, AlertState::Resolved] {
            let mut told = page(number).notification(state);
            told.alert_id = page(1).id();
            house.commit(Vec::new(), deliveries_for(&told, &["oncall".to_owned()], house.clock.now())).await;
            house.settled().await;
        }
    }
    let told: Vec<_> = mail.told().into_iter().map(|told| told.state).collect();
    assert_eq!(told, [AlertState::Firing, AlertState::Resolved, AlertState::Firing, AlertState::Resolved]);
    assert_eq!(house.rows().await.iter().filter(|row| row.state == Failed).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn alarms_of_a_sink_are_one_episode_a_day_that_ends_once_when_it_takes_something_again() {
    let clock = paused_clock();
    // Told from the begin of a day, lest it ends within the test.
    let day = Length::from_days(1);
    clock.sleep_until(clock.now().floor_to(day) + day).await;
    let heals = clock.now() + Length::from_hours(3);
    let answer = move |heard: &crate::house::Heard, _| {
        if heard.at < heals { unreachable().with_alarm("certificate expired 3 s ago") } else { status(200) }
    };
    let (_, sink) = Mouth::new(&clock, answer).sink();
    let (mail, mail_sink) = Mouth::kind(&clock).sink();
    let mut house = house(clock, receivers(&[("oncall", sink), ("mail", mail_sink)], &["mail"]));
    let ticket = |number| Sample::new("search/latency", AlertSeverity::Ticket, number);
    house.fire(&ticket(1), &["oncall"]).await;
    house.clock.sleep(Length::from_hours(4)).await;
    for number in [2, 3] {
        house.fire(&ticket(number), &["oncall"]).await;
        house.settled().await;
        house.kill().await;
    }
    let told = mail.told();
    let states: Vec<_> = told.iter().map(|told| told.state).collect();
    assert!((4..=5).contains(&states.len()), "one an hour, and an end: {states:?}");
    assert!(states[..states.len() - 1].iter().all(|state| *state == AlertState::Firing), "{states:?}");
    let last = told.last().unwrap();
    assert_eq!((last.state, last.reason.as_str()), (AlertState::Resolved, "sink `oncall` takes what it is sent again"));
    assert!(last.resolved_at.is_some());
    let one = |told: &slo::policy::notification::Notification| (told.thread(), told.alert_id.clone());
    assert!(told.iter().all(|told| one(told) == one(last)), "one ticket");
}
