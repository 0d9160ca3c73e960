//! The one door to the store for decisions: what is decided is committed before anything is sent.
//!
//! Invariant: a decision that could not be written (full disk, broken store) is kept and written with the next one, in
//! order; nothing is sent that is not written. The outbox is woken only after a commit.

use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard, Notify};

use crate::store::{Commit, Store, StoreError};

/// Writes commits in order, keeping what could not be written.
pub struct Recorder {
    store: Arc<dyn Store>,
    unwritten: Mutex<Commit>,
    wake: Arc<Notify>,
}

impl Recorder {
    /// Writes to `store` and wakes `wake` when there is something to deliver.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, wake: Arc<Notify>) -> Self {
        Self { store, unwritten: Mutex::new(Commit::default()), wake }
    }

    /// Writes `commit` and everything that could not be written before, in one transaction.
    pub async fn record(&self, commit: Commit) -> Result<(), StoreError> {
        let mut unwritten = self.unwritten.lock().await;
        append(&mut unwritten, commit);
        let all = unwritten.clone();
        self.write(unwritten, all).await
    }

    /// The same, but now or never: what cannot be written is not kept.
    pub async fn record_now(&self, commit: Commit) -> Result<(), StoreError> {
        let unwritten = self.unwritten.lock().await;
        let mut all = unwritten.clone();
        append(&mut all, commit);
        self.write(unwritten, all).await
    }

    /// Writes `all`, which holds everything that could not be written before.
    async fn write(&self, mut unwritten: MutexGuard<'_, Commit>, all: Commit) -> Result<(), StoreError> {
        if all == Commit::default() {
            return Ok(());
        }
        let delivers = !all.deliveries.is_empty() || !all.resent.is_empty();
        self.store.commit(all).await?;
        *unwritten = Commit::default();
        drop(unwritten);
        if delivers {
            self.wake.notify_waiters();
        }
        Ok(())
    }
}

/// Adds `later` to `earlier`: the store applies the parts in order, so a later record of one thing wins.
fn append(earlier: &mut Commit, later: Commit) {
    earlier.alerts.extend(later.alerts);
    earlier.forgotten.retain(|id| !later.states.iter().any(|(state, _)| state == id));
    earlier.states.retain(|(id, _)| !later.forgotten.contains(id));
    earlier.states.extend(later.states);
    earlier.forgotten.extend(later.forgotten);
    earlier.deliveries.extend(later.deliveries);
    earlier.resent.extend(later.resent);
    earlier.hours.extend(later.hours);
    earlier.slices.extend(later.slices);
    earlier.watermarks.extend(later.watermarks);
    earlier.records.extend(later.records);
    // Applied last: what is in `earlier` under the old id goes over too.
    earlier.renamed.extend(later.renamed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Timestamp;

    #[test]
    fn what_was_not_written_is_kept_in_order_and_the_newest_wins() {
        let mut unwritten = Commit {
            states: vec![("a".into(), "1".into()), ("b".into(), "1".into())],
            forgotten: vec!["c".into()],
            ..Commit::default()
        };
        let later = Commit {
            states: vec![("c".into(), "2".into())],
            forgotten: vec!["a".into()],
            watermarks: [("prometheus".to_owned(), Timestamp::from_seconds(30))].into(),
            ..Commit::default()
        };
        append(&mut unwritten, later);
        assert_eq!(unwritten.states, vec![("b".to_owned(), "1".to_owned()), ("c".to_owned(), "2".to_owned())]);
        assert_eq!(unwritten.forgotten, vec!["a".to_owned()]);
        assert_eq!(unwritten.watermarks.len(), 1);
    }
}
