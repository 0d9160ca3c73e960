//! What people do to the fake service: acts are kept, cases are as written, links and hooks have keys that tests know.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use slo::policy::act::{Act, Acted, Actor};
use slo::policy::alert::{Alert, AlertState};
use slo::policy::desk::found::{DigestFound, DigestMember};
use slo::runtime::hooks::{HookAck, HookError, HookKind, HookRequest};
use slo::runtime::links::{LinkError, LinkKey};
use slo::runtime::service::{ActError, LinkAbout, LinkView};
use slo::spec::policy::AlertSeverity;
use slo::store::{Record, RecordKind};
use slo::units::Timestamp;
use tokio::sync::Notify;

/// Secret of the sink `oncall`, a PagerDuty.
pub const HOOK_SECRET: &[u8] = b"hook secret";

/// The id of a group's message, which is that of no alert.
pub const DIGEST: &str = r#"group{service="checkout"}/page/digest/2026-11-21T02:55:00Z/alert-1"#;

/// A group of two alerts that fire.
pub fn digest() -> DigestFound {
    let member = |alert_id: &str| DigestMember {
        alert_id: alert_id.to_owned(),
        slo: "checkout/<b>".to_owned(),
        reason: "it fails".to_owned(),
        fires: true,
        acked: None,
    };
    let members = vec![member(crate::fake::PAGE), member("checkout/other/page/burn/2026-11-21T02:56:00Z/alert-1")];
    DigestFound {
        alert_id: DIGEST.to_owned(),
        severity: AlertSeverity::Page,
        began_at: "2026-11-21T02:55:00Z".parse().unwrap(),
        ended_at: None,
        members,
    }
}

/// Acts that were done, and cases by alert.
#[derive(Default)]
pub struct FakePeople {
    pub acts: Mutex<Vec<(Act, Actor)>>,
    pub cases: Mutex<BTreeMap<String, String>>,
    /// Told when an act has begun, and waited for before it ends.
    pub slow: Mutex<Option<(Arc<Notify>, Arc<Notify>)>>,
}

/// The key of links.
pub fn key() -> LinkKey {
    LinkKey::new([7; 32])
}

impl FakePeople {
    /// Whether an act can be done, by the states of the alerts.
    pub fn judged(alerts: &[Alert], act: &Act) -> Result<Acted, ActError> {
        let id = match act {
            Act::Ack { alert, .. } | Act::Close { alert, .. } | Act::Judge { alert, .. } => alert.clone(),
            Act::Drill { .. } => crate::fake::PAGE.to_owned(),
            Act::Resend { delivery } if delivery.ends_with("@mail") => {
                return Ok(Acted { id: delivery.clone(), message: "it is sent again".into(), ..Acted::default() });
            }
            Act::Silence(_) => return Ok(Acted { id: "s1".into(), message: "silenced".into(), ..Acted::default() }),
            _ => return Err(ActError::NotFound(format!("{act:?}"))),
        };
        if id == DIGEST && matches!(act, Act::Ack { .. }) {
            return Ok(Acted { id, message: "done".into(), ..Acted::default() });
        }
        let alert = alerts.iter().find(|alert| alert.id == id);
        match alert.ok_or_else(|| ActError::NotFound(format!("there is no alert `{id}`")))?.state {
            AlertState::Firing => Ok(Acted { id, message: "done".into(), ..Acted::default() }),
            AlertState::Resolved if matches!(act, Act::Judge { .. }) => {
                Ok(Acted { id, message: "judged".into(), ..Acted::default() })
            }
            _ => Err(ActError::Conflict("the alert has ended, or waits".into())),
        }
    }

    /// What was done, as the audit has it.
    pub fn audit(kind: RecordKind) -> Vec<Record> {
        let text = |actor: &str, via: &str| {
            format!(
                r#"{{"version":1,"at":"2026-11-21T02:57:16Z","actor":"{actor}","via":"{via}","action":"ack","object":"x/<b>","detail":"on it"}}"#
            )
        };
        let record = |id: &str, text| Record { kind, id: id.into(), at: Timestamp::from_seconds(0), text: Some(text) };
        if kind != RecordKind::Audit {
            return Vec::new();
        }
        vec![record("2", text("link", "link")), record("1", text("kim", "cli"))]
    }

    pub fn record(&self, kind: RecordKind, id: &str) -> Option<Record> {
        let text = self.cases.lock().unwrap().get(id).cloned();
        let at = Timestamp::from_seconds(0);
        text.filter(|_| kind == RecordKind::Case).map(|text| Record { kind, id: id.into(), at, text: Some(text) })
    }

    pub fn link(alerts: &[Alert], token: &str, now: Timestamp) -> Result<LinkView, LinkError> {
        let link = key().read_token(token, now)?;
        let alert = alerts.iter().find(|alert| link.is_about(&alert.id)).cloned();
        let labels = BTreeMap::from([("slo_name".to_owned(), "availability".to_owned())]);
        let about = match alert {
            Some(alert) => LinkAbout::Alert(Box::new(alert), Some(labels)),
            None if link.is_about(DIGEST) => LinkAbout::Digest(digest()),
            None => return Err(LinkError::Gone),
        };
        Ok(LinkView { action: link.action, expires_at: link.expires_at, about })
    }

    pub fn hook(sink: &str, request: &HookRequest, now: Timestamp) -> Result<Option<(Actor, HookAck)>, HookError> {
        match sink {
            "oncall" => {
                let ack = HookKind::Pagerduty.read(HOOK_SECRET, request, now)?;
                Ok(ack.map(|ack| (Actor { name: ack.by.clone(), via: "pagerduty".into() }, ack)))
            }
            "silent" => Err(HookError::NoSecret),
            _ => Err(HookError::Unknown),
        }
    }

    /// What was done, and empties it.
    pub fn take(&self) -> Vec<(Act, Actor)> {
        std::mem::take(&mut self.acts.lock().unwrap())
    }
}
