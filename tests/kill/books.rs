//! The book-keeper: what has to have arrived, from the script, from what was asked for and from what was answered, by the
//! contract alone (INTERFACES 5, SEMANTICS 6, FORMATS 3). Of the service's own lists it believes which alerts there were
//! (and holds them against the script) and which deliveries were superseded.
//!
//! Where the moment of a decision is not known to the second it takes the reading that favours the service: a silence
//! forbids only what was first heard after its answer and was not waiting by then; it excuses from when it was asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use slo::units::Timestamp;

use super::people::{Act, Seen, Wish};
use super::recorder::Heard;
use super::world::{Line, SERVICES, Script};
use crate::text;

/// A round this long makes an alert.
const SURELY: i64 = 60_000;
/// From the first bad slice to the alert, and from the last one to its end.
pub const LAG: i64 = 45_000;
/// Whoever fires so long while nothing keeps it quiet has been told to its first receiver: the interval of a storm's digest,
/// and some to notice.
const TOLD: i64 = 80_000;
/// The same for whoever is next: `after`, its own storm's minute, and the first telling's.
const ESCALATED: i64 = TOLD + 90_000 + 75_000;
/// A life that goes on for so long has looked at what is due.
const AWAKE: i64 = 10_000;

/// By service: where it goes first, and where next.
const ROUTES: [(&str, &str, Option<&str>); 3] =
    [("lone", "lone", Some("boss")), ("team", "team", Some("lead")), ("flood", "flood", None)];

/// All there is to know.
#[derive(Debug)]
pub struct Books {
    pub alerts: Vec<Value>,
    pub rows: Vec<Value>,
    pub silences: Vec<Value>,
    pub audit: Vec<Value>,
    pub heard: Vec<Heard>,
    pub acts: Vec<Act>,
    pub seen: Vec<(String, Seen)>,
    pub script: Script,
}

/// What a scene held, to say that it was one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    alerts: usize,
    requests: usize,
    /// Under an id that was heard before.
    again: usize,
    refused: usize,
    digests: usize,
    storms: usize,
    repeats: usize,
    escalations: usize,
    after_silence: usize,
    silences: usize,
    acks: usize,
    unanswered: usize,
    /// Alerts by receiver that had to be told, and those that were over first.
    owed: usize,
    superseded: usize,
    /// Silences and acknowledgements that forbade something, by alert.
    forbidden: usize,
}

impl Account {
    pub fn add(&mut self, other: &Self) {
        let pairs = [
            (&mut self.alerts, other.alerts),
            (&mut self.requests, other.requests),
            (&mut self.again, other.again),
            (&mut self.refused, other.refused),
            (&mut self.digests, other.digests),
            (&mut self.storms, other.storms),
            (&mut self.repeats, other.repeats),
            (&mut self.escalations, other.escalations),
            (&mut self.after_silence, other.after_silence),
            (&mut self.silences, other.silences),
            (&mut self.acks, other.acks),
            (&mut self.unanswered, other.unanswered),
            (&mut self.owed, other.owed),
            (&mut self.superseded, other.superseded),
            (&mut self.forbidden, other.forbidden),
        ];
        for (sum, more) in pairs {
            *sum += more;
        }
    }

    /// Everything that it is about has happened.
    pub fn is_worth_something(&self) {
        let least = [self.alerts, self.again, self.refused, self.digests, self.storms, self.repeats];
        let people = [self.escalations, self.after_silence, self.silences, self.acks, self.owed / 10, self.forbidden];
        assert!(least.into_iter().chain(people).all(|count| count > 0), "too little happened: {self:?}");
        assert!(self.superseded <= 2 + self.owed / 10, "too much was over before it was told: {self:?}");
    }
}

fn millis(value: &Value, key: &str) -> i64 {
    text(value, key).parse::<Timestamp>().unwrap().millis()
}

/// An end whose begin was about to be sent when the service died: it says that nobody knows whether it came.
fn is_unsure(end: &Heard) -> bool {
    text(&end.body, "reason").contains("whether the firing arrived is not known")
}

/// A stretch of time in which a silence may have kept something quiet, or surely did.
type Span = (i64, i64);

impl Books {
    pub fn judge(&self) -> Account {
        let mut account = self.count();
        self.one_text_for_each_id();
        self.in_order();
        self.alerts_are_those_of_the_script();
        self.nothing_is_invented();
        for alert in &self.alerts {
            self.nobody_is_forgotten(alert, &mut account);
            self.ends_go_to_those_who_were_told(alert);
            account.forbidden += self.nothing_is_told_in_a_silence(alert);
            account.forbidden += self.no_one_is_called_once_it_is_taken_on(alert);
        }
        self.digests_end();
        self.acts_are_done_as_answered();
        account
    }

    fn count(&self) -> Account {
        let ids: BTreeSet<String> = self.heard.iter().map(Heard::delivery).collect();
        let firing = || self.heard.iter().filter(|heard| heard.fires());
        let ids_with = |part: &str| {
            firing().filter(|heard| heard.id().contains(part)).map(Heard::delivery).collect::<BTreeSet<_>>().len()
        };
        let done = |is: fn(&Wish) -> bool| self.acts.iter().filter(|act| act.is_done() && is(&act.wish)).count();
        Account {
            alerts: self.alerts.len(),
            requests: self.heard.len(),
            again: self.heard.len() - ids.len(),
            refused: self.heard.iter().filter(|heard| !heard.accepted).count(),
            digests: firing().filter(|heard| heard.is_digest()).count(),
            storms: firing().filter(|heard| text(&heard.body, "dedup_key").starts_with("storm{")).count(),
            repeats: ids_with("/r"),
            escalations: firing().filter(|heard| heard.sink == "boss" || heard.sink == "lead").count(),
            after_silence: ids_with("/s"),
            silences: done(|wish| matches!(wish, Wish::Silence { .. })),
            acks: done(|wish| matches!(wish, Wish::Ack(_))),
            unanswered: self.acts.iter().filter(|act| act.answer.is_none()).count(),
            ..Account::default()
        }
    }

    /// Repeats of a message carry its id and its text; the header says the same id.
    fn one_text_for_each_id(&self) {
        let mut first: BTreeMap<String, &Value> = BTreeMap::new();
        for heard in &self.heard {
            assert_eq!(heard.id(), heard.key);
            let before = first.entry(heard.delivery()).or_insert(&heard.body);
            // What goes out late says so.
            let late = [*before, &heard.body].iter().any(|body| text(body, "reason").starts_with("[delayed"));
            assert!(late || **before == heard.body, "another text under the same id: {before} {}", heard.body);
        }
    }

    /// By receiver and dedup key what was taken first was decided first.
    fn in_order(&self) {
        let mut last: BTreeMap<(&str, &str), (&str, i64)> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for heard in self.heard.iter().filter(|heard| heard.accepted) {
            if seen.insert(heard.delivery()) {
                let this = (text(&heard.body, "episode"), heard.body["transition"].as_i64().unwrap());
                let key = (heard.sink.as_str(), text(&heard.body, "dedup_key"));
                if let Some(before) = last.insert(key, this) {
                    assert!(before <= this, "{before:?} came after {this:?} at {key:?}");
                }
            }
        }
    }

    fn line_of(alert: &Value) -> Line {
        let slo = text(alert, "slo");
        let (service, rest) = slo.split_once("/orders{shard=\"s").unwrap_or_else(|| panic!("no SLO of ours: {slo}"));
        let (service, _) = SERVICES.into_iter().find(|(name, _)| *name == service).unwrap();
        (service, rest.trim_end_matches("\"}").parse().unwrap())
    }

    /// Each round of errors is one alert, and each alert one round.
    fn alerts_are_those_of_the_script(&self) {
        let ids: BTreeSet<&str> = self.alerts.iter().map(|alert| text(alert, "id")).collect();
        assert_eq!(ids.len(), self.alerts.len(), "an id twice");
        for (service, shards) in SERVICES {
            for shard in 0..shards {
                let line = (service, shard);
                let mut left: Vec<&Value> = self.alerts.iter().filter(|alert| Self::line_of(alert) == line).collect();
                for (from, to) in self.script.rounds_of(line) {
                    let of_round = |alert: &&Value| (from..to + LAG).contains(&millis(alert, "fired_at"));
                    let fired: Vec<&Value> = left.iter().copied().filter(of_round).collect();
                    assert!(fired.len() <= 1, "more than one alert in {from} to {to}: {fired:?}");
                    assert!(fired.len() == 1 || to - from < SURELY, "no alert of {line:?} in {from} to {to}");
                    for alert in &fired {
                        let ended = millis(alert, "resolved_at");
                        assert!((to..to + 2 * LAG).contains(&ended), "{from} to {to}: {alert}");
                    }
                    left.retain(|alert| !of_round(alert));
                }
                assert!(left.is_empty(), "no error made {left:?}");
            }
        }
    }

    /// What was told is about alerts that there are, as they are.
    fn nothing_is_invented(&self) {
        let alerts: BTreeMap<&str, &Value> = self.alerts.iter().map(|alert| (text(alert, "id"), alert)).collect();
        let rows: BTreeSet<&str> = self.rows.iter().map(|row| text(row, "id")).collect();
        for heard in &self.heard {
            assert!(rows.contains(heard.delivery().as_str()), "nobody decided to send {}", heard.delivery());
            for id in heard.alerts("firing").into_iter().chain(heard.alerts("resolved")) {
                let alert = alerts.get(id).unwrap_or_else(|| panic!("no such alert: {}", heard.body));
                let (service, _) = Self::line_of(alert);
                let (_, first, next) = ROUTES.into_iter().find(|(name, ..)| *name == service).unwrap();
                let sink = heard.sink.as_str();
                assert!(sink == first || Some(sink) == next, "{sink} hears of {id}");
                if !heard.is_digest() {
                    for part in ["dedup_key", "episode", "fired_at", "severity", "kind", "slo"] {
                        assert_eq!(heard.body[part], alert[part], "{part}");
                    }
                }
            }
        }
    }

    /// Everything that a receiver was sent about an alert in this state.
    fn mentions<'a>(&'a self, sink: &'a str, id: &'a str, state: &'a str) -> impl Iterator<Item = &'a Heard> {
        self.heard.iter().filter(move |heard| heard.sink == sink && heard.alerts(state).contains(&id))
    }

    /// When silences over a shard may have held (`surely` false), or surely did, with what was on its way by then.
    fn silences_over(&self, line: Line, surely: bool) -> Vec<(Span, Option<&BTreeSet<String>>)> {
        let mut found = Vec::new();
        for act in self.acts.iter().filter(|act| act.wish.covers(line) && !act.is_refused()) {
            let Wish::Silence { ends, .. } = act.wish else { continue };
            let id = act.answer.as_ref().map(|(_, _, body)| text(body, "id").to_owned());
            let expired =
                self.acts.iter().filter(|other| matches!(&other.wish, Wish::Expire(of) if Some(of) == id.as_ref()));
            let is_kept = || self.silences.iter().any(|silence| silence["created_by"] == act.name.as_str());
            if surely {
                let asked = expired.map(|other| other.sent).min().unwrap_or(ends);
                if let Some((after, known)) = &act.after {
                    found.push(((*after, ends.min(asked)), Some(&**known)));
                }
            } else if act.is_done() || is_kept() {
                let done = expired.filter(|other| other.is_done()).filter_map(|other| Some(other.answer.as_ref()?.0));
                found.push(((act.sent, ends.min(done.min().unwrap_or(ends))), None));
            }
        }
        found
    }

    /// Whether it was seen to fire for so long, in a life that was awake at last, while nothing can have kept it quiet.
    fn fired_openly(&self, alert: &Value, length: i64) -> bool {
        let quiet = self.silences_over(Self::line_of(alert), false);
        let mut stretch: Vec<Seen> = Vec::new();
        for (_, seen) in self.seen.iter().filter(|(id, _)| id == text(alert, "id")) {
            let covered = |span: &Span| stretch.last().map_or(seen.at, |last| last.at) <= span.1 && seen.at >= span.0;
            if quiet.iter().any(|(span, _)| covered(span)) {
                stretch.clear();
            }
            stretch.push(*seen);
            let awake =
                stretch.iter().find(|first| first.life == seen.life).is_some_and(|first| seen.at - first.at >= AWAKE);
            if awake && seen.at - stretch[0].at >= length {
                return true;
            }
        }
        false
    }

    fn was_perhaps_acked(&self, id: &str) -> bool {
        let is_of = |of: &str| of == id || of.contains("/digest/");
        self.acts.iter().any(|act| matches!(&act.wish, Wish::Ack(of) if is_of(of)))
    }

    /// No alert is lost: whoever is to hear of it has heard of it, by itself or in a digest.
    fn nobody_is_forgotten(&self, alert: &Value, account: &mut Account) {
        let (id, (service, _)) = (text(alert, "id"), Self::line_of(alert));
        let (_, first, next) = ROUTES.into_iter().find(|(name, ..)| *name == service).unwrap();
        let mut owed = Vec::new();
        if self.fired_openly(alert, TOLD) {
            owed.push(first);
        }
        if let Some(next) = next
            && !self.was_perhaps_acked(id)
            && self.fired_openly(alert, ESCALATED)
        {
            owed.push(next);
        }
        for sink in owed {
            account.owed += 1;
            if self.mentions(sink, id, "firing").any(|heard| heard.accepted) {
                continue;
            }
            account.superseded += 1;
            let told = |row: &&Value| row["sink"] == sink && row["alert_id"] == id;
            let alone: Vec<&Value> = self.rows.iter().filter(told).collect();
            let digests = |row: &&Value| row["sink"] == sink && text(row, "alert_id").contains("/digest/");
            let of: Vec<&Value> = if alone.is_empty() { self.rows.iter().filter(digests).collect() } else { alone };
            let over = of.iter().any(|row| row["state"] == "superseded");
            assert!(over, "{sink} was never told of {alert}");
        }
    }

    /// An end goes to exactly those who were told.
    fn ends_go_to_those_who_were_told(&self, alert: &Value) {
        let id = text(alert, "id");
        assert_eq!(text(alert, "state"), "resolved", "{alert}");
        for sink in ["lone", "team", "flood", "boss", "lead"] {
            let alone = |heard: &&Heard| !heard.is_digest();
            let begun: Vec<&Heard> = self.mentions(sink, id, "firing").filter(alone).collect();
            let ended: Vec<&Heard> = self.mentions(sink, id, "resolved").filter(alone).collect();
            let ids: BTreeSet<&str> = ended.iter().map(|heard| heard.id()).collect();
            assert!(ids.len() <= 1, "two ends at {sink}: {ids:?}");
            let may_know = |heard: &&Heard| is_unsure(heard);
            let only = !ended.is_empty() && begun.is_empty() && !ended.iter().all(may_know);
            assert!(!only, "{sink} was told of the end only: {alert}");
            if begun.iter().any(|heard| heard.accepted) {
                assert!(ended.iter().any(|heard| heard.accepted), "the end did not reach {sink}: {alert}");
            }
            let in_digest = |heard: &Heard| heard.is_digest();
            let last = self.heard.iter().rposition(|heard| {
                heard.accepted && heard.sink == sink && in_digest(heard) && heard.alerts("firing").contains(&id)
            });
            if let Some(last) = last {
                let digest = &self.heard[last].body["alert_id"];
                let later = self.heard[last + 1..].iter();
                let told =
                    later.filter(|heard| heard.sink == sink && heard.accepted).any(|h| h.body["alert_id"] == *digest);
                assert!(told, "no digest told {sink} that it is over: {alert}");
            }
        }
    }

    /// The last word on each digest is its end, for those who heard of it.
    fn digests_end(&self) {
        let mut last: BTreeMap<(&str, &str), &Heard> = BTreeMap::new();
        let mut begun = BTreeSet::new();
        for heard in self.heard.iter().filter(|heard| heard.is_digest()) {
            let key = (heard.sink.as_str(), text(&heard.body, "alert_id"));
            if heard.fires() {
                begun.insert(key);
            }
            assert!(begun.contains(&key) || is_unsure(heard), "the end of what never began: {}", heard.body);
            if heard.accepted {
                last.insert(key, heard);
            }
        }
        for (key, heard) in last {
            assert!(!heard.fires(), "{key:?} has not ended: {}", heard.body);
        }
    }

    /// While a silence holds, a receiver hears of nothing that begins, repeats or is escalated.
    fn nothing_is_told_in_a_silence(&self, alert: &Value) -> usize {
        let (id, line) = (text(alert, "id"), Self::line_of(alert));
        let mut held = 0;
        for ((from, to), known) in self.silences_over(line, true) {
            let known = known.unwrap();
            let fired = millis(alert, "fired_at") < to && millis(alert, "resolved_at") > from;
            held += usize::from(fired);
            for heard in self.new_within(from, to, known).filter(|heard| heard.alerts("firing").contains(&id)) {
                // A digest that is told for others still names whom it named before.
                let named = self.heard.iter().any(|before| {
                    before.sink == heard.sink
                        && before.body["alert_id"] == heard.body["alert_id"]
                        && (before.at < from || known.contains(&before.delivery()))
                        && before.alerts("firing").contains(&id)
                });
                let unsent = self.rows.iter().any(|row| {
                    row["sink"] == heard.sink.as_str()
                        && row["alert_id"] == heard.body["alert_id"]
                        && row["state"] == "superseded"
                });
                let excused = heard.is_digest() && (named || unsent);
                assert!(excused, "told at {} in a silence from {from} to {to}: {}", heard.at, heard.body);
            }
        }
        held
    }

    /// Firings that were first heard in a stretch of time, and were not on their way at its begin.
    fn new_within<'a>(&'a self, from: i64, to: i64, known: &'a BTreeSet<String>) -> impl Iterator<Item = &'a Heard> {
        let within = self.heard.iter().filter(move |heard| heard.at > from && heard.at < to && heard.fires());
        within.filter(|heard| !known.contains(&heard.delivery()))
    }

    /// The first yes to taking this alert on: when everything decided before it was known, and what that was.
    fn taken_on(&self, id: &str) -> Option<(i64, &BTreeSet<String>)> {
        let of = |act: &&Act| match (&act.wish, &act.answer) {
            (Wish::Ack(of), Some((_, 200, body))) => {
                let members = body["members"].as_array().into_iter().flatten();
                of == id || members.into_iter().any(|member| member["alert_id"] == id && !member["acked"].is_null())
            }
            _ => false,
        };
        let first = self.acts.iter().filter(of).find_map(|act| act.after.as_ref())?;
        Some((first.0, &*first.1))
    }

    /// Nobody is called again, or called at all, once somebody took it on: but for the end of a silence.
    fn no_one_is_called_once_it_is_taken_on(&self, alert: &Value) -> usize {
        let id = text(alert, "id");
        let Some((from, known)) = self.taken_on(id) else { return 0 };
        for heard in self.new_within(from, i64::MAX, known).filter(|heard| heard.alerts("firing").contains(&id)) {
            let is_repeat = heard.id().rsplit_once("/r").is_some_and(|(_, count)| count.parse::<u32>().is_ok());
            let is_next = heard.sink == "boss" || heard.sink == "lead";
            if !heard.is_digest() {
                assert!(!is_repeat && !is_next, "called after {from}, when it was taken on: {heard:?}");
                continue;
            }
            let others = heard.alerts("firing").into_iter().any(|other| {
                self.taken_on(other).is_none_or(|(at, known)| heard.at <= at || known.contains(&heard.delivery()))
            });
            assert!(!is_repeat || others, "repeated after {from}, when all were taken on: {heard:?}");
            // One that had joined by then is named with the digest's next message.
            let named = self.mentions(&heard.sink, id, "firing").any(|before| before.at <= from);
            let late = is_next && !named && heard.at > from + TOLD;
            let first = self.mentions(&heard.sink, id, "firing").map(|heard| heard.at).min();
            assert!(!late || first != Some(heard.at), "escalated after {from}, when it was taken on: {heard:?}");
        }
        1
    }

    /// A yes has happened, once, and survived; a no has not happened; what nobody answered has happened as a whole or not.
    fn acts_are_done_as_answered(&self) {
        for act in &self.acts {
            let entries: Vec<&Value> = self.audit.iter().filter(|entry| entry["actor"] == act.name.as_str()).collect();
            // Whoever comes second changes nothing, and has no entry.
            let second = act.is_done() && act.answer.as_ref().is_some_and(|(_, _, body)| body["changed"] == false);
            let most = usize::from(!act.is_refused() && !second);
            let least = usize::from(act.is_done() && !second);
            assert!((least..=most).contains(&entries.len()), "{act:?}: {entries:?}");
            match &act.wish {
                Wish::Ack(of) => self.ack_is_whole(act, of, entries.len()),
                Wish::Silence { ends, .. } => {
                    let made: Vec<&Value> =
                        self.silences.iter().filter(|silence| silence["created_by"] == act.name.as_str()).collect();
                    assert_eq!(made.len(), entries.len(), "{act:?}: {made:?} {entries:?}");
                    assert!(made.iter().all(|silence| millis(silence, "ends_at") <= *ends), "{act:?}: {made:?}");
                }
                Wish::Expire(of) => {
                    let ended = self.silences.iter().find(|silence| silence["id"] == of.as_str());
                    let ended = millis(ended.unwrap_or_else(|| panic!("lost: {of}")), "ends_at");
                    let answered = act.answer.as_ref().map_or(i64::MAX, |answer| answer.0);
                    assert!(!act.is_done() || ended <= answered + 1_000, "not expired: {act:?}");
                }
                Wish::Wrong => {
                    let made = self.silences.iter().any(|silence| silence["created_by"] == act.name.as_str());
                    assert!(entries.is_empty() && !made && !act.is_done(), "it happened: {act:?}");
                }
            }
        }
    }

    /// Whoever is told to have it has it, or somebody who was first; who has it is in the audit.
    fn ack_is_whole(&self, act: &Act, of: &str, entries: usize) {
        let has = |alert: &&Value| alert["acked"]["by"] == act.name.as_str();
        let having: Vec<&Value> = self.alerts.iter().filter(has).collect();
        assert!(having.is_empty() || entries == 1, "it has no entry: {act:?} {having:?}");
        if entries == 0 {
            return;
        }
        let alert = |id: &str| self.alerts.iter().find(|alert| text(alert, "id") == id);
        match (&act.answer, alert(of)) {
            (_, Some(alert)) => assert!(!alert["acked"].is_null(), "lost: {act:?} {alert}"),
            (Some((_, _, answer)), None) => {
                for member in answer["members"].as_array().into_iter().flatten().filter(|m| !m["acked"].is_null()) {
                    let kept = &alert(text(member, "alert_id")).unwrap()["acked"];
                    assert_eq!(kept["by"], member["acked"]["by"], "{act:?}");
                }
            }
            (None, None) => {}
        }
    }
}
