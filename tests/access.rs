//! Who may do what, what was done, and reports: the whole service over HTTP. And that no secret shows anywhere.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
#![expect(clippy::disallowed_methods, reason = "answers of our own server, on loopback, are read whole")]

#[path = "access/canary.rs"]
mod canary;
mod service;
#[path = "service/shop.rs"]
mod shop;

use std::fs;
use std::process::{Command, Output};

use reqwest::{Method, StatusCode};
use serde_json::Value;
use service::{client, eventually};
use shop::{Shop, metric, signal};

/// One request: status, headers, body.
async fn ask(shop: &Shop, method: Method, path: &str, headers: &[(&str, &str)]) -> (StatusCode, Vec<String>, Value) {
    let mut request = client().request(method, format!("http://{}{path}", shop.slo.address));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    let challenges = answer.headers().get_all("www-authenticate").iter();
    let challenges = challenges.map(|value| value.to_str().unwrap().to_owned()).collect();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    (status, challenges, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn status(shop: &Shop, method: Method, path: &str, headers: &[(&str, &str)]) -> u16 {
    ask(shop, method, path, headers).await.0.as_u16()
}

/// The entries of the audit, newest first, in words.
async fn audit(shop: &Shop, query: &str) -> Vec<String> {
    let list = shop.slo.json(&format!("/api/v1/audit{query}")).await.unwrap();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let line = |entry: &Value| format!("{} {} {}", text(entry, "actor"), text(entry, "via"), text(entry, "action"));
    list["items"].as_array().unwrap().iter().map(line).collect()
}

async fn audited(shop: &Shop, expected: &[&str]) {
    eventually("the audit", 10, || async {
        let found = audit(shop, "").await;
        if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_are_in_the_audit_whoever_asks_for_them_and_refused_ones_are_not() {
    let mut shop = Shop::open().await;
    assert_eq!(audit(&shop, "").await, Vec::<String>::new());
    assert_eq!(shop.reload().await.0, 200);
    audited(&shop, &["anonymous api reload"]).await;
    signal(&shop.slo, "HUP");
    audited(&shop, &["files signal reload", "anonymous api reload"]).await;
    let config = fs::read_to_string(shop.path("slo.yaml")).unwrap();
    shop.write("slo.yaml", &format!("{config}# a word\n"));
    let all = ["files files reload", "files signal reload", "anonymous api reload"];
    audited(&shop, &all).await;
    shop.write("slos/broken.yaml", "version: slo/v1\nservice: [\n");
    assert_eq!(shop.reload().await.0, 400);
    assert_eq!(audit(&shop, "").await, all, "what was refused has no entry");
    fs::remove_file(shop.path("slos/broken.yaml")).unwrap();

    assert_eq!(audit(&shop, "?actor=anonymous").await, ["anonymous api reload"]);
    assert_eq!(audit(&shop, "?action=ack").await, Vec::<String>::new());
    let part = shop.slo.json("/api/v1/audit?limit=2").await.unwrap();
    assert_eq!((part["items"].as_array().unwrap().len(), &part["total"]), (2, &Value::from(3)));
    let next = shop.slo.json(&format!("/api/v1/audit?cursor={}", part["next_cursor"].as_str().unwrap())).await.unwrap();
    assert_eq!(next["items"][0]["actor"], "anonymous");
    let digest = shop.slo.json("/api/v1/config").await.unwrap()["digest"].clone();
    assert_eq!(next["items"][0]["object"], digest, "a comment changes nothing that is meant");
    assert_eq!(shop.slo.get("/api/v1/audit?who=anna").await.unwrap().0, 400);
    let (_, page) = shop.slo.get("/health").await.unwrap();
    assert!(page.as_str().unwrap().contains("anonymous"), "{page}");

    assert_eq!(shop.slo.stop().await, Some(0));
    shop.start().await;
    assert_eq!(audit(&shop, "").await, all, "it outlives the process");
}

fn slo(shop: &Shop, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let server = format!("http://{}", shop.slo.address);
    let mut command = Command::new(env!("CARGO_BIN_EXE_slo"));
    command.args(arguments).current_dir(shop.path("")).env("SLO_SERVER", server).env_remove("SLO_TOKEN");
    command.envs(environment.iter().copied()).output().unwrap()
}

/// A token of `slo token`, its line in the file `tokens`.
fn token(shop: &Shop, name: &str, role: &str) -> String {
    let output = slo(shop, &["token", name, "--role", role, "--file", "tokens"], &[]);
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(shown.lines().count(), 1, "the token and nothing else: {shown}");
    shown.trim().to_owned()
}

/// The configuration with the file of tokens beside it.
fn with_tokens(shop: &Shop, config: &str) -> String {
    let listen = format!("listen: '{}'", shop.slo.address);
    config.replace(&listen, &format!("{listen}, auth: {{tokens: {{file: tokens}}}}"))
}

async fn guarded() -> (Shop, [String; 3]) {
    let mut shop = Shop::closed().await;
    let tokens = ["read", "operate", "admin"].map(|role| token(&shop, &format!("{role}er"), role));
    let config = fs::read_to_string(shop.path("slo.yaml")).unwrap();
    shop.write("slo.yaml", &with_tokens(&shop, &config));
    shop.start().await;
    (shop, tokens)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_may_what_the_table_says_and_nobody_else_may_anything() {
    let (shop, tokens) = guarded().await;
    let bearers = tokens.clone().map(|token| format!("Bearer {token}"));
    let resend = "/api/v1/deliveries/none/resend";
    for (method, path, expected) in [
        (Method::GET, "/-/healthy", [200; 4]),
        (Method::GET, "/-/ready", [200; 4]),
        (Method::GET, "/metrics", [200; 4]),
        (Method::GET, "/assets/style.css", [200; 4]),
        (Method::GET, "/", [401, 200, 200, 200]),
        (Method::GET, "/metrics/slos", [401, 200, 200, 200]),
        (Method::GET, "/api/v1/slos", [401, 200, 200, 200]),
        (Method::GET, "/api/v1/audit", [401, 200, 200, 200]),
        (Method::GET, "/api/v1/nothing", [401, 404, 404, 404]),
        (Method::POST, resend, [401, 403, 404, 404]),
        (Method::POST, "/deliveries/none/resend", [401, 403, 404, 404]),
        (Method::POST, "/alerts/none/ack", [401, 403, 404, 404]),
        (Method::POST, "/alerts/none/close", [401, 403, 403, 404]),
        (Method::POST, "/-/reload", [401, 403, 403, 200]),
    ] {
        let mut found = vec![status(&shop, method.clone(), path, &[]).await];
        for bearer in &bearers {
            found.push(status(&shop, method.clone(), path, &[("authorization", bearer)]).await);
        }
        assert_eq!(found, expected, "{method} {path}");
    }
    let (_, challenges, body) = ask(&shop, Method::GET, "/api/v1/slos", &[]).await;
    assert_eq!(body["error"]["code"], "unauthorized");
    assert!(challenges.iter().any(|challenge| challenge.starts_with("Basic realm=\"slo\"")), "{challenges:?}");
    assert!(challenges.iter().any(|challenge| challenge.starts_with("Bearer")), "{challenges:?}");
    let refused = metric(&shop.slo, "slo_http_refused_total{reason=\"unauthorized\"}").await.unwrap();
    assert!(refused >= 7.0, "{refused}");
    assert_eq!(metric(&shop.slo, "slo_http_refused_total{reason=\"forbidden\"}").await, Ok(7.0));

    let admin = [("authorization", bearers[2].as_str())];
    let (_, _, list) = ask(&shop, Method::GET, "/api/v1/audit", &admin).await;
    let actors: Vec<&str> = list["items"].as_array().unwrap().iter().map(|e| e["actor"].as_str().unwrap()).collect();
    assert_eq!(actors, ["adminer"], "what was refused has no entry");

    // A page has the buttons that its visitor may press.
    let drill = ["drill", "checkout/availability", "--severity", "page"];
    let begun = slo(&shop, &drill, &[("SLO_TOKEN", &tokens[2])]);
    let out = String::from_utf8(begun.stdout).unwrap();
    let id = out.lines().next().and_then(|line| line.rsplit(' ').next()).unwrap().replace('/', "%2F");
    let mut buttons = Vec::new();
    for bearer in &bearers {
        let (_, _, page) =
            ask(&shop, Method::GET, &format!("/alerts/{id}"), &[("authorization", bearer.as_str())]).await;
        let page = page.as_str().unwrap().to_owned();
        assert!(page.contains("nothing is wrong") && !page.contains("Your name"), "{page}");
        let shown = ["/ack\"", "/silence\"", "/close\""].map(|act| page.contains(act));
        buttons.push(shown);
    }
    assert_eq!(buttons, [[false; 3], [true, true, false], [true; 3]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_tokens_are_refused_and_a_line_that_is_taken_out_ends_at_once() {
    let (shop, [reader, operator, admin]) = guarded().await;
    let get = async |header: &str| status(&shop, Method::GET, "/api/v1/slos", &[("authorization", header)]).await;
    let (_, secret) = admin.rsplit_once('.').unwrap();
    assert_eq!(get(&format!("Bearer {admin}")).await, 200);
    for wrong in [
        format!("Bearer reader.{secret}"),
        format!("Bearer nobody.{secret}"),
        format!("Bearer {secret}"),
        format!("Bearer {admin}x"),
        "Bearer".to_owned(),
        "Basic !".to_owned(),
    ] {
        assert_eq!(get(&wrong).await, 401, "{wrong}");
    }
    // A browser's prompt: user and password.
    let basic = |user: &str, password: &str| {
        use base64::Engine as _;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
    };
    assert_eq!(get(&basic("adminer", secret)).await, 200);
    assert_eq!(get(&basic("adminer", "guess")).await, 401);

    let lines = fs::read_to_string(shop.path("tokens")).unwrap();
    let without: Vec<&str> = lines.lines().filter(|line| !line.starts_with("reader ")).collect();
    let without = without.join("\n");
    assert_eq!(get(&format!("Bearer {reader}")).await, 200);
    shop.write("tokens", &without);
    assert_eq!(get(&format!("Bearer {reader}")).await, 401);
    assert_eq!(get(&format!("Bearer {operator}")).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_from_pages_of_other_sites_are_refused_though_the_browser_sends_the_password_along() {
    let (shop, [_, _, admin]) = guarded().await;
    let bearer = format!("Bearer {admin}");
    let own = format!("http://{}", shop.slo.address);
    for (name, value, expected) in [
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "same-origin", 200),
        ("sec-fetch-site", "none", 200),
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("origin", own.as_str(), 200),
    ] {
        let headers = [("authorization", bearer.as_str()), (name, value)];
        assert_eq!(status(&shop, Method::POST, "/-/reload", &headers).await, expected, "{name}: {value}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_sends_its_token() {
    let (shop, [reader, ..]) = guarded().await;
    let without = slo(&shop, &["status"], &[]);
    assert_eq!(without.status.code(), Some(2), "{without:?}");
    assert!(String::from_utf8_lossy(&without.stderr).contains("a token is needed"), "{without:?}");
    let with = slo(&shop, &["status"], &[("SLO_TOKEN", &reader)]);
    assert!(with.status.success(), "{with:?}");
    assert!(String::from_utf8_lossy(&with.stdout).contains("checkout/availability"), "{with:?}");
    let help = slo(&shop, &["status", "--help"], &[("SLO_TOKEN", &reader)]);
    assert!(!String::from_utf8_lossy(&help.stdout).contains(&reader), "{help:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_tokens_that_is_none_refuses_the_start_and_no_hash_is_shown() {
    let shop = Shop::closed().await;
    let config = fs::read_to_string(shop.path("slo.yaml")).unwrap();
    shop.write("slo.yaml", &with_tokens(&shop, &config));
    for (file, expected) in [
        (None, "cannot be read"),
        (Some("anna admin canary\n"), "line 1"),
        (Some("anna admin $argon2canary\n"), "`anna`"),
    ] {
        if let Some(text) = file {
            shop.write("tokens", text);
        }
        let output = slo(&shop, &["run"], &[]);
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("file of tokens") && said.contains(expected) && !said.contains("canary"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_tokens_an_address_that_is_not_loopback_takes_no_writes() {
    let mut shop = Shop::closed().await;
    let config = fs::read_to_string(shop.path("slo.yaml")).unwrap();
    shop.write("slo.yaml", &config.replace("listen: '127.0.0.1", "listen: '0.0.0.0"));
    shop.start().await;
    for path in ["/-/reload", "/api/v1/deliveries/none/resend", "/api/v1/nothing", "/api/v1/silences"] {
        let (status, _, body) = ask(&shop, Method::POST, path, &[]).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (403, &Value::from("forbidden")), "{path}");
    }
    assert_eq!(status(&shop, Method::GET, "/api/v1/slos", &[]).await, 200);
    assert!(shop.slo.log().contains("every write is refused"), "{}", shop.slo.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_up_is_sent_again_under_its_id_and_what_is_done_is_not() {
    let shop = Shop::open().await;
    shop.hook.fail_with(Some(400));
    shop.traffic.set_broken(true);
    let failed = eventually("a delivery that is given up", 60, || async {
        let list = shop.slo.json("/api/v1/deliveries?state=failed&sink=hook").await?;
        let first = list["items"].get(0).cloned();
        first.ok_or_else(|| list.to_string())
    })
    .await;
    let id = failed["id"].as_str().unwrap().to_owned();
    let sinks = shop.slo.json("/api/v1/sinks").await.unwrap();
    let sink = &sinks["items"][0];
    assert_eq!((&sink["name"], &sink["type"]), (&Value::from("hook"), &Value::from("webhook")));
    assert_eq!((&sink["pending"], &sink["last"]["outcome"]), (&Value::from(0), &Value::from("refused")));
    let destination = sink["destination"].as_str().unwrap();
    assert!(destination.starts_with(&format!("127.0.0.1:{} #", shop.ports.hook)), "{destination}");
    assert!(!destination.contains("/hook"), "{destination}");
    let (_, page) = shop.slo.get("/health").await.unwrap();
    let page = page.as_str().unwrap();
    assert!(page.contains("Given up") && page.contains("Send again"), "{page}");

    shop.hook.fail_with(None);
    let path = format!("/api/v1/deliveries/{id}/resend");
    let url = format!("http://{}{path}", shop.slo.address);
    let answer = client().post(url).body(r#"{"by":"anna"}"#).send().await.unwrap();
    let (code, body): (_, Value) = (answer.status(), answer.json().await.unwrap());
    assert_eq!((code.as_u16(), &body["id"]), (200, &Value::from(id.clone())), "{body}");
    assert_eq!(body["attempts"][0]["outcome"], "refused", "its tries are kept: {body}");
    let received = shop.hook.wait_for("the page", 20, |body| body["id"] == failed["notification_id"]).await;
    assert_eq!(received["state"], "firing");
    let done = eventually("done", 20, || async {
        let list = shop.slo.json("/api/v1/deliveries?state=done").await?;
        let found = list["items"].as_array().unwrap().iter().find(|row| row["id"] == id.as_str()).cloned();
        found.ok_or_else(|| list.to_string())
    })
    .await;
    assert_eq!(done["attempts"].as_array().unwrap().len(), 2, "{done}");
    assert_eq!(status(&shop, Method::POST, &path, &[]).await, 409, "it is done");
    assert_eq!(status(&shop, Method::POST, "/api/v1/deliveries/no/such/resend", &[]).await, 404);
    assert_eq!(audit(&shop, "?action=resend").await, ["anna api resend"]);
    let of_it = shop.slo.json("/api/v1/audit?action=resend").await.unwrap();
    assert_eq!(of_it["items"][0]["object"], id.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_come_at_their_times_once_each_also_over_restarts() {
    let mut shop = Shop::closed().await;
    let config = fs::read_to_string(shop.path("slo.yaml")).unwrap();
    let reports = "reports: [{schedule: '*/3 * * * * *', to: [hook], period: 1h}]\n";
    shop.write("slo.yaml", &format!("{config}{reports}"));
    shop.start().await;
    let is_report = |body: &Value| body["kind"] == "report";
    let first = shop.hook.wait_for("a report", 30, is_report).await;
    assert_eq!(first["severity"], "notice");
    let line = &first["report"]["slos"][0];
    assert_eq!((&line["slo"], &line["objective"]), (&Value::from("checkout/availability"), &Value::from(0.9)));
    assert_eq!(line["pages"]["fired"], 0);
    assert_eq!(first["report"]["totals"]["precision"], Value::Null);

    shop.traffic.set_broken(true);
    shop.hook.wait_for("a page", 60, |body| body["kind"] == "burn").await;
    shop.traffic.set_broken(false);
    shop.hook
        .wait_for("the page in a report", 60, |body| is_report(body) && body["report"]["totals"]["pages"]["fired"] == 1)
        .await;
    shop.slo.kill();
    shop.start().await;
    let count = shop.hook.all().len();
    eventually("more reports", 30, || async {
        let seen = shop.hook.all().len();
        if seen >= count + 2 { Ok(()) } else { Err(format!("{seen} after {count}")) }
    })
    .await;
    let mut ids: Vec<String> =
        shop.hook.all().iter().filter(|told| is_report(&told.body)).map(|told| told.body["id"].to_string()).collect();
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert!(
        all >= 3 && all - ids.len() <= 1,
        "{all} reports with {} ids; the one under way when it was killed may come twice",
        ids.len()
    );
}
