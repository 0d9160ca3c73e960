//! One ticket an episode, whatever goes wrong: the same story told to every tracker, with a fault at every request.
//!
//! What drives it stands in for the outbox: it keeps the handle that comes with any verdict, knows an ambiguous attempt of
//! a row, and waits as long as it is told, on a clock of its own.

use std::collections::BTreeMap;

use serde_json::Value;
use slo::config::meant::{SecretRef, SinkConfig};
use slo::policy::alert::AlertState;
use slo::policy::notification::Notification;
use slo::policy::template::Template;
use slo::sink::ticket::life::Why;
use slo::sink::ticket::words::Words;
use slo::sink::ticket::{Draft, label, words};
use slo::sink::{DeliveryVerdict, Outcome, Sink, Task};
use slo::spec::policy::AlertSeverity;
use slo::units::{Length, Timestamp};

use crate::kit::{CANARY, preview, read, read_well, taken_on, templated_sink};
use crate::sample::{NIGHT, Sample};
use crate::server::{Answer, Fault, Receiver, Request, Server};

/// A ticket as people see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub title: String,
    pub body: String,
    pub labels: Vec<String>,
    pub comments: Vec<String>,
    pub open: bool,
    /// How often it was closed or opened.
    pub moves: usize,
    /// When it was made, on the clock of [`Outbox`].
    pub made_at: Timestamp,
    /// Answered with 404.
    pub deleted: bool,
    /// What else was written of it.
    pub fields: BTreeMap<String, String>,
}

/// A fake tracker.
pub trait Tracker: Receiver {
    fn tickets(&mut self) -> &mut Vec<Seen>;
    fn set_now(&mut self, now: Timestamp);
}

/// The first label of an episode's alerts is hostile in every language.
pub fn instance() -> String {
    "checkout/availability{region=\"@all Fixes #1 ^x [~admin]\"}".to_owned()
}

pub fn alert(severity: AlertSeverity, number: u32, state: AlertState) -> Notification {
    Sample::new(&instance(), severity, number).notification(state)
}

pub fn page(number: u32, state: AlertState) -> Notification {
    alert(AlertSeverity::Page, number, state)
}

/// The label under which its ticket is found.
pub fn label_of_page() -> String {
    label(&page(1, AlertState::Firing).thread())
}

/// The same firing, told again by a repeat, with less budget left.
pub fn repeat(of: &Notification, count: u32) -> Notification {
    let mut again = of.clone();
    again.id = format!("{}/r{count}", of.id);
    if let Some(budget) = &mut again.budget {
        budget.remaining_ratio -= 0.2 * f64::from(count);
    }
    again
}

/// Texts that do not hang on the wording of the card: a draft, a comment of a second alert, and the summary at the end.
pub fn samples() -> (Draft, Words, Words) {
    let card = "[PAGE] checkout/availability region=@all: 3.1% of requests fail\nsince 02:54 UTC\n/close ```\nFixes #1";
    let (firing, over) = (page(1, AlertState::Firing), page(1, AlertState::Resolved));
    let mut draft = words::draft(&firing, &label_of_page(), Some("https://slo.example"));
    let mut again = words::comment(&firing, Why::Again, Some("https://slo.example"));
    let mut ended = words::over(&over, 0);
    for one in [&mut draft.words, &mut again, &mut ended] {
        card.clone_into(&mut one.card);
    }
    (draft, again, ended)
}

/// The ticket of a storm.
pub fn storm() -> Draft {
    words::draft(&slo::policy::sample::storm(), &label_of_page(), Some("https://slo.example"))
}

/// What stands in for the outbox.
pub struct Outbox {
    pub sink: Sink,
    pub now: Timestamp,
    pub handle: Option<String>,
}

impl Outbox {
    pub fn new(sink: Sink) -> Self {
        Self { sink, now: NIGHT + Length::from_minutes(15), handle: None }
    }

    pub async fn once(&mut self, notification: &Notification, perhaps_told: bool) -> Outcome {
        let task = Task { notification: notification.clone(), handle: self.handle.clone(), perhaps_told };
        let outcome = self.sink.deliver(&task, &[], self.now).await;
        let shown = format!("{outcome:?}");
        assert!(!shown.contains(CANARY), "{shown}");
        if let Some(handle) = &outcome.handle {
            self.handle = Some(handle.clone());
        }
        outcome
    }

    /// Tries until it is final, as the outbox does. Gives the last outcome, and how many tries there were.
    pub async fn tell<R: Tracker>(&mut self, server: &Server<R>, notification: &Notification) -> (Outcome, usize) {
        let (mut perhaps_told, mut wait) = (false, Length::from_seconds(1));
        for tries in 1..=40 {
            server.with(|tracker| tracker.set_now(self.now));
            let outcome = self.once(notification, perhaps_told).await;
            let told = match outcome.verdict {
                DeliveryVerdict::Retry(told) => told,
                DeliveryVerdict::Ambiguous => {
                    perhaps_told = true;
                    None
                }
                _ => return (outcome, tries),
            };
            self.now = self.now + wait.max(told.unwrap_or(Length::ZERO));
            wait = (wait * 2).min(Length::from_minutes(5));
        }
        panic!("never told: {}", notification.id);
    }

    /// The same, and it was told.
    pub async fn done<R: Tracker>(&mut self, server: &Server<R>, notification: &Notification) -> Outcome {
        let (outcome, _) = self.tell(server, notification).await;
        assert_eq!(outcome.verdict, DeliveryVerdict::Done, "{}: {}", notification.id, outcome.message);
        outcome
    }

    pub fn wait(&mut self, minutes: i64) {
        self.now = self.now + Length::from_minutes(minutes);
    }
}

/// An episode: a page, told again twice (the second time with nothing new), its end, a second page, its end.
pub async fn story<R: Tracker>(outbox: &mut Outbox, server: &Server<R>) {
    let first = page(1, AlertState::Firing);
    outbox.done(server, &first).await;
    outbox.wait(31);
    outbox.done(server, &repeat(&first, 1)).await;
    outbox.wait(31);
    let mut nothing_new = repeat(&first, 1);
    nothing_new.id.push_str("r2");
    outbox.done(server, &nothing_new).await;
    outbox.done(server, &page(1, AlertState::Resolved)).await;
    server.with(|tracker| assert!(tracker.tickets().iter().all(|ticket| !ticket.open), "closed at the end"));
    outbox.wait(10);
    outbox.done(server, &page(2, AlertState::Firing)).await;
    server.with(|tracker| assert!(tracker.tickets().last().unwrap().open, "opened by a second alert"));
    outbox.done(server, &page(2, AlertState::Resolved)).await;
}

/// The story without a fault: what people see at its end.
pub async fn told_without_fault<R: Tracker>(sink: Sink, server: &Server<R>) -> Seen {
    let mut outbox = Outbox::new(sink);
    story(&mut outbox, server).await;
    let tickets = server.with(|tracker| tracker.tickets().clone());
    let [ticket] = tickets.as_slice() else { panic!("{} tickets", tickets.len()) };
    let begins: Vec<&str> = ticket.comments.iter().map(|comment| comment.split(['.', ',']).next().unwrap()).collect();
    assert_eq!(
        begins,
        [
            "Still firing",
            "Over after 6 min: the data says so",
            "A second alert of this episode fires",
            "Over after 6 min: the data says so"
        ]
    );
    assert!(!ticket.open);
    assert_eq!(ticket.moves, 3, "closed, opened, closed");
    assert!(ticket.comments[1].contains("Of the error budget 129% is spent."), "{}", ticket.comments[1]);
    ticket.clone()
}

/// The story again and again, each time with another fault at another request: there is one ticket, closed at the end,
/// and nothing was left unsaid.
pub async fn told_whatever_happens<R: Tracker>(make: impl Fn() -> R, sink: impl Fn(&str) -> Sink) {
    let faults = [
        Fault::LostRequest,
        Fault::LostAnswer,
        Fault::Instead(Answer::new(500, "oops")),
        Fault::Instead(Answer::new(429, "slow down").with("retry-after", 2)),
        Fault::After(Answer::new(502, "<html>bad gateway</html>")),
        Fault::After(Answer::new(201, "{\"tor")),
    ];
    let server = Server::start(make()).await;
    story(&mut Outbox::new(sink(&server.url)), &server).await;
    let requests = server.seen().len();
    assert!(requests >= 10, "{requests}");
    for at in 0..requests {
        for fault in &faults {
            let server = Server::start(make()).await;
            for _ in 0..at {
                server.pass();
            }
            server.fault(fault.clone());
            let mut outbox = Outbox::new(sink(&server.url));
            story(&mut outbox, &server).await;
            let tickets = server.with(|tracker| tracker.tickets().clone());
            assert_eq!(tickets.len(), 1, "{fault:?} at request {at}: {tickets:#?}");
            let ticket = &tickets[0];
            assert!(!ticket.open, "{fault:?} at request {at}: {ticket:#?}");
            // A comment whose answer is lost is made twice, and no other.
            assert!(matches!(ticket.comments.len(), 4 | 5), "{fault:?} at request {at}: {ticket:#?}");
            for wanted in ["Still firing", "A second alert"] {
                let said = ticket.comments.iter().any(|comment| comment.starts_with(wanted));
                assert!(said, "{wanted}: {fault:?} at request {at}: {ticket:#?}");
            }
        }
    }
}

/// What every tracker does alike, beside the story: two alerts at once, a deleted ticket, a person who closes, ends that
/// were never told, and a copy of the service that remembers nothing.
pub async fn other_stories<R: Tracker>(make: impl Fn() -> R, sink: impl Fn(&str) -> Sink) {
    two_alerts_share_a_ticket(&make, &sink).await;
    a_deleted_ticket_is_made_anew(&make, &sink).await;
    a_person_closes(&make, &sink).await;
    without_memory(&make, &sink).await;
    comments_are_few(&make, &sink).await;
    somebody_takes_it_on(&make, &sink).await;
    nobody_acts_by_a_link_that_many_may_read(&make, &sink).await;
}

async fn somebody_takes_it_on<R: Tracker>(make: &impl Fn() -> R, sink: &impl Fn(&str) -> Sink) {
    let server = Server::start(make()).await;
    let mut outbox = Outbox::new(sink(&server.url));
    let firing = page(1, AlertState::Firing);
    let of_page = taken_on();
    let taken =
        Notification { id: format!("{}/a1", firing.id), occasion: of_page.occasion, acked: of_page.acked, ..firing };
    let nothing = outbox.done(&server, &taken).await;
    assert!(nothing.message.contains("no ticket was opened"), "{}", nothing.message);
    server.with(|tracker| assert_eq!(tracker.tickets().len(), 0, "an acknowledgement opens none"));
    outbox.done(&server, &page(1, AlertState::Firing)).await;
    outbox.done(&server, &taken).await;
    outbox.done(&server, &taken).await;
    server.with(|tracker| {
        let [ticket] = tracker.tickets().as_slice() else { panic!("one ticket") };
        let [comment] = ticket.comments.as_slice() else { panic!("one comment: {ticket:#?}") };
        assert!(comment.starts_with("Somebody takes care of it."), "{comment}");
        assert!(comment.contains("taken on by kim: <!channel>"), "{comment}");
        assert!(!comment.contains("requests fail"), "who it is, and no second card: {comment}");
        assert!(ticket.open);
    });
    // It is no change of the alert: what changes after it is said, and its end.
    outbox.wait(31);
    outbox.done(&server, &repeat(&page(1, AlertState::Firing), 1)).await;
    outbox.done(&server, &page(1, AlertState::Resolved)).await;
    server.with(|tracker| {
        let [ticket] = tracker.tickets().as_slice() else { panic!("one ticket") };
        assert!(!ticket.open && ticket.comments.len() == 3, "{ticket:#?}");
        tracker.tickets()[0].deleted = true;
    });
    let later = Notification { id: format!("{}/a2", taken.id), ..taken };
    outbox.done(&server, &later).await;
    server.with(|tracker| assert_eq!(tracker.tickets().len(), 1, "nor does it make a deleted one anew"));
}

async fn nobody_acts_by_a_link_that_many_may_read<R: Tracker>(make: &impl Fn() -> R, sink: &impl Fn(&str) -> Sink) {
    let server = Server::start(make()).await;
    let mut outbox = Outbox::new(sink(&server.url));
    let signed = |mut told: Notification| {
        for (name, path) in [("ack", "a/AQsigned"), ("mute", "a/AgSigned"), ("why", "slo/checkout/availability")] {
            told.links.insert(name.to_owned(), format!("https://slo.example/{path}"));
        }
        told
    };
    outbox.done(&server, &signed(page(1, AlertState::Firing))).await;
    outbox.done(&server, &signed(alert(AlertSeverity::Ticket, 1, AlertState::Firing))).await;
    let (body, comment) =
        server.with(|tracker| (tracker.tickets()[0].body.clone(), tracker.tickets()[0].comments[0].clone()));
    for said in [body, comment] {
        assert!(!said.contains("slo.example/a/") && !said.contains("mute"), "{said}");
        assert!(said.contains("runbook") && said.contains("why") && said.contains("alert"), "{said}");
        for link in
            ["https://wiki.example/checkout", "https://slo.example/slo/", "https://slo.example/alerts/checkout/"]
        {
            // Some show names only; the golden files have the addresses.
            assert!(said.matches(link).count() <= 1, "{link} twice: {said}");
        }
    }
}

async fn two_alerts_share_a_ticket<R: Tracker>(make: &impl Fn() -> R, sink: &impl Fn(&str) -> Sink) {
    let server = Server::start(make()).await;
    let mut outbox = Outbox::new(sink(&server.url));
    let other = |state| alert(AlertSeverity::Ticket, 1, state);
    outbox.done(&server, &other(AlertState::Firing)).await;
    outbox.done(&server, &page(1, AlertState::Firing)).await;
    outbox.done(&server, &page(1, AlertState::Resolved)).await;
    server.with(|tracker| {
        let [ticket] = tracker.tickets().as_slice() else { panic!("one ticket") };
        assert!(ticket.open, "the other alert fires");
        assert!(ticket.comments[1].contains("1 other alert fires still"), "{}", ticket.comments[1]);
    });
    outbox.done(&server, &other(AlertState::Resolved)).await;
    server.with(|tracker| assert!(!tracker.tickets()[0].open));
}

async fn a_deleted_ticket_is_made_anew<R: Tracker>(make: &impl Fn() -> R, sink: &impl Fn(&str) -> Sink) {
    let server = Server::start(make()).await;
    let mut outbox = Outbox::new(sink(&server.url));
    outbox.done(&server, &page(1, AlertState::Firing)).await;
    server.with(|tracker| tracker.tickets()[0].deleted = true);
    outbox.done(&server, &page(1, AlertState::Resolved)).await;
    outbox.done(&server, &page(2, AlertState::Firing)).await;
    server.with(|tracker| {
        let open = tracker.tickets().iter().filter(|ticket| ticket.open && !ticket.deleted).count();
        assert_eq!((tracker.tickets().len(), open), (2, 1));
        tracker.tickets()[1].deleted = true;
    });
    outbox.wait(31);
    outbox.done(&server, &repeat(&page(2, AlertState::Firing), 1)).await;
    server.with(|tracker| assert_eq!(tracker.tickets().len(), 3, "deleted while it fires"));
}

async fn a_person_closes<R: Tracker>(make: &impl Fn() -> R, sink: &impl Fn(&str) -> Sink) {
    let server = Server::start(make()).await;
    let mut outbox = Outbox::new(sink(&server.url));
    outbox.done(&server, &page(1, AlertState::Firing)).await;
    server.with(|tracker| tracker.tickets()[0].open = false);
    outbox.wait(31);
    outbox.done(&server, &repeat(&page(1, AlertState::Firing), 1)).await;
    server.with(|tracker| assert!(!tracker.tickets()[0].open, "stays closed while the same alert fires"));
    let ended = outbox.done(&server, &page(1, AlertState::Resolved)).await;
    assert_eq!(ended.alarm, None);
}

async fn without_memory<R: Tracker>(make: &impl Fn() -> R, sink: &impl Fn(&str) -> Sink) {
    let server = Server::start(make()).await;
    let nothing = Outbox::new(sink(&server.url)).done(&server, &page(1, AlertState::Resolved)).await;
    assert!(nothing.message.contains("no ticket was opened"), "{}", nothing.message);
    let mut first = Outbox::new(sink(&server.url));
    first.done(&server, &page(1, AlertState::Firing)).await;
    let mut copy = Outbox::new(sink(&server.url));
    copy.now = first.now + Length::from_minutes(10);
    copy.done(&server, &page(1, AlertState::Firing)).await;
    copy.done(&server, &page(1, AlertState::Resolved)).await;
    server.with(|tracker| {
        assert_eq!(tracker.tickets().len(), 1);
        assert!(!tracker.tickets()[0].open);
    });
}

async fn comments_are_few<R: Tracker>(make: &impl Fn() -> R, sink: &impl Fn(&str) -> Sink) {
    let server = Server::start(make()).await;
    let mut outbox = Outbox::new(sink(&server.url));
    let firing = page(1, AlertState::Firing);
    outbox.done(&server, &firing).await;
    for count in 1..=6 {
        outbox.wait(10);
        outbox.done(&server, &repeat(&firing, count)).await;
    }
    server.with(|tracker| assert_eq!(tracker.tickets()[0].comments.len(), 2, "one each half hour"));
    for count in 7..=70 {
        outbox.wait(31);
        outbox.done(&server, &repeat(&firing, count)).await;
    }
    server.with(|tracker| assert_eq!(tracker.tickets()[0].comments.len(), 50, "and no more than that"));
    outbox.done(&server, &page(1, AlertState::Resolved)).await;
    server.with(|tracker| assert_eq!(tracker.tickets()[0].comments.len(), 51));
}

/// The operator's template stands in place of the card, in the ticket and in every comment; one that fails is an alarm, and
/// the card is told.
pub async fn templates_stand_in_place_of_the_card<R: Tracker>(
    make: impl Fn() -> R,
    config: impl Fn(&str) -> SinkConfig,
) {
    for (text, fails) in [("Templated: {{ state }}.", false), ("{{ no_such_key }}", true)] {
        let server = Server::start(make()).await;
        let template = Template::parse("t.j2", text).unwrap();
        let mut outbox = Outbox::new(templated_sink(&config(&server.url), &[], Some(&template)));
        for (state, word) in [(AlertState::Firing, "firing"), (AlertState::Resolved, "resolved")] {
            let outcome = outbox.done(&server, &page(1, state)).await;
            let alarm = outcome.alarm.unwrap_or_default();
            assert_eq!(alarm.contains("the built-in text was sent"), fails, "{alarm}");
            let said = server.with(|tracker| {
                let [ticket] = tracker.tickets().as_slice() else { panic!("one ticket") };
                if state == AlertState::Firing { ticket.body.clone() } else { ticket.comments.last().unwrap().clone() }
            });
            assert_eq!(said.contains(&format!("Templated: {word}.")), !fails, "{said}");
            assert_eq!(said.contains("requests fail") || said.contains("of the budget"), fails, "{said}");
        }
    }
}

/// What a Markdown renderer would see outside of blocks of code.
pub fn outside_of_code(text: &str) -> String {
    let mut fence: Option<String> = None;
    let mut outside = Vec::new();
    for line in text.lines() {
        let ticks: String = line.chars().take_while(|character| *character == '`').collect();
        match &fence {
            None if ticks.len() >= 3 => fence = Some(ticks),
            None => outside.push(line),
            Some(open) if ticks.len() >= open.len() && line.trim_end() == ticks => fence = None,
            Some(_) => {}
        }
    }
    assert!(fence.is_none(), "a block is open at the end: {text}");
    outside.join("\n")
}

/// Nobody is mentioned, nothing is linked or closed, no quick action runs.
pub fn assert_inert(markdown: &str) {
    let outside = outside_of_code(markdown);
    for line in outside.lines() {
        assert!(!line.trim_start().starts_with('/'), "a quick action: {line}");
        let words: Vec<char> = line.chars().collect();
        let means = words.windows(2).any(|pair| matches!(pair[0], '@' | '#') && pair[1].is_alphanumeric());
        assert!(!means, "a mention: {line}");
    }
}

/// The parts of a path, and what stands behind `?`.
pub fn parts(request: &Request) -> (Vec<String>, BTreeMap<String, String>) {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect();
    (path.trim_start_matches('/').split('/').map(str::to_owned).collect(), query)
}

/// Without percent encoding.
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            bytes.push(u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).unwrap()
}

pub fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// Bodies, by what they are for.
pub fn bodies(bodies: &[(&str, Value)]) -> String {
    let bodies: serde_json::Map<String, Value> =
        bodies.iter().map(|(name, body)| ((*name).to_owned(), body.clone())).collect();
    serde_json::to_string_pretty(&bodies).unwrap()
}

#[test]
fn what_is_written_is_read_with_every_default() {
    let token = SecretRef::Env("T".to_owned());
    let of = read_well;
    let github = of("{type: github, repo: shop/reliability, token: {env: T}}");
    assert_eq!(github.secrets(), [&token]);
    let SinkConfig::Github(github) = github else { panic!("{github:?}") };
    assert_eq!((github.url.as_str(), github.repo.as_str()), ("https://api.github.com", "shop/reliability"));
    let SinkConfig::Gitlab(gitlab) = of("{type: gitlab, project: 4711, token: {env: T}, labels: [a, b]}") else {
        panic!()
    };
    assert_eq!((gitlab.url.as_str(), gitlab.project.as_str()), ("https://gitlab.com", "4711"));
    assert_eq!(gitlab.labels, ["a", "b"]);
    let jira = of("{type: jira, url: \"https://j.example/\", project: OPS, user: a@b.example, token: {env: T}}");
    let SinkConfig::Jira(jira) = jira else { panic!("{jira:?}") };
    assert_eq!((jira.url.as_str(), jira.issue_type.as_str()), ("https://j.example", "Task"));
    assert_eq!(jira.user.as_deref(), Some("a@b.example"));
    let servicenow =
        of("{type: servicenow, url: \"https://s.example\", user: slo, password: {env: T}, fields: {impact: \"2\"}}");
    assert_eq!(servicenow.secrets(), [&token]);
    let SinkConfig::Servicenow(servicenow) = servicenow else { panic!("{servicenow:?}") };
    assert_eq!((servicenow.table.as_str(), servicenow.close_state), ("incident", 6));
    assert_eq!((servicenow.close_code.as_str(), servicenow.fields["impact"].as_str()), ("Solution provided", "2"));
    for sink in [
        "{type: github, repo: a/b, token: {env: T}, template: t.j2}",
        "{type: gitlab, project: a/b, token: {env: T}, template: t.j2}",
        "{type: jira, url: \"https://j.example\", project: OPS, token: {env: T}, template: t.j2}",
        "{type: servicenow, url: \"https://s.example\", token: {env: T}, template: t.j2}",
    ] {
        of(sink);
    }
    let bearer = of("{type: servicenow, url: \"https://s.example\", token: {file: snow}, close_state: 7}");
    assert_eq!(bearer.secrets(), [&SecretRef::File("/etc/slo/snow".into())]);
}

#[test]
fn what_would_be_sent_is_shown_without_any_secret() {
    for (sink, url) in [
        (
            "{type: github, repo: shop/reliability, token: {env: T}}",
            "https://api.github.com/repos/shop/reliability/issues",
        ),
        ("{type: gitlab, project: a/b, token: {env: T}}", "https://gitlab.com/api/v4/projects/a%2Fb/issues"),
        (
            "{type: jira, url: \"https://j.example\", project: OPS, token: {file: t}}",
            "https://j.example/rest/api/2/issue",
        ),
        (
            "{type: servicenow, url: \"https://s.example\", user: slo, password: {file: p}}",
            "https://s.example/api/now/table/incident",
        ),
    ] {
        let config = read_well(sink);
        let shown = preview(&config, page(1, AlertState::Firing));
        assert!(shown.starts_with(&format!("POST {url}\nauthorization: ***\n")), "{shown}");
        assert!(shown.contains("[PAGE] checkout/availability") && shown.contains(&label_of_page()), "{shown}");
        let shown = preview(&config, page(1, AlertState::Resolved));
        assert!(shown.starts_with("a comment on its ticket") && shown.contains("Over after 6 min"), "{shown}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    for (sink, expected) in [
        ("{type: github}", vec!["SLO006 `repo` is missing", "SLO006 `token` is missing"]),
        ("{type: github, repo: shop, token: {env: T}}", vec!["SLO009 `shop` is no repository"]),
        ("{type: github, repo: a/b, token: {env: T}, label: [x]}", vec!["SLO002 unknown key `label`"]),
        ("{type: gitlab, project: name, token: {env: T}}", vec!["SLO009 `name` is no project"]),
        (
            "{type: gitlab, project: a/b, token: {env: T}, labels: [\"a,b\"]}",
            vec!["SLO009 `a,b` cannot be a label there"],
        ),
        (
            "{type: jira, project: \"OPS 1\", token: {env: T}, labels: [\"a b\"]}",
            vec![
                "SLO006 `url` is missing",
                "SLO009 `OPS 1` is no key of a project",
                "SLO009 `a b` cannot be a label there",
            ],
        ),
        (
            "{type: servicenow, url: \"https://s.example\", user: a, token: {env: T}, fields: {state: \"1\"}}",
            vec!["SLO024 both a token and a user are here", "SLO024 the field `state` is written by `slo`"],
        ),
        (
            "{type: servicenow, url: \"https://s.example\"}",
            vec!["SLO006 `user` is missing", "SLO006 `password` is missing"],
        ),
    ] {
        let (_, findings) = read(sink);
        assert_eq!(findings, expected, "{sink}");
    }
    let (_, findings) = read("{type: jira, url: \"https://j.example\", project: OPS, token: canary}");
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].contains("literal secret") && !findings[0].contains("canary"), "{findings:?}");
}

#[test]
fn a_thread_has_one_label_and_another_thread_another_one() {
    let other = Sample::new("search/latency", AlertSeverity::Page, 1).notification(AlertState::Firing);
    assert_eq!(label_of_page().len(), "slo-ep-".len() + 20);
    assert_eq!(label(&alert(AlertSeverity::Ticket, 2, AlertState::Resolved).thread()), label_of_page());
    assert_ne!(label(&other.thread()), label_of_page());
}
