//! A file, one JSON object a line, the object of the webhook's body.
//!
//! Opened for each line, so that a rotated file is left alone and a new one begun; on disk before it counts as told. A line
//! that was torn by a crash or a full disk is ended first, so that it spoils no other. Made with mode 0640: what is told
//! is not for everybody on the machine.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;

use crate::config::sinks::file::File as Config;
use crate::sink::{DeliveryVerdict, EventSink, Outcome, Parts, Sink, Task, body};
use crate::units::Timestamp;

/// For the owner to write, for the group to read.
const MODE: u32 = 0o640;

/// One file.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    /// One writer at a time, so that lines are never mixed.
    turn: Arc<Mutex<()>>,
}

/// Makes one from its configuration; never fails: a folder that is not there may come.
pub fn build(config: &Config, _parts: &Parts<'_>) -> Result<Sink, String> {
    Ok(Sink::event(File::new(&config.path)))
}

impl File {
    /// At this path.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), turn: Arc::default() }
    }
}

#[async_trait]
impl EventSink for File {
    fn preview(&self, task: &Task, _now: Timestamp) -> Option<String> {
        Some(body::render(&task.notification))
    }

    async fn deliver(&self, task: &Task, _now: Timestamp) -> Outcome {
        let line = format!("{}\n", body::render(&task.notification));
        let path = self.path.clone();
        // Held by the writing itself, which goes on where nobody waits for it any more.
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let written = tokio::task::spawn_blocking(move || {
            let written = append(&path, &line);
            drop(turn);
            written
        });
        match written.await.unwrap_or_else(|_| Err(io::Error::other("the writer ended"))) {
            Ok(()) => Outcome::done("written"),
            Err(why) => Outcome::new(DeliveryVerdict::Retry(None), format!("{}: {why}", self.path.display())),
        }
    }
}

fn append(path: &Path, line: &str) -> io::Result<()> {
    // Opening a pipe would wait for a reader.
    if fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        return Err(io::Error::other("is not a file"));
    }
    let mut file = OpenOptions::new().create(true).append(true).read(true).mode(MODE).open(path)?;
    let torn = file.seek(SeekFrom::End(0))? > 0 && {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        last != *b"\n"
    };
    let bytes = if torn { format!("\n{line}") } else { line.to_owned() };
    file.write_all(bytes.as_bytes())?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::policy::sample::samples;

    async fn tell(sink: &File) -> Outcome {
        let (_, notification) = samples().remove(0);
        let task = Task { notification, handle: None, perhaps_told: false };
        sink.deliver(&task, Timestamp::default()).await
    }

    fn ids(path: &Path) -> Vec<String> {
        let text = fs::read_to_string(path).unwrap();
        let id =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_str().unwrap().to_owned();
        text.lines().map(id).collect()
    }

    #[tokio::test]
    async fn lines_are_appended_and_a_rotated_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("told.jsonl");
        let sink = File::new(&path);
        assert_eq!(tell(&sink).await.verdict, DeliveryVerdict::Done);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777 & !0o640, 0);
        fs::rename(&path, folder.path().join("told.1")).unwrap();
        let both = tokio::join!(tell(&sink), tell(&sink));
        assert_eq!((both.0.verdict, both.1.verdict), (DeliveryVerdict::Done, DeliveryVerdict::Done));
        assert_eq!((ids(&path).len(), ids(&folder.path().join("told.1")).len()), (2, 1));
    }

    #[tokio::test]
    async fn a_torn_line_spoils_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("told.jsonl");
        fs::write(&path, "{\"id\":\"half").unwrap();
        assert_eq!(tell(&File::new(&path)).await.verdict, DeliveryVerdict::Done);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(serde_json::from_str::<serde_json::Value>(text.lines().nth(1).unwrap()).is_ok());
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let sink = File::new(&folder.path().join("none/told.jsonl"));
        assert_eq!(tell(&sink).await.verdict, DeliveryVerdict::Retry(None));
        fs::create_dir(folder.path().join("none")).unwrap();
        assert_eq!(tell(&sink).await.verdict, DeliveryVerdict::Done);
        assert_eq!(tell(&File::new(folder.path())).await.verdict, DeliveryVerdict::Retry(None));
    }
}
