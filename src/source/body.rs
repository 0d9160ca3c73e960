//! The body of an answer, read in pieces and never beyond a bound. Sizes are counted after decompression, so that a
//! small answer cannot unpack into a large one.

use reqwest::Response;
use tokio::time::timeout;

use crate::source::client::{Reply, innermost};
use crate::source::{SourceError, SourceErrorKind};
use crate::units::Length;

/// Most that is taken of one answer, bytes: 2 million samples in JSON.
pub(super) const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Bytes to come.
pub(super) struct Body {
    response: Response,
    wait: Option<Length>,
}

impl Body {
    pub(super) const fn new(response: Response) -> Self {
        Self { response, wait: None }
    }

    /// From now on each piece has to come within `wait`.
    pub(super) const fn wait_at_most(&mut self, wait: Length) {
        self.wait = Some(wait);
    }

    /// Appends the next piece to `buffer`; false at the end. `doing` is for messages.
    pub(super) async fn next(&mut self, buffer: &mut Vec<u8>, doing: &str) -> Result<bool, SourceError> {
        let failed = |problem, kind| SourceError { doing: doing.to_owned(), problem, kind };
        let piece = self.response.chunk();
        let piece = match self.wait {
            Some(wait) => timeout(wait.to_std(), piece).await.map_err(|_| {
                failed(format!("nothing more came within the timeout of {wait}"), SourceErrorKind::Timeout)
            })?,
            None => piece.await,
        };
        match piece {
            Ok(Some(piece)) => {
                buffer.extend_from_slice(&piece);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) if error.is_decode() && !is_broken_off(&error) => Err(failed(
                format!("the answer cannot be unpacked: {}", innermost(&error.without_url())),
                SourceErrorKind::Malformed,
            )),
            Err(error) => Err(failed(
                format!("the answer broke off: {}", innermost(&error.without_url())),
                SourceErrorKind::Unreachable,
            )),
        }
    }
}

/// Whether the connection failed, rather than the compression.
fn is_broken_off(error: &reqwest::Error) -> bool {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(next) = cause.source() {
        cause = next;
        if let Some(error) = cause.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind;
            return !matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::Other);
        }
    }
    true
}

/// The whole body.
///
/// # Errors
/// `TooLarge` beyond `limit` bytes; what has come is thrown away.
pub(super) async fn read_all(mut reply: Reply, limit: usize) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    while reply.body.next(&mut bytes, &reply.doing).await? {
        if bytes.len() > limit {
            return Err(too_large(reply.doing, limit));
        }
    }
    Ok(bytes)
}

/// An answer beyond the bound.
pub(super) fn too_large(doing: String, limit: usize) -> SourceError {
    let problem = format!("the answer is larger than {} MiB; narrow the selector", limit / (1024 * 1024));
    SourceError { doing, problem, kind: SourceErrorKind::TooLarge }
}
