//! A service was deployed.

use crate::policy::act::Acted;
use crate::policy::evidence::Deploy;
use crate::runtime::live::Live;
use crate::runtime::live::acts::Prepared;
use crate::runtime::quiet::deploy_record;
use crate::runtime::service::ActError;
use crate::store::Commit;
use crate::units::{Length, Timestamp, is_name};

/// Longest version, in characters.
const LONGEST: usize = 256;

/// A clock that is ahead of ours by more than this tells of a deploy that has not happened.
const AHEAD: Length = Length::from_minutes(5);

/// What saying so changes.
pub(super) fn prepare(
    live: &Live,
    service: &str,
    version: &str,
    at: Timestamp,
    now: Timestamp,
) -> Result<Prepared, ActError> {
    let invalid = |problem: String| Err(ActError::Invalid(format!("the deploy is not marked: {problem}")));
    if !is_name(service) {
        return invalid(format!("`{service}` cannot be a service; it is one of the SLO files, such as checkout"));
    }
    let version = version.trim();
    if version.is_empty() || version.chars().count() > LONGEST || version.chars().any(char::is_control) {
        return invalid(format!("its version has to be one line of 1 to {LONGEST} characters"));
    }
    if at > now + AHEAD {
        return invalid(format!("{at} is ahead; it is {now} here, and a deploy is marked when it is done"));
    }
    let deploy = Deploy { service: service.to_owned(), version: version.to_owned(), at };
    let record = deploy_record(&deploy);
    let known = live.loaded().entries.keys().any(|slo| slo.service == service);
    let note = if known { String::new() } else { format!("; no SLO of `{service}` is loaded") };
    let message = format!("{service} {version} was deployed at {at}{note}");
    let acted = Acted { id: record.id.clone(), message, ..Acted::default() };
    let (core, stillness, id) = (live.core.clone(), live.stillness.clone(), record.id.clone());
    let after = move || stillness.deployed(&core, id, deploy);
    Ok(Prepared {
        commit: Commit { records: vec![record], ..Commit::default() },
        acted,
        after: Some(Box::new(after)),
        ..Prepared::default()
    })
}
