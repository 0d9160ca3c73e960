//! Opening the file: its folder, the lock, whose file it is, and the migrations.
//!
//! Nothing is written before it is known that the file is empty or ours. The lock is SQLite's own (`locking_mode`
//! exclusive), taken with the first read and kept: it goes with the process, however that ends, leaves no file behind,
//! and holds whatever name or link the file is opened by. Price: no other process can look into a store that is in use.

use std::fs;
use std::path::{Path, PathBuf, absolute};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::store::StoreError;
use crate::store::sqlite::failure::{Failure, explain};
use crate::store::sqlite::schema::{APPLICATION_ID, MIGRATIONS};

/// Opens or creates the store at `path`; blocks.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let error = |failure: &Failure| explain(failure, format!("opening the store `{}`", path.display()));
    // Absolute, because SQLite gives names such as `:memory:` and `file:..` a meaning of their own.
    let path = absolute(path).map_err(|why| error(&Failure::Refused(why.to_string())))?;
    prepare(&path).map_err(|problem| error(&Failure::Refused(problem)))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(&path, flags).map_err(|why| error(&why.into()))?;
    take(&mut connection).map_err(|failure| error(&failure))?;
    Ok(connection)
}

fn prepare(path: &Path) -> Result<(), String> {
    if path.is_dir() {
        return Err("this is a folder: name a file in `storage.path`".to_owned());
    }
    let parent: PathBuf = path.parent().unwrap_or(path).into();
    fs::create_dir_all(&parent).map_err(|why| {
        format!("its folder `{}` cannot be made: {why}; make it, or set another `storage.path`", parent.display())
    })
}

fn take(connection: &mut Connection) -> Result<(), Failure> {
    // At once, not after a while: a second process is told immediately.
    connection.busy_timeout(std::time::Duration::ZERO)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    check_owner(connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Every commit is synced before it is acknowledged. A kill would lose nothing without that either; a power cut could
    // take back an acknowledged page, which would then go out twice. At one commit a tick that costs nothing.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    migrate(connection)
}

/// Refuses another program's database, and one that a newer version of this program has written.
fn check_owner(connection: &Connection) -> Result<(), Failure> {
    let number = |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let application = number("application_id")?;
    let version = number("user_version")?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let empty = application == 0 && version == 0 && tables == 0;
    if !empty && application != i64::from(APPLICATION_ID) {
        return Err(Failure::Refused(
            "this is another program's SQLite database, left as it is; set another `storage.path`".to_owned(),
        ));
    }
    if usize::try_from(version).is_ok_and(|version| version > MIGRATIONS.len()) {
        return Err(Failure::Refused(format!(
            "a newer version of this program wrote it (schema {version}, this one knows {}); run that one",
            MIGRATIONS.len()
        )));
    }
    Ok(())
}

fn migrate(connection: &mut Connection) -> Result<(), Failure> {
    // Immediate: it takes the lock for writing even where there is nothing to migrate.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or_default();
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    if done < MIGRATIONS.len() {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX))?;
    }
    transaction.commit()?;
    Ok(())
}
