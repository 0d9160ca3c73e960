//! What can go wrong with the file, in words that say what to do.

use rusqlite::ErrorCode;

use crate::store::StoreError;

/// Why an operation failed, before it is put into words.
#[derive(Debug)]
pub(super) enum Failure {
    /// SQLite says so.
    Sqlite(rusqlite::Error),
    /// A record cannot be read or written.
    Record(String),
    /// We say so.
    Refused(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

/// The error for the caller. `doing` names the path.
pub(super) fn explain(failure: &Failure, doing: String) -> StoreError {
    let (problem, locked) = match failure {
        Failure::Refused(problem) | Failure::Record(problem) => (problem.clone(), false),
        Failure::Sqlite(error) => sqlite(error),
    };
    StoreError { doing, problem, locked }
}

fn sqlite(error: &rusqlite::Error) -> (String, bool) {
    let remedy = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            let problem = "another process uses it; stop that one, or set another `storage.path` for this one";
            return (problem.to_owned(), true);
        }
        Some(ErrorCode::NotADatabase) => {
            "this is not a store, left as it is; move it away, or set another `storage.path`"
        }
        Some(ErrorCode::DatabaseCorrupt) => "the file is damaged; restore a backup, or move it away to start anew",
        Some(ErrorCode::DiskFull) => "the disk is full; make room, the service goes on by itself",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            "the file or its folder is not writable; the service needs to write both"
        }
        Some(ErrorCode::CannotOpen) => "it cannot be opened; its folder has to be readable and writable",
        Some(ErrorCode::SystemIoFailure) => "reading or writing the disk failed",
        _ => return (error.to_string(), false),
    };
    (format!("{remedy} ({error})"), false)
}
