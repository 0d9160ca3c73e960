//! `/api/v1`: keys and figures of INTERFACES 3, filters, parts, errors.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::fake::{AS_OF, INSTANCES, NASTY, PAGE};
use crate::server::{Server, encoded, keys};

const INSTANCE_KEYS: [&str; 21] = [
    "as_of",
    "budget",
    "burn",
    "coverage",
    "estimated",
    "forecast",
    "frozen",
    "group",
    "id",
    "mode",
    "name",
    "objective",
    "owner",
    "problem",
    "service",
    "shadow",
    "sli",
    "status",
    "unweighted",
    "window",
    "window_from",
];

const ALERT_KEYS: [&str; 27] = [
    "acked",
    "as_of",
    "dedup_key",
    "deliveries",
    "drill",
    "ended_by",
    "episode",
    "evidence",
    "fired_at",
    "frozen",
    "held_back_by",
    "id",
    "kind",
    "origin",
    "quiet",
    "reason",
    "resolved_at",
    "severity",
    "slo",
    "started_at",
    "state",
    "telling",
    "tiers",
    "time_to_ack_seconds",
    "time_to_resolve_seconds",
    "transitions",
    "verdict",
];

const DELIVERY_KEYS: [&str; 15] = [
    "alert_id",
    "attempts",
    "decided_at",
    "id",
    "kind",
    "mark",
    "members",
    "next_attempt_at",
    "notification_id",
    "occasion",
    "severity",
    "sink",
    "slo",
    "state",
    "tells",
];

const LIST_KEYS: [&str; 4] = ["as_of", "items", "next_cursor", "total"];

fn close(value: &Value, expected: f64) {
    let found = value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{found} is not {expected}");
}

fn ids(list: &Value) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_instance_has_the_keys_and_figures_of_the_interface() {
    let server = Server::start().await;
    let answer = server.get("/api/v1/slos?limit=1").await;
    let list = answer.json();
    assert_eq!((answer.status, keys(&list)), (200, LIST_KEYS.to_vec()));
    assert_eq!((&list["total"], &list["as_of"]), (&json!(INSTANCES), &json!(AS_OF)));
    let one = &list["items"][0];
    assert_eq!(keys(one), INSTANCE_KEYS);
    assert_eq!(one["id"], r#"checkout/availability{region="eu"}"#);
    assert_eq!((&one["service"], &one["name"]), (&json!("checkout"), &json!("availability")));
    assert_eq!(one["group"], json!({"region": "eu"}));
    assert_eq!((&one["owner"], &one["objective"], &one["window"]), (&json!("payments"), &json!(0.999), &json!("30d")));
    assert_eq!((&one["status"], &one["mode"]), (&json!("page"), &json!("exact")));
    for mark in ["frozen", "shadow", "estimated", "unweighted"] {
        assert_eq!(one[mark], json!(false), "{mark}");
    }
    assert_eq!((&one["as_of"], &one["window_from"]), (&json!(AS_OF), &json!("2026-10-22T03:00:00Z")));
    // the example of INTERFACES 3
    assert_eq!(
        one["forecast"],
        json!({"exhausted": true, "exhausts_at": null, "recovers_at": "2026-11-26T14:00:00Z", "lookback": "6h"})
    );
    assert_eq!(one["coverage"], json!(1));
    let sli = &one["sli"];
    assert_eq!(keys(sli), ["bad", "good_ratio", "high", "low", "total"]);
    assert_eq!((&sli["bad"], &sli["total"]), (&json!(12_903), &json!(10_002_315)));
    close(&sli["good_ratio"], (10_002_315.0 - 12_903.0) / 10_002_315.0);
    close(&sli["low"], 0.998_687_562_295_946);
    close(&sli["high"], 0.998_732_051_908_722);
    let budget = &one["budget"];
    assert_eq!(keys(budget), ["allowed", "measured", "remaining_events", "remaining_ratio", "spent_ratio"]);
    close(&budget["allowed"], 10_002.315);
    close(&budget["spent_ratio"], 12_903.0 / 10_002.315);
    close(&budget["remaining_ratio"], 1.0 - 12_903.0 / 10_002.315);
    close(&budget["remaining_events"], 10_002.315 - 12_903.0);
    assert_eq!(keys(&budget["measured"]), ["allowed", "spent_ratio"]);
    let burn = one["burn"].as_array().unwrap();
    assert_eq!(burn.iter().map(|b| b["over"].as_str().unwrap()).collect::<Vec<_>>(), ["1h", "6h", "1d", "3d"]);
    assert_eq!(burn[0], json!({"over": "1h", "rate": 31.25}));
}

#[tokio::test]
async fn figures_are_the_shortest_decimals_and_counts_are_whole() {
    let server = Server::start().await;
    let text = server.get("/api/v1/slos?limit=1").await.text;
    assert!(text.contains(r#""bad":12903,"total":10002315"#), "{text}");
    assert!(text.contains(r#""rate":7.407407407407407}"#), "{text}");
}

#[tokio::test]
async fn without_events_there_is_no_interval() {
    let server = Server::start().await;
    let one = server.get("/api/v1/slos/catalog/items").await.json();
    assert_eq!(one["sli"], json!({"good_ratio": null, "low": null, "high": null, "bad": 0, "total": 0}));
    assert_eq!(one["condition"], "idle");
    let nothing = json!({"allowed": null, "spent_ratio": null, "remaining_ratio": null, "remaining_events": null,
                         "measured": {"allowed": null, "spent_ratio": null}});
    assert_eq!(one["budget"], nothing, "nothing was measured, so a full budget would be a claim");
}

#[tokio::test]
async fn the_list_is_worst_first_and_filters_narrow_it() {
    let server = Server::start().await;
    let list = server.get("/api/v1/slos").await.json();
    assert_eq!(list["items"].as_array().unwrap().len(), INSTANCES);
    let statuses: Vec<&str> = list["items"].as_array().unwrap().iter().map(|i| i["status"].as_str().unwrap()).collect();
    assert_eq!(&statuses[..6], ["page", "ticket", "notice", "down", "no_data", "starting"]);
    assert!(statuses[6..].iter().all(|status| *status == "ok"));

    let get = async |query: &str| ids(&server.get(&format!("/api/v1/slos?{query}")).await.json());
    assert_eq!(get("service=checkout&status=ok").await, [r#"checkout/availability{region="us"}"#]);
    assert_eq!(get("status=down,no_data").await, ["search/availability", "catalog/items"]);
    assert_eq!(get("status=down&status=no_data").await, ["search/availability", "catalog/items"]);
    assert_eq!(get("owner=search").await, ["search/availability"]);
    assert_eq!(get("q=SERVICE-01&sort=name").await.len(), 10);
    assert_eq!(get("q=region%3D%22eu%22").await, [r#"checkout/availability{region="eu"}"#]);
    assert_eq!(get("sort=name&limit=1").await, ["catalog/items"]);
    assert_eq!(get("sort=burn&limit=1").await, [r#"checkout/availability{region="eu"}"#]);
    assert_eq!(get("sort=remaining&limit=1").await, ["search/availability"]);
    assert_eq!(get("q=nothing-of-the-kind").await, Vec::<String>::new());
    assert_eq!(get("status=&owner=&q=").await.len(), INSTANCES);
}

#[tokio::test]
async fn parts_of_a_list_hold_everything_once() {
    let server = Server::start().await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let list = server.get(&format!("/api/v1/slos?limit=7&cursor={cursor}")).await.json();
        assert_eq!(list["total"], json!(INSTANCES));
        seen.extend(ids(&list));
        match list["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), INSTANCES);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), INSTANCES);
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_with_what_is_allowed() {
    let server = Server::start().await;
    let eu = "/api/v1/slos/checkout/availability";
    let group = format!("group={}", encoded(r#"region="eu""#));
    for (path, code, says) in [
        ("/api/v1/slos?status=bad".to_owned(), "bad_parameter", "`page`, `ticket`"),
        ("/api/v1/slos?sort=best".to_owned(), "bad_parameter", "`worst`, `remaining`, `burn`, `name`"),
        ("/api/v1/slos?limit=0".to_owned(), "bad_parameter", "from 1 to 5000"),
        ("/api/v1/slos?limit=ten".to_owned(), "bad_parameter", "from 1 to 5000"),
        ("/api/v1/slos?cursor=%21".to_owned(), "bad_parameter", "`cursor`"),
        ("/api/v1/slos?stat=page".to_owned(), "unknown_parameter", "`status`"),
        ("/api/v1/slos?sort=name&sort=burn".to_owned(), "bad_parameter", "once"),
        ("/api/v1/alerts?state=open".to_owned(), "bad_parameter", "`pending`, `firing`, `resolved`"),
        ("/api/v1/alerts?severity=critical".to_owned(), "bad_parameter", "`page`, `ticket`, `notice`"),
        ("/api/v1/deliveries?state=sent".to_owned(), "bad_parameter", "`superseded`"),
        ("/api/v1/sources?x=1".to_owned(), "unknown_parameter", "none"),
        (eu.to_owned(), "group_required", "group="),
        (format!("{eu}?group=region"), "bad_parameter", "list of labels"),
        (format!("{eu}?group=region%3D%22eu"), "bad_parameter", "list of labels"),
        (format!("{eu}/window?{group}"), "bad_parameter", "over=1h"),
        (format!("{eu}/window?over=0s&{group}"), "bad_parameter", "over=1h"),
        (format!("{eu}/window?over=1.5h&{group}"), "bad_parameter", "is not a duration"),
        (format!("{eu}/window?over=90d&{group}"), "bad_parameter", "the period is 30d"),
        (format!("{eu}/window?over=1h"), "group_required", "group="),
        (format!("{eu}/series"), "group_required", "group="),
        (format!("{eu}/series?points=100000&{group}"), "bad_parameter", "from 1 to 2000"),
        (format!("{eu}/series?from=yesterday&{group}"), "bad_parameter", "RFC 3339"),
        (format!("{eu}/series?from=2026-11-22T00:00:00Z&{group}"), "bad_parameter", "before `to`"),
    ] {
        let answer = server.get(&path).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code), "{path}: {}", answer.text);
        let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.contains(says), "{path}: {message}");
    }
    let required = server.get(eu).await.json();
    assert_eq!(required["error"]["detail"]["groups"], json!([r#"region="eu""#, r#"region="us""#]));
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let server = Server::start().await;
    for (path, code) in [
        ("/api/v1/slos/checkout/nothing", "unknown_slo"),
        ("/api/v1/slos/%3Cb%3E/x", "unknown_slo"),
        ("/api/v1/slos/checkout/availability?group=region%3D%22mars%22", "unknown_group"),
        ("/api/v1/slos/checkout/latency?group=region%3D%22eu%22", "unknown_group"),
        ("/api/v1/slos/checkout/nothing/series", "unknown_slo"),
        ("/api/v1/slos/checkout/nothing/window?over=1h", "unknown_slo"),
        ("/api/v1/alerts/nothing", "unknown_alert"),
        ("/api/v1/alerts/", "not_found"),
        ("/api/v2/slos", "not_found"),
        ("/favicon.ico", "not_found"),
    ] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, code), "{path}");
    }
    let answer = server.post("/api/v1/slos", &[], vec![]).await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "method_not_allowed"));
    assert!(answer.headers["allow"].to_str().unwrap().contains("GET"));
}

#[tokio::test]
async fn groups_are_named_whatever_stands_in_them() {
    let server = Server::start().await;
    let written =
        format!("path=\"{}\",window=\"w\"", NASTY.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"));
    let one = server.get(&format!("/api/v1/slos/shop/markup?group={}", encoded(&written))).await;
    assert_eq!(one.status, 200, "{}", one.text);
    assert_eq!(one.json()["group"], json!({"path": NASTY, "window": "w"}));
    assert_eq!(one.json()["id"], json!(format!("shop/markup{{{written}}}")));
    // In any order, with spaces.
    let other = "window = \"w\" , path=".to_owned()
        + written.strip_prefix("path=").unwrap().strip_suffix(",window=\"w\"").unwrap();
    assert_eq!(server.get(&format!("/api/v1/slos/shop/markup?group={}", encoded(&other))).await.status, 200);
}

#[tokio::test]
async fn the_detail_has_every_tier_with_both_windows() {
    let server = Server::start().await;
    let path = format!("/api/v1/slos/checkout/availability?group={}", encoded(r#"region="eu""#));
    let one = server.get(&path).await.json();
    for key in INSTANCE_KEYS {
        assert!(one.as_object().unwrap().contains_key(key), "{key}");
    }
    assert_eq!(one["links"], json!({"runbook": "https://wiki.example/checkout"}));
    assert_eq!(one["contact"], "#payments");
    assert_eq!((&one["description"], &one["labels"]), (&json!("Checkout requests succeed."), &json!({"tier": "1"})));
    assert!(one["reason"].as_str().unwrap().contains("31.2 times"));
    // A list goes without the quantiles.
    assert_eq!(keys(&one["forecast"]), ["exhausted", "exhausts_at", "lookback", "p10", "p50", "p90", "recovers_at"]);
    assert_eq!((&one["forecast"]["p10"], &one["forecast"]["p90"]), (&json!("2026-11-21T12:00:00Z"), &Value::Null));
    let tiers = one["tiers"].as_array().unwrap();
    assert_eq!(tiers.len(), 6);
    let first = &tiers[0];
    assert_eq!(
        keys(first),
        ["confirm", "factor", "frozen", "kind", "over", "resolve", "severity", "state", "threshold_ratio", "trend"]
    );
    assert_eq!(
        (&first["kind"], &first["severity"], &first["state"]),
        (&json!("burn"), &json!("page"), &json!("firing"))
    );
    assert_eq!((&first["trend"], &first["factor"]), (&json!("burning"), &json!(14.4)));
    close(&first["threshold_ratio"], 0.0144);
    assert_eq!(
        first["over"],
        json!({"length": "1h", "from": "2026-11-21T02:00:00Z", "to": AS_OF, "bad": 450, "total": 14_400,
               "ratio": 0.031_25, "rate": 31.25, "coverage": 1})
    );
    assert_eq!(first["confirm"]["length"], "5m");
    assert_eq!(
        (&tiers[4]["kind"], &tiers[4]["over"], &tiers[4]["factor"]),
        (&json!("down"), &Value::Null, &Value::Null)
    );
    let alerts = one["alerts"].as_array().unwrap();
    assert_eq!(alerts.len(), 2);
    assert_eq!(keys(&alerts[0]), ALERT_KEYS);
}

#[tokio::test]
async fn a_series_has_equal_steps_and_holes() {
    let server = Server::start().await;
    let series = server.get("/api/v1/slos/checkout/latency/series?points=100").await.json();
    assert_eq!(keys(&series), ["from", "points", "step_seconds", "to"]);
    assert_eq!((&series["from"], &series["to"]), (&json!("2026-10-22T03:00:00Z"), &json!(AS_OF)));
    assert_eq!(series["step_seconds"], json!(25_920));
    let points = series["points"].as_array().unwrap();
    assert_eq!(points.len(), 100);
    assert_eq!(
        keys(&points[0]),
        ["at", "bad", "burn", "good_ratio", "high", "low", "measured_seconds", "remaining_ratio", "total"]
    );
    assert_eq!(points[0]["remaining_ratio"], Value::Null);
    assert_eq!(keys(&points[0]["burn"]), ["1h"]);
    let hole = points.iter().find(|point| point["total"] == json!(0)).unwrap();
    assert_eq!((&hole["good_ratio"], &hole["low"], &hole["high"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(hole["measured_seconds"], json!(0));
    let hour = "/api/v1/slos/checkout/latency/series?from=1795226400&to=2026-11-21T03:00:00Z&points=4";
    let hour = server.get(hour).await.json();
    assert_eq!((&hour["from"], &hour["step_seconds"]), (&json!("2026-11-21T02:00:00Z"), &json!(900)));
}

#[tokio::test]
async fn a_window_is_exactly_what_was_counted() {
    let server = Server::start().await;
    let path = format!("/api/v1/slos/checkout/availability/window?over=1h&group={}", encoded(r#"region="eu""#));
    assert_eq!(
        server.get(&path).await.json(),
        json!({"from": "2026-11-21T02:00:00Z", "to": AS_OF, "bad": 450, "total": 14_400, "measured_seconds": 3_600,
               "coverage": 1, "good_ratio": 0.968_75, "burn_rate": 31.25})
    );
}

#[tokio::test]
async fn alerts_are_listed_filtered_and_carry_their_deliveries() {
    let server = Server::start().await;
    let list = server.get("/api/v1/alerts").await.json();
    assert_eq!((keys(&list), &list["total"]), (LIST_KEYS.to_vec(), &json!(6)));
    let page = list["items"].as_array().unwrap().iter().find(|alert| alert["id"] == PAGE).unwrap();
    assert_eq!(keys(page), ALERT_KEYS);
    assert_eq!((&page["kind"], &page["state"], &page["severity"]), (&json!("burn"), &json!("firing"), &json!("page")));
    assert_eq!(page["episode"], "2026-11-21T02:55:00Z");
    assert_eq!((&page["resolved_at"], &page["ended_by"], &page["acked"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(keys(&page["transitions"][0]), ["at", "from", "id", "reason", "to"]);
    let deliveries = page["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 2);
    assert_eq!(keys(&deliveries[0]), DELIVERY_KEYS);
    assert_eq!(keys(&deliveries[0]["attempts"][0]), ["at", "message", "outcome"]);

    let total = async |query: &str| server.get(&format!("/api/v1/alerts?{query}")).await.json()["total"].clone();
    assert_eq!(total("state=firing").await, json!(4));
    assert_eq!(total("state=firing,pending").await, json!(5));
    assert_eq!(total("state=resolved&severity=page").await, json!(1));
    assert_eq!(total("severity=ticket").await, json!(2));
    assert_eq!(total("slo=checkout/availability").await, json!(3));
    assert_eq!(total("slo=source/backup").await, json!(1));
    let resolved = &server.get("/api/v1/alerts?state=resolved").await.json()["items"][0];
    assert_eq!(
        (&resolved["ended_by"], &resolved["resolved_at"]),
        (&json!("known_false"), &json!("2026-11-14T11:04:00Z"))
    );
}

#[tokio::test]
async fn an_alert_is_found_by_its_id_however_it_is_written() {
    let server = Server::start().await;
    let slashes_kept = PAGE.replace('{', "%7B").replace('}', "%7D").replace('"', "%22");
    for path in [slashes_kept, encoded(PAGE)] {
        let answer = server.get(&format!("/api/v1/alerts/{path}")).await;
        assert_eq!((answer.status, &answer.json()["id"]), (200, &json!(PAGE)), "{path}");
    }
    let (status, body) = server.raw(&format!("/api/v1/alerts/{PAGE}")).await;
    assert_eq!(status, 200, "{body}");
    assert!(body.contains(r#""severity":"page""#));
}

#[tokio::test]
async fn deliveries_are_filtered_by_state_and_alert() {
    let server = Server::start().await;
    let list = server.get("/api/v1/deliveries").await.json();
    assert_eq!((keys(&list), &list["total"]), (LIST_KEYS.to_vec(), &json!(3)));
    let pending = server.get("/api/v1/deliveries?state=pending").await.json();
    assert_eq!(
        ids(&pending),
        [format!("{}@hook", r#"checkout/availability{region="eu"}/page/burn/2026-11-21T02:55:00Z/1"#)]
    );
    assert_eq!(pending["items"][0]["alert_id"], PAGE);
    assert_eq!(pending["items"][0]["next_attempt_at"], "2026-11-21T03:01:00Z");
    let of_page = server.get(&format!("/api/v1/deliveries?alert={}", encoded(PAGE))).await.json();
    assert_eq!(of_page["total"], json!(2));
}

#[tokio::test]
async fn sources_and_configuration_are_shown() {
    let server = Server::start().await;
    let list = server.get("/api/v1/sources").await.json();
    assert_eq!(keys(&list), LIST_KEYS);
    assert_eq!(
        list["items"][0],
        json!({"name": "backup", "type": "scrape", "up": false, "watermark": "2026-11-21T02:25:00Z",
               "last_success_at": "2026-11-21T02:25:01Z",
               "last_error": {"at": "2026-11-21T03:00:15Z",
                              "message": "asking `http://10.0.0.9:9100/metrics`: connection refused <b>"},
               "requests_failed": 70, "clock_skew_seconds": -3.5, "replicas_differ": true,
               "targets": 2, "targets_failed": 2})
    );
    assert_eq!(list["items"][1]["last_error"], Value::Null);
    let config = server.get("/api/v1/config").await.json();
    assert_eq!(keys(&config), ["config", "digest", "loaded_at", "reload_error", "reload_ok", "revision"]);
    assert_eq!(config["loaded_at"], "2026-11-21T01:00:00Z");
}

#[tokio::test]
async fn a_store_that_fails_is_said() {
    let server = Server::start().await;
    *server.fake.store_broken.lock().unwrap() = true;
    for path in ["/api/v1/alerts", "/api/v1/deliveries", "/api/v1/alerts/x"] {
        let answer = server.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (500, "store_failed"), "{path}");
        assert!(answer.text.contains("disk I/O error"));
    }
}

#[tokio::test]
async fn every_address_is_documented_and_every_documented_one_answers() {
    let server = Server::start().await;
    let document = server.get("/api/v1/openapi.json").await.json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let paths = document["paths"].as_object().unwrap();
    let documented: BTreeSet<&str> = paths.keys().map(String::as_str).collect();
    let routes: Vec<&str> = slo::http::router::api_routes().iter().map(|(path, _)| *path).collect();
    // What lies behind an id that holds slashes is one route; each of its ends is documented by itself.
    let holds = |route: &str, path: &str| match route.split_once("{*id}") {
        Some((begin, _)) => path.starts_with(&format!("{begin}{{id}}")),
        None => route == path,
    };
    for route in &routes {
        assert!(documented.iter().any(|path| holds(route, path)), "`{route}` is not documented");
    }
    for path in &documented {
        assert!(routes.iter().any(|route| holds(route, path)), "`{path}` is documented and not there");
    }
    for (path, methods) in paths {
        let filled = path.replace("{service}", "checkout").replace("{name}", "latency").replace("{id}", &encoded(PAGE));
        let filled = if path.ends_with("/window") { filled + "?over=1h" } else { filled };
        for (method, operation) in methods.as_object().unwrap() {
            assert!(operation["responses"]["200"].is_object(), "{method} {path}");
            assert!(operation["summary"].is_string(), "{method} {path} says what it does");
            if method == "get" {
                let answer = server.get(&filled).await;
                assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text);
            } else if method == "post" {
                // What is wanted in the body is told by the tests of each.
                let answer = server.post(&filled, &[], vec![]).await;
                let missing = answer.status == 405 || answer.text.contains("there is nothing at");
                assert!(!missing && answer.status != 500, "{method} {path}: {}", answer.text);
            }
        }
    }
}

#[tokio::test]
async fn silences_are_listed_with_what_they_cover_and_asked_for_in_two_spellings() {
    let server = Server::start().await;
    let list = server.get("/api/v1/silences").await.json();
    assert_eq!(keys(&list), LIST_KEYS);
    let states: Vec<&str> = list["items"].as_array().unwrap().iter().map(|i| i["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["active", "pending", "expired"]);
    let first = json!({
        "id": "aaaaaaaaaaaa", "state": "active", "created_by": "<b>ann</b>", "comment": "database upgrade",
        "matchers": [
            {"name": "slo_service", "value": "checkout", "is_regex": false, "is_equal": true},
            {"name": "region", "value": "eu|us", "is_regex": true, "is_equal": false},
        ],
        "starts_at": "2026-11-21T02:00:30Z", "ends_at": "2026-11-21T04:00:30Z", "firing_alerts": 2,
    });
    assert_eq!(list["items"][0], first);
    assert_eq!(
        ids(&server.get("/api/v1/silences?state=pending,expired").await.json()),
        ["bbbbbbbbbbbb", "cccccccccccc"]
    );
    assert_eq!(server.get("/api/v1/silences?state=over").await.status, 400);

    let ours = json!({
        "matchers": [{"name": "a", "value": "b"}], "ends_at": "2026-11-21T04:00:30Z", "created_by": "ann", "comment": "why",
    });
    let theirs = json!({
        "id": "", "matchers": [{"name": "a", "value": "b", "isRegex": false, "isEqual": true}], "createdBy": "ann",
        "startsAt": "2026-11-21T03:00:30Z", "endsAt": "2026-11-21T04:00:30Z", "comment": "why",
    });
    for body in [ours, theirs] {
        let answer = server.post("/api/v1/silences", &[], serde_json::to_vec(&body).unwrap()).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"id": "dddddddddddd", "silenceID": "dddddddddddd"})));
    }
    for body in ["", "{}", r#"{"matchers":[],"comment":"x","ends_at":"soon"}"#] {
        let answer = server.post("/api/v1/silences", &[], body.into()).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_body"), "{body}");
    }
    let ended = server.delete("/api/v1/silences/aaaaaaaaaaaa?by=ann").await;
    assert_eq!((ended.status, &ended.json()["id"]), (200, &json!("aaaaaaaaaaaa")));
    let unknown = server.delete("/api/v1/silences/x").await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "not_found"));

    let body = json!({"service": "checkout", "version": "v2", "at": "2026-11-21T02:50:00Z"});
    let marked = server.post("/api/v1/markers", &[], serde_json::to_vec(&body).unwrap()).await;
    assert_eq!((marked.status, marked.json()), (200, json!({"id": "m", "message": "checkout v2"})));
    let markers = server.get("/api/v1/markers?service=checkout").await.json();
    assert_eq!(markers["items"], json!([{"service": "checkout", "version": "v1", "at": "2026-11-21T02:50:00Z"}]));
    assert_eq!(server.get("/api/v1/markers?service=search").await.json()["total"], 0);
}

#[tokio::test]
async fn the_document_describes_what_is_answered() {
    let server = Server::start().await;
    let document = server.get("/api/v1/openapi.json").await.json();
    let schemas = &document["components"]["schemas"];
    for (name, answered) in [
        ("Instance", server.get("/api/v1/slos").await.json()["items"][0].clone()),
        ("Alert", server.get("/api/v1/alerts").await.json()["items"][0].clone()),
        ("Bundle", server.get(&format!("/api/v1/alerts/{}/bundle", encoded(PAGE))).await.json()),
        ("Delivery", server.get("/api/v1/deliveries").await.json()["items"][0].clone()),
        ("Silence", server.get("/api/v1/silences").await.json()["items"][0].clone()),
        ("Marker", server.get("/api/v1/markers").await.json()["items"][0].clone()),
        ("Source", server.get("/api/v1/sources").await.json()["items"][0].clone()),
        ("Config", server.get("/api/v1/config").await.json()),
        ("Window", server.get("/api/v1/slos/checkout/latency/window?over=1h").await.json()),
        ("Series", server.get("/api/v1/slos/checkout/latency/series").await.json()),
        ("ErrorBody", server.get("/api/v1/slos?x=1").await.json()),
    ] {
        assert_eq!(keys(&schemas[name]["properties"]), keys(&answered), "{name}");
    }
}
