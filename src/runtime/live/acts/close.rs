//! An alert whose data will not come back is ended. What was held back under it goes out at the next slice end at which
//! it matches; when it may start again itself is said to whoever closes it (SEMANTICS 6).

use crate::policy::act::{Acted, Actor};
use crate::policy::alert::AlertKind;
use crate::policy::book::Closer;
use crate::runtime::closing::{self, Ending};
use crate::runtime::entry::SharedEntry;
use crate::runtime::live::Live;
use crate::runtime::live::acts::{Prepared, Way, ack, drill};
use crate::runtime::service::ActError;
use crate::units::Timestamp;

/// What ending it changes. The alerts in memory follow once it is written; until then nothing else is decided of them.
pub(super) async fn prepare(
    live: &Live,
    alert: &str,
    note: Option<&str>,
    by: &Actor,
    now: Timestamp,
) -> Result<Prepared, ActError> {
    let found = ack::firing(live, alert, "closed").await?;
    let message = format!("closed by `{}`", by.name);
    if found.is_drill() {
        let way = Way::Effects(vec![drill::ended(live, &found, &message, now).await?]);
        return Ok(Prepared { acted: Acted { id: found.id, message, ..Acted::default() }, way, ..Prepared::default() });
    }
    if found.kind == AlertKind::Source {
        let remedy = "it ends with the first answer, or when its source leaves the files; acknowledge it meanwhile";
        return Err(ActError::Conflict(format!("the alert of a source is not closed by hand: {remedy}")));
    }
    let gone = || ActError::Conflict("the alert ends just now".to_owned());
    let source = holder(live, alert).ok_or_else(gone)?.slo().source.clone();
    let busy = || ActError::Conflict("its source is being read just now; try again".to_owned());
    let deciding = live.core.deciding_soon(&source).await.ok_or_else(busy)?;
    // Looked for again: a reload may have come between.
    let entry = holder(live, alert).ok_or_else(gone)?;
    let closer = Closer { by: &by.name, note: note.unwrap_or_default() };
    let Ending { book, evaluated, still } = closing::closed(&entry, alert, now, closer).ok_or_else(gone)?;
    let message = still.map_or(message.clone(), |still| format!("{message}; {still}"));
    let after = move || {
        closing::take(&entry, book);
        drop(deciding);
    };
    let way = Way::Effects(evaluated.effects);
    let acted = Acted { id: found.id, message, ..Acted::default() };
    Ok(Prepared { commit: evaluated.commit, acted, way, after: Some(Box::new(after)) })
}

/// The SLO whose alert it is.
fn holder(live: &Live, alert: &str) -> Option<SharedEntry> {
    live.entries().into_iter().find(|entry| entry.with(|inner| inner.book.alerts().any(|known| known.id == alert)))
}
