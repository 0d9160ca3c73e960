//! The pages for people: well-formed, escaped, without scripts, and with what matters on them.

use crate::fake::{Fake, NASTY};
use crate::server::{Server, encoded};

fn nasty_page() -> String {
    let value = NASTY.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("/slo/shop/markup?group={}", encoded(&format!("path=\"{value}\",window=\"w\"")))
}

fn eu_page() -> String {
    format!("/slo/checkout/availability?group={}", encoded(r#"region="eu""#))
}

/// Elements that have no end.
const VOID: [&str; 4] = ["meta", "link", "input", "br"];

/// Fails where elements do not nest, an attribute stands twice or is not quoted, or `<` or `"` stand bare.
fn well_formed(html: &str) {
    let mut open: Vec<String> = Vec::new();
    let mut rest = html.strip_prefix("<!DOCTYPE html>").expect("a document type");
    while let Some((text, after)) = rest.split_once('<') {
        assert!(!text.contains('>'), "a bare > in {text:?}");
        let end = tag_end(after);
        let (tag, after) = (&after[..end], &after[end + 1..]);
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed before it was opened");
        } else {
            let name = tag.split_whitespace().next().unwrap().to_owned();
            attributes(&tag[name.len()..]);
            if !VOID.contains(&name.as_str()) {
                open.push(name);
            }
        }
        rest = after;
    }
    assert!(open.is_empty(), "left open: {open:?}");
}

/// Where a tag ends: the first `>` outside of quotes.
fn tag_end(text: &str) -> usize {
    let mut quoted = false;
    for (index, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '>' if !quoted => return index,
            '<' => assert!(quoted, "a bare < in {text:?}"),
            _ => {}
        }
    }
    panic!("a tag without an end");
}

fn attributes(mut text: &str) {
    let mut seen = Vec::new();
    loop {
        text = text.trim_start();
        if text.is_empty() {
            return;
        }
        let name_end = text.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(text.len());
        let name = &text[..name_end];
        assert!(!seen.contains(&name), "`{name}` stands twice");
        assert!(!name.starts_with("on"), "a script in `{name}`");
        seen.push(name);
        text = &text[name_end..];
        if let Some(value) = text.strip_prefix("=\"") {
            text = value.split_once('"').expect("an attribute that ends").1;
        }
    }
}

#[tokio::test]
async fn every_page_is_well_formed_and_runs_no_script() {
    let server = Server::start().await;
    let pages = [
        "/".to_owned(),
        "/?refresh=0&q=checkout&owner=payments&status=ok,page&sort=burn".to_owned(),
        "/?q=nothing".to_owned(),
        eu_page(),
        nasty_page(),
        "/slo/checkout/availability".to_owned(),
        "/slo/catalog/items".to_owned(),
        "/slo/payments/settlement".to_owned(),
        "/slo/search/availability".to_owned(),
        "/alerts".to_owned(),
        "/alerts?state=firing".to_owned(),
        "/silences".to_owned(),
        "/silences?state=expired".to_owned(),
        "/health".to_owned(),
    ];
    for path in pages {
        let page = server.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        assert_eq!(page.headers["content-type"], "text/html; charset=utf-8", "{path}");
        assert!(page.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        assert_eq!(page.headers["x-content-type-options"], "nosniff");
        well_formed(&page.text);
        assert!(!page.text.contains("<script") && !page.text.contains("style=\""), "{path}");
        assert!(page.text.contains("<html lang=\"en\">") && page.text.contains("viewport"), "{path}");
    }
}

#[tokio::test]
async fn texts_of_users_stay_texts() {
    let server = Server::start().await;
    for path in [nasty_page(), "/?q=%3Cscript%3Ealert(9)%3C%2Fscript%3E%22".to_owned(), "/health".to_owned()] {
        let page = server.get(&path).await.text;
        for bad in ["<script", "<img", "</p><b>", "<i>", "refused <b>", "href=\"javascript:"] {
            assert!(!page.contains(bad), "{path}: {bad}");
        }
    }
    let page = server.get(&nasty_page()).await.text;
    assert!(page.contains("&lt;script&gt;alert"), "{page}");
    assert!(page.contains("javascript:alert(3)"), "shown as text");
    assert!(page.contains("href=\"https://x.example/?a=1&amp;b=&quot;2&quot;\""));
}

#[tokio::test]
async fn the_overview_says_what_fires_and_lists_worst_first() {
    let server = Server::start().await;
    let page = server.get("/").await.text;
    assert!(page.contains("4 alerts firing") && page.contains("pages above 14.4"));
    assert!(page.contains("No data from backup"));
    let first_row = page.split("class=\"row ").nth(1).unwrap();
    assert!(first_row.starts_with("page\""), "{first_row}");
    for words in ["Page", "99.9%", "99.871%", "-29%", "31.2", "region=eu", "payments"] {
        assert!(first_row.contains(words), "{words}");
    }
    assert_eq!(page.matches("class=\"row ").count(), 100, "one part");
    assert!(page.contains("100 of 200 shown"));
    assert!(page.contains("<meta http-equiv=\"refresh\" content=\"15\">"));
    assert!(!server.get("/?refresh=0").await.text.contains("http-equiv=\"refresh\""));
    let next = page.split("class=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let second = server.get(&format!("/{next}")).await.text;
    assert_eq!(second.matches("class=\"row ").count(), 100);
    assert!(second.contains("From the beginning") && !second.contains("class=\"next\""));
}

#[tokio::test]
async fn what_is_weighted_by_time_speaks_of_time_and_what_counts_nothing_says_why() {
    let server = Server::start().await;
    let page = server.get("/slo/fleet/service-030").await.text;
    for words in ["of the time; ", "readings bad", "43 min of bad time left", "by time", "Share of bad time"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!page.contains("95% interval") && !page.contains("bad events left"));
    let view = server.get("/api/v1/slos/fleet/service-030").await.json();
    assert!(view["mode"] == "gauge" && view["sli"]["low"].is_null() && view["sli"]["high"].is_null(), "{view}");
    let page = server.get("/slo/fleet/service-031").await.text;
    assert!(page.contains("`reqests_total` selects no series") && page.contains("nothing to count"), "{page}");
    let view = server.get("/api/v1/slos/fleet/service-031").await.json();
    assert_eq!(view["problem"], "`reqests_total` selects no series");
}

#[tokio::test]
async fn a_calm_day_says_so() {
    let server = Server::start().await;
    assert!(!server.get("/").await.text.contains("Nothing is firing"));
    let none = server.get("/?q=nothing-of-the-kind").await.text;
    assert!(none.contains("No SLO is shown here") && none.contains("slo check"));
}

#[tokio::test]
async fn an_slo_shows_its_tiers_plots_and_alerts() {
    let server = Server::start().await;
    let page = server.get(&eu_page()).await.text;
    for words in [
        "burn over <b>14.4</b>",
        "1.4% bad",
        "450 of 14,400 bad",
        "Burning",
        "Rising",
        "2,901 bad events too many of 10,002 allowed</span><br><span class=\"quiet\">",
        "95% interval 99.869% to 99.873%",
        "<title>Budget left over the window</title>",
        "class=\"fired page\"",
        "href=\"https://wiki.example/checkout\"",
        "region=us",
        "503: come back later",
        "held back",
        "href=\"/api/v1/slos/checkout/availability?group=region%3D%22eu%22\"",
    ] {
        assert!(page.contains(words), "{words}");
    }
    let frozen = server.get("/slo/checkout/latency").await.text;
    assert!(frozen.contains("frozen") && frozen.contains("no data since 02:31"));
    let starting = server.get("/slo/payments/settlement").await.text;
    assert!(starting.contains("History is being read: 30%"));
}

#[tokio::test]
async fn a_grouped_slo_without_a_group_lets_people_choose() {
    let server = Server::start().await;
    let page = server.get("/slo/checkout/availability").await.text;
    assert!(page.contains("This SLO has 2 groups") && page.contains("?group=region%3D%22us%22"));
}

#[tokio::test]
async fn what_is_not_there_is_a_page_too() {
    let server = Server::start().await;
    let page = server.get("/slo/checkout/nothing").await;
    assert_eq!(page.status, 404);
    well_formed(&page.text);
    assert!(page.text.contains("SLO `checkout/nothing` is not loaded"));
    assert_eq!(server.get("/?status=bad").await.status, 400);
    *server.fake.store_broken.lock().unwrap() = true;
    let page = server.get("/").await;
    assert_eq!(page.status, 500);
    assert!(page.text.contains("disk I/O error"));
}

#[tokio::test]
async fn behind_a_prefix_every_address_carries_it() {
    let mut fake = Fake::default();
    fake.external_url = "https://ops.example/slo/".into();
    let server = Server::of(fake, "127.0.0.1:0").await;
    for path in ["/".to_owned(), eu_page(), "/alerts".to_owned(), "/health".to_owned()] {
        let page = server.get(&path).await.text;
        for address in page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let fine = ["/slo/", "?", "#", "https://", "data:"].iter().any(|start| address.starts_with(start));
            assert!(fine, "{path}: {address}");
        }
        assert!(page.contains("href=\"/slo/assets/style.css\""));
        assert!(page.contains("href=\"/slo/slo/checkout/") || path == "/health", "{path}");
    }
}

#[tokio::test]
async fn the_style_sheet_is_there_in_light_and_dark() {
    let server = Server::start().await;
    let style = server.get("/assets/style.css").await;
    assert_eq!((style.status, style.headers["content-type"].to_str().unwrap()), (200, "text/css; charset=utf-8"));
    assert!(style.text.contains("prefers-color-scheme: dark"));
}

#[tokio::test]
async fn the_page_of_silences_says_who_silenced_what_until_when_and_what_it_covers() {
    let server = Server::start().await;
    let page = server.get("/silences").await.text;
    for words in [
        "Active</span>",
        "slo_service=&quot;checkout&quot;",
        "region!~&quot;eu|us&quot;",
        "database upgrade",
        "&lt;b&gt;ann&lt;/b&gt;, since 21 Nov 02:00 until 21 Nov 04:00, 60 min left",
        "Covers 2 alerts that fire now",
        "from 21 Nov 22:00 until 22 Nov 00:00, begins in 18 h",
        "Would cover nothing that fires now",
        "from 20 Nov 10:00 until 20 Nov 11:00, over 16 h ago",
        "aria-current=\"page\">Silences</a>",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let expired = server.get("/silences?state=expired").await.text;
    assert!(expired.contains("cccccccccccc") && !expired.contains("aaaaaaaaaaaa"));
    assert_eq!(server.get("/silences?state=over").await.status, 400);
}
