//! Alertmanager's webhook body, version 4, for receivers that are made for it: one group with the alert of a notification,
//! or with all those that are told as one. Pure.
//!
//! Labels, annotations and times are those that our Alertmanager sink posts, so that a receiver behind Alertmanager and
//! one behind this sink see the same alert; the fingerprint is made as Alertmanager makes it.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::policy::alert::AlertState;
use crate::policy::notification::{Member, Notification};
use crate::sink::alertmanager::{PostedAlert, Shape, render as posted};
use crate::units::{Length, Timestamp};

/// What Alertmanager writes for a time that there is not.
const NEVER: &str = "0001-01-01T00:00:00Z";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    version: &'static str,
    group_key: String,
    truncated_alerts: u32,
    status: &'static str,
    receiver: &'a str,
    group_labels: BTreeMap<String, String>,
    common_labels: BTreeMap<String, String>,
    common_annotations: BTreeMap<String, String>,
    #[serde(rename = "externalURL")]
    external_url: String,
    alerts: Vec<OneAlert>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OneAlert {
    status: &'static str,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    fingerprint: String,
}

/// The body. `receiver` is the sink's name, `external_url` this service's address for people.
#[must_use]
pub fn render(notification: &Notification, receiver: &str, external_url: Option<&str>) -> String {
    let shape =
        Shape { expires: Length::ZERO, severity: BTreeMap::new(), external_url: external_url.map(str::to_owned) };
    let alert = posted(notification, &shape, notification.as_of);
    let alerts: Vec<OneAlert> = if notification.members.is_empty() {
        let times = (notification.fired_at, notification.resolved_at);
        vec![one(&alert, notification.state, times)]
    } else {
        notification.members.iter().map(|member| of_member(member, &alert)).collect()
    };
    let body = Body {
        version: "4",
        // As Alertmanager's: what is grouped by, and never the same for two alerts.
        group_key: format!("{{}}:{{alert={:?}}}", notification.dedup_key),
        truncated_alerts: 0,
        status: status(notification.state),
        receiver,
        group_labels: common(&alerts, |alert| &alert.labels),
        common_labels: common(&alerts, |alert| &alert.labels),
        common_annotations: common(&alerts, |alert| &alert.annotations),
        external_url: external_url.unwrap_or_default().to_owned(),
        alerts,
    };
    // Strings and maps with text keys: there is nothing in it that JSON could refuse.
    serde_json::to_string(&body).unwrap_or_default()
}

fn one(alert: &PostedAlert, state: AlertState, (fired, ended): (Timestamp, Option<Timestamp>)) -> OneAlert {
    OneAlert {
        status: status(state),
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        starts_at: fired.to_string(),
        ends_at: ended.map_or_else(|| NEVER.to_owned(), |at| at.to_string()),
        generator_url: alert.generator_url.clone().unwrap_or_default(),
        fingerprint: fingerprint(&alert.labels),
    }
}

/// An alert among several: of its labels only what is known of it.
fn of_member(member: &Member, group: &PostedAlert) -> OneAlert {
    let words = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let severity = member.severity.name();
    let alert = PostedAlert {
        labels: words(&[
            ("alertname", member.kind.alert_name()),
            ("severity", severity),
            ("slo", &member.slo),
            ("slo_severity", severity),
        ]),
        annotations: words(&[("summary", &member.reason)]),
        ..group.clone()
    };
    one(&alert, member.state, (member.fired_at, member.resolved_at))
}

const fn status(state: AlertState) -> &'static str {
    if matches!(state, AlertState::Resolved) { "resolved" } else { "firing" }
}

/// What all of them say alike.
fn common(alerts: &[OneAlert], of: impl Fn(&OneAlert) -> &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let Some((first, others)) = alerts.split_first() else { return BTreeMap::new() };
    let alike = |(name, value): &(&String, &String)| others.iter().all(|other| of(other).get(*name) == Some(*value));
    of(first).iter().filter(alike).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// FNV-1a of 64 bits over the names and values in order, each followed by the byte 255.
fn fingerprint(labels: &BTreeMap<String, String>) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        for byte in text.bytes().chain([255]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::policy::sample::samples;

    fn body(index: usize) -> Value {
        let (_, sample) = samples().remove(index);
        serde_json::from_str(&render(&sample, "hook", Some("https://slo.example"))).unwrap()
    }

    #[test]
    fn it_has_every_key_of_version_4_and_the_times_of_a_firing_and_an_end() {
        let firing = body(0);
        let keys: Vec<&String> = firing.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "alerts",
                "commonAnnotations",
                "commonLabels",
                "externalURL",
                "groupKey",
                "groupLabels",
                "receiver",
                "status",
                "truncatedAlerts",
                "version"
            ]
        );
        assert_eq!(
            (&firing["version"], &firing["status"], &firing["receiver"]),
            (&"4".into(), &"firing".into(), &"hook".into())
        );
        let alert = &firing["alerts"][0];
        assert_eq!(alert["endsAt"], "0001-01-01T00:00:00Z");
        assert_eq!((&alert["labels"]["severity"], &alert["labels"]["region"]), (&"page".into(), &"eu".into()));
        assert!(alert["generatorURL"].as_str().unwrap().starts_with("https://slo.example/slo/checkout/availability"));
        let ended = body(1);
        assert_eq!(
            (&ended["status"], &ended["alerts"][0]["endsAt"]),
            (&"resolved".into(), &"2026-11-21T03:39:00Z".into())
        );
        assert_eq!(ended["alerts"][0]["fingerprint"], alert["fingerprint"]);
    }

    #[test]
    fn several_alerts_are_a_group() {
        let group = body(2);
        assert_eq!(group["alerts"].as_array().unwrap().len(), 2);
        assert_eq!(group["commonLabels"]["alertname"], "SLOBurn");
        assert_eq!(group["commonLabels"].get("slo"), None);
        assert_ne!(group["alerts"][0]["fingerprint"], group["alerts"][1]["fingerprint"]);
    }

    #[test]
    fn a_fingerprint_is_that_of_the_library_of_prometheus() {
        // A vector of the tests of prometheus/common (`LabelsToSignature`).
        let labels = [("name", "garland, briggs"), ("fear", "love is not enough")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(fingerprint(&BTreeMap::from(labels)), format!("{:016x}", 5_799_056_148_416_392_346_u64));
    }
}
