//! Writing: each function is one transaction.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::policy::alert::{Alert, AlertState};
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::record::{SHAPE, encode};
use crate::store::sqlite::rename::rename;
use crate::store::{Attempt, Commit, DeliveryState, Keep, NewDelivery, Record, UNDER_WAY, slo_of, state_name};
use crate::units::{Length, Timestamp};

const DAY: Length = Length::from_days(1);

/// All of a commit.
pub(super) fn commit(connection: &mut Connection, commit: &Commit) -> Result<(), Failure> {
    let transaction = begin(connection)?;
    for alert in &commit.alerts {
        write_alert(&transaction, alert)?;
    }
    for instance in &commit.forgotten {
        transaction.prepare_cached("DELETE FROM states WHERE instance = ?1")?.execute([instance])?;
    }
    for (instance, record) in &commit.states {
        transaction
            .prepare_cached("REPLACE INTO states (instance, record) VALUES (?1, ?2)")?
            .execute([instance, record])?;
    }
    for new in &commit.deliveries {
        write_delivery(&transaction, new)?;
    }
    for (delivery, at) in &commit.resent {
        resend(&transaction, delivery, *at)?;
    }
    write_hours(&transaction, commit)?;
    for (slo, generation, until, bytes) in &commit.slices {
        transaction
            .prepare_cached("REPLACE INTO slices (slo, generation, until, bytes) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![slo, generation, until.millis(), bytes])?;
    }
    for (source, at) in &commit.watermarks {
        transaction
            .prepare_cached("REPLACE INTO watermarks (source, at) VALUES (?1, ?2)")?
            .execute(params![source, at.millis()])?;
    }
    for record in &commit.records {
        write_record(&transaction, record)?;
    }
    for (from, to) in commit.renamed.iter().filter(|(from, to)| from != to) {
        rename(&transaction, from, to)?;
    }
    transaction.commit()?;
    Ok(())
}

fn begin(connection: &mut Connection) -> Result<Transaction<'_>, Failure> {
    Ok(connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

fn write_record(transaction: &Transaction<'_>, record: &Record) -> Result<(), Failure> {
    let kind = record.kind.name();
    let Some(text) = &record.text else {
        transaction
            .prepare_cached("DELETE FROM records WHERE kind = ?1 AND id = ?2 AND kind <> 'audit'")?
            .execute(params![kind, record.id])?;
        return Ok(());
    };
    let mut statement = transaction.prepare_cached(
        "INSERT INTO records (kind, id, at, record) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (kind, id) DO UPDATE SET at = excluded.at, record = excluded.record WHERE kind <> 'audit'",
    )?;
    statement.execute(params![kind, record.id, record.at.millis(), text])?;
    Ok(())
}

pub(super) fn write_alert(transaction: &Transaction<'_>, alert: &Alert) -> Result<(), Failure> {
    if alert.state == AlertState::Inactive {
        transaction.prepare_cached("DELETE FROM alerts WHERE id = ?1")?.execute([&alert.id])?;
        return Ok(());
    }
    let mut statement = transaction.prepare_cached(
        "REPLACE INTO alerts (id, slo, severity, state, started_at, resolved_at, shape, record)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    statement.execute(params![
        alert.id,
        alert.slo,
        alert.severity.name(),
        state_name(alert.state),
        alert.started_at.millis(),
        alert.resolved_at.map(Timestamp::millis),
        SHAPE,
        encode("alert", &alert.id, alert)?,
    ])?;
    Ok(())
}

fn write_delivery(transaction: &Transaction<'_>, new: &NewDelivery) -> Result<(), Failure> {
    // Not `ON CONFLICT DO NOTHING`: that would use up a number of the sequence.
    let mut statement = transaction.prepare_cached(
        "INSERT INTO deliveries (id, sink, dedup_key, alert_id, tells, urgency, state, created_at, shape, record, thread)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, 'pending', ?7, ?8, ?9, ?10
         WHERE NOT EXISTS (SELECT 1 FROM deliveries WHERE id = ?1)",
    )?;
    statement.execute(params![
        new.id,
        new.sink,
        new.notification.dedup_key,
        new.notification.alert_id,
        state_name(new.notification.state),
        new.notification.severity as i64,
        new.created_at.millis(),
        SHAPE,
        encode("delivery", &new.id, &new.notification)?,
        new.notification.thread(),
    ])?;
    Ok(())
}

fn resend(transaction: &Transaction<'_>, delivery: &str, at: Timestamp) -> Result<(), Failure> {
    let mut statement = transaction.prepare_cached(
        "UPDATE deliveries SET state = 'pending', next_attempt_at = NULL, resent_at = ?2
         WHERE id = ?1 AND state <> 'done'",
    )?;
    statement.execute(params![delivery, at.millis()])?;
    Ok(())
}

fn write_hours(transaction: &Transaction<'_>, commit: &Commit) -> Result<(), Failure> {
    let mut insert = transaction
        .prepare_cached("REPLACE INTO hours (series, until, events, total, measured) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut known: HashMap<(&str, &str), i64> = HashMap::new();
    for (instance, generation, hour) in &commit.hours {
        let series = match known.get(&(instance.as_str(), generation.as_str())) {
            Some(series) => *series,
            None => series_of(transaction, instance, generation)?,
        };
        known.insert((instance, generation), series);
        insert.execute(params![series, hour.end.millis(), hour.events, hour.total, hour.measured.millis()])?;
    }
    Ok(())
}

fn series_of(transaction: &Transaction<'_>, instance: &str, generation: &str) -> Result<i64, Failure> {
    let key = params![slo_of(instance), generation, instance];
    let mut find =
        transaction.prepare_cached("SELECT id FROM series WHERE slo = ?1 AND generation = ?2 AND instance = ?3")?;
    if let Some(id) = find.query_row(key, |row| row.get(0)).optional()? {
        return Ok(id);
    }
    let mut insert =
        transaction.prepare_cached("INSERT INTO series (slo, generation, instance) VALUES (?1, ?2, ?3)")?;
    Ok(insert.insert(key)?)
}

/// The row of a delivery: its sequence, and whether a try of it has no end yet.
fn find(transaction: &Transaction<'_>, delivery: &str) -> Result<(i64, bool), Failure> {
    let mut statement = transaction.prepare_cached("SELECT sequence, under_way FROM deliveries WHERE id = ?1")?;
    let row = statement.query_row([delivery], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    row.ok_or_else(|| Failure::Refused(format!("there is no delivery `{delivery}`")))
}

fn write_attempt(transaction: &Transaction<'_>, sequence: i64, attempt: &Attempt) -> Result<(), Failure> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO attempts (delivery, number, at, outcome, message)
         VALUES (?1, 1 + coalesce((SELECT max(number) FROM attempts WHERE delivery = ?1), 0), ?2, ?3, ?4)",
    )?;
    insert.execute(params![sequence, attempt.at.millis(), attempt.outcome, attempt.message])?;
    Ok(())
}

/// The begin of a try.
pub(super) fn attempting(connection: &mut Connection, delivery: &str, at: Timestamp) -> Result<(), Failure> {
    let transaction = begin(connection)?;
    let (sequence, _) = find(&transaction, delivery)?;
    let begun = Attempt { at, outcome: "ambiguous".to_owned(), message: UNDER_WAY.to_owned() };
    write_attempt(&transaction, sequence, &begun)?;
    transaction.prepare_cached("UPDATE deliveries SET under_way = 1 WHERE sequence = ?1")?.execute([sequence])?;
    transaction.commit()?;
    Ok(())
}

/// The end of a try, and what follows from it.
pub(super) fn attempted(
    connection: &mut Connection,
    delivery: &str,
    attempt: &Attempt,
    state: DeliveryState,
    next_attempt_at: Option<Timestamp>,
    handle: Option<&str>,
) -> Result<(), Failure> {
    let transaction = begin(connection)?;
    let (sequence, under_way) = find(&transaction, delivery)?;
    if under_way {
        let mut drop_begin = transaction.prepare_cached(
            "DELETE FROM attempts WHERE delivery = ?1
             AND number = (SELECT max(number) FROM attempts WHERE delivery = ?1)",
        )?;
        drop_begin.execute([sequence])?;
    }
    write_attempt(&transaction, sequence, attempt)?;
    let next = next_attempt_at.filter(|_| state == DeliveryState::Pending);
    transaction
        .prepare_cached(
            "UPDATE deliveries SET under_way = 0, state = ?2, next_attempt_at = ?3, handle = coalesce(?4, handle)
             WHERE sequence = ?1",
        )?
        .execute(params![sequence, state.name(), next.map(Timestamp::millis), handle])?;
    transaction.commit()?;
    Ok(())
}

/// The end of a delivery without a try.
pub(super) fn settled(connection: &mut Connection, delivery: &str, state: DeliveryState) -> Result<(), Failure> {
    let transaction = begin(connection)?;
    let (sequence, _) = find(&transaction, delivery)?;
    transaction
        .prepare_cached("UPDATE deliveries SET state = ?2, next_attempt_at = NULL WHERE sequence = ?1")?
        .execute(params![sequence, state.name()])?;
    transaction.commit()?;
    Ok(())
}

/// Folds old hours into days and drops what is older than its keep.
pub(super) fn prune(connection: &mut Connection, now: Timestamp, keep: Keep) -> Result<(), Failure> {
    let hours_until = (now - keep.hours).floor_to(DAY).millis();
    let oldest = (now - keep.history).millis();
    let transaction = begin(connection)?;
    transaction.execute(
        "INSERT INTO days (series, until, events, total, measured)
         SELECT series, (until + ?2 - 1) / ?2 * ?2 AS day, sum(events), sum(total), sum(measured)
         FROM hours WHERE until <= ?1 GROUP BY series, day
         ON CONFLICT (series, until) DO UPDATE
         SET events = excluded.events, total = excluded.total, measured = excluded.measured
         WHERE excluded.measured > days.measured",
        params![hours_until, DAY.millis()],
    )?;
    transaction.execute("DELETE FROM hours WHERE until <= ?1", [hours_until])?;
    transaction.execute("DELETE FROM slices WHERE until <= ?1", [hours_until])?;
    transaction.execute("DELETE FROM days WHERE until <= ?1", [oldest])?;
    transaction.execute(
        "DELETE FROM series WHERE NOT EXISTS (SELECT 1 FROM hours WHERE series = series.id)
         AND NOT EXISTS (SELECT 1 FROM days WHERE series = series.id)",
        [],
    )?;
    transaction.execute(
        "DELETE FROM alerts WHERE resolved_at <= ?1
         AND NOT EXISTS (SELECT 1 FROM deliveries WHERE alert_id = alerts.id AND state = 'pending')",
        [oldest],
    )?;
    transaction.execute(
        "DELETE FROM deliveries WHERE created_at <= ?1 AND state <> 'pending'
         AND NOT EXISTS (SELECT 1 FROM alerts WHERE alerts.id = alert_id)",
        [oldest],
    )?;
    transaction.execute("UPDATE audit_kept SET since = ?1", [oldest])?;
    transaction.execute(
        "DELETE FROM records WHERE at <= ?1 AND kind <> 'setting'
         AND NOT (kind = 'case' AND EXISTS (SELECT 1 FROM alerts WHERE alerts.id = records.id))",
        [oldest],
    )?;
    transaction.commit()?;
    Ok(())
}
