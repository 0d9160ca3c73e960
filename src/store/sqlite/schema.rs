//! The tables, as a list of migrations: `user_version` counts how many of them a file has seen.
//!
//! Times are milliseconds since the epoch. What is searched for stands in columns; alerts and notifications stand whole
//! beside them as JSON with the version of its shape (`shape`), so that a later program can read what an earlier one
//! wrote. A migration that has been released is never edited: a change is a new one at the end.

/// In the header of every file of ours (`SLO1`), so that another program's database is never taken for a store.
pub(super) const APPLICATION_ID: i32 = 0x534C_4F31;

/// All of them, oldest first.
pub(super) const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE alerts (
    id          TEXT    NOT NULL PRIMARY KEY,
    slo         TEXT    NOT NULL,
    severity    TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    started_at  INTEGER NOT NULL,
    resolved_at INTEGER,
    shape       INTEGER NOT NULL,
    record      TEXT    NOT NULL
) STRICT;
CREATE INDEX alerts_by_age ON alerts (started_at DESC, id DESC);
CREATE INDEX alerts_not_ended ON alerts (state) WHERE resolved_at IS NULL;
CREATE INDEX alerts_ended ON alerts (resolved_at) WHERE resolved_at IS NOT NULL;

CREATE TABLE states (
    instance TEXT NOT NULL PRIMARY KEY,
    record   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- sequence: never used twice, also after the newest row was dropped, because order goes by it.
-- tells: firing or resolved. urgency: 0 page, 1 ticket, 2 notice. under_way: 1 while a try has no end yet.
CREATE TABLE deliveries (
    sequence        INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT    NOT NULL UNIQUE,
    sink            TEXT    NOT NULL,
    dedup_key       TEXT    NOT NULL,
    alert_id        TEXT    NOT NULL,
    tells           TEXT    NOT NULL,
    urgency         INTEGER NOT NULL,
    state           TEXT    NOT NULL,
    created_at      INTEGER NOT NULL,
    next_attempt_at INTEGER,
    under_way       INTEGER NOT NULL DEFAULT 0,
    shape           INTEGER NOT NULL,
    record          TEXT    NOT NULL
) STRICT;
CREATE INDEX deliveries_waiting ON deliveries (sink, dedup_key, sequence) WHERE state = 'pending';
CREATE INDEX deliveries_of_key ON deliveries (sink, dedup_key, sequence) WHERE state <> 'superseded';
CREATE INDEX deliveries_of_alert ON deliveries (alert_id, sink, sequence);
CREATE INDEX deliveries_by_age ON deliveries (created_at);

CREATE TABLE attempts (
    delivery INTEGER NOT NULL REFERENCES deliveries (sequence) ON DELETE CASCADE,
    number   INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    outcome  TEXT    NOT NULL,
    message  TEXT    NOT NULL,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

-- An instance in one generation of its SLO, so that its buckets carry a number and not its name.
CREATE TABLE series (
    id         INTEGER PRIMARY KEY,
    slo        TEXT NOT NULL,
    generation TEXT NOT NULL,
    instance   TEXT NOT NULL,
    UNIQUE (slo, generation, instance)
) STRICT;

CREATE TABLE hours (
    series   INTEGER NOT NULL REFERENCES series (id),
    until    INTEGER NOT NULL,
    events   REAL    NOT NULL,
    total    REAL    NOT NULL,
    measured INTEGER NOT NULL,
    PRIMARY KEY (series, until)
) STRICT, WITHOUT ROWID;

CREATE TABLE days (
    series   INTEGER NOT NULL REFERENCES series (id),
    until    INTEGER NOT NULL,
    events   REAL    NOT NULL,
    total    REAL    NOT NULL,
    measured INTEGER NOT NULL,
    PRIMARY KEY (series, until)
) STRICT, WITHOUT ROWID;

CREATE TABLE slices (
    slo        TEXT    NOT NULL,
    generation TEXT    NOT NULL,
    until      INTEGER NOT NULL,
    bytes      BLOB    NOT NULL,
    PRIMARY KEY (slo, generation, until)
) STRICT, WITHOUT ROWID;

CREATE TABLE watermarks (
    source TEXT    NOT NULL PRIMARY KEY,
    at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
",
    "
-- thread: what a sink that keeps one ticket an episode knows it by. handle: what it called it.
ALTER TABLE deliveries ADD COLUMN thread TEXT NOT NULL DEFAULT '';
ALTER TABLE deliveries ADD COLUMN handle TEXT;
CREATE INDEX deliveries_of_thread ON deliveries (thread, sink, sequence);
CREATE INDEX deliveries_waiting_in_thread ON deliveries (sink, thread, sequence) WHERE state = 'pending';

CREATE TABLE records (
    kind   TEXT    NOT NULL,
    id     TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    record TEXT    NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX records_by_age ON records (kind, at DESC, id);
CREATE TRIGGER audit_stays BEFORE UPDATE ON records WHEN old.kind = 'audit'
BEGIN SELECT RAISE(ABORT, 'an entry of the audit is never changed'); END;
",
    "
ALTER TABLE deliveries ADD COLUMN resent_at INTEGER;

-- An entry of the audit goes by its age alone: `since` is the oldest time that is kept, moved on before what is older goes.
CREATE TABLE audit_kept (since INTEGER NOT NULL) STRICT;
INSERT INTO audit_kept VALUES (-9223372036854775808);
CREATE TRIGGER audit_is_kept BEFORE DELETE ON records
WHEN old.kind = 'audit' AND old.at > (SELECT since FROM audit_kept)
BEGIN SELECT RAISE(ABORT, 'an entry of the audit is kept as long as the history'); END;
",
];
