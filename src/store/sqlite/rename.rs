//! Another id for an SLO: what is kept under the old one goes over to the new one.

use rusqlite::{OptionalExtension, Transaction, params};

use crate::policy::alert::Alert;
use crate::store::renamed;
use crate::store::sqlite::failure::Failure;
use crate::store::sqlite::record;
use crate::store::sqlite::write::write_alert;

/// Within the transaction of a commit. Nothing of the old id is left, so a second time does nothing.
pub(super) fn rename(transaction: &Transaction<'_>, from: &str, to: &str) -> Result<(), Failure> {
    let mut find = transaction.prepare_cached("SELECT id, generation, instance FROM series WHERE slo = ?1")?;
    let rows = find.query_map([from], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let all: Vec<(i64, String, String)> = rows.collect::<Result<_, _>>()?;
    for (series, generation, instance) in all {
        let instance = renamed(&instance, from, to).unwrap_or(instance);
        move_series(transaction, series, (to, &generation, &instance))?;
    }
    transaction.prepare_cached("UPDATE OR IGNORE slices SET slo = ?2 WHERE slo = ?1")?.execute([from, to])?;
    transaction.prepare_cached("DELETE FROM slices WHERE slo = ?1")?.execute([from])?;
    for mut alert in alerts_of(transaction, from)? {
        if let Some(instance) = renamed(&alert.slo, from, to) {
            alert.slo = instance;
            write_alert(transaction, &alert)?;
        }
    }
    Ok(())
}

/// Gives a series another name, or its buckets to the series that has the name.
fn move_series(
    transaction: &Transaction<'_>,
    series: i64,
    (slo, generation, instance): (&str, &str, &str),
) -> Result<(), Failure> {
    let heir: Option<i64> = transaction
        .prepare_cached("SELECT id FROM series WHERE slo = ?1 AND generation = ?2 AND instance = ?3")?
        .query_row(params![slo, generation, instance], |row| row.get(0))
        .optional()?;
    let Some(heir) = heir else {
        transaction
            .prepare_cached("UPDATE series SET slo = ?2, instance = ?3 WHERE id = ?1")?
            .execute(params![series, slo, instance])?;
        return Ok(());
    };
    for table in ["hours", "days"] {
        let fuller = format!(
            "INSERT INTO {table} (series, until, events, total, measured)
             SELECT ?2, until, events, total, measured FROM {table} WHERE series = ?1
             ON CONFLICT (series, until) DO UPDATE
             SET events = excluded.events, total = excluded.total, measured = excluded.measured
             WHERE excluded.measured > {table}.measured"
        );
        transaction.prepare_cached(&fuller)?.execute([series, heir])?;
        transaction.prepare_cached(&format!("DELETE FROM {table} WHERE series = ?1"))?.execute([series])?;
    }
    transaction.prepare_cached("DELETE FROM series WHERE id = ?1")?.execute([series])?;
    Ok(())
}

fn alerts_of(transaction: &Transaction<'_>, slo: &str) -> Result<Vec<Alert>, Failure> {
    let sql = "SELECT id, shape, record FROM alerts
               WHERE slo = ?1 OR substr(slo, 1, length(?1) + 1) = ?1 || '{'";
    let mut statement = transaction.prepare_cached(sql)?;
    let mut rows = statement.query([slo])?;
    let mut alerts = Vec::new();
    while let Some(row) = rows.next()? {
        alerts.push(record::alert(row)?);
    }
    Ok(alerts)
}
