//! A whole scene under `kill -9`: groups, storms, escalation, repeats, silences, acknowledgements.
//!
//! Fourteen shards of three services fail and recover by a script that a seed makes; each service has a route of its own:
//! one repeats and escalates, one groups too, one is flooded. The service (`child`: all of it, on a clock that is twenty
//! times as fast as life) asks a Prometheus that works out its answers from the script (`world`), and is killed and started
//! at random moments, often while somebody (`people`) asks it for something. Receivers fail (`recorder`). Then all is left
//! alone until it is over, and a book-keeper (`books`), who knows nothing but the contract (INTERFACES 5, SEMANTICS 6), holds
//! what was received against the script, what was asked for, and what was answered.

mod books;
mod child;
mod people;
mod recorder;
mod world;

use std::fs;
use std::path::Path;
use std::process::Child;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use books::{Account, Books};
use people::People;
use recorder::Recorder;
use slo::units::Timestamp;
use tokio::time::Instant;
use world::{Quick, Script};

use crate::Dice;
use crate::service::{eventually, free_port, tail};

/// What nobody may read anywhere.
const CANARY: &str = "canary-of-the-kills";
/// Scenes side by side.
const SCENES: u64 = 4;

/// Waits for so many milliseconds of life.
pub async fn pause(millis: u64) {
    tokio::time::timeout(Duration::from_millis(millis), std::future::pending::<()>()).await.unwrap_err();
}

fn write_files(folder: &Path, source: &str, port: u16, hook: u16) {
    let sinks: String = ["lone", "team", "flood", "boss", "lead"]
        .map(|sink| {
            format!(
                "  {sink}: {{type: webhook, url: 'http://127.0.0.1:{hook}/hook/{sink}', secret: {{file: secret}}}}\n"
            )
        })
        .concat();
    let config = format!(
        "version: config/v1
slice: 5s
owners: {{web: {{contact: '#web'}}}}
sources: {{app: {{type: prometheus, urls: ['{source}'], history: query, interval: 5s, gap: 20s, delay: 5s, alert: {{after: 12h}}}}}}
sinks:
{sinks}routes:
  - {{match: {{service: lone}}, to: [lone], repeat: 1m, escalate: {{after: 90s, to: [boss]}}}}
  - match: {{service: team}}
    to: [team]
    group_by: [service]
    group_wait: 10s
    group_interval: 30s
    repeat: 2m
    escalate: {{after: 90s, to: [lead]}}
  - {{match: {{}}, to: [flood]}}
limits: {{storm: 3}}
storage: {{path: slo.db}}
server: {{listen: '127.0.0.1:{port}'}}
"
    );
    let rules = "version: policy/v1
policies:
  - {name: quick, tiers: [{severity: page, burn: {factor: 2, over: 40s, confirm: 20s}}]}
";
    let mut files = vec![("slo.yaml".to_owned(), config), ("rules/quick.yaml".to_owned(), rules.to_owned())];
    for (service, _) in world::SERVICES {
        let selector = format!("requests_total{{job=\"shop\",service=\"{service}\"");
        let slos = format!(
            "version: slo/v1
service: {service}
owner: web
links: {{runbook: https://wiki.example/{service}}}
slos:
  - name: orders
    source: app
    objective: 90%
    window: 1d
    by: [shard]
    alive: none
    alerting: {{policy: quick}}
    sli: {{events: {{bad: '{selector},code=\"500\"}}', total: '{selector}}}'}}}}
"
        );
        files.push((format!("slos/{service}.yaml"), slos));
    }
    files.push(("secret".to_owned(), CANARY.to_owned()));
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// `kill -9` when it goes out of sight.
struct Life(Child);

impl Drop for Life {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The log, for a message.
fn log(folder: &Path) -> String {
    tail(&fs::read_to_string(folder.join("log.txt")).unwrap_or_default())
}

/// One life, that ends at a random moment: soon after the start, when somebody asks for something, when somebody is being
/// told, or any time.
async fn one_life(folder: &Path, people: &People, dice: &mut Dice) {
    people.life.fetch_add(1, Ordering::SeqCst);
    let mut life = Life(child::start(folder, people.quick));
    let end = dice.roll(1_500);
    let at_most = Duration::from_secs(3);
    match dice.roll(8) {
        0 => pause(end / 2).await,
        kind => {
            ready(people, &mut life, folder).await;
            match kind {
                1..4 => pause(end).await,
                4..6 => {
                    let _ = tokio::time::timeout(at_most, people.asking.notified()).await;
                    pause(end % 12).await;
                }
                _ => {
                    let _ = tokio::time::timeout(at_most, people.recorder.came.notified()).await;
                    pause(end % 60).await;
                }
            }
        }
    }
    assert!(life.0.try_wait().unwrap().is_none(), "it ended by itself: {}", log(folder));
}

/// Waits until it has judged once.
async fn ready(people: &People, life: &mut Life, folder: &Path) {
    let until = Instant::now() + Duration::from_mins(1);
    while !people.is_ready().await {
        assert!(life.0.try_wait().unwrap().is_none(), "it ended by itself: {}", log(folder));
        assert!(Instant::now() < until, "it does not answer: {}", log(folder));
        pause(20).await;
    }
}

/// One scene: so many kills, then peace, then the reckoning.
async fn play(number: u64, seed: u64, kills: u64) -> Account {
    let folder = tempfile::tempdir().unwrap();
    let (port, hook) = (free_port(), free_port());
    let mut dice = Dice::new(seed, 2_000 + number);
    let quick = Quick::begin();
    let script = Script::new(quick, &mut dice);
    let source = world::serve(script.clone(), quick).await;
    write_files(folder.path(), &source, port, hook);
    let recorder = Recorder::serve(hook, Dice::new(seed, 3_000 + number), quick).await;
    let people = People::new(port, quick, recorder.clone());
    let acting = tokio::spawn(people.clone().act(Dice::new(seed, 4_000 + number)));
    let watching = tokio::spawn(people.clone().watch());
    for _ in 0..kills {
        one_life(folder.path(), &people, &mut dice).await;
    }
    people.life.fetch_add(1, Ordering::SeqCst);
    let mut life = Life(child::start(folder.path(), quick));
    ready(&people, &mut life, folder.path()).await;
    // What is still to be told is told, then errors end, and with them all alerts.
    pause(2_000).await;
    people.stop.store(true, Ordering::SeqCst);
    let (acts, watched) = (acting.await.unwrap(), watching.await.unwrap());
    let ended = quick.now() + world::SLICE;
    script.ended.store(ended, Ordering::SeqCst);
    settled(&people, ended + books::LAG).await;
    let list = async |path: &str| people.items(path).await.unwrap_or_else(|| panic!("{path}: {}", log(folder.path())));
    let books = Books {
        alerts: list("/api/v1/alerts?limit=5000").await,
        rows: list("/api/v1/deliveries?limit=5000").await,
        silences: list("/api/v1/silences?limit=5000").await,
        audit: list("/api/v1/audit?limit=5000").await,
        heard: recorder.all(),
        acts,
        seen: watched,
        script,
    };
    drop(life);
    let judged = std::panic::catch_unwind(|| {
        no_secret(folder.path(), &books);
        books.judge()
    });
    judged.unwrap_or_else(|panic| {
        let kept = folder.keep();
        fs::write(kept.join("books.txt"), format!("{books:#?}")).unwrap();
        println!("scene {number} is kept in {}", kept.display());
        std::panic::resume_unwind(panic)
    })
}

/// Waits until all is judged up to `end`, and then until nothing fires and nothing is left to send, for four seconds: more
/// than a minute there.
async fn settled(people: &People, end: i64) {
    let since = Mutex::new(None);
    eventually("quiet", 240, || async {
        let sources = people.items("/api/v1/sources").await.ok_or_else(|| "no answer".to_owned())?;
        let watermark = sources[0]["watermark"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        if watermark.is_none_or(|at| at.millis() < end) {
            return Err(format!("{sources:?}"));
        }
        let firing = people.items("/api/v1/alerts?state=firing").await;
        let pending = people.items("/api/v1/deliveries?state=pending").await;
        let mut since = since.lock().unwrap();
        if firing.as_ref().is_none_or(|list| !list.is_empty()) || pending.as_ref().is_none_or(|list| !list.is_empty()) {
            *since = None;
            return Err(format!("{firing:?} {pending:?}"));
        }
        let begin = *since.get_or_insert_with(Instant::now);
        if begin.elapsed() > Duration::from_secs(4) { Ok(()) } else { Err("not for long".to_owned()) }
    })
    .await;
}

/// Neither in the files, the log among them, nor in an answer.
fn no_secret(folder: &Path, books: &Books) {
    let mut looked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("slo.db") || name == "log.txt" {
            looked += 1;
            let bytes = fs::read(&path).unwrap();
            let found = bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes());
            assert!(!found, "the secret is in {name}");
        }
    }
    assert!(looked >= 2, "nothing was looked at");
    let answers = format!("{:?} {:?} {:?} {:?}", books.alerts, books.rows, books.silences, books.audit);
    assert!(!answers.contains(CANARY), "the secret is in an answer");
    let panicked = fs::read_to_string(folder.join("log.txt")).unwrap().contains("panicked");
    assert!(!panicked, "{}", log(folder));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_groups_storms_silences_and_acts_are_as_the_contract_says() {
    let (seed, kills) = crate::chosen(120);
    let scenes = (0..SCENES).map(|number| tokio::spawn(play(number, seed, kills.div_ceil(SCENES))));
    let mut whole = Account::default();
    for scene in scenes.collect::<Vec<_>>() {
        whole.add(&scene.await.unwrap_or_else(|error| panic!("SLO_SEED={seed}: {error}")));
    }
    println!("{kills} kills: {whole:?}");
    whole.is_worth_something();
}
