//! Silences are added, changed and expired.

use crate::policy::act::{Acted, Actor, SilenceDraft};
use crate::policy::silence::{Silence, SilenceState};
use crate::runtime::live::Live;
use crate::runtime::live::acts::Prepared;
use crate::runtime::quiet::{silence_of, silence_record};
use crate::runtime::service::ActError;
use crate::store::{Commit, RecordKind};
use crate::units::Timestamp;

/// What adding or changing one changes. Without an author it is who asks.
pub(super) async fn add(live: &Live, draft: &SilenceDraft, by: &Actor, now: Timestamp) -> Result<Prepared, ActError> {
    let mut draft = draft.clone();
    if draft.created_by.trim().is_empty() {
        draft.created_by.clone_from(&by.name);
    }
    let known = match &draft.id {
        None => None,
        Some(id) => Some(find(live, id).await?),
    };
    // An id is made anew until it is free; the first one is, but in theory.
    let held = live.stillness.silences();
    let taken = |id: &str| held.iter().any(|silence| silence.id == id);
    let (silence, ended) = Silence::of(draft, known.as_ref(), now, taken)
        .map_err(|problem| ActError::Invalid(format!("the silence is not taken: {problem}")))?;
    let until = format!("until {}", silence.ends_at);
    let message = match silence.state(now) {
        SilenceState::Pending => format!("silenced from {} {until}", silence.starts_at),
        SilenceState::Active | SilenceState::Expired => format!("silenced {until}"),
    };
    let hint = live.label_that_nothing_has(&silence.matchers);
    let acted = Acted { id: silence.id.clone(), message, hint, ..Acted::default() };
    Ok(prepared(live, [silence].into_iter().chain(ended).collect(), acted))
}

/// What ending one now changes.
pub(super) async fn expire(live: &Live, silence: &str, _by: &Actor, now: Timestamp) -> Result<Prepared, ActError> {
    let known = find(live, silence).await?;
    if known.state(now) == SilenceState::Expired {
        return Err(ActError::Conflict(format!("the silence `{silence}` was over at {}", known.ends_at)));
    }
    let acted = Acted { id: known.id.clone(), message: "the silence is over".to_owned(), ..Acted::default() };
    Ok(prepared(live, vec![known.expired(now)], acted))
}

async fn find(live: &Live, id: &str) -> Result<Silence, ActError> {
    let record = live.core.store.record(RecordKind::Silence, id).await?;
    let unknown =
        || ActError::NotFound(format!("there is no silence `{id}`; `/api/v1/silences` lists those there are"));
    record.as_ref().and_then(silence_of).ok_or_else(unknown)
}

fn prepared(live: &Live, silences: Vec<Silence>, acted: Acted) -> Prepared {
    let records = silences.iter().map(silence_record).collect();
    let (core, stillness) = (live.core.clone(), live.stillness.clone());
    let after = move || stillness.take(&core, silences);
    Prepared {
        commit: Commit { records, ..Commit::default() },
        acted,
        after: Some(Box::new(after)),
        ..Prepared::default()
    }
}
