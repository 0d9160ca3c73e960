//! Which alert is meant: its id, its dedup key, or the begin of either. The same for every verb: of what the text may mean
//! the one that fires, and of alerts that follow each other under one key the newest.

use std::collections::BTreeSet;

use reqwest::StatusCode;

use crate::cli::client::{Client, Refused, decoded};
use crate::cli::table::printable;
use crate::http::dto::alert::Alert;
use crate::http::dto::list::List;

/// Most candidates that are named.
const NAMED: usize = 5;

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// This one.
    One(Box<Alert>),
    /// Several are meant, or nothing was said.
    None(String),
    /// No alert; it may be a digest, several that are told as one. Why, as the service or we say it.
    Unknown(String),
}

/// Asks for the alert that `text` means. Of those alike the one that fires goes first.
///
/// # Errors
/// Where the service does not answer.
pub async fn find(client: &Client, text: &str) -> anyhow::Result<Found> {
    let why = match client.get(&["api", "v1", "alerts", text], &[]).await {
        Ok(alert) => return Ok(Found::One(decoded(alert)?)),
        Err(error) if is_not_found(&error) => error.to_string(),
        Err(error) => return Err(error),
    };
    let all: List<Alert> = decoded(client.list(&["api", "v1", "alerts"], &[]).await?)?;
    Ok(match choose(text, all.items) {
        // It says which alerts a digest holds.
        Found::Unknown(_) if why.contains("is a digest") => Found::Unknown(printable(&why)),
        found => found,
    })
}

/// Whether the service answered that it is not there.
pub fn is_not_found(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|refused| refused.status == StatusCode::NOT_FOUND)
}

/// Of all alerts, newest first.
fn choose(text: &str, alerts: Vec<Alert>) -> Found {
    let (same_key, others): (Vec<Alert>, Vec<Alert>) = alerts.into_iter().partition(|alert| alert.dedup_key == text);
    // Alerts of one key follow each other: the newest is meant.
    if let Some(newest) = same_key.into_iter().next() {
        return Found::One(Box::new(newest));
    }
    let begins = others.into_iter().filter(|alert| !text.is_empty() && alert.id.starts_with(text));
    let (firing, past): (Vec<Alert>, Vec<Alert>) = begins.partition(|alert| alert.state == "firing");
    let mut meant = if firing.is_empty() { newest_of_each(past) } else { firing };
    match (meant.len(), meant.pop()) {
        (1, Some(only)) => Found::One(Box::new(only)),
        (_, None) => {
            let why = format!("there is no alert `{}`; `slo alerts list` lists those there are", printable(text));
            if text.is_empty() { Found::None(why) } else { Found::Unknown(why) }
        }
        (count, Some(last)) => {
            meant.push(last);
            let named: Vec<String> =
                meant.iter().take(NAMED).map(|alert| format!("  {}", printable(&alert.id))).collect();
            let text = printable(text);
            Found::None(format!("`{text}` may be any of {count} alerts; say more of the id:\n{}", named.join("\n")))
        }
    }
}

/// Of alerts of one key the newest, as where the whole key is said.
fn newest_of_each(alerts: Vec<Alert>) -> Vec<Alert> {
    let mut keys = BTreeSet::new();
    alerts.into_iter().filter(|alert| keys.insert(alert.dedup_key.clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn alert(id: &str, state: &str) -> Alert {
        let key = id.rsplitn(3, '/').last().unwrap();
        let time = "2026-11-21T02:55:00Z";
        serde_json::from_value(json!({
            "id": id, "dedup_key": key, "episode": time, "slo": "a/b", "severity": "page", "kind": "burn",
            "state": state, "frozen": false, "origin": "native", "started_at": time, "fired_at": time,
            "resolved_at": null, "ended_by": null, "reason": "", "tiers": [], "acked": null, "held_back_by": null,
            "evidence": null, "transitions": [], "deliveries": [],
        }))
        .unwrap()
    }

    fn chosen(text: &str) -> String {
        let alerts = vec![
            alert("shop/a/page/burn/2026-11-21T02:55:00Z/alert-2", "firing"),
            alert("shop/a/page/burn/2026-11-20T02:55:00Z/alert-1", "resolved"),
            alert("shop/b/page/burn/2026-11-21T02:55:00Z/alert-1", "resolved"),
            alert("shop/b/ticket/burn/2026-11-21T02:55:00Z/alert-1", "resolved"),
            alert("shop/c/page/burn/2026-11-21T02:55:00Z/alert-2", "resolved"),
            alert("shop/c/page/burn/2026-11-20T02:55:00Z/alert-1", "resolved"),
        ];
        match choose(text, alerts) {
            Found::One(alert) => alert.id,
            Found::None(why) | Found::Unknown(why) => why,
        }
    }

    #[test]
    fn a_key_means_its_newest_alert_and_a_begin_the_only_one_or_the_one_that_fires() {
        assert_eq!(chosen("shop/a/page/burn"), "shop/a/page/burn/2026-11-21T02:55:00Z/alert-2");
        assert_eq!(chosen("shop/a"), "shop/a/page/burn/2026-11-21T02:55:00Z/alert-2");
        assert_eq!(chosen("shop/c/page"), "shop/c/page/burn/2026-11-21T02:55:00Z/alert-2", "they follow each other");
        assert_eq!(chosen("shop/b/t"), "shop/b/ticket/burn/2026-11-21T02:55:00Z/alert-1");
        assert_eq!(chosen("shop/a/page/burn/2026-11-20"), "shop/a/page/burn/2026-11-20T02:55:00Z/alert-1");
        assert!(chosen("shop/b").starts_with("`shop/b` may be any of 2 alerts"), "{}", chosen("shop/b"));
        for none in ["", "nothing"] {
            assert!(chosen(none).starts_with("there is no alert"), "{none}");
        }
    }
}
