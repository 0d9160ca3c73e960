//! No secret shows: a run with a value in every place where a secret may stand, receivers that repeat all that they are
//! sent, and a search for the values in everything that the service says, logs and keeps.

use std::collections::BTreeMap;
use std::fs;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};

use crate::service::eventually;
use crate::shop::Shop;

/// A receiver at which nobody is known, and that says what it was sent: the worst there is.
async fn echo() -> u16 {
    let answer = async |uri: Uri, headers: HeaderMap, body: Bytes| {
        let headers: BTreeMap<String, String> = headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        (StatusCode::UNAUTHORIZED, format!("who are you? {uri} {headers:?} {}", String::from_utf8_lossy(&body)))
    };
    let router = axum::Router::new().fallback(answer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    port
}

/// Sinks with a secret in each place, whose values are `canary-N` in files, or in the environment.
fn sinks(port: u16) -> String {
    format!(
        "sinks:
  hook: {{type: webhook, url: {{file: secrets/1}}, secret: {{file: secrets/2}}}}
  signed: {{type: webhook, url: 'http://127.0.0.1:{port}/plain', secret: {{env: CANARY_A}}}}
  pager: {{type: pagerduty, url: 'http://127.0.0.1:{port}', routing_key: {{file: secrets/3}}}}
  genie: {{type: opsgenie, url: 'http://127.0.0.1:{port}', api_key: {{env: CANARY_B}}}}
  chat: {{type: slack, url: {{file: secrets/4}}, signing_secret: {{file: secrets/5}}}}
  bot: {{type: slack, url: 'http://127.0.0.1:{port}', token: {{file: secrets/6}}, channel: C1}}
  teams: {{type: teams, url: {{file: secrets/7}}}}
  issues: {{type: github, url: 'http://127.0.0.1:{port}', repo: shop/reliability, token: {{file: secrets/8}}}}
routes: [{{match: {{}}, to: [hook, signed, pager, genie, chat, bot, teams, issues]}}]
"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_shows_in_no_log_answer_page_or_database() {
    let mut shop = Shop::closed().await;
    let port = echo().await;
    let config = fs::read_to_string(shop.path("slo.yaml")).unwrap();
    let (before, rest) = config.split_once("sinks:\n").unwrap();
    let (_, after) = rest.split_once("to: [hook]}]\n").unwrap();
    let sources = before.replace("labels: {job: shop}}", "labels: {job: shop}, auth: {bearer: {file: secrets/9}}}");
    fs::create_dir(shop.path("secrets")).unwrap();
    for number in 1..=9 {
        let is_address = matches!(number, 1 | 4 | 7);
        let before = if is_address { format!("http://127.0.0.1:{port}/services/") } else { String::new() };
        fs::write(shop.path(&format!("secrets/{number}")), format!("{before}canary-{number}")).unwrap();
    }
    let admin = super::token(&shop, "canarybird", "admin");
    let (_, secret) = admin.rsplit_once('.').unwrap();
    let after = super::with_tokens(&shop, after);
    shop.write("slo.yaml", &format!("{sources}{}{after}", sinks(port)));
    for (name, value) in [("CANARY_A", "canary-a"), ("CANARY_B", "canary-b"), ("RUST_LOG", "debug,slo=trace")] {
        shop.slo.environment.push((name.to_owned(), value.to_owned()));
    }
    shop.start().await;
    shop.traffic.set_broken(true);

    let bearer = [("authorization", format!("Bearer {admin}"))];
    let bearer = bearer.each_ref().map(|(name, value)| (*name, value.as_str()));
    let get = async |path: &str| super::ask(&shop, reqwest::Method::GET, path, &bearer).await.2.to_string();
    eventually("a try at every sink", 60, || async {
        let sinks: serde_json::Value = serde_json::from_str(&get("/api/v1/sinks").await).unwrap();
        let tried = sinks["items"].as_array().unwrap().iter().filter(|sink| sink["last"].is_object()).count();
        if tried == 8 { Ok(()) } else { Err(sinks.to_string()) }
    })
    .await;

    let mut places = BTreeMap::new();
    for path in [
        "/",
        "/alerts",
        "/health",
        "/metrics",
        "/metrics/slos",
        "/api/v1/slos",
        "/api/v1/alerts",
        "/api/v1/deliveries",
        "/api/v1/sources",
        "/api/v1/sinks",
        "/api/v1/config",
        "/api/v1/audit",
        "/api/v1/openapi.json",
        "/slo/checkout/availability",
    ] {
        places.insert(path.to_owned(), get(path).await);
    }
    let guess = format!("Bearer canarybird.{secret}x");
    let refused = super::ask(&shop, reqwest::Method::GET, "/api/v1/slos", &[("authorization", &guess)]).await;
    places.insert("a refusal".to_owned(), refused.2.to_string());
    shop.write("slos/broken.yaml", "version: slo/v1\nservice: [\n");
    let reload = super::ask(&shop, reqwest::Method::POST, "/-/reload", &bearer).await;
    places.insert("a refused reload".to_owned(), reload.2.to_string());
    shop.slo.stop().await;
    places.insert("the log".to_owned(), shop.slo.log());
    for entry in fs::read_dir(shop.path("")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("slo.db") {
            let bytes = fs::read(&path).unwrap();
            places.insert(path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    assert!(places.len() >= 18, "{:?}", places.keys());
    assert!(places["/api/v1/deliveries"].contains("status 401"), "{}", places["/api/v1/deliveries"]);
    let shown: Vec<String> = places
        .iter()
        .flat_map(|(place, text)| {
            let found = ["canary-", secret].into_iter().filter_map(move |value| Some((value, text.find(value)?)));
            found.map(move |(_, at)| {
                let around: String = text.chars().skip(at.saturating_sub(150)).take(300).collect();
                format!("{place}: {around}")
            })
        })
        .collect();
    assert!(shown.is_empty(), "{}", shown.join("\n\n"));
}
