//! What comes back to us with a signature of its own: links in messages, and requests of receivers.

use secrecy::ExposeSecret as _;

use crate::config::meant::SinkConfig;
use crate::policy::act::Actor;
use crate::policy::alert::Alert;
use crate::runtime::hooks::{HookAck, HookError, HookKind, HookRequest};
use crate::runtime::links::LinkError;
use crate::runtime::live::Live;
use crate::runtime::service::{LinkAbout, LinkView};
use crate::sink::limits;
use crate::store::{AlertFilter, StoreError};
use crate::units::Timestamp;

/// Alerts that are looked through: those that fire first, then the newest.
const ALERTS: usize = 100_000;

/// What a link is about whose signature is ours.
pub(super) async fn link(live: &Live, token: &str) -> Result<LinkView, LinkError> {
    let link = live.core.links.read(token, live.core.clock.now())?;
    let about = if let Some(alert) = find(live, |alert| link.is_about(&alert.id)).await? {
        let labels = live.core.labels_told(&alert.id).await;
        LinkAbout::Alert(Box::new(alert), labels)
    } else {
        let digest = live.core.digest_of(None, |_, id| link.is_about(id)).await;
        LinkAbout::Digest(digest.ok_or(LinkError::Gone)?)
    };
    Ok(LinkView { action: link.action, expires_at: link.expires_at, about })
}

/// Who asks for what, with the id of the alert or digest as its key; nothing where it asks for nothing, or no such
/// one fires.
pub(super) async fn hook(
    live: &Live,
    name: &str,
    request: &HookRequest,
) -> Result<Option<(Actor, HookAck)>, HookError> {
    let config = live.core.config();
    let sink = config.sinks.get(name).ok_or(HookError::Unknown)?;
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
    let mut firing = live.core.store.alerts(&filter, ALERTS).await?;
    // PagerDuty knows a long key by a shorter one.
    let is_meant = |key: &str, id: &str| id == ack.key || limits::key(&limits::PAGERDUTY_KEY, key) == ack.key;
    let may_be = |began: Option<Timestamp>| began.is_none_or(|began| ack.can_be_about(began));
    firing.retain(|alert| is_meant(&alert.dedup_key, &alert.id) && may_be(alert.fired_at));
    let meant = if let Some(alert) = firing.pop() {
        Some(alert.id)
    } else {
        // Told in a group or a storm, whose messages have a key of their own.
        let found = live.core.digest_of(Some(name), is_meant).await;
        found.filter(|found| found.fires() && may_be(Some(found.began_at))).map(|found| found.alert_id)
    };
    let by = Actor { name: ack.by.clone(), via: kind.name().to_owned() };
    Ok(meant.map(|key| (by, HookAck { key, ..ack })))
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
