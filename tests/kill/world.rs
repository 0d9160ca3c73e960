//! Virtual time, the errors that a seed makes, and a Prometheus that knows all of them: every answer is worked out from the
//! script, so that what was missed by a dead process is there for the next one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, DATE};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::Dice;

/// Virtual time runs so many times faster than life.
pub const SPEED: i64 = 20;
/// Milliseconds of a slice, and between two samples.
pub const SLICE: i64 = 5_000;
/// Samples begin so long before the test.
const BEFORE: i64 = 600_000;
/// Errors are scripted for so long.
const SCRIPTED: i64 = 6 * 3_600_000;
/// Services, and how many shards of each there are.
pub const SERVICES: [(&str, u64); 3] = [("lone", 4), ("team", 5), ("flood", 5)];

fn wall() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Time that runs quickly and goes on while nothing is alive; milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Quick {
    pub began: i64,
}

impl Quick {
    pub fn begin() -> Self {
        Self { began: wall() / SLICE * SLICE }
    }

    pub fn now(self) -> i64 {
        self.began + (wall() - self.began) * SPEED
    }
}

/// A shard of a service.
pub type Line = (&'static str, u64);

/// When which shard fails: half of its requests do, from (inclusive) to (exclusive).
#[derive(Clone, Debug)]
pub struct Script {
    pub rounds: Arc<BTreeMap<Line, Vec<(i64, i64)>>>,
    /// No errors from here on.
    pub ended: Arc<AtomicI64>,
    first: i64,
}

impl Script {
    pub fn new(quick: Quick, dice: &mut Dice) -> Self {
        let mut rounds = BTreeMap::new();
        let mut roll = |least: i64, more: u64| (least + i64::try_from(dice.roll(more)).unwrap()) * 1_000;
        for (service, shards) in SERVICES {
            // A flood begins everywhere at once.
            let mut common = Vec::new();
            let mut at = quick.began + roll(60, 60);
            while at < quick.began + SCRIPTED {
                let begin = at;
                at += roll(100, 260);
                common.push((begin, at));
                at += roll(90, 90);
            }
            for shard in 0..shards {
                let mut own = Vec::new();
                let mut at = quick.began + roll(60, 120);
                for (begin, end) in &common {
                    if service == "flood" {
                        own.push((begin + roll(0, 8), end + roll(0, 40)));
                    } else {
                        let length = roll(100, 260);
                        own.push((at, at + length));
                        at += length + roll(70, 120);
                    }
                }
                rounds.insert((service, shard), own);
            }
        }
        Self { rounds: Arc::new(rounds), ended: Arc::new(AtomicI64::new(i64::MAX)), first: quick.began - BEFORE }
    }

    /// A shard's rounds, the last cut off where errors ended.
    pub fn rounds_of(&self, line: Line) -> Vec<(i64, i64)> {
        let ended = self.ended.load(Ordering::SeqCst);
        let all = self.rounds[&line].iter();
        all.filter(|(from, _)| *from < ended).map(|(from, to)| (*from, (*to).min(ended))).collect()
    }

    /// What a counter of a shard stands at, at every sample up to `to`.
    fn counted(&self, line: Line, code: &str, to: i64) -> Vec<(i64, i64)> {
        let rounds = self.rounds_of(line);
        let (mut next, mut value) = (rounds.iter().peekable(), 0);
        let at = self.times(self.first - 1, to).map(|at| {
            while next.next_if(|(_, end)| *end <= at).is_some() {}
            let fails = next.peek().is_some_and(|(begin, _)| *begin <= at);
            value += match (fails, code) {
                (false, "500") => 0,
                (false, _) => 10,
                (true, _) => 5,
            };
            (at, value)
        });
        at.collect()
    }

    /// Times of samples in `(from, to]`.
    fn times(&self, from: i64, to: i64) -> impl Iterator<Item = i64> + use<> {
        let first = self.first;
        let next = (from.max(first - 1) + 1 - first + SLICE - 1).div_euclid(SLICE);
        (next..).map(move |number| first + number * SLICE).take_while(move |at| *at <= to)
    }

    /// The series that a selector names, with the place of their counter.
    fn named(query: &str) -> Vec<(Value, Line, &'static str)> {
        let mut found = Vec::new();
        if !query.contains("requests_total{") {
            return found;
        }
        for (service, shards) in SERVICES {
            // Several selectors are asked for as one, by an expression that names all their values.
            let names = |label: &str, value: &str| {
                !query.contains(&format!("{label}=\"")) || query.contains(&format!("{label}=\"{value}\""))
            };
            let wanted = names("service", service);
            for shard in (0..shards).filter(|_| wanted) {
                for code in ["200", "500"] {
                    if names("code", code) {
                        let labels = json!({"__name__": "requests_total", "job": "shop", "instance": "a",
                            "service": service, "shard": format!("s{shard}"), "code": code});
                        found.push((labels, (service, shard), code));
                    }
                }
            }
        }
        found
    }

    /// An answer of `/api/v1/query`: raw samples.
    fn instant(&self, query: &str, at: i64) -> Value {
        let from = at - length(query);
        let series = Self::named(query).into_iter().map(|(labels, line, code)| {
            let counted = self.counted(line, code, at).into_iter().filter(|(at, _)| *at > from);
            let points: Vec<Value> = counted.map(|(at, value)| point(at, value)).collect();
            json!({"metric": labels, "values": points})
        });
        matrix(&series.filter(|series| series["values"] != json!([])).collect::<Vec<_>>())
    }

    /// An answer of `/api/v1/query_range`: the questions by which history is read.
    fn range(&self, query: &str, (start, end): (i64, i64), step: i64) -> Value {
        let length = length(query);
        let steps = || (0..).map(|number| start + number * step).take_while(|at| *at <= end);
        let named = Self::named(query);
        if query.starts_with("count(") {
            let many = i64::try_from(named.len()).unwrap();
            let points: Vec<Value> =
                steps().filter(|at| self.times(at - length, *at).next().is_some()).map(|at| point(at, many)).collect();
            let none = named.is_empty() || points.is_empty();
            let values = json!({"metric": {}, "values": points});
            return matrix(if none { &[] } else { std::slice::from_ref(&values) });
        }
        if query.starts_with("resets(") {
            return matrix(&[]);
        }
        let is_count = query.starts_with("count_over_time(");
        assert!(is_count || query.starts_with("last_over_time("), "not known here: {query}");
        let series = named.into_iter().map(|(mut labels, line, code)| {
            if is_count {
                labels.as_object_mut().unwrap().remove("__name__");
            }
            let counted = self.counted(line, code, end);
            let at_step = |at: i64| {
                let until = counted.partition_point(|(time, _)| *time <= at);
                let since = counted.partition_point(|(time, _)| *time <= at - length);
                let (_, last) = *counted[since..until].last()?;
                Some(point(at, if is_count { i64::try_from(until - since).unwrap() } else { last }))
            };
            json!({"metric": labels, "values": steps().filter_map(at_step).collect::<Vec<_>>()})
        });
        matrix(&series.filter(|series| series["values"] != json!([])).collect::<Vec<_>>())
    }
}

fn point(at: i64, value: i64) -> Value {
    let seconds = format!("{}.{:03}", at.div_euclid(1_000), at.rem_euclid(1_000));
    json!([serde_json::from_str::<Value>(&seconds).unwrap(), value.to_string()])
}

fn matrix(result: &[Value]) -> Value {
    json!({"status": "success", "data": {"resultType": "matrix", "result": result}})
}

/// Milliseconds of the range in a query: `[1m30s]`.
fn length(query: &str) -> i64 {
    let (_, rest) = query.split_once('[').unwrap_or_else(|| panic!("no range: {query}"));
    let (text, _) = rest.split_once(']').unwrap();
    let mut whole = 0;
    let mut number = String::new();
    let mut unit = String::new();
    for letter in text.chars().chain(['0']) {
        if letter.is_ascii_digit() && !unit.is_empty() {
            let each = match unit.as_str() {
                "ms" => 1,
                "s" => 1_000,
                "m" => 60_000,
                "h" => 3_600_000,
                "d" => 86_400_000,
                other => panic!("no such unit: {other}"),
            };
            whole += number.parse::<i64>().unwrap() * each;
            (number, unit) = (String::new(), String::new());
        }
        if letter.is_ascii_digit() { number.push(letter) } else { unit.push(letter) }
    }
    whole
}

/// Serves it as Prometheus does, and gives its address.
pub async fn serve(script: Script, quick: Quick) -> String {
    let router = axum::Router::new()
        .route("/api/v1/query", post(query))
        .route("/api/v1/query_range", post(query_range))
        .route("/api/v1/label/{label}/values", get(async || "{\"status\":\"success\",\"data\":[]}"))
        .with_state((script, quick));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

fn form(body: &str) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://form/?{body}")).unwrap();
    url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn millis(form: &BTreeMap<String, String>, name: &str) -> i64 {
    let (whole, part) = form[name].split_once('.').unwrap_or((&form[name], "0"));
    whole.parse::<i64>().unwrap() * 1_000 + format!("{part:0<3}").parse::<i64>().unwrap()
}

/// Its clock is that of the test: ahead, and so looked at no further.
fn answered(value: &Value, quick: Quick) -> impl IntoResponse + use<> {
    let date = chrono::DateTime::from_timestamp_millis(quick.now()).unwrap();
    let date = date.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    ([(CONTENT_TYPE, "application/json".to_owned()), (DATE, date)], value.to_string())
}

async fn query(State((script, quick)): State<(Script, Quick)>, body: String) -> impl IntoResponse {
    let form = form(&body);
    answered(&script.instant(&form["query"], millis(&form, "time")), quick)
}

async fn query_range(State((script, quick)): State<(Script, Quick)>, body: String) -> impl IntoResponse {
    let form = form(&body);
    let span = (millis(&form, "start"), millis(&form, "end"));
    answered(&script.range(&form["query"], span, millis(&form, "step")), quick)
}
