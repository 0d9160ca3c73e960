//! Reading.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Params, Row, params, params_from_iter};

use crate::engine::verdict::HourBucket;
use crate::policy::alert::Alert;
use crate::policy::notification::Notification;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::record;
use crate::store::{
    AlertFilter, Attempt, Backlog, Delivery, DeliveryFilter, DeliveryState, LONGEST_WAIT, Order, RECENTLY_ENDED,
    Record, RecordKind, Snapshot, ThreadState,
};
use crate::units::{Length, Timestamp};

const DAY: Length = Length::from_days(1);

/// What is there at start.
pub(super) fn snapshot(connection: &Connection) -> Result<Snapshot, Failure> {
    let newest: Option<i64> = connection.query_row(
        "SELECT max(t) FROM (SELECT max(at) AS t FROM watermarks UNION ALL SELECT max(resolved_at) FROM alerts)",
        [],
        |row| row.get(0),
    )?;
    let since = Timestamp::from_millis(newest.unwrap_or_default()) - RECENTLY_ENDED;
    let sql = "SELECT id, shape, record FROM alerts WHERE resolved_at IS NULL OR resolved_at > ?1
               ORDER BY started_at, id";
    let states = "SELECT instance, record FROM states";
    let watermarks = "SELECT source, at FROM watermarks";
    Ok(Snapshot {
        alerts: all(connection, sql, [since.millis()], record::alert)?,
        states: all(connection, states, [], |row| Ok((row.get(0)?, row.get(1)?)))?.into_iter().collect(),
        watermarks: all(connection, watermarks, [], |row| Ok((row.get(0)?, time(row, 1)?)))?.into_iter().collect(),
    })
}

/// Every row of an answer.
fn all<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl Fn(&Row<'_>) -> Result<T, Failure>,
) -> Result<Vec<T>, Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        items.push(read(row)?);
    }
    Ok(items)
}

fn time(row: &Row<'_>, column: usize) -> Result<Timestamp, Failure> {
    Ok(Timestamp::from_millis(row.get(column)?))
}

fn bucket(row: &Row<'_>) -> Result<(String, HourBucket), Failure> {
    let measured = Length::from_millis(row.get(4)?);
    let hour = HourBucket { end: time(row, 1)?, events: row.get(2)?, total: row.get(3)?, measured };
    Ok((row.get(0)?, hour))
}

/// Hours of an SLO's generation that end after `after`.
pub(super) fn hours(
    connection: &Connection,
    slo: &str,
    generation: &str,
    after: Timestamp,
) -> Result<Vec<(String, HourBucket)>, Failure> {
    let sql = "SELECT instance, until, events, total, measured FROM series JOIN hours ON series = series.id
               WHERE slo = ?1 AND generation = ?2 AND until > ?3 ORDER BY until, instance";
    all(connection, sql, params![slo, generation, after.millis()], bucket)
}

/// Days of an SLO's generation: those folded, and those summed from the hours that are still there.
pub(super) fn days(
    connection: &Connection,
    slo: &str,
    generation: &str,
    after: Timestamp,
) -> Result<Vec<(String, HourBucket)>, Failure> {
    let folded = "SELECT instance, until, events, total, measured FROM series JOIN days ON series = series.id
                  WHERE slo = ?1 AND generation = ?2 AND until > ?3";
    let summed = "SELECT instance, (until + ?4 - 1) / ?4 * ?4 AS day, sum(events), sum(total), sum(measured)
                  FROM series JOIN hours ON series = series.id
                  WHERE slo = ?1 AND generation = ?2 AND day > ?3 GROUP BY instance, day";
    let mut days: BTreeMap<(Timestamp, String), HourBucket> = BTreeMap::new();
    let rows = all(connection, folded, params![slo, generation, after.millis()], bucket)?;
    let rows = rows.into_iter().chain(all(
        connection,
        summed,
        params![slo, generation, after.millis(), DAY.millis()],
        bucket,
    )?);
    for (instance, day) in rows {
        let known = days.entry((day.end, instance)).or_insert(day);
        if day.measured > known.measured {
            *known = day;
        }
    }
    Ok(days.into_iter().map(|((_, instance), day)| (instance, day)).collect())
}

/// Packed slices that end after `after`.
pub(super) fn slices(
    connection: &Connection,
    slo: &str,
    generation: &str,
    after: Timestamp,
) -> Result<Vec<(Timestamp, Vec<u8>)>, Failure> {
    let sql = "SELECT until, bytes FROM slices WHERE slo = ?1 AND generation = ?2 AND until > ?3 ORDER BY until";
    all(connection, sql, params![slo, generation, after.millis()], |row| Ok((time(row, 0)?, row.get(1)?)))
}

/// Deliveries that may be sent.
pub(super) fn heads(
    connection: &Connection,
    sink: &str,
    due: Timestamp,
    order: Order,
    limit: usize,
) -> Result<Vec<Delivery>, Failure> {
    let first_of_thread = match order {
        Order::Keys => "",
        Order::Threads => {
            "AND NOT EXISTS (SELECT 1 FROM deliveries t WHERE t.state = 'pending' AND t.sink = ?1
                             AND t.thread = d.thread AND t.sequence < d.sequence)"
        }
    };
    // The columns are sorted, not the records, which are long.
    let sql = format!(
        "SELECT * FROM deliveries JOIN (SELECT d.sequence AS head FROM deliveries d
        WHERE d.state = 'pending' AND d.sink = ?1
        AND NOT EXISTS (SELECT 1 FROM deliveries e WHERE e.state = 'pending' AND e.sink = ?1
                        AND e.dedup_key = d.dedup_key AND e.sequence < d.sequence)
        {first_of_thread}
        AND (d.next_attempt_at IS NULL OR d.next_attempt_at <= ?2 OR d.next_attempt_at > ?2 + ?3
             OR (d.tells = 'firing' AND EXISTS (SELECT 1 FROM deliveries r WHERE r.alert_id = d.alert_id
                 AND r.sink = ?1 AND r.sequence > d.sequence AND r.tells = 'resolved')))
        ORDER BY d.urgency <> 0, d.next_attempt_at IS NOT NULL, d.urgency, d.next_attempt_at, d.sequence LIMIT ?4)
        ON sequence = head
        ORDER BY urgency <> 0, next_attempt_at IS NOT NULL, urgency, next_attempt_at, sequence"
    );
    let found = all(connection, &sql, params![sink, due.millis(), LONGEST_WAIT.millis(), count(limit)], delivery)?;
    with_attempts(connection, found)
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A delivery without its attempts.
fn delivery(row: &Row<'_>) -> Result<Delivery, Failure> {
    let state: String = row.get("state")?;
    let next: Option<i64> = row.get("next_attempt_at")?;
    let resent: Option<i64> = row.get("resent_at")?;
    Ok(Delivery {
        id: row.get("id")?,
        sink: row.get("sink")?,
        notification: record::notification(row)?,
        state: state_of(&state)?,
        attempts: Vec::new(),
        created_at: Timestamp::from_millis(row.get("created_at")?),
        next_attempt_at: next.map(Timestamp::from_millis),
        resent_at: resent.map(Timestamp::from_millis),
        handle: row.get("handle")?,
        sequence: row.get("sequence")?,
    })
}

fn state_of(text: &str) -> Result<DeliveryState, Failure> {
    use DeliveryState::{Done, Expired, Failed, Pending, Superseded};
    [Pending, Done, Failed, Superseded, Expired]
        .into_iter()
        .find(|state| state.name() == text)
        .ok_or_else(|| Failure::Record(format!("a delivery has the unknown state `{text}`")))
}

fn with_attempts(connection: &Connection, mut deliveries: Vec<Delivery>) -> Result<Vec<Delivery>, Failure> {
    let sql = "SELECT at, outcome, message FROM attempts WHERE delivery = ?1 ORDER BY number";
    for delivery in &mut deliveries {
        delivery.attempts = all(connection, sql, [delivery.sequence], |row| {
            Ok(Attempt { at: time(row, 0)?, outcome: row.get(1)?, message: row.get(2)? })
        })?;
    }
    Ok(deliveries)
}

/// What waits for a sink.
pub(super) fn backlog(connection: &Connection, sink: &str, now: Timestamp) -> Result<Backlog, Failure> {
    let sql = "SELECT count(*), min(created_at), min(CASE WHEN next_attempt_at > ?2 THEN next_attempt_at END)
               FROM deliveries WHERE state = 'pending' AND sink = ?1";
    let (pending, oldest, next): (i64, Option<i64>, Option<i64>) = connection
        .prepare_cached(sql)?
        .query_row(params![sink, now.millis()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(Backlog {
        pending: pending.unsigned_abs(),
        oldest: oldest.map(Timestamp::from_millis),
        next: next.map(Timestamp::from_millis),
    })
}

/// What a sink that is refreshed should hold.
pub(super) fn standing(
    connection: &Connection,
    sink: &str,
    ended_since: Timestamp,
) -> Result<Vec<Notification>, Failure> {
    let newest = "NOT EXISTS (SELECT 1 FROM deliveries n WHERE n.sink = ?1 AND n.dedup_key = d.dedup_key
                  AND n.sequence > d.sequence AND n.state <> 'superseded')";
    let sql = format!(
        "SELECT d.sequence, d.id, d.shape, d.record FROM alerts a JOIN deliveries d ON d.alert_id = a.id
         WHERE a.resolved_at IS NULL AND a.state = 'firing' AND d.sink = ?1 AND d.tells = 'firing'
         AND d.state <> 'superseded' AND {newest}
         AND (d.state = 'done'
              OR EXISTS (SELECT 1 FROM attempts WHERE delivery = d.sequence AND outcome = 'ambiguous'))
         UNION ALL
         SELECT d.sequence, d.id, d.shape, d.record FROM deliveries d
         WHERE d.created_at >= ?2 AND d.sink = ?1 AND d.tells = 'resolved' AND d.state = 'done' AND {newest}
         ORDER BY 1"
    );
    all(connection, &sql, params![sink, ended_since.millis()], record::notification)
}

/// Deliveries, newest first.
pub(super) fn deliveries(
    connection: &Connection,
    filter: &DeliveryFilter,
    limit: usize,
) -> Result<Vec<Delivery>, Failure> {
    let mut conditions = Conditions::default();
    conditions.equal("state", filter.state.map(|state| state.name().to_owned()));
    conditions.equal("alert_id", filter.alert_id.clone());
    conditions.equal("sink", filter.sink.clone());
    let sql = format!("SELECT * FROM deliveries {} ORDER BY sequence DESC LIMIT {}", conditions.clause(), count(limit));
    let found = all(connection, &sql, params_from_iter(conditions.values), delivery)?;
    with_attempts(connection, found)
}

/// One delivery.
pub(super) fn one_delivery(connection: &Connection, id: &str) -> Result<Option<Delivery>, Failure> {
    let found = all(connection, "SELECT * FROM deliveries WHERE id = ?1", [id], delivery)?;
    Ok(with_attempts(connection, found)?.pop())
}

/// Alerts, newest first.
pub(super) fn alerts(connection: &Connection, filter: &AlertFilter, limit: usize) -> Result<Vec<Alert>, Failure> {
    let mut conditions = Conditions::default();
    conditions.equal("state", filter.state.clone());
    conditions.equal("severity", filter.severity.clone());
    if let Some(slo) = &filter.slo {
        conditions.values.push(Value::Text(slo.clone()));
        let number = conditions.values.len();
        conditions
            .texts
            .push(format!("(slo = ?{number} OR substr(slo, 1, length(?{number}) + 1) = ?{number} || '{{')"));
    }
    let sql = format!(
        "SELECT id, shape, record FROM alerts {} ORDER BY started_at DESC, id DESC LIMIT {}",
        conditions.clause(),
        count(limit)
    );
    all(connection, &sql, params_from_iter(conditions.values), record::alert)
}

/// One alert.
pub(super) fn alert(connection: &Connection, id: &str) -> Result<Option<Alert>, Failure> {
    let mut statement = connection.prepare_cached("SELECT id, shape, record FROM alerts WHERE id = ?1")?;
    statement.query_row([id], |row| Ok(record::alert(row))).optional()?.transpose()
}

/// What a sink is known to have of a thread.
pub(super) fn thread(connection: &Connection, sink: &str, thread: &str) -> Result<ThreadState, Failure> {
    let newest = "SELECT handle FROM deliveries WHERE thread = ?1 AND sink = ?2 AND handle IS NOT NULL
                  ORDER BY sequence DESC LIMIT 1";
    let handle: Option<String> =
        connection.prepare_cached(newest)?.query_row([thread, sink], |row| row.get(0)).optional()?;
    let tried = "SELECT EXISTS (SELECT 1 FROM deliveries JOIN attempts ON delivery = sequence
                 WHERE thread = ?1 AND sink = ?2 AND outcome = 'ambiguous')";
    let perhaps: bool = connection.prepare_cached(tried)?.query_row([thread, sink], |row| row.get(0))?;
    Ok(ThreadState { perhaps_told: handle.is_none() && perhaps, handle })
}

/// Records of a kind, newest first.
pub(super) fn records(connection: &Connection, kind: RecordKind, limit: usize) -> Result<Vec<Record>, Failure> {
    let sql = "SELECT id, at, record FROM records WHERE kind = ?1 ORDER BY at DESC, id LIMIT ?2";
    all(connection, sql, params![kind.name(), count(limit)], |row| {
        Ok(Record { kind, id: row.get(0)?, at: time(row, 1)?, text: Some(row.get(2)?) })
    })
}

/// One record.
pub(super) fn one_record(connection: &Connection, kind: RecordKind, id: &str) -> Result<Option<Record>, Failure> {
    let sql = "SELECT at, record FROM records WHERE kind = ?1 AND id = ?2";
    let found = connection
        .prepare_cached(sql)?
        .query_row([kind.name(), id], |row| Ok((Timestamp::from_millis(row.get(0)?), row.get::<_, String>(1)?)));
    let found = found.optional()?;
    Ok(found.map(|(at, text)| Record { kind, id: id.to_owned(), at, text: Some(text) }))
}

/// What has to hold, with values by number.
#[derive(Default)]
struct Conditions {
    texts: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    fn equal(&mut self, column: &str, value: Option<String>) {
        if let Some(value) = value {
            self.values.push(Value::Text(value));
            self.texts.push(format!("{column} = ?{}", self.values.len()));
        }
    }

    fn clause(&self) -> String {
        if self.texts.is_empty() { String::new() } else { format!("WHERE {}", self.texts.join(" AND ")) }
    }
}
