//! The e-mail sink against a real SMTP server: TLS, STARTTLS, login, every class of reply, silence, and threads.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod kit;
#[path = "outbox_kit/sample.rs"]
mod sample;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use slo::config::meant::{Compat, SecretRef, Server};
use slo::config::sinks::email::{Email as Config, Login, Smtp as Address, SmtpTls};
use slo::policy::alert::AlertState;
use slo::policy::sample as samples;
use slo::policy::template::Template;
use slo::secret::Secrets;
use slo::sink::email::Email;
use slo::sink::{DeliveryVerdict, EventSink as _, Outcome, Parts, Task};
use slo::spec::policy::AlertSeverity;
use slo::units::{Labels, Length};

use crate::kit::smtp::{Encryption, Smtp};
use crate::kit::{Process, free_port, wait_for, wait_until_ready};
use crate::sample::{NIGHT, Sample};

const LOGIN: (&str, &str) = ("slo@example.com", "canary-4711");
const BOUNDS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(15));
/// For tests that wait until it is over.
const SHORT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(1_500));

fn config(port: u16, tls: SmtpTls, ca: Option<PathBuf>) -> Config {
    Config {
        smtp: Address { host: "127.0.0.1".to_owned(), port, tls },
        from: "Watch <slo@example.com>".to_owned(),
        to: vec!["team@example.com".to_owned(), "Boss <boss@example.org>".to_owned()],
        login: None,
        hello_name: None,
        ca,
    }
}

/// The password, by a variable.
#[expect(clippy::unnecessary_wraps, reason = "as a configuration has it")]
fn login() -> Option<Login> {
    Some(Login { user: None, password: SecretRef::Env("PASSWORD".to_owned()) })
}

fn sink(config: &Config, bounds: (Duration, Duration), template: Option<&Template>) -> Result<Email, String> {
    let server = Server {
        listen: ([127, 0, 0, 1], 9777).into(),
        external_url: None,
        external_labels: BTreeMap::new(),
        compat: Compat::None,
        tokens: None,
        link_secret: None,
    };
    let secrets = Arc::new(Secrets::new(|name| (name == "PASSWORD").then(|| LOGIN.1.to_owned())));
    Email::new(config, &Parts { name: "mail", server: &server, secrets: &secrets, template }, bounds)
}

fn task(state: AlertState, handle: Option<String>) -> Task {
    let notification = Sample::new("checkout/availability", AlertSeverity::Page, 1).notification(state);
    Task { notification, handle, perhaps_told: false }
}

async fn tell(config: &Config) -> Outcome {
    sink(config, BOUNDS, None).unwrap().deliver(&task(AlertState::Firing, None), NIGHT).await
}

/// A header of a letter, unfolded.
fn header(letter: &Value, name: &str) -> Option<String> {
    let text = letter["data"].as_str().unwrap().replace("\r\n ", " ");
    let head = text.split("\r\n\r\n").next().unwrap().to_owned();
    let found = head.split("\r\n").filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name);
    found.map(|(_, value)| value.to_owned())
}

#[tokio::test]
async fn a_letter_goes_over_tls_with_a_login_to_each_recipient_by_itself() {
    let Some(server) = Smtp::start(Encryption::Implicit, Some(LOGIN)) else { return };
    let config = Config { login: login(), ..config(server.port, SmtpTls::Implicit, Some(server.authority())) };
    let outcome = tell(&config).await;
    assert_eq!((outcome.verdict, outcome.alarm), (DeliveryVerdict::Done, None), "{}", outcome.message);
    let letters = server.letters(2).await;
    let to: Vec<&Value> = letters.iter().map(|letter| &letter["to"]).collect();
    assert_eq!(to, [&json!(["team@example.com"]), &json!(["boss@example.org"])]);
    assert!(letters.iter().all(|letter| letter["tls"] == true && letter["login"] == true));
    assert_eq!(letters[0]["data"], letters[1]["data"], "all get the same letter");
    for (name, value) in [
        ("From", "Watch <slo@example.com>"),
        ("To", "team@example.com, Boss <boss@example.org>"),
        ("Subject", "[PAGE] checkout/availability"),
        ("Date", "Sat, 21 Nov 2026 03:00:00 +0000"),
        ("Auto-Submitted", "auto-generated"),
        ("List-Id", "<slo.example.com>"),
        ("X-Slo-Episode", "checkout/availability/2026-11-21T03:00:00Z"),
        ("X-Slo-Event", "checkout/availability/page/burn/2026-11-21T03:00:00Z/1"),
    ] {
        assert_eq!(header(&letters[0], name).as_deref(), Some(value), "{name}");
    }
    let kind = header(&letters[0], "Content-Type").unwrap();
    assert!(kind.starts_with("multipart/alternative;"), "{kind}");
    let text = letters[0]["data"].as_str().unwrap();
    assert!(text.find("text/plain").unwrap() < text.find("text/html").unwrap());
}

#[tokio::test]
async fn starttls_is_used_and_where_it_is_not_offered_nothing_is_sent() {
    let Some(server) = Smtp::start(Encryption::Starttls, Some(LOGIN)) else { return };
    let secure = Config { login: login(), ..config(server.port, SmtpTls::Required, Some(server.authority())) };
    let outcome = tell(&secure).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Done, "{}", outcome.message);
    assert_eq!(server.letters(2).await[0]["tls"], true);

    let Some(plain) = Smtp::start(Encryption::Plain, None) else { return };
    let outcome = tell(&Config { login: None, ..config(plain.port, SmtpTls::Required, Some(plain.authority())) }).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Misconfigured);
    assert!(outcome.message.contains("no STARTTLS"), "{}", outcome.message);
    assert_eq!(plain.of("seen").len(), 0);
    assert_eq!(tell(&config(plain.port, SmtpTls::Plain, None)).await.verdict, DeliveryVerdict::Done);
}

#[tokio::test]
async fn a_certificate_of_another_name_or_authority_ends_it_before_the_login() {
    let Some(other) = Smtp::named(Encryption::Implicit, Some(LOGIN), "other.example") else { return };
    let Some(server) = Smtp::start(Encryption::Starttls, Some(LOGIN)) else { return };
    let wrong_name = config(other.port, SmtpTls::Implicit, Some(other.authority()));
    let wrong_authority = config(server.port, SmtpTls::Required, Some(other.authority()));
    // TLS from the start where the server wants STARTTLS, and the other way round.
    let no_tls = config(server.port, SmtpTls::Implicit, Some(server.authority()));
    for config in [wrong_name, wrong_authority, no_tls] {
        let outcome = tell(&Config { login: login(), ..config.clone() }).await;
        assert_eq!(outcome.verdict, DeliveryVerdict::Misconfigured, "{config:?}: {}", outcome.message);
    }
    assert_eq!((other.of("seen").len(), server.of("seen").len()), (0, 0));
}

#[tokio::test]
async fn a_refused_password_is_read_again_once_where_it_comes_from_a_file() {
    let Some(server) = Smtp::start(Encryption::Implicit, Some(LOGIN)) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "wrong-canary").unwrap();
    let password = SecretRef::File(path.clone());
    let config = Config {
        login: Some(Login { user: Some(LOGIN.0.to_owned()), password }),
        ..config(server.port, SmtpTls::Implicit, Some(server.authority()))
    };
    let sink = sink(&config, BOUNDS, None).unwrap();
    let outcome = sink.deliver(&task(AlertState::Firing, None), NIGHT).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Unauthorized);
    assert!(outcome.message.contains("535") && !outcome.message.contains("canary"), "{}", outcome.message);
    // A file may have changed, so it was tried twice.
    wait_for("two logins", || async { (server.of("right").len() == 2).then_some(()) }).await;
    // As long as before, and of the same time: only reading it again shows that it changed.
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, format!("{}x", LOGIN.1)).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    std::fs::write(&path, LOGIN.1).unwrap();
    let outcome = sink.deliver(&task(AlertState::Firing, None), NIGHT).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Done, "{}", outcome.message);
}

#[tokio::test]
async fn what_a_reply_means_hangs_on_when_it_comes() {
    use DeliveryVerdict::{Misconfigured, Refused, Retry};
    let Some(mut server) = Smtp::start(Encryption::Plain, None) else { return };
    let config = Config { to: vec!["team@example.com".into()], ..config(server.port, SmtpTls::Plain, None) };
    let recipient = |reply: &str| json!({"rcpt": {"team@example.com": reply}});
    for (faults, verdict) in [
        (json!({"greeting": "421 too busy"}), Retry(None)),
        (json!({"greeting": "554 no service here"}), Misconfigured),
        (json!({"mail": "451 try later"}), Retry(None)),
        (json!({"mail": "550 who are you"}), Misconfigured),
        (recipient("450 busy"), Retry(None)),
        (recipient("452 too much"), Retry(None)),
        (recipient("421 goodbye"), Retry(None)),
        (recipient("550 nobody of that name"), Refused),
        (json!({"data": "451 later"}), Retry(None)),
        (json!({"data": "554 no"}), Refused),
        (json!({"dot": "452 full"}), Retry(None)),
        (json!({"dot": "421 going down"}), Retry(None)),
        (json!({"dot": "552 too large"}), Refused),
        (json!({"dot": "554 looks like spam"}), Refused),
    ] {
        server.faults(&faults).await;
        let outcome = tell(&config).await;
        assert_eq!(outcome.verdict, verdict, "{faults}: {}", outcome.message);
        let code: String = faults.to_string().chars().filter(char::is_ascii_digit).take(3).collect();
        assert!(outcome.message.contains(&code), "{faults}: {}", outcome.message);
    }
    assert_eq!(server.of("mail").len(), 0);
    let nobody = Config { smtp: Address { port: free_port(), ..config.smtp.clone() }, ..config };
    let outcome = tell(&nobody).await;
    assert_eq!(outcome.verdict, Retry(None), "{}", outcome.message);
}

#[tokio::test]
async fn silence_and_a_drop_are_told_apart_by_when_they_come() {
    use DeliveryVerdict::{Ambiguous, Retry};
    let Some(mut server) = Smtp::start(Encryption::Plain, None) else { return };
    let config = config(server.port, SmtpTls::Plain, None);
    let sink = sink(&config, SHORT, None).unwrap();
    for (faults, verdict) in [
        (json!({"greeting": "silence"}), Retry(None)),
        (json!({"data": "silence"}), Retry(None)),
        (json!({"dot": "silence"}), Ambiguous),
        (json!({"dot": "drop"}), Ambiguous),
    ] {
        server.faults(&faults).await;
        let outcome = sink.deliver(&task(AlertState::Firing, None), NIGHT).await;
        assert_eq!(outcome.verdict, verdict, "{faults}: {}", outcome.message);
        assert_eq!(outcome.handle, None, "nobody is known to have it");
    }
}

#[tokio::test]
async fn one_refused_recipient_does_not_keep_the_letter_from_the_other() {
    let Some(mut server) = Smtp::start(Encryption::Plain, None) else { return };
    let config = config(server.port, SmtpTls::Plain, None);
    server.faults(&json!({"rcpt": {"team@example.com": "550 nobody of that name"}})).await;
    let outcome = tell(&config).await;
    assert_eq!(outcome.verdict, DeliveryVerdict::Done, "{}", outcome.message);
    let alarm = outcome.alarm.unwrap();
    assert!(alarm.contains("team@example.com") && alarm.contains("550"), "{alarm}");
    assert_eq!(server.letters(1).await[0]["to"], json!(["boss@example.org"]));
}

#[tokio::test]
async fn who_has_it_does_not_get_it_again() {
    let Some(mut server) = Smtp::start(Encryption::Plain, None) else { return };
    let sink = sink(&config(server.port, SmtpTls::Plain, None), BOUNDS, None).unwrap();
    server.faults(&json!({"rcpt": {"team@example.com": "450 later"}})).await;
    let first = sink.deliver(&task(AlertState::Firing, None), NIGHT).await;
    assert_eq!(first.verdict, DeliveryVerdict::Retry(None), "{}", first.message);
    assert_eq!(server.letters(1).await[0]["to"], json!(["boss@example.org"]));
    server.faults(&json!({})).await;
    let second = sink.deliver(&task(AlertState::Firing, first.handle), NIGHT).await;
    assert_eq!(second.verdict, DeliveryVerdict::Done);
    let letters = server.letters(2).await;
    assert_eq!((letters.len(), &letters[1]["to"]), (2, &json!(["team@example.com"])));
    assert_eq!(header(&letters[0], "Message-ID"), header(&letters[1], "Message-ID"));
    // All have it: nothing is sent.
    let third = sink.deliver(&task(AlertState::Firing, second.handle), NIGHT).await;
    assert_eq!((third.verdict, server.of("mail").len()), (DeliveryVerdict::Done, 2));
}

#[tokio::test]
async fn a_page_and_its_end_are_one_thread() {
    let Some(server) = Smtp::start(Encryption::Plain, None) else { return };
    let one = Config { to: vec!["team@example.com".into()], ..config(server.port, SmtpTls::Plain, None) };
    let sink = sink(&one, BOUNDS, None).unwrap();
    let page = sink.deliver(&task(AlertState::Firing, None), NIGHT).await;
    let end = sink.deliver(&task(AlertState::Resolved, page.handle), NIGHT).await;
    assert_eq!(end.verdict, DeliveryVerdict::Done);
    // The handle was lost: the thread holds all the same.
    sink.deliver(&task(AlertState::Resolved, None), NIGHT).await;
    let letters = server.letters(3).await;
    let of = |index: usize, name: &str| header(&letters[index], name).unwrap();
    assert_eq!(of(1, "In-Reply-To"), of(0, "Message-ID"));
    assert_ne!(of(1, "Message-ID"), of(0, "Message-ID"));
    let root = of(0, "References");
    assert_eq!(of(1, "References"), format!("{root} {}", of(0, "Message-ID")));
    assert_eq!((of(2, "References"), of(2, "In-Reply-To")), (root.clone(), root));
    assert_eq!(of(1, "Subject"), "[RESOLVED] checkout/availability");
}

#[tokio::test]
async fn names_and_templates_cannot_add_headers_or_lines_of_smtp() {
    let Some(server) = Smtp::start(Encryption::Plain, None) else { return };
    let template = Template::parse("t.j2", "{{ service }}\n.\nMAIL FROM:<x@example.com>\n{{ group.region }}").unwrap();
    let one = Config { to: vec!["team@example.com".into()], ..config(server.port, SmtpTls::Plain, None) };
    let sink = sink(&one, BOUNDS, Some(&template)).unwrap();
    let mut task = task(AlertState::Firing, None);
    let evil = "eu\r\nBcc: evil@example.com\r\n\r\n<script>ü";
    task.notification.group = Labels::from([("region", evil)]);
    task.notification.id.push_str(evil);
    let outcome = sink.deliver(&task, NIGHT).await;
    assert_eq!((outcome.verdict, outcome.alarm), (DeliveryVerdict::Done, None), "{}", outcome.message);
    let letter = &server.letters(1).await[0];
    assert_eq!(header(letter, "Bcc"), None);
    assert_eq!(server.of("mail").len(), 1);
    let text = letter["data"].as_str().unwrap();
    let head = text.split("\r\n\r\n").next().unwrap();
    assert!(head.lines().all(|line| line.starts_with(' ') || line.contains(": ")), "{head}");
    assert!(text.contains("\r\n.\r\nMAIL FROM:<x@example.com>\r\n"), "{text}");
    let (_, html) = text.split_once("text/html").unwrap();
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"), "{html}");
}

#[test]
fn what_cannot_work_is_refused_at_start() {
    let plain = config(25, SmtpTls::Plain, None);
    for (config, part) in [
        (Config { from: "nobody".into(), ..plain.clone() }, "`nobody` is no e-mail address"),
        (Config { to: vec!["ü@example.com".into()], ..plain.clone() }, "beyond ASCII"),
        (config(25, SmtpTls::Required, Some("/nowhere/ca.pem".into())), "/nowhere/ca.pem"),
        (Config { login: Some(Login { user: None, password: SecretRef::Env("NONE".into()) }), ..plain }, "NONE"),
    ] {
        let problem = sink(&config, BOUNDS, None).err().unwrap();
        assert!(problem.contains(part), "{problem}");
    }
}

/// Compares with a file of `tests/golden/sinks/`; what was found instead is left under `target/tmp`.
fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sinks").join(name);
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&kept, found).unwrap();
    assert!(found == expected, "{} is not {}", kept.display(), path.display());
}

#[test]
fn letters_are_as_they_were_looked_at() {
    let sink = sink(&config(25, SmtpTls::Plain, None), BOUNDS, None).unwrap();
    let firing = samples::page(NIGHT);
    let ended = samples::resolved(&firing, NIGHT + Length::from_minutes(39));
    let samples = [
        ("email_firing.eml", firing),
        ("email_resolved.eml", ended),
        ("email_storm.eml", samples::storm()),
        ("email_review.eml", samples::review()),
    ];
    for (name, notification) in samples {
        let letter = sink.letter(&Task { notification, handle: None, perhaps_told: false }, NIGHT).unwrap();
        assert!(letter.bytes.is_ascii(), "no server needs 8BITMIME for it");
        golden(name, &String::from_utf8(letter.bytes).unwrap().replace("\r\n", "\n"));
    }
}

/// The service with these sinks, on a free port; ends with the process.
async fn service(folder: &Path, sinks: &str) -> (Process, String) {
    let port = free_port();
    let text = format!(
        "version: config/v1\nfiles: {{slos: [slos.yaml]}}\nsinks: {{{sinks}}}\nstorage: {{path: slo.db}}\n\
         sources: {{prometheus: {{type: prometheus, urls: ['http://127.0.0.1:1']}}}}\nserver: {{listen: 127.0.0.1:{port}}}\n"
    );
    std::fs::write(folder.join("slo.yaml"), text).unwrap();
    let slo = "version: slo/v1\nservice: shop\nslos: [{name: a, objective: 99%, sli: {events: {bad: b_total, total: t_total}}}]\n";
    std::fs::write(folder.join("slos.yaml"), slo).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_slo"));
    command.args(["run", "--config", "slo.yaml"]);
    let process = Process::start(command, folder);
    let url = format!("http://127.0.0.1:{port}");
    wait_until_ready(&format!("{url}/-/healthy")).await;
    (process, url)
}

/// Exit code, standard output and standard error of `slo notify test`.
async fn notify(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_slo"));
    let output = command.args(["notify", "test"]).args(arguments).current_dir(folder).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn a_test_goes_through_the_outbox_of_the_service_and_ends() {
    let Some(mut server) = Smtp::start(Encryption::Plain, None) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mail = format!(
        "mail: {{type: email, smtp: 'smtp://127.0.0.1:{}', from: slo@example.com, to: [team@example.com]}}",
        server.port
    );
    let (_service, url) = service(folder.path(), &mail).await;
    let (code, out, err) = notify(folder.path(), &["mail", "--server", &url]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(lines[0].contains("page     try 1: done  accepted for 1 of 1"), "{out}");
    assert!(lines[1].contains("resolve  try 1: done  accepted for 1 of 1"), "{out}");
    let letters = server.letters(2).await;
    let of = |index: usize, name: &str| header(&letters[index], name).unwrap();
    assert_eq!(
        (of(0, "Subject").as_str(), of(1, "Subject").as_str()),
        ("[TEST] [PAGE] slo/test", "[TEST] [RESOLVED] slo/test")
    );
    assert_eq!(of(1, "In-Reply-To"), of(0, "Message-ID"));

    server.faults(&json!({"rcpt": {"team@example.com": "550 nobody of that name"}})).await;
    let (code, out, _) = notify(folder.path(), &["mail", "--server", &url, "--severity", "ticket"]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("try 1: refused  team@example.com: the recipient: 550"), "{out}");
    let (code, _, err) = notify(folder.path(), &["male", "--server", &url]).await;
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("there is no sink `male`; configured: mail"), "{err}");

    let before = server.of("mail").len();
    let (code, out, _) = notify(folder.path(), &["mail", "--dry-run", "--severity", "resolve"]).await;
    assert_eq!(code, Some(0));
    assert!(out.contains("Subject: [TEST] [RESOLVED] slo/test\n"), "{out}");
    assert_eq!(server.of("mail").len(), before);
}
