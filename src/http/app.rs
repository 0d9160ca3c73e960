//! What every handler is given: the service, the telemetry, and who reaches us.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;

use crate::http::error::ApiError;
use crate::policy::act::{Act, Acted, Actor};
use crate::runtime::service::{ActError, Service};
use crate::telemetry::Telemetry;
use crate::units::{InstanceId, Labels, SloId, Timestamp, is_name};

/// How many groups an error names: enough to see how they are written, not so many that nobody reads them.
const GROUPS_NAMED: usize = 20;

/// State of the router; cheap to clone.
#[derive(Clone)]
pub struct App {
    /// What is shown.
    pub service: Arc<dyn Service>,
    /// Log of requests.
    pub telemetry: Telemetry,
    /// Who reaches us.
    pub reach: Reach,
}

/// Who reaches the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This process alone: nobody is asked for a token.
    Here,
    /// People and programs on this machine.
    Loopback,
    /// Others too.
    Network,
}

impl App {
    /// Does what a person asks for, to its end: also where whoever asked has gone, or an answer takes too long. Half of an
    /// act, or of a reload, is worse than either end of it.
    pub async fn act(&self, act: Act, by: &Actor) -> Result<Acted, ActError> {
        let (service, by) = (Arc::clone(&self.service), by.clone());
        let done = tokio::spawn(async move { service.act(act, &by).await });
        match done.await {
            Ok(done) => done,
            // A panic goes on where it would have gone without the task: the guard answers for it.
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(ActError::Conflict("the service is being stopped".to_owned())),
        }
    }

    /// Runs something that takes a while for very many instances away from the threads that serve connections.
    pub async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Service) -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let service = Arc::clone(&self.service);
        tokio::task::spawn_blocking(move || work(&*service)).await.map_err(|_| {
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the answer could not be worked out")
        })
    }

    /// The newest slice end that any source has reached; the clock where none has.
    pub fn as_of(&self) -> Timestamp {
        let newest = self.service.sources().iter().filter_map(|source| source.watermark).max();
        newest.unwrap_or_else(|| self.service.now())
    }

    /// Path that stands before every path of ours when seen from outside, without a slash at its end: that of
    /// `external_url`.
    pub fn prefix(&self) -> String {
        let url = self.service.external_url();
        let after_scheme = url.split_once("://").map_or("", |(_, rest)| rest);
        let path = after_scheme.split_once('/').map_or("", |(_, path)| path).trim_matches('/');
        if path.is_empty() { String::new() } else { format!("/{path}") }
    }

    /// The instance that a path and the parameter `group` name.
    pub fn resolve(&self, service: &str, name: &str, group: Option<&str>) -> Result<InstanceId, ApiError> {
        let slo = SloId::new(service, name);
        let known = if is_name(service) && is_name(name) { self.service.groups(&slo) } else { None };
        let groups = known.ok_or_else(|| unknown_slo(&slo))?;
        let wanted: Labels = match group {
            None if groups.iter().all(Labels::is_empty) && !groups.is_empty() => Labels::new(),
            None => return Err(group_required(&slo, &groups)),
            Some(text) => text.parse().map_err(|error| {
                ApiError::bad_request("bad_parameter", format!("`group`: {error}"))
                    .with_detail(json!({"parameter": "group", "groups": named(&groups)}))
            })?,
        };
        if groups.contains(&wanted) {
            return Ok(InstanceId { slo, group: wanted });
        }
        Err(ApiError::not_found("unknown_group", format!("SLO `{slo}` has no group `{wanted}`"))
            .with_detail(json!({"slo": slo, "groups": named(&groups)})))
    }
}

/// 404 for an SLO that is not loaded.
pub fn unknown_slo(slo: &SloId) -> ApiError {
    let message = format!("SLO `{slo}` is not loaded; `/api/v1/slos` lists those that are");
    ApiError::not_found("unknown_slo", message).with_detail(json!({"slo": slo}))
}

/// 404 for an instance that went away between two questions.
pub fn gone(id: &InstanceId) -> ApiError {
    ApiError::not_found("unknown_slo", format!("`{id}` is not there any more"))
        .with_detail(json!({"slo": id.to_string()}))
}

fn group_required(slo: &SloId, groups: &[Labels]) -> ApiError {
    let message = match groups.first() {
        Some(first) => {
            format!("SLO `{slo}` has groups; say which with `group`, for example `group={first}`, URL-encoded")
        }
        None => format!("SLO `{slo}` has groups, and none was seen yet"),
    };
    ApiError::bad_request("group_required", message)
        .with_detail(json!({"slo": slo, "groups": named(groups), "groups_total": groups.len()}))
}

fn named(groups: &[Labels]) -> Vec<String> {
    groups.iter().take(GROUPS_NAMED).map(ToString::to_string).collect()
}
