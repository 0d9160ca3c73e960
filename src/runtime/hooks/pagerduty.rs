//! PagerDuty's webhooks, version 3: one event a request, signed over the raw body, several signatures while a secret is
//! being changed. Our key comes back as `incident_key`.

use serde::Deserialize;

use crate::runtime::hooks::{HookAck, HookError, HookRequest, is_signed};

/// In front of every signature of the only version there is.
const VERSION: &str = "v1=";

#[derive(Deserialize)]
struct Payload {
    event: Event,
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "event_type")]
    kind: String,
    #[serde(default)]
    occurred_at: Option<String>,
    #[serde(default)]
    agent: Option<Reference>,
    #[serde(default)]
    data: Incident,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(default)]
    summary: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

#[derive(Default, Deserialize)]
struct Incident {
    #[serde(default)]
    incident_key: Option<String>,
}

/// What an event asks for; nothing where it is none that we follow, or was made by us: an integration acts for no person.
///
/// # Errors
/// As [`super::HookKind::read`].
pub fn read(secret: &[u8], request: &HookRequest) -> Result<Option<HookAck>, HookError> {
    let signatures = request.signature.as_deref().unwrap_or_default().split(',');
    let mut ours = signatures.filter_map(|signature| signature.trim().strip_prefix(VERSION));
    if !ours.any(|hex| is_signed(secret, &[&request.body], hex)) {
        return Err(HookError::Unsigned);
    }
    let payload: Payload =
        serde_json::from_slice(&request.body).map_err(|error| HookError::Unreadable(error.to_string()))?;
    let event = payload.event;
    let taken_back = event.kind == "incident.unacknowledged";
    let note = match event.kind.as_str() {
        "incident.acknowledged" => None,
        // By a person, or by the time that PagerDuty gives them: it calls people again, and so do we.
        "incident.unacknowledged" => Some("no longer acknowledged in PagerDuty".to_owned()),
        "incident.resolved" => Some("resolved in PagerDuty, while the data says that it fires".to_owned()),
        _ => return Ok(None),
    };
    let is_person = |agent: &Reference| agent.kind.as_deref().is_some_and(|kind| kind.starts_with("user"));
    let agent = event.agent.filter(is_person);
    if agent.is_none() && !taken_back {
        return Ok(None);
    }
    let Some(key) = event.data.incident_key else { return Ok(None) };
    let nobody = if taken_back { "PagerDuty" } else { "somebody in PagerDuty" };
    let by = agent.and_then(|agent| agent.summary).unwrap_or_else(|| nobody.to_owned());
    let at = event.occurred_at.and_then(|at| at.parse().ok());
    Ok(Some(HookAck { key, by, note, taken_back, at }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::hooks::tests::hex;
    use crate::units::{Length, Timestamp};

    fn body(event_type: &str, agent: &str) -> Vec<u8> {
        // The shape that PagerDuty documents, with what we read in it.
        format!(
            r#"{{"event": {{"id": "5ac64822", "event_type": "{event_type}", "resource_type": "incident",
            "occurred_at": "2026-11-21T03:01:22.169Z", "agent": {agent}, "client": {{"name": "PagerDuty"}},
            "data": {{"id": "PGR0VU2", "type": "incident", "number": 2, "status": "acknowledged",
            "incident_key": "checkout/availability/page/burn", "title": "a title", "urgency": "high"}}}}}}"#
        )
        .into_bytes()
    }

    const PERSON: &str = r#"{"id": "PLH1HKV", "summary": "Anna", "type": "user_reference"}"#;

    fn signed(body: Vec<u8>, secret: &[u8]) -> HookRequest {
        let signature = Some(format!("v1={},v1={}", "0".repeat(64), hex(secret, &[&body])));
        HookRequest { signature, timestamp: None, body }
    }

    #[test]
    fn an_acknowledgement_names_who_and_what() {
        let ack = read(b"secret", &signed(body("incident.acknowledged", PERSON), b"secret")).unwrap().unwrap();
        let key = "checkout/availability/page/burn".to_owned();
        let (minutes, at): (_, Timestamp) = (Length::from_minutes(5), "2026-11-21T03:01:22.169Z".parse().unwrap());
        assert_eq!(ack, HookAck { key, by: "Anna".to_owned(), note: None, taken_back: false, at: Some(at) });
        assert!(ack.can_be_about(at + minutes), "clocks differ");
        assert!(!ack.can_be_about(at + minutes + Length::from_millis(1)), "what began later is another one");
        let resolved = read(b"secret", &signed(body("incident.resolved", PERSON), b"secret")).unwrap().unwrap();
        assert!(resolved.note.unwrap().starts_with("resolved in PagerDuty"));
    }

    #[test]
    fn what_ran_out_there_is_taken_back_by_whomever() {
        for (agent, by) in [(PERSON, "Anna"), ("null", "PagerDuty"), (r#"{"type": "service_reference"}"#, "PagerDuty")]
        {
            let back = read(b"secret", &signed(body("incident.unacknowledged", agent), b"secret")).unwrap().unwrap();
            assert_eq!((back.by.as_str(), back.taken_back), (by, true));
        }
    }

    #[test]
    fn what_is_not_signed_is_not_looked_at() {
        let right = signed(body("incident.acknowledged", PERSON), b"secret");
        assert_eq!(read(b"other", &right), Err(HookError::Unsigned));
        assert_eq!(read(b"secret", &HookRequest { signature: None, ..right.clone() }), Err(HookError::Unsigned));
        let mut changed = right.clone();
        changed.body.push(b' ');
        assert_eq!(read(b"secret", &changed), Err(HookError::Unsigned));
        let bare = right.signature.unwrap().replace("v1=", "v2=");
        assert_eq!(read(b"secret", &HookRequest { signature: Some(bare), ..changed }), Err(HookError::Unsigned));
    }

    #[test]
    fn other_events_and_what_no_person_did_ask_for_nothing() {
        for (event, agent) in [
            ("incident.triggered", PERSON),
            ("incident.delegated", PERSON),
            ("incident.resolved", r#"{"summary": "slo", "type": "service_reference"}"#),
            ("incident.acknowledged", "null"),
        ] {
            assert_eq!(read(b"s", &signed(body(event, agent), b"s")), Ok(None), "{event} {agent}");
        }
        assert!(matches!(read(b"s", &signed(b"{}".to_vec(), b"s")), Err(HookError::Unreadable(_))));
    }
}
