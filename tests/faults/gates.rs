//! What shuts a sink and what its destination; tests, and what a person wants now, past a hold.

use std::sync::Arc;

use slo::policy::alert::AlertState;
use slo::policy::notification::Mark;
use slo::runtime::outbox::{Receivers, deliveries_for};
use slo::runtime::service::GateView;
use slo::sink::{DeliveryVerdict, Outcome, Sink};
use slo::spec::policy::AlertSeverity;
use slo::store::Commit;
use slo::store::DeliveryState::{Done, Failed, Pending};
use slo::store::memory::MemoryStore;
use slo::units::{Length, Timestamp};

use crate::house::{Heard, House, Mouth, outcomes, page, paused_clock, receivers, shown, status};
use crate::sample::Sample;

const SECOND: Length = Length::from_seconds(1);
const MINUTE: Length = Length::from_minutes(1);

fn house(clock: slo::clock::Clock, receivers: Receivers) -> House {
    House::start(Arc::new(MemoryStore::new()), clock, receivers, SECOND)
}

fn ticket(number: u32) -> Sample {
    Sample::new(&format!("search/latency-{number}"), AlertSeverity::Ticket, 1)
}

/// A test goes to `oncall`; its place among the rows.
async fn test(house: &House, number: u32) -> usize {
    let mut test = page(number).notification(AlertState::Firing);
    test.mark = Some(Mark::Test);
    (test.id, test.dedup_key) = (format!("test/{number}"), format!("test/{number}"));
    test.alert_id.clone_from(&test.id);
    let place = house.rows().await.len();
    house.commit(Vec::new(), deliveries_for(&test, &["oncall".to_owned()], house.clock.now())).await;
    place
}

/// Takes nothing before `heals`, for its key is not good.
fn locked(clock: &slo::clock::Clock, heals: Timestamp) -> (Arc<Mouth>, Sink) {
    let answer = move |heard: &Heard, _| if heard.at < heals { status(403) } else { status(200) };
    Mouth::new(clock, answer).sink()
}

#[tokio::test(start_paused = true)]
async fn a_bad_key_shuts_its_sink_alone_and_another_at_the_same_host_opens_nothing() {
    let clock = paused_clock();
    let shared = |mouth: Mouth| Mouth { destination: Some("hooks.example".into()), ..mouth }.sink();
    let bad = |_: &Heard, _| Outcome::new(DeliveryVerdict::Unauthorized, "secret `{file: /key}`: is empty");
    let ((locked, locked_sink), (open, open_sink)) = (shared(Mouth::new(&clock, bad)), shared(Mouth::kind(&clock)));
    let house = house(clock, receivers(&[("locked", locked_sink), ("open", open_sink)], &[]));
    for number in 0..5 {
        house.fire(&ticket(number), &["locked", "open"]).await;
        house.clock.sleep(SECOND * 10).await;
        assert_eq!((house.is_open("locked"), house.is_open("open")), (false, true));
    }
    assert_eq!((locked.heard().len(), open.heard().len()), (1, 5));
    assert!(matches!(house.view("locked").gate, GateView::Waiting(_)));
    assert_eq!((house.view("locked").failures, house.view("open").failures), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_test_that_fails_holds_no_page_and_one_that_is_taken_lets_all_go() {
    let clock = paused_clock();
    let heals = clock.now() + MINUTE;
    let (oncall, sink) = locked(&clock, heals);
    let house = house(clock, receivers(&[("oncall", sink)], &[]));
    let place = test(&house, 1).await;
    let rows = house.settled().await;
    assert_eq!((rows[place].state, outcomes(&rows[place])), (Failed, vec!["misconfigured"]), "told at once");
    assert!(house.is_open("oncall"), "for pages nothing has happened");
    house.fire(&ticket(1), &["oncall"]).await;
    house.clock.sleep(SECOND * 5).await;
    assert!(!house.is_open("oncall"));
    // Tested again while it is held: it goes at once, and does not make the hold longer.
    let GateView::Waiting(until) = house.view("oncall").gate else { panic!("{:?}", house.view("oncall")) };
    let place = test(&house, 2).await;
    house.clock.sleep(SECOND * 5).await;
    assert_eq!((house.rows().await[place].state, oncall.heard().len()), (Failed, 3));
    assert_eq!(house.view("oncall").gate, GateView::Waiting(until));
    house.clock.sleep(MINUTE).await;
    assert_eq!(house.rows().await[1].state, Pending);
    let place = test(&house, 3).await;
    house.clock.sleep(SECOND * 5).await;
    let rows = house.rows().await;
    assert_eq!((rows[place].state, rows[1].state), (Done, Done), "{:#?}", shown(&rows));
    assert!(house.is_open("oncall"));
}

#[tokio::test(start_paused = true)]
async fn a_new_page_tries_a_bad_key_after_half_a_minute_and_a_mended_one_lets_all_go() {
    let clock = paused_clock();
    let heals = clock.now() + MINUTE * 2;
    let (oncall, sink) = locked(&clock, heals);
    let house = house(clock, receivers(&[("oncall", sink)], &[]));
    house.fire(&page(1), &["oncall"]).await;
    house.clock.sleep(SECOND * 5).await;
    let other = Sample::new("search/latency", AlertSeverity::Page, 1);
    house.fire(&other, &["oncall"]).await;
    house.clock.sleep(SECOND * 20).await;
    assert_eq!(oncall.heard().len(), 1, "held");
    house.clock.sleep(SECOND * 10).await;
    assert_eq!(oncall.heard().len(), 2, "the new one, once");
    house.clock.sleep(MINUTE).await;
    assert_eq!(oncall.heard().len(), 2);
    house.clock.sleep(MINUTE).await;
    let third = Sample::new("cart/latency", AlertSeverity::Page, 1);
    house.fire(&third, &["oncall"]).await;
    house.clock.sleep(SECOND * 5).await;
    assert_eq!(house.states().await, [Done, Done, Done]);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_again_and_a_changed_key_go_at_once() {
    let clock = paused_clock();
    let heals = clock.now() + MINUTE;
    let (oncall, sink) = locked(&clock, heals);
    let house = house(clock, receivers(&[("oncall", sink)], &[]));
    for number in [1, 2] {
        house.fire(&ticket(number), &["oncall"]).await;
        house.clock.sleep(SECOND * 5).await;
    }
    assert_eq!(oncall.heard().len(), 1, "the second one waits");
    let resent = vec![(house.rows().await[0].id.clone(), house.clock.now())];
    house.store.commit(Commit { resent: resent.clone(), ..Commit::default() }).await.unwrap();
    house.wake.notify_waiters();
    house.clock.sleep(SECOND * 5).await;
    assert_eq!((house.states().await, oncall.heard().len()), (vec![Pending, Pending], 2), "once, and held again");
    house.outbox.gates().invite("oncall");
    house.clock.sleep(SECOND * 5).await;
    assert_eq!(oncall.heard().len(), 3, "one probe");
    house.clock.sleep(MINUTE).await;
    assert_eq!(house.states().await, [Pending, Pending], "held");
    house.outbox.gates().invite("oncall");
    house.clock.sleep(SECOND * 5).await;
    assert_eq!(house.states().await, [Done, Done], "the first opens it for the other");
    // What is done stays as it is.
    house.store.commit(Commit { resent, ..Commit::default() }).await.unwrap();
    assert_eq!(house.states().await, [Done, Done]);
}

#[tokio::test(start_paused = true)]
async fn a_fallback_hears_of_no_end_whose_begin_it_was_not_sent() {
    let clock = paused_clock();
    let locks = clock.now() + MINUTE;
    let answer = move |heard: &Heard, _| if heard.at < locks { status(200) } else { status(403) };
    let (_, sink) = Mouth::new(&clock, answer).sink();
    let (mail, mail_sink) = Mouth::kind(&clock).sink();
    let house = house(clock, receivers(&[("oncall", sink), ("mail", mail_sink)], &["mail"]));
    house.fire(&page(1), &["oncall"]).await;
    house.clock.sleep(MINUTE * 2).await;
    house.fire(&ticket(1), &["oncall"]).await;
    house.clock.sleep(SECOND * 5).await;
    assert_eq!(mail.told().len(), 1, "of the ticket");
    house.resolve(&page(1)).await;
    house.clock.sleep(MINUTE * 20).await;
    assert_eq!(mail.told().len(), 1, "{:#?}", shown(&house.rows().await));
    house.resolve(&ticket(1)).await;
    house.clock.sleep(MINUTE).await;
    let told: Vec<_> = mail.told().into_iter().map(|told| (told.alert_id, told.state)).collect();
    assert_eq!(told, [(ticket(1).id(), AlertState::Firing), (ticket(1).id(), AlertState::Resolved)]);
}

#[tokio::test(start_paused = true)]
async fn without_a_fallback_every_other_sink_steps_in_for_pages() {
    let clock = paused_clock();
    let (_, sink) = Mouth::new(&clock, |_, _| status(404)).sink();
    let ((chat, chat_sink), (mail, mail_sink)) = (Mouth::kind(&clock).sink(), Mouth::kind(&clock).sink());
    let sinks = [("oncall", sink), ("chat", chat_sink), ("mail", mail_sink)];
    let others = ["oncall", "chat", "mail"].map(str::to_owned).to_vec();
    let house = house(clock, Receivers { others, ..receivers(&sinks, &[]) });
    // `mail` has a row of its own, and hears of it once.
    house.fire(&page(1), &["oncall", "mail"]).await;
    house.fire(&ticket(1), &["oncall"]).await;
    house.settled().await;
    assert_eq!((chat.told().len(), mail.told().len()), (1, 1));
    let told = &chat.told()[0];
    assert!(told.reason.starts_with("delivery to `oncall` failed (status 404): "), "{}", told.reason);
    assert_eq!(told.alert_id, page(1).id());
    house.resolve(&page(1)).await;
    house.settled().await;
    assert_eq!((chat.told().len(), mail.told().len()), (2, 2));
}
