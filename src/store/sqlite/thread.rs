//! The thread that owns the connection: jobs go in by a bounded channel and run one after the other.
//!
//! Why a thread of its own: SQLite blocks, and one writer at a time is all that it can use. A job that was handed in runs
//! to its end even if nobody waits for it any more, so a cancelled task never leaves half a commit. Dropping the handle
//! lets queued jobs finish and closes the file, so that it can be opened again at once.

use std::path::Path;
use std::thread::{Builder, JoinHandle};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::store::StoreError;
use crate::store::sqlite::failure::{Failure, explain};
use crate::store::sqlite::open::open;

/// Jobs that may wait; who comes later waits for a place.
const QUEUE: usize = 64;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// Handle to the thread.
#[derive(Debug)]
pub(super) struct Thread {
    path: String,
    jobs: Option<mpsc::Sender<Job>>,
    handle: Option<JoinHandle<()>>,
}

impl Thread {
    /// Opens the file on a new thread.
    pub(super) async fn start(path: &Path) -> Result<Self, StoreError> {
        let shown = path.display().to_string();
        let doing = || format!("opening the store `{shown}`");
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        let (opened, outcome) = oneshot::channel();
        let file = path.to_owned();
        let run = move || {
            let mut connection = match open(&file) {
                Ok(connection) => connection,
                Err(error) => return drop(opened.send(Err(error))),
            };
            drop(opened.send(Ok(())));
            while let Some(job) = queue.blocking_recv() {
                job(&mut connection);
            }
        };
        let handle = Builder::new()
            .name("store".to_owned())
            .spawn(run)
            .map_err(|why| explain(&Failure::Refused(format!("no thread for it: {why}")), doing()))?;
        let ended = |_| explain(&Failure::Refused("its thread ended".to_owned()), doing());
        outcome.await.map_err(ended)??;
        Ok(Self { path: shown, jobs: Some(jobs), handle: Some(handle) })
    }

    /// Runs a job and waits for what it gives. `doing` is `reading` or `writing to`.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        doing: &str,
        job: impl FnOnce(&mut Connection) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let error = |failure: &Failure| explain(failure, format!("{doing} the store `{}`", self.path));
        let ended = || error(&Failure::Refused("its thread ended; start the service again".to_owned()));
        let (done, outcome) = oneshot::channel();
        let job: Job = Box::new(move |connection| drop(done.send(job(connection))));
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job).await.map_err(|_| ended())?;
        outcome.await.map_err(|_| ended())?.map_err(|failure| error(&failure))
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(handle) = self.handle.take() {
            // A panic of the thread has already been told by its hook.
            drop(handle.join());
        }
    }
}
