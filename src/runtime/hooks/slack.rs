//! Slack's interactivity: a form with one field `payload`, signed with its time, and not older than five minutes, so that
//! nobody sends again what was seen once. A button of ours has the action `ack` and the alert's id as its value.

use serde::Deserialize;

use crate::runtime::hooks::{HookAck, HookError, HookRequest, is_signed};
use crate::units::{Length, Timestamp};

/// In front of the signature, and of what is signed.
const VERSION: &str = "v0";
/// How far the time of a request may be from ours: what Slack asks receivers to hold.
const WINDOW: Length = Length::from_minutes(5);
/// The field that holds the payload.
const FIELD: &str = "payload=";
/// The action of our button.
const ACK: &str = "ack";

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    user: User,
    #[serde(default)]
    actions: Vec<Action>,
}

#[derive(Default, Deserialize)]
struct User {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    name: Option<String>,
}

#[derive(Deserialize)]
struct Action {
    #[serde(default)]
    action_id: String,
    #[serde(default)]
    value: Option<String>,
}

/// What a request asks for; nothing where it is no button of ours.
///
/// # Errors
/// As [`super::HookKind::read`].
pub fn read(secret: &[u8], request: &HookRequest, now: Timestamp) -> Result<Option<HookAck>, HookError> {
    prove(secret, request, now)?;
    let unreadable = |problem: &str| HookError::Unreadable(problem.to_owned());
    let form = std::str::from_utf8(&request.body).map_err(|_| unreadable("it is no form"))?;
    let field = form.split('&').find_map(|pair| pair.strip_prefix(FIELD));
    let payload = field.and_then(decoded).ok_or_else(|| unreadable("it has no `payload`"))?;
    let payload: Payload = serde_json::from_str(&payload).map_err(|error| unreadable(&error.to_string()))?;
    let button = payload.actions.into_iter().find(|action| action.action_id == ACK);
    let Some(key) = button.and_then(|button| button.value) else { return Ok(None) };
    let User { id, username, name } = payload.user;
    let by = username.or(name).or(id).unwrap_or_else(|| "somebody in Slack".to_owned());
    Ok(Some(HookAck { key, by, note: None, taken_back: false }))
}

fn prove(secret: &[u8], request: &HookRequest, now: Timestamp) -> Result<(), HookError> {
    let timestamp = request.timestamp.as_deref().ok_or(HookError::Unsigned)?;
    let seconds: i64 = timestamp.parse().map_err(|_| HookError::Unsigned)?;
    let apart = seconds.abs_diff(now.millis().div_euclid(1_000));
    let hex = request.signature.as_deref().and_then(|signature| signature.strip_prefix(VERSION)?.strip_prefix('='));
    let parts = [VERSION.as_bytes(), b":", timestamp.as_bytes(), b":", &request.body];
    let signed = hex.is_some_and(|hex| is_signed(secret, &parts, hex));
    let in_time = i64::try_from(apart).is_ok_and(|apart| apart <= WINDOW.count_of(Length::from_seconds(1)));
    if signed && in_time { Ok(()) } else { Err(HookError::Unsigned) }
}

/// A field of a form as text.
fn decoded(field: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                digit()? * 16 + digit()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::hooks::tests::hex;

    const NOW: i64 = 1_795_230_000;

    fn request(payload: &str, at: i64) -> HookRequest {
        let encoded = payload.bytes().fold(String::new(), |all, byte| format!("{all}%{byte:02X}"));
        let body = format!("payload={encoded}").into_bytes();
        let signature = hex(b"secret", &[format!("v0:{at}:").as_bytes(), &body]);
        HookRequest { signature: Some(format!("v0={signature}")), timestamp: Some(at.to_string()), body }
    }

    fn taken(request: &HookRequest) -> Result<Option<HookAck>, HookError> {
        read(b"secret", request, Timestamp::from_seconds(NOW))
    }

    const CLICK: &str = r#"{"type":"block_actions","user":{"id":"U1","username":"anna"},
        "actions":[{"action_id":"ack","value":"shop/a{zone=\"é +\"}/page"}]}"#;

    #[test]
    fn a_click_names_who_and_what() {
        let ack = taken(&request(CLICK, NOW - 299)).unwrap().unwrap();
        assert_eq!(
            ack,
            HookAck { key: "shop/a{zone=\"é +\"}/page".into(), by: "anna".into(), note: None, taken_back: false }
        );
        let other = request(&CLICK.replace("\"ack\"", "\"why\""), NOW);
        assert_eq!(taken(&other), Ok(None));
    }

    #[test]
    fn what_is_old_or_not_signed_is_not_looked_at() {
        for at in [NOW - 301, NOW + 301] {
            assert_eq!(taken(&request(CLICK, at)), Err(HookError::Unsigned), "{at}");
        }
        let right = request(CLICK, NOW);
        assert!(taken(&right).is_ok());
        for wrong in [
            HookRequest { timestamp: Some((NOW + 1).to_string()), ..right.clone() },
            HookRequest { timestamp: None, ..right.clone() },
            HookRequest { signature: None, ..right.clone() },
            HookRequest { signature: Some(right.signature.clone().unwrap().replace("v0=", "v1=")), ..right.clone() },
            HookRequest { body: b"payload={}".to_vec(), ..right },
        ] {
            assert_eq!(taken(&wrong), Err(HookError::Unsigned), "{wrong:?}");
        }
    }
}
