//! The store in one SQLite file: what `slo run` uses.
//!
//! Why this way: one file, one writer, no server to run. Write-ahead log; every commit is one transaction, synced before
//! it is acknowledged, so neither `kill -9` nor a power cut takes an acknowledged commit back. The file is locked for
//! this process alone. All work is done by one thread (`thread`); a commit of a tick with few changes takes about as
//! long as the disk's sync.

mod failure;
mod open;
mod read;
mod record;
mod rename;
mod schema;
mod thread;
mod write;

use std::path::Path;

use async_trait::async_trait;

use crate::engine::verdict::HourBucket;
use crate::policy::alert::Alert;
use crate::policy::notification::Notification;
use crate::store::sqlite::thread::Thread;
use crate::store::{
    AlertFilter, Attempt, Backlog, Commit, Delivery, DeliveryFilter, DeliveryState, Keep, Order, Record, RecordKind,
    Snapshot, Store, StoreError, ThreadState,
};
use crate::units::Timestamp;

const READING: &str = "reading";
const WRITING: &str = "writing to";

/// A store in a file, open and locked until it is dropped.
#[derive(Debug)]
pub struct SqliteStore {
    thread: Thread,
}

impl SqliteStore {
    /// Opens the file, or makes it and the folders above it. Refused at once where another process has it
    /// ([`StoreError::locked`]), and where the file is something else: then nothing is changed.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { thread: Thread::start(path).await? })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        self.thread.run(READING, |connection| read::snapshot(connection)).await
    }

    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        self.thread.run(WRITING, move |connection| write::commit(connection, &commit)).await
    }

    async fn hours(
        &self,
        slo: &str,
        generation: &str,
        after: Timestamp,
    ) -> Result<Vec<(String, HourBucket)>, StoreError> {
        let (slo, generation) = (slo.to_owned(), generation.to_owned());
        self.thread.run(READING, move |connection| read::hours(connection, &slo, &generation, after)).await
    }

    async fn days(
        &self,
        slo: &str,
        generation: &str,
        after: Timestamp,
    ) -> Result<Vec<(String, HourBucket)>, StoreError> {
        let (slo, generation) = (slo.to_owned(), generation.to_owned());
        self.thread.run(READING, move |connection| read::days(connection, &slo, &generation, after)).await
    }

    async fn slices(
        &self,
        slo: &str,
        generation: &str,
        after: Timestamp,
    ) -> Result<Vec<(Timestamp, Vec<u8>)>, StoreError> {
        let (slo, generation) = (slo.to_owned(), generation.to_owned());
        self.thread.run(READING, move |connection| read::slices(connection, &slo, &generation, after)).await
    }

    async fn heads(&self, sink: &str, due: Timestamp, order: Order, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        let sink = sink.to_owned();
        self.thread.run(READING, move |connection| read::heads(connection, &sink, due, order, limit)).await
    }

    async fn backlog(&self, sink: &str, now: Timestamp) -> Result<Backlog, StoreError> {
        let sink = sink.to_owned();
        self.thread.run(READING, move |connection| read::backlog(connection, &sink, now)).await
    }

    async fn attempting(&self, delivery: &str, at: Timestamp) -> Result<(), StoreError> {
        let delivery = delivery.to_owned();
        self.thread.run(WRITING, move |connection| write::attempting(connection, &delivery, at)).await
    }

    async fn attempted(
        &self,
        delivery: &str,
        attempt: Attempt,
        state: DeliveryState,
        next_attempt_at: Option<Timestamp>,
        handle: Option<String>,
    ) -> Result<(), StoreError> {
        let delivery = delivery.to_owned();
        let job = move |connection: &mut _| {
            write::attempted(connection, &delivery, &attempt, state, next_attempt_at, handle.as_deref())
        };
        self.thread.run(WRITING, job).await
    }

    async fn thread(&self, sink: &str, thread: &str) -> Result<ThreadState, StoreError> {
        let (sink, thread) = (sink.to_owned(), thread.to_owned());
        self.thread.run(READING, move |connection| read::thread(connection, &sink, &thread)).await
    }

    async fn records(&self, kind: RecordKind, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.thread.run(READING, move |connection| read::records(connection, kind, limit)).await
    }

    async fn record(&self, kind: RecordKind, id: &str) -> Result<Option<Record>, StoreError> {
        let id = id.to_owned();
        self.thread.run(READING, move |connection| read::one_record(connection, kind, &id)).await
    }

    async fn settled(&self, delivery: &str, state: DeliveryState) -> Result<(), StoreError> {
        let delivery = delivery.to_owned();
        self.thread.run(WRITING, move |connection| write::settled(connection, &delivery, state)).await
    }

    async fn standing(&self, sink: &str, ended_since: Timestamp) -> Result<Vec<Notification>, StoreError> {
        let sink = sink.to_owned();
        self.thread.run(READING, move |connection| read::standing(connection, &sink, ended_since)).await
    }

    async fn deliveries(&self, filter: &DeliveryFilter, limit: usize) -> Result<Vec<Delivery>, StoreError> {
        let filter = filter.clone();
        self.thread.run(READING, move |connection| read::deliveries(connection, &filter, limit)).await
    }

    async fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError> {
        let id = id.to_owned();
        self.thread.run(READING, move |connection| read::one_delivery(connection, &id)).await
    }

    async fn alerts(&self, filter: &AlertFilter, limit: usize) -> Result<Vec<Alert>, StoreError> {
        let filter = filter.clone();
        self.thread.run(READING, move |connection| read::alerts(connection, &filter, limit)).await
    }

    async fn alert(&self, id: &str) -> Result<Option<Alert>, StoreError> {
        let id = id.to_owned();
        self.thread.run(READING, move |connection| read::alert(connection, &id)).await
    }

    async fn prune(&self, now: Timestamp, keep: Keep) -> Result<(), StoreError> {
        self.thread.run(WRITING, move |connection| write::prune(connection, now, keep)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_disk_is_told_keeps_nothing_half_and_heals() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("slo.db")).await.unwrap();
        let limit = |pages: i64| {
            move |connection: &mut rusqlite::Connection| Ok(connection.pragma_update(None, "max_page_count", pages)?)
        };
        store.thread.run(WRITING, limit(40)).await.unwrap();
        let commit = Commit {
            states: (0..200).map(|index| (format!("service/{index}"), "x".repeat(4_000))).collect(),
            ..Commit::default()
        };
        let error = store.commit(commit.clone()).await.unwrap_err();
        assert!(error.problem.starts_with("the disk is full") && error.doing.contains("slo.db"), "{error}");
        assert_eq!(store.snapshot().await.unwrap(), Snapshot::default());
        store.thread.run(WRITING, limit(100_000)).await.unwrap();
        store.commit(commit).await.unwrap();
        assert_eq!(store.snapshot().await.unwrap().states.len(), 200);
    }
}
