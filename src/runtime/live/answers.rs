//! What comes back to us with a signature of its own: links in messages, and requests of receivers.

use secrecy::ExposeSecret as _;

use crate::config::meant::SinkConfig;
use crate::policy::act::Actor;
use crate::policy::alert::Alert;
use crate::runtime::hooks::{HookAck, HookError, HookKind, HookRequest};
use crate::runtime::links::LinkError;
use crate::runtime::live::Live;
use crate::runtime::service::{LinkView, Service as _};
use crate::sink::limits;
use crate::store::{AlertFilter, StoreError};

/// Alerts that are looked through: those that fire first, then the newest.
const ALERTS: usize = 100_000;

/// The alert of a link whose signature is ours.
pub(super) async fn link(live: &Live, token: &str) -> Result<LinkView, LinkError> {
    let link = live.core.links.read(token, live.core.clock.now())?;
    let alert = find(live, |alert| link.is_about(&alert.id)).await?.ok_or(LinkError::Gone)?;
    Ok(LinkView { action: link.action, expires_at: link.expires_at, alert })
}

/// Who asks for what, with the id of the alert as its key; nothing where it asks for nothing, or no such alert fires.
pub(super) async fn hook(
    live: &Live,
    sink: &str,
    request: &HookRequest,
) -> Result<Option<(Actor, HookAck)>, HookError> {
    let config = live.core.config();
    let sink = config.sinks.get(sink).ok_or(HookError::Unknown)?;
    let kind = match sink {
        SinkConfig::Pagerduty(_) => HookKind::Pagerduty,
        SinkConfig::Slack(_) => HookKind::Slack,
        _ => return Err(HookError::Unknown),
    };
    let secret = sink.hook_secret().ok_or(HookError::NoSecret)?;
    // It was there at start; a file that cannot be read just now proves nothing.
    let secret = live.launch.secrets.resolve(secret).map_err(|_| HookError::Unsigned)?;
    let ack = kind.read(secret.expose_secret().as_bytes(), request, live.core.clock.now())?;
    let Some(ack) = ack else { return Ok(None) };
    let filter = AlertFilter { state: Some("firing".to_owned()), ..AlertFilter::default() };
    let mut firing = live.alerts(&filter, ALERTS).await?;
    // PagerDuty knows a long key by a shorter one.
    let key = |alert: &Alert| limits::key(&limits::PAGERDUTY_KEY, &alert.dedup_key);
    firing.retain(|alert| alert.id == ack.key || key(alert) == ack.key);
    let Some(alert) = firing.pop() else { return Ok(None) };
    let by = Actor { name: ack.by.clone(), via: kind.name().to_owned() };
    Ok(Some((by, HookAck { key: alert.id, ..ack })))
}

async fn find(live: &Live, wanted: impl Fn(&Alert) -> bool) -> Result<Option<Alert>, StoreError> {
    for state in ["firing", "resolved"] {
        let filter = AlertFilter { state: Some(state.to_owned()), ..AlertFilter::default() };
        let found = live.core.store.alerts(&filter, ALERTS).await?.into_iter().find(|alert| wanted(alert));
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
