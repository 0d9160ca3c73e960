//! What the tests of the desk share: a desk with its rules, a clock in seconds, and a log of who was told what.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::config::meant::{Config, Escalation, Grouping, Route, SecretRef, SinkConfig};
use crate::config::sinks::pagerduty::Pagerduty;
use crate::policy::act::Ack;
use crate::policy::alert::{AlertKind, AlertState, EndedBy};
use crate::policy::current::{Depth, Figures};
use crate::policy::desk::{Decided, Desk, Rules, Telling};
use crate::policy::heartbeat::heartbeat;
use crate::policy::notification::Notification;
use crate::policy::quiet::{About, Quiet, QuietKind};
use crate::spec::policy::AlertSeverity;
use crate::units::{Length, Timestamp};

/// 2026-11-20T12:00:00Z, a Friday.
pub const START: i64 = 1_795_176_000;

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(START + second)
}

pub fn seconds(length: i64) -> Length {
    Length::from_seconds(length)
}

pub fn names(of: &[&str]) -> Vec<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

pub fn to(sinks: &[&str]) -> Route {
    Route { to: names(sinks), ..Route::default() }
}

pub fn after(length: i64, sinks: &[&str]) -> Escalation {
    Escalation { after: seconds(length), to: names(sinks) }
}

#[expect(clippy::unnecessary_wraps, reason = "as a route has it")]
pub fn by(labels: &[&str], wait: i64, interval: i64) -> Option<Grouping> {
    Some(Grouping { by: names(labels), wait: seconds(wait), interval: seconds(interval) })
}

/// One that calls people until somebody takes it on.
pub fn pagerduty() -> SinkConfig {
    let (routing_key, severity) = (SecretRef::Env("X".to_owned()), BTreeMap::new());
    SinkConfig::Pagerduty(Pagerduty { routing_key, url: String::new(), hook_secret: None, severity })
}

/// A firing page of `service/name`, by its letter.
pub fn firing(name: &str, second: i64) -> Notification {
    let mut firing = heartbeat(&BTreeMap::new(), at(second));
    firing.id = format!("{name}/1");
    name.clone_into(&mut firing.alert_id);
    firing.dedup_key = format!("shop/{name}/page/burn");
    firing.slo = format!("shop/{name}");
    "shop".clone_into(&mut firing.service);
    name.clone_into(&mut firing.name);
    firing.kind = AlertKind::Burn;
    firing.severity = AlertSeverity::Page;
    firing.reason = "it fails".to_owned();
    firing.labels = BTreeMap::from([("alertname".to_owned(), "SLOBurn".to_owned())]);
    firing
}

pub fn ticket(name: &str, second: i64) -> Notification {
    let mut firing = firing(name, second);
    firing.severity = AlertSeverity::Ticket;
    firing
}

/// The end of what `firing` makes.
pub fn end_of(mut firing: Notification, second: i64) -> Notification {
    firing.id = format!("{}/2", firing.alert_id);
    firing.state = AlertState::Resolved;
    firing.resolved_at = Some(at(second));
    firing.ended_by = Some(EndedBy::KnownFalse);
    firing.reason = "it works again".to_owned();
    firing
}

pub struct Life {
    pub desk: Desk,
    pub config: Config,
    /// By alert, or `*`: from and to, in seconds.
    pub quiets: Vec<(String, QuietKind, i64, i64)>,
    pub second: i64,
    /// How alerts stand now, where that is not as they were handed over; `None`: nobody can say.
    pub figures: BTreeMap<String, Option<Figures>>,
    /// How often figures were asked for, and what differs with them.
    pub asked: AtomicUsize,
    pub evidence_asked: AtomicUsize,
    /// What was told, newest last.
    pub told: Vec<Telling>,
    pub lost: Vec<String>,
    /// Records as the store has them: digest or case, by id.
    pub kept: BTreeMap<(bool, String), String>,
}

impl Life {
    /// Sinks `a` to `d`, and `am`, an Alertmanager.
    pub fn new(routes: Vec<Route>) -> Self {
        let mut config = Config::empty(Path::new(""));
        config.sinks = ["a", "b", "c", "d"].map(|name| (name.to_owned(), SinkConfig::Stdout)).into();
        let severity = BTreeMap::new();
        let am = SinkConfig::Alertmanager { urls: Vec::new(), expires: Length::from_minutes(15), severity };
        config.sinks.insert("am".to_owned(), am);
        config.routes = routes;
        let desk = Desk::default();
        let (quiets, told, lost, kept) = (Vec::new(), Vec::new(), Vec::new(), BTreeMap::new());
        Self {
            desk,
            config,
            quiets,
            second: 0,
            figures: BTreeMap::new(),
            asked: AtomicUsize::new(0),
            evidence_asked: AtomicUsize::new(0),
            told,
            lost,
            kept,
        }
    }

    pub fn quiet(&mut self, alert: &str, kind: QuietKind, from: i64, until: i64) {
        self.quiets.push((alert.to_owned(), kind, from, until));
    }

    /// Does something at a second, as the runtime does it: then what is due, then the records.
    pub fn with(&mut self, second: i64, act: impl FnOnce(&mut Desk, &Rules<'_>, Timestamp)) {
        self.second = second;
        let quiets = &self.quiets;
        let over = |about: About<'_>, now: Timestamp| {
            let name = about.slo.strip_prefix("shop/").unwrap_or(about.slo);
            let fits = |(alert, _, from, until): &&(String, QuietKind, i64, i64)| {
                (alert == "*" || alert == name) && at(*from) <= now && now < at(*until)
            };
            let longest = quiets.iter().filter(fits).max_by_key(|(.., until)| *until)?;
            let (name, reason) = ("s1".to_owned(), "known".to_owned());
            Some(Quiet { kind: longest.1, name, reason, until: at(longest.3) })
        };
        let current = |about: &Notification, depth: Depth| {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.evidence_asked.fetch_add(usize::from(depth == Depth::Evidence), Ordering::SeqCst);
            self.figures.get(&about.alert_id).cloned().unwrap_or_else(|| Some(Figures::of(about)))
        };
        let rules = Rules { config: &self.config, quiet: &over, current: &current };
        act(&mut self.desk, &rules, at(second));
        self.desk.due(&rules, at(second));
        let Decided { tellings, kept, lost } = self.desk.drain();
        self.told.extend(tellings);
        self.lost.extend(lost);
        for record in kept {
            match record.text {
                Some(text) => drop(self.kept.insert((record.is_digest, record.id), text)),
                None => drop(self.kept.remove(&(record.is_digest, record.id))),
            }
        }
    }

    pub fn take(&mut self, notification: Notification, second: i64) {
        self.take_all(vec![notification], second);
    }

    pub fn take_all(&mut self, notifications: Vec<Notification>, second: i64) {
        self.until(second);
        self.with(second, |desk, rules, now| {
            for notification in notifications {
                desk.take(notification, rules, now);
            }
        });
    }

    pub fn fire(&mut self, name: &str, second: i64) {
        self.take(firing(name, second), second);
    }

    pub fn end(&mut self, name: &str, second: i64) {
        let fired = self.desk.case(name).and_then(|case| case.notification.as_deref()).map(|about| about.fired_at);
        let mut end = end_of(firing(name, second), second);
        end.fired_at = fired.unwrap_or(end.fired_at);
        self.take(end, second);
    }

    pub fn ack(&mut self, name: &str, second: i64) {
        self.until(second);
        let ack = Ack { by: "mara".to_owned(), at: at(second), note: None };
        self.with(second, |desk, rules, now| {
            if let Ok(before) = desk.ack(name, &ack, false) {
                desk.tell_ack(&before, &ack, rules, now);
            }
        });
    }

    /// Lets time go by, waking when the desk wants it.
    pub fn until(&mut self, second: i64) {
        while let Some(due) = self.desk.next_due().filter(|due| *due < at(second)) {
            let due = due.millis().div_euclid(1_000) - START;
            // In whole seconds, rounded up.
            let next = due.max(self.second) + i64::from(at(due) < self.desk.next_due().unwrap());
            if next >= second {
                break;
            }
            self.with(next, |_, _, _| {});
        }
    }

    /// The same time goes on in another process.
    pub fn restart(&mut self) {
        let of = |digests: bool| {
            let kept = self.kept.iter().filter(move |((digest, _), _)| *digest == digests);
            kept.map(|(_, text)| text.as_str())
        };
        let (desk, problems) = Desk::restore(of(false), of(true));
        assert_eq!(problems, Vec::<String>::new());
        self.desk = desk;
    }

    /// `sink:id` of what was told since it was last asked, a digest with its members: `a:1[x y-]`, `-` for ended ones, `#2:` the
    /// second of its name.
    pub fn news(&mut self) -> String {
        let told = std::mem::take(&mut self.told);
        let words = told.iter().flat_map(|telling| telling.sinks.iter().map(|sink| word(sink, &telling.notification)));
        words.collect::<Vec<_>>().join(" ")
    }

    /// The same at the end of each of these times.
    pub fn news_until(&mut self, second: i64) -> String {
        self.until(second);
        self.with(second, |_, _, _| {});
        self.news()
    }

    /// The stored case of an alert.
    pub fn case(&self, alert: &str) -> serde_json::Value {
        serde_json::from_str(&self.kept[&(false, alert.to_owned())]).unwrap()
    }
}

fn word(sink: &str, told: &Notification) -> String {
    if told.kind != AlertKind::Digest {
        return format!("{sink}:{}", told.id);
    }
    let members: Vec<String> = told
        .members
        .iter()
        .map(|member| format!("{}{}", member.alert_id, if member.resolved_at.is_some() { "-" } else { "" }))
        .collect();
    let number = told.id.strip_prefix(&format!("{}/{}/", told.dedup_key, told.episode)).unwrap();
    let next = told.dedup_key.rsplit_once("digest/").map_or(String::new(), |(_, next)| format!("#{next}:"));
    let over = if told.state == AlertState::Resolved { "!" } else { "" };
    format!("{sink}:{next}{number}{over}[{}]", members.join(" "))
}
