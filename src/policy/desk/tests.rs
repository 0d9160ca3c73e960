//! The rules of the desk, one test each, with times in seconds.

use super::kit::{Life, after, at, by, end_of, firing, seconds, ticket, to};
use crate::config::meant::{Outside, Route};
use crate::policy::notification::{Mark, Notification};
use crate::policy::quiet::QuietKind;
use crate::units::{Length, Schedule};

const HOUR: i64 = 3_600;

#[test]
fn a_firing_is_told_once_and_its_end_to_those_who_heard_of_it() {
    let mut life = Life::new(vec![to(&["a", "am"])]);
    life.fire("x", 0);
    assert_eq!(life.news(), "a:x/1 am:x/1");
    // The same again, as after a crash between two arrows.
    life.fire("x", 30);
    assert_eq!(life.news_until(2 * HOUR), "");
    // The route changed meanwhile, and then is gone.
    life.config.routes = vec![to(&["b"])];
    life.end("x", 2 * HOUR);
    assert_eq!(life.news(), "a:x/2 am:x/2");
    assert_eq!(life.desk.next_due(), None, "nothing is open");
    let case = life.case("x");
    assert_eq!((&case["told"]["a"]["count"], &case["ended_at"]), (&1.into(), &"2026-11-20T14:00:00Z".into()));
    assert_eq!(case.get("notification"), None);
}

#[test]
fn without_a_route_every_event_sink_is_told() {
    let mut life = Life::new(vec![Route { service: Some("other".to_owned()), ..to(&["a"]) }]);
    life.fire("x", 0);
    assert_eq!((life.news().as_str(), life.lost.join(" ").as_str()), ("a:x/1 b:x/1 c:x/1 d:x/1", "x"));
    life.config.sinks.retain(|name, _| name == "am");
    life.fire("y", 10);
    assert_eq!(life.news(), "am:y/1", "where there is none, every sink");
    // An owner without sinks for the severity is nobody.
    let mut life = Life::new(vec![to(&["owner"])]);
    life.fire("x", 0);
    assert_eq!(life.lost, ["x"]);
}

#[test]
fn what_is_quiet_is_told_once_when_that_ends() {
    for (kind, words) in [
        (QuietKind::Silence, "silence ended"),
        (QuietKind::Exclusion, "exclusion ended"),
        (QuietKind::Deploy, "hold after deploy ended"),
    ] {
        let mut life = Life::new(vec![to(&["a", "am"])]);
        life.quiet("x", kind, 0, 600);
        life.fire("x", 5);
        assert_eq!(life.news_until(599), "");
        assert_eq!(life.case("x")["quiet"]["reason"], "known");
        life.with(600, |_, _, _| {});
        assert_eq!(life.told[0].notification.reason, format!("it fails; {words}"));
        assert_eq!(life.news(), "a:x/1/s1 am:x/1/s1");
        assert_eq!(life.news_until(2 * HOUR), "");
        life.end("x", 2 * HOUR);
        assert_eq!(life.news(), "a:x/2 am:x/2");
    }
}

#[test]
fn one_that_was_told_before_a_silence_is_told_again_where_states_are_not_kept() {
    let mut life = Life::new(vec![to(&["a", "am"])]);
    life.fire("x", 0);
    assert_eq!(life.news(), "a:x/1 am:x/1");
    life.quiet("*", QuietKind::Silence, 100, 700);
    life.with(100, super::Desk::reconsider);
    assert_eq!(life.news_until(900), "a:x/1/s1");
    // A second one that a person ends early.
    life.quiet("*", QuietKind::Silence, 1_000, 5_000);
    life.with(1_000, super::Desk::reconsider);
    assert_eq!(life.news_until(1_200), "");
    life.quiets.clear();
    life.with(1_210, super::Desk::reconsider);
    assert_eq!(life.news(), "a:x/1/s2");
}

#[test]
fn an_end_is_never_quiet_and_what_nobody_heard_of_ends_in_silence() {
    let mut life = Life::new(vec![to(&["a"])]);
    life.fire("x", 0);
    life.quiet("*", QuietKind::Silence, 10, 5_000);
    life.with(10, super::Desk::reconsider);
    life.fire("y", 20);
    life.end("x", 30);
    life.end("y", 40);
    assert_eq!(life.news(), "a:x/1 a:x/2");
    assert_eq!(
        (&life.case("y")["ended_at"], &life.case("y")["told"]),
        (&at(40).to_string().into(), &serde_json::json!({}))
    );
    assert_eq!(life.news_until(6_000), "");
}

/// An exclusion that begins by itself is noticed within a minute, so that its end is.
#[test]
fn a_quiet_that_begins_by_itself_is_noticed() {
    let mut life = Life::new(vec![to(&["a"])]);
    life.fire("x", 0);
    life.quiet("*", QuietKind::Exclusion, 100, 400);
    assert_eq!(life.news_until(1_000), "a:x/1 a:x/1/s1");
}

#[test]
fn outside_its_hours_a_route_waits_for_them() {
    let hours = |begin| Schedule::new(begin, Length::from_hours(9), "UTC").unwrap();
    // It is 12:00 on a Friday.
    let waits = Route { active: Some(hours("0 13 * * Mon-Fri")), ..to(&["a"]) };
    let mut life = Life::new(vec![waits.clone(), to(&["b"])]);
    life.fire("x", 0);
    life.fire("y", 1);
    life.end("y", 2);
    assert_eq!(life.news_until(HOUR - 1), "");
    assert_eq!(life.news_until(HOUR + 2), "a:x/1");
    let mut life = Life::new(vec![Route { outside: Outside::Skip, ..waits }, to(&["b"])]);
    life.fire("x", 0);
    assert_eq!(life.news_until(HOUR - 1), "b:x/1", "as if the route were not there");
    assert_eq!(life.news_until(2 * HOUR), "a:x/1", "nobody took it on, and the day has begun");
}

/// It is 12:00 on a Friday; the hours end at 12:05.
#[test]
fn hours_that_end_leave_nobody_alone_with_a_page() {
    let hours = Schedule::new("0 3 * * Mon-Fri", Length::from_minutes(9 * 60 + 5), "UTC").unwrap();
    let escalate = vec![after(900, &["c"])];
    let waits = Route { active: Some(hours), repeat: Some(seconds(600)), escalate, ..to(&["a"]) };
    let skips = Route { outside: Outside::Skip, ..waits.clone() };
    let mut life = Life::new(vec![skips.clone(), to(&["b"])]);
    life.fire("x", 0);
    assert_eq!(life.news_until(299), "a:x/1");
    assert_eq!(life.news_until(400), "b:x/1", "the route of the night has told nobody yet");
    assert_eq!(life.news_until(601), "a:x/1/r1");
    assert_eq!(life.news_until(901), "c:x/1");
    life.ack("x", 1_000);
    assert_eq!(life.news_until(9_000), "");
    life.end("x", 9_000);
    assert_eq!(life.news(), "a:x/2 b:x/2 c:x/2");
    let mut life = Life::new(vec![waits]);
    life.fire("x", 0);
    assert_eq!(life.news_until(901), "a:x/1 a:x/1/r1 c:x/1");
    // Somebody is at it; a ticket has time.
    let mut life = Life::new(vec![skips.clone(), to(&["b"])]);
    life.fire("x", 0);
    life.take(ticket("y", 0), 0);
    life.ack("x", 200);
    assert_eq!(life.news_until(9_000), "a:x/1 a:y/1");
    // Told by a group after the hours, to which it came within them.
    let mut life = Life::new(vec![Route { grouping: by(&[], 30, 300), repeat: None, ..skips }, to(&["b"])]);
    life.fire("x", 280);
    assert_eq!(life.news_until(1_209), "b:x/1 a:1[x]");
    assert_eq!(life.news_until(1_211), "c:1[x]");
}

#[test]
fn what_was_meant_for_a_sink_that_is_gone_is_told_to_others() {
    let renamed = |life: &mut Life, route: Route| {
        life.until(10);
        life.config.sinks.remove("a");
        life.config.routes = vec![route];
        life.with(10, super::Desk::reconsider);
        life.news()
    };
    let mut life = Life::new(vec![to(&["a", "b"])]);
    life.fire("x", 0);
    life.take(ticket("y", 0), 0);
    life.fire("z", 0);
    life.ack("z", 5);
    life.news();
    let route = Route { repeat: Some(seconds(300)), escalate: vec![after(600, &["d"])], ..to(&["c", "b"]) };
    assert_eq!(renamed(&mut life, route), "c:x/1 c:y/1", "b has heard of it, and c stands for a");
    life.restart();
    assert_eq!(life.news_until(299), "", "once");
    life.take(end_of(ticket("y", 0), 299), 299);
    assert_eq!(life.news(), "a:y/2 b:y/2 c:y/2", "whoever stands in for a hears of the end");
    assert_eq!(life.news_until(601), "b:x/1/r1 c:x/1/r1 b:x/1/r2 d:x/1");
    // It was in a group that was not told yet; no route is left.
    let group = Route { grouping: by(&[], 30, 300), ..to(&["a"]) };
    let mut life = Life::new(vec![group.clone()]);
    life.fire("x", 0);
    assert_eq!(renamed(&mut life, Route { to: vec!["c".to_owned()], ..group.clone() }), "");
    assert_eq!(life.news_until(41), "c:1[x]");
    let mut life = Life::new(vec![group]);
    life.fire("x", 0);
    assert_eq!(life.news_until(31), "a:1[x]");
    life.config.sinks.remove("a");
    life.config.routes.clear();
    life.with(40, super::Desk::reconsider);
    assert_eq!((life.news().as_str(), life.lost.join(" ").as_str()), ("b:x/1 c:x/1 d:x/1", "x"));
}

#[test]
fn it_is_repeated_until_somebody_takes_it_on() {
    let mut life = Life::new(vec![Route { repeat: Some(seconds(600)), ..to(&["a", "am"]) }]);
    life.fire("x", 0);
    assert_eq!(life.news(), "a:x/1 am:x/1");
    life.until(601);
    assert_eq!(life.told[0].notification.reason, "it fails; still firing, told again after 10m");
    assert_eq!(life.news(), "a:x/1/r1", "Alertmanager repeats by itself");
    assert_eq!(life.news_until(1_201), "a:x/1/r2");
    life.ack("x", 1_300);
    assert_eq!(life.news_until(9_000), "");
    assert_eq!((&life.case("x")["told"]["a"]["count"], &life.case("x")["acked"]["by"]), (&3.into(), &"mara".into()));
    life.end("x", 9_000);
    assert_eq!(life.news(), "a:x/2 am:x/2");
}

#[test]
fn nothing_is_repeated_while_it_is_quiet() {
    let mut life = Life::new(vec![Route { repeat: Some(seconds(600)), ..to(&["a"]) }]);
    life.fire("x", 0);
    life.quiet("*", QuietKind::Silence, 300, 3_000);
    life.with(300, super::Desk::reconsider);
    assert_eq!(life.news_until(2_999), "a:x/1");
    assert_eq!(life.news_until(3_599), "a:x/1/s1");
    assert_eq!(life.news_until(3_601), "a:x/1/r1", "ten minutes after it was last told");
}

#[test]
fn it_is_escalated_where_nobody_takes_it_on_and_ends_there_too() {
    let escalate = vec![after(900, &["b"]), after(1_800, &["c", "a"])];
    let route = Route { escalate, ..to(&["a"]) };
    let mut life = Life::new(vec![route.clone()]);
    life.fire("x", 0);
    assert_eq!(life.news_until(899), "a:x/1");
    life.until(901);
    assert_eq!(life.told[0].notification.reason, "it fails; nobody acknowledged within 15m");
    assert_eq!(life.news(), "b:x/1", "the transition's own id");
    assert_eq!(life.case("x")["escalated_at"], at(900).to_string());
    assert_eq!(life.news_until(1_801), "c:x/1");
    assert_eq!(life.news_until(9_000), "");
    life.end("x", 9_000);
    assert_eq!(life.news(), "a:x/2 b:x/2 c:x/2");

    let mut life = Life::new(vec![route]);
    life.fire("x", 0);
    life.ack("x", 899);
    assert_eq!(life.news_until(9_000), "a:x/1", "somebody is at it");
    life.end("x", 9_001);
    assert_eq!(life.news(), "a:x/2", "those who were not told of it hear nothing of its end");
}

#[test]
fn while_it_is_quiet_nobody_can_be_late() {
    let mut life = Life::new(vec![Route { escalate: vec![after(900, &["b"])], ..to(&["a"]) }]);
    life.fire("x", 0);
    life.quiet("*", QuietKind::Silence, 600, 2_000);
    life.with(600, super::Desk::reconsider);
    assert_eq!(life.news_until(2_001), "a:x/1 a:x/1/s1");
    assert_eq!(life.news_until(2_899), "");
    assert_eq!(life.news_until(2_901), "b:x/1");
}

#[test]
fn alerts_alike_are_told_as_one() {
    let route = Route { grouping: by(&["service"], 30, 300), ..to(&["a", "am"]) };
    let mut life = Life::new(vec![route]);
    life.take(ticket("x", 0), 0);
    life.take(ticket("y", 10), 10);
    assert_eq!(life.news_until(29), "am:x/1 am:y/1", "what keeps states groups by itself");
    life.until(31);
    let told = life.told[0].notification.clone();
    assert_eq!(told.dedup_key, r#"group{service="shop"}/ticket/digest"#);
    assert_eq!(told.id, format!("{}/{}/1", told.dedup_key, at(0)));
    assert_eq!(told.alert_id, format!("{}/{}/alert-1", told.dedup_key, at(0)));
    assert_eq!((told.service.as_str(), told.name.as_str()), ("shop", "group"));
    assert_eq!(told.reason, "2 alerts fire: shop/x, shop/y");
    assert_eq!(told.thread(), format!(r#"group{{service="shop"}}/{}"#, at(0)));
    assert_eq!(life.news(), "a:1[x y]");
    // Changes are told together, 300 s after the last message.
    life.take(ticket("z", 100), 100);
    life.take(end_of(ticket("x", 0), 200), 200);
    assert_eq!(life.news_until(329), "am:z/1 am:x/2");
    assert_eq!(life.news_until(331), "a:2[y z x-]");
    // One that fires and ends in between is not worth a word, but the ends are.
    life.take(ticket("w", 340), 340);
    life.take(end_of(ticket("w", 340), 350), 350);
    life.take(end_of(ticket("y", 0), 360), 360);
    life.news();
    assert_eq!(life.news_until(629), "");
    assert_eq!(life.news_until(631), "a:3[z y-]");
    life.take(end_of(ticket("z", 0), 640), 640);
    assert_eq!(life.news(), "am:z/2 a:4![z-]", "at once");
    assert_eq!(life.desk.next_due(), None);
    // A new episode, named by its own first member.
    life.take(ticket("v", 700), 700);
    life.until(731);
    assert!(life.told[1].notification.id.ends_with(&format!("{}/1", at(700))));
}

#[test]
fn a_group_of_one_says_what_its_alert_says() {
    let mut life = Life::new(vec![Route { grouping: by(&["team", "owner"], 0, 300), ..to(&["a"]) }]);
    life.fire("x", 0);
    let told = &life.told[0].notification;
    assert_eq!((told.slo.as_str(), told.name.as_str(), told.reason.as_str()), ("shop/x", "x", "it fails"));
    assert_eq!(told.dedup_key, r#"group{owner="",team=""}/page/digest"#);
    assert_eq!(told.members.len(), 1);
    // Severities are never told as one, nor drills with life.
    life.take(ticket("y", 10), 10);
    let mut drill = firing("z", 20);
    drill.mark = Some(Mark::Drill);
    life.take(drill, 20);
    assert_eq!(life.news(), "a:1[x] a:1[y] a:1[z]");
    assert_eq!((&life.case("z")["drill"], &life.case("x")["drill"]), (&true.into(), &false.into()));
}

#[test]
fn a_group_forgets_what_ended_or_fell_quiet_before_it_was_told() {
    let mut life = Life::new(vec![Route { grouping: by(&[], 30, 300), ..to(&["a"]) }]);
    life.fire("x", 0);
    life.end("x", 10);
    assert_eq!(life.news_until(100), "");
    life.fire("y", 100);
    life.fire("z", 100);
    life.quiet("y", QuietKind::Silence, 110, 200);
    assert_eq!(life.news_until(131), "a:1[z]");
    assert_eq!(life.news_until(429), "");
    assert_eq!(life.news_until(431), "a:2[y z]", "the silence ended, and it joined again");
}

#[test]
fn an_escalation_leaves_the_terms_of_a_group_and_an_ack_is_of_all_groups_of_an_id() {
    let grouping = by(&[], 0, 60);
    let of_x = Route { slo: Some("shop/x".to_owned()), grouping, escalate: vec![after(600, &["b"])], ..to(&["a"]) };
    let rest = Route { grouping: by(&[], 0, 60), repeat: Some(seconds(900)), ..to(&["b"]) };
    let mut life = Life::new(vec![of_x.clone(), rest.clone()]);
    life.fire("x", 0);
    life.fire("y", 0);
    assert_eq!(life.news_until(599), "a:1[x] b:1[y]");
    assert_eq!(life.news_until(601), "b:2[x y]");
    assert_eq!(life.news_until(1_501), "b:2/r1[x y]");

    let mut life = Life::new(vec![Route { continue_: true, ..of_x }, rest]);
    life.take_all(vec![firing("x", 0), firing("y", 0)], 0);
    assert_eq!(life.news(), "a:1[x] b:1[x y]");
    life.ack(&format!("group{{}}/page/digest/{}/alert-1", at(0)), 100);
    assert_eq!((&life.case("x")["acked"]["by"], &life.case("y")["acked"]["by"]), (&"mara".into(), &"mara".into()));
    assert_eq!(life.news_until(9_000), "");
}

#[test]
fn a_storm_is_repeated_as_its_routes_say() {
    let route = Route { repeat: Some(seconds(600)), ..to(&["a"]) };
    let mut life = Life::new(vec![Route { slo: Some("shop/t".to_owned()), ..to(&["a"]) }, route]);
    life.config.limits.storm = 1;
    life.take_all(["u", "v", "t"].map(|name| firing(name, 0)).into(), 0);
    assert_eq!(life.news(), "a:u/1 a:1[t v]");
    assert_eq!(life.news_until(601), "a:u/1/r1 a:1/r1[t v]", "the route of t says nothing of it");
}

#[test]
fn a_digest_that_cannot_be_read_keeps_nothing_open() {
    let mut life = Life::new(vec![Route { grouping: by(&[], 0, 300), ..to(&["a"]) }]);
    life.take_all(vec![firing("x", 0), firing("y", 0)], 0);
    life.end("x", 10);
    assert_eq!(life.news(), "a:1[x y]");
    let cases = life.kept.iter().filter(|((is_digest, _), _)| !is_digest).map(|(_, text)| text.as_str());
    let (desk, problems) = super::Desk::restore(cases, ["{}"].into_iter());
    life.desk = desk;
    assert_eq!((problems.len(), life.desk.case("x").is_some(), life.desk.case("y").is_some()), (1, false, true));
    life.end("y", 20);
    assert_eq!(life.news(), "a:y/2", "by itself");
    assert_eq!((life.case("x").get("notification"), life.desk.next_due()), (None, None));
}

#[test]
fn too_many_pages_are_told_as_one_and_never_as_none() {
    let mut life = Life::new(vec![to(&["a", "am"])]);
    life.config.limits.storm = 2;
    life.take_all(["u", "v", "w", "x"].map(|name| firing(name, 0)).into(), 0);
    assert_eq!(life.news(), "a:u/1 am:u/1 a:v/1 am:v/1 am:w/1 am:x/1 a:1[w x]");
    life.take(ticket("t", 1), 1);
    assert_eq!(life.news(), "a:t/1 am:t/1", "tickets are no flood");
    life.fire("y", 5);
    life.end("w", 10);
    life.end("u", 10);
    assert_eq!(life.news_until(59), "am:y/1 am:w/2 a:u/2 am:u/2", "the digest tells the end of its own");
    assert_eq!(life.news_until(60), "a:2[x y w-]");
    life.fire("z", 61);
    assert_eq!(life.news(), "a:z/1 am:z/1", "a minute later");
    life.end("x", 70);
    life.end("y", 70);
    assert_eq!(life.news(), "am:x/2 am:y/2 a:3![x- y-]");
    assert_eq!(life.case("x")["told"]["a"]["count"], 1);
}

#[test]
fn one_known_by_itself_stays_so_when_a_quiet_ends_in_a_storm() {
    let mut life = Life::new(vec![Route { repeat: Some(seconds(600)), ..to(&["a"]) }]);
    life.config.limits.storm = 1;
    for (second, name) in [(0, "x"), (70, "y"), (140, "z")] {
        life.fire(name, second);
    }
    life.quiet("*", QuietKind::Silence, 200, 300);
    life.with(200, super::Desk::reconsider);
    life.news();
    assert_eq!(life.news_until(301), "a:x/1/s1 a:y/1/s1 a:z/1/s1");
    assert_eq!(life.news_until(901), "a:x/1/r1 a:y/1/r1 a:z/1/r1", "each once");
}

#[test]
fn drills_push_no_page_into_a_storm() {
    let mut life = Life::new(vec![to(&["a"])]);
    life.config.limits.storm = 1;
    let drill = |name| Notification { mark: Some(Mark::Drill), ..firing(name, 0) };
    life.take_all(vec![drill("u"), drill("v"), firing("x", 0), firing("y", 0)], 0);
    assert!(life.news().starts_with("a:u/1 a:x/1 a:1["));
}

#[test]
fn many_groups_at_once_are_a_storm_too() {
    let mut life = Life::new(vec![Route { grouping: by(&["slo"], 0, 300), ..to(&["a"]) }]);
    life.config.limits.storm = 2;
    life.take_all(["u", "v", "w", "x"].map(|name| firing(name, 0)).into(), 0);
    assert_eq!(life.news(), "a:1[u] a:1[v] a:1[w x]");
    life.end("u", 10);
    life.end("x", 20);
    life.end("w", 30);
    assert_eq!(life.news(), "a:2![u-] a:2![w- x-]");
}

#[test]
fn a_restart_changes_nothing() {
    let route = Route { repeat: Some(seconds(900)), escalate: vec![after(600, &["c"])], ..to(&["a"]) };
    let groups = Route { grouping: by(&[], 30, 300), ..to(&["b"]) };
    let mut told = Vec::new();
    for restarts in [false, true] {
        let mut life = Life::new(vec![Route { continue_: true, ..route.clone() }, groups.clone()]);
        life.quiet("y", QuietKind::Silence, 0, 50);
        let mut all = Vec::new();
        for step in 0..40 {
            let second = step * 30;
            match step {
                0 => life.take_all(vec![firing("x", 0), firing("y", 0), firing("z", 0)], 0),
                4 => life.end("z", second),
                23 => life.ack("x", second),
                38 => life.end("x", second),
                39 => life.end("y", second),
                _ => life.until(second),
            }
            life.with(second, |_, _, _| {});
            all.push(life.news());
            if restarts {
                life.restart();
            }
        }
        told.push(all);
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0][39], "a:y/2 c:y/2 b:4![y-]");
}

#[test]
fn a_clock_that_is_set_back_loses_nothing() {
    let mut life = Life::new(vec![Route { grouping: by(&[], 30, 300), repeat: Some(seconds(900)), ..to(&["a"]) }]);
    life.fire("x", 10_000);
    life.with(0, |_, _, _| {});
    assert_eq!(life.news_until(31), "a:1[x]");
    life.with(-20_000, |_, _, _| {});
    assert_eq!(life.news_until(-19_000), "a:1/r1[x]");
}

/// Ten thousand at once: looks are counted, not seconds.
#[test]
fn ten_thousand_alerts_cost_ten_times_what_a_thousand_do() {
    let work = |count: usize| {
        let route = Route { repeat: Some(seconds(600)), escalate: vec![after(300, &["b"])], ..to(&["a"]) };
        let mut life = Life::new(vec![route]);
        life.take_all((0..count).map(|number| firing(&format!("n{number}"), 0)).collect(), 0);
        let told = life.told.len();
        life.with(400, |_, _, _| {});
        life.take_all((0..count).map(|number| end_of(firing(&format!("n{number}"), 0), 450)).collect(), 450);
        assert!(life.desk.cases.is_empty() && told == 21, "{told}");
        life.desk.work
    };
    let (small, large) = (work(1_000), work(10_000));
    assert!(large <= 11 * small, "{small} looks of 1,000 alerts, {large} of 10,000");
    assert!(large <= 10 * 10_000, "{large} looks of 10,000");
}
