//! Reload of the running service: by file change, ConfigMap swap, SIGHUP and `POST /-/reload`; what a broken file does,
//! what becomes of alerts when their SLO, tier or alerting leaves, and what stays as it was.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]
#![expect(clippy::disallowed_methods, reason = "answers of our own server, on loopback, are read whole")]

mod service;
#[path = "service/shop.rs"]
mod shop;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;
use service::{Slo, eventually};
use shop::{Ports, Shop, signal, slo, slos, write_folder};

/// Changed files are taken over within this many seconds (INTERFACES 2).
const TAKEN_OVER: u64 = 5;

async fn loaded_at(shop: &Shop) -> Result<String, String> {
    let config = shop.slo.json("/api/v1/config").await?;
    Ok(config["loaded_at"].as_str().ok_or("no `loaded_at`")?.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_added_or_removed_file_is_taken_over_within_five_seconds() {
    let shop = Shop::open().await;
    shop.write("slos/more.yaml", &slos(&[slo("more", "95%")]));
    shop.has(TAKEN_OVER, &["availability", "more"]).await;
    shop.write("slos/more.yaml", &slos(&[slo("other", "95%")]));
    shop.has(TAKEN_OVER, &["availability", "other"]).await;
    fs::remove_file(shop.path("slos/more.yaml")).unwrap();
    shop.has(TAKEN_OVER, &["availability"]).await;
    assert_eq!(shop.metric("slo_reload_success").await, Ok(1.0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_swap_of_a_config_map_is_taken_over_within_five_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let ports = Ports::free();
    write_folder(folder.path(), &ports.config("slo.db"), "");
    let volume = folder.path().join("slos");
    fs::remove_file(volume.join("shop.yaml")).unwrap();
    for (version, name) in [("..2026_1", "old"), ("..2026_2", "new")] {
        fs::create_dir(volume.join(version)).unwrap();
        fs::write(volume.join(version).join("shop.yaml"), slos(&[slo(name, "90%")])).unwrap();
    }
    symlink("..2026_1", volume.join("..data")).unwrap();
    symlink("..data/shop.yaml", volume.join("shop.yaml")).unwrap();
    let mut service = Slo::new(folder.path(), ports.slo);
    service.start();
    let names = |wanted: &'static str| {
        let service = &service;
        move || async move {
            let config = service.json("/api/v1/config").await?;
            let page = service.get("/metrics/slos").await?.1.to_string();
            let found = page.contains(&format!("slo_name=\\\"{wanted}\\\""));
            if found { Ok(config["digest"].clone()) } else { Err(page) }
        }
    };
    let exporter = service::Exporter::serve(ports.exporter).await;
    let _traffic = shop::Traffic::start(exporter);
    let before = eventually("the old version", 60, names("old")).await;
    symlink("..2026_2", volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    let digest = eventually("the new version", TAKEN_OVER, || async {
        let digest = service.json("/api/v1/config").await?["digest"].clone();
        if digest == before { Err("the old digest".to_owned()) } else { Ok(digest) }
    })
    .await;
    assert_eq!(eventually("the new SLO", 30, names("new")).await, digest);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hangup_and_a_post_reload_at_once_even_without_a_change() {
    let shop = Shop::open().await;
    let first = loaded_at(&shop).await.unwrap();
    signal(&shop.slo, "HUP");
    let second = eventually("a reload by SIGHUP", TAKEN_OVER, || async {
        let now = loaded_at(&shop).await?;
        if now > first { Ok(now) } else { Err(now) }
    })
    .await;
    let (status, answer) = shop.reload().await;
    assert_eq!(status, 200, "{answer}");
    let third = loaded_at(&shop).await.unwrap();
    assert!(third > second, "{second} {third}");
    assert_eq!(answer["loaded_at"], Value::String(third));
    // The answer comes when the new set is in use, not before.
    shop.write("slos/more.yaml", &slos(&[slo("more", "95%")]));
    assert_eq!(shop.reload().await.0, 200);
    let known = shop.slo.get("/api/v1/slos/checkout/nowhere").await.unwrap();
    assert_eq!(known.0, 404);
    shop.has(TAKEN_OVER, &["availability", "more"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_file_keeps_the_old_set_and_says_so_until_it_is_mended() {
    let shop = Shop::open().await;
    let before = shop.slo.json("/api/v1/config").await.unwrap();
    shop.write("slos/more.yaml", "version: slo/v1\nservice: checkout\nslos:\n  - name: more\n    objektive: 99%\n");
    let (status, answer) = shop.reload().await;
    assert_eq!(status, 400, "{answer}");
    assert_eq!(answer["error"]["code"], "invalid_files");
    let findings = answer["error"]["detail"]["findings"].as_array().unwrap();
    let unknown = findings.iter().find(|finding| finding["message"].as_str().unwrap().contains("objektive"));
    let unknown = unknown.unwrap_or_else(|| panic!("{findings:?}"));
    assert_eq!((&unknown["line"], &unknown["severity"]), (&Value::from(5), &Value::from("error")));
    assert!(unknown["file"].as_str().unwrap().ends_with("slos/more.yaml"), "{unknown}");
    assert_eq!(shop.metric("slo_reload_success").await, Ok(0.0));
    let after = shop.slo.json("/api/v1/config").await.unwrap();
    assert_eq!((&after["digest"], &after["loaded_at"]), (&before["digest"], &before["loaded_at"]));
    assert_eq!(after["reload_ok"], false, "{after}");
    assert!(after["reload_error"].as_str().unwrap().contains("error[SLO"), "{after}");
    assert_eq!(findings[0]["severity"], "error", "errors come first: {findings:?}");
    shop.has(1, &["availability"]).await;
    // It still pages.
    let page = shop.break_until_paged().await;
    shop.write("slos/more.yaml", &slos(&[slo("more", "95%")]));
    shop.has(TAKEN_OVER, &["availability", "more"]).await;
    assert_eq!(shop.metric("slo_reload_success").await, Ok(1.0));
    shop.traffic.set_broken(false);
    shop.end_of(&page["alert_id"], 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_slo_removed_while_it_fires_ends_as_withdrawn_and_the_receiver_is_told() {
    let shop = Shop::open().await;
    let page = shop.break_until_paged().await;
    shop.write("slos/shop.yaml", &slos(&[slo("other", "99.9%")]));
    let end = shop.end_of(&page["alert_id"], 30).await;
    assert_eq!(end["ended_by"], "withdrawn", "{end}");
    assert_eq!(end["dedup_key"], page["dedup_key"]);
    let alert = alert(&shop, &page["alert_id"]).await.unwrap();
    assert_eq!((&alert["state"], &alert["ended_by"]), (&"resolved".into(), &"withdrawn".into()), "{alert}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_slo_removed_while_the_service_is_down_ends_as_withdrawn_at_the_next_start() {
    let mut shop = Shop::open().await;
    let page = shop.break_until_paged().await;
    shop.slo.kill();
    shop.write("slos/shop.yaml", &slos(&[slo("other", "99.9%")]));
    shop.start().await;
    let end = shop.end_of(&page["alert_id"], 60).await;
    assert_eq!(end["ended_by"], "withdrawn", "{end}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_slo_that_did_not_change_keeps_its_numbers_and_its_alert_over_a_reload() {
    let shop = Shop::open().await;
    let page = shop.break_until_paged().await;
    let before = shop.of("availability").await;
    shop.write("slos/more.yaml", &slos(&[slo("more", "99.99%")]));
    assert_eq!(shop.reload().await.0, 200);
    let after = shop.of("availability").await;
    for figure in ["bad", "total"] {
        let (old, new) = (before["sli"][figure].as_f64().unwrap(), after["sli"][figure].as_f64().unwrap());
        assert!(old > 0.0 && new >= old, "{figure}: {old}, {new} after the reload");
    }
    assert_eq!(after["status"], "page");
    let open = shop.slo.json("/api/v1/alerts?state=firing&slo=checkout/availability").await.unwrap();
    assert_eq!(open["items"][0]["id"], page["alert_id"], "{open}");
    shop.traffic.set_broken(false);
    shop.end_of(&page["alert_id"], 60).await;
    let own = |received: &&service::Received| received.body["slo"] == "checkout/availability";
    assert_eq!(shop.hook.all().iter().filter(own).count(), 2, "one begin and one end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_objective_applies_to_the_events_at_hand() {
    let shop = Shop::open().await;
    let page = shop.break_until_paged().await;
    let before = shop.of("availability").await;
    shop.write("slos/shop.yaml", &slos(&[slo("availability", "80%")]));
    assert_eq!(shop.reload().await.0, 200);
    let after = eventually("the new objective", TAKEN_OVER, || async {
        let now = shop.of("availability").await;
        if now["objective"] == 0.8 { Ok(now) } else { Err(now["objective"].to_string()) }
    })
    .await;
    let total = |of: &Value| of["sli"]["total"].as_f64().unwrap();
    assert!(total(&after) >= total(&before), "{before} {after}");
    let (bad, all) = (after["sli"]["bad"].as_f64().unwrap(), total(&after));
    let spent = after["budget"]["measured"]["spent_ratio"].as_f64().unwrap();
    assert!((spent - bad / (0.2 * all)).abs() < 1e-9, "{after}");
    // 50% errors are a burn of 2.5 at 80%: it still fires, as the same alert.
    shop.traffic.set_broken(false);
    shop.end_of(&page["alert_id"], 60).await;
    assert_eq!(shop.firings(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_without_the_firing_tier_withdraws_its_alert() {
    let shop = Shop::open().await;
    let page = shop.break_until_paged().await;
    let without = shop::RULES.replace("severity: page, burn: {factor: 2,", "severity: ticket, burn: {factor: 9,");
    shop.write("rules/quick.yaml", &without);
    let end = shop.end_of(&page["alert_id"], 30).await;
    assert_eq!(end["ended_by"], "withdrawn", "{end}");
    shop.traffic.set_broken(false);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerting_switched_off_while_it_fires_ends_the_alert() {
    let shop = Shop::open().await;
    let page = shop.break_until_paged().await;
    let off = slo("availability", "90%") + "    alerting: {mode: off}\n";
    shop.write("slos/shop.yaml", &slos(&[off]));
    let end = shop.end_of(&page["alert_id"], 30).await;
    assert_eq!(end["ended_by"], "withdrawn", "{end}");
    // It is still watched.
    let watched = shop.of("availability").await;
    assert!(watched["sli"]["bad"].as_f64().unwrap() > 0.0, "{watched}");
    assert_eq!(shop.firings(), 1);
}

/// An alert by its id.
async fn alert(shop: &Shop, id: &Value) -> Result<Value, String> {
    let list = shop.slo.json("/api/v1/alerts").await?;
    let found = list["items"].as_array().unwrap().iter().find(|alert| alert["id"] == *id);
    found.cloned().ok_or_else(|| list.to_string())
}

/// The SLO under another name.
fn renamed(name: &str, formerly: &str) -> String {
    slos(&[slo(name, "90%") + &format!("    formerly: [{formerly}]\n")])
}

/// Notifications that something with this key fires. After a kill one may come twice, with one id.
fn firings_of(shop: &Shop, key: &Value) -> BTreeSet<String> {
    let all = shop.hook.all();
    let firing = all.iter().filter(|one| one.body["state"] == "firing" && one.body["dedup_key"] == *key);
    firing.map(|one| one.body["id"].to_string()).collect()
}

/// After a rename: numbers, the open alert and its end are those of before; the next page has the new name.
async fn goes_on_under_another_name(shop: &Shop, name: &'static str, page: &Value, before: &Value) {
    shop.has(30, &[name]).await;
    let after = eventually("the numbers of before", 60, || async {
        let now = shop.slo.json(&format!("/api/v1/slos/checkout/{name}")).await?;
        let known = |of: &Value| of["sli"]["bad"].as_f64().unwrap_or_default();
        if known(&now) >= known(before) && now["status"] == "page" { Ok(now) } else { Err(now.to_string()) }
    })
    .await;
    assert!(after["sli"]["total"].as_f64() >= before["sli"]["total"].as_f64(), "{after}");
    let open = shop.slo.json(&format!("/api/v1/alerts?state=firing&slo=checkout/{name}")).await.unwrap();
    assert_eq!((&open["items"][0]["id"], &open["total"]), (&page["alert_id"], &1.into()), "{open}");
    shop.traffic.set_broken(false);
    let end = shop.end_of(&page["alert_id"], 60).await;
    assert_eq!((&end["dedup_key"], &end["labels"]), (&page["dedup_key"], &page["labels"]), "{end}");
    assert_eq!((&end["ended_by"], &end["slo"]), (&"known_false".into(), &format!("checkout/{name}").into()), "{end}");
    assert_eq!(firings_of(shop, &page["dedup_key"]).len(), 1, "it was told once");
    shop.traffic.set_broken(true);
    let next = shop
        .hook
        .wait_for("the next page", 60, |body| body["state"] == "firing" && body["alert_id"] != page["alert_id"])
        .await;
    assert_eq!(next["dedup_key"], format!("checkout/{name}/page/burn"), "{next}");
    assert_eq!(next["labels"]["slo_name"], name, "{next}");
    shop.traffic.set_broken(false);
    shop.end_of(&next["alert_id"], 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_slo_renamed_by_a_reload_while_it_pages_keeps_its_history_and_its_page() {
    let mut shop = Shop::open().await;
    let page = shop.break_until_paged().await;
    let before = shop.of("availability").await;
    assert_eq!((&page["owner"], &page["contact"], &before["contact"]), (&"web".into(), &"#web".into(), &"#web".into()));
    shop.write("slos/shop.yaml", &renamed("success", "checkout/availability"));
    assert_eq!(shop.reload().await.0, 200);
    goes_on_under_another_name(&shop, "success", &page, &before).await;
    shop.write("slos/shop.yaml", &renamed("answers", "checkout/success, checkout/availability"));
    assert_eq!(shop.reload().await.0, 200);
    // Killed at once: what was handed over is in the store.
    shop.slo.kill();
    shop.start().await;
    let after = shop.of("answers").await;
    assert!(after["sli"]["bad"].as_f64() >= before["sli"]["bad"].as_f64(), "{after}");
    assert_eq!(firings_of(&shop, &page["dedup_key"]).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_slo_renamed_twice_while_the_service_is_down_keeps_its_history_and_its_page() {
    let mut shop = Shop::open().await;
    let page = shop.break_until_paged().await;
    let before = shop.of("availability").await;
    for (name, formerly) in [("success", "checkout/availability"), ("answers", "checkout/success")] {
        shop.slo.kill();
        shop.write("slos/shop.yaml", &renamed(name, formerly));
        shop.start().await;
    }
    goes_on_under_another_name(&shop, "answers", &page, &before).await;
    // A start with the same files has nothing left to do.
    shop.slo.kill();
    shop.start().await;
    let after = shop.of("answers").await;
    assert!(after["sli"]["bad"].as_f64() >= before["sli"]["bad"].as_f64(), "{after}");
    assert_eq!(firings_of(&shop, &page["dedup_key"]).len(), 1);
}
