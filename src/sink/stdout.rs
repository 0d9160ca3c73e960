//! Standard output: one JSON object a line, the object of the webhook's body.
//!
//! Lines are never mixed: one writer, one write a line. A reader that went away is a retry, since nothing was told; with
//! the next start there may be one again.

use std::fmt;

use async_trait::async_trait;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::Mutex;

use crate::sink::{DeliveryVerdict, EventSink, Outcome, Task, body};
use crate::units::Timestamp;

/// Writes lines.
pub struct Stdout {
    out: Mutex<Box<dyn AsyncWrite + Send + Unpin>>,
}

impl fmt::Debug for Stdout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdout").finish_non_exhaustive()
    }
}

impl Stdout {
    /// To the standard output of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::to(tokio::io::stdout())
    }

    /// To somewhere else.
    #[must_use]
    pub fn to(out: impl AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { out: Mutex::new(Box::new(out)) }
    }
}

#[async_trait]
impl EventSink for Stdout {
    fn preview(&self, task: &Task, _now: Timestamp) -> Option<String> {
        Some(body::render(&task.notification))
    }

    async fn deliver(&self, task: &Task, _now: Timestamp) -> Outcome {
        let line = format!("{}\n", body::render(&task.notification));
        let mut out = self.out.lock().await;
        let written = async {
            out.write_all(line.as_bytes()).await?;
            out.flush().await
        };
        match written.await {
            Ok(()) => Outcome::done("written".to_owned()),
            Err(why) => Outcome::new(DeliveryVerdict::Retry(None), format!("cannot be written: {why}")),
        }
    }
}
