//! What people do to the service: one way in, one entry in the audit, all of it in one commit or nothing.
//!
//! Each act has a function below that looks at what is there and returns what has to be written. One act at a time: what
//! one read is not changed by another before it is written. A reload is the exception: it is done by the files, so its
//! entry follows it, and is kept for later where the store does not take it.

mod ack;
mod close;
pub mod drill;
mod judge;
mod mark;
mod resend;
mod silence;
mod test;

use crate::policy::act::{Ack, Act, Acted, Actor, AlertVerdict};
use crate::policy::audit::AuditEntry;
use crate::policy::machine::Effect;
use crate::runtime::live::Live;
use crate::runtime::service::ActError;
use crate::store::{Commit, Record, RecordKind, StoreError};
use crate::telemetry::event::StoreFailure;

/// An act that can be done: what has to be written, and what it comes to. Nothing has happened yet.
#[derive(Default)]
pub(super) struct Prepared {
    /// All that it changes; the entry of the audit is added to it.
    pub(super) commit: Commit,
    /// The answer.
    pub(super) acted: Acted,
    /// Who writes it.
    pub(super) way: Way,
    /// What has to follow in memory once it is written.
    pub(super) after: Option<Box<dyn FnOnce() + Send>>,
}

/// Who writes an act: what touches who is told of an alert goes through the desk, in the same commit.
#[derive(Default)]
pub(super) enum Way {
    /// The store alone.
    #[default]
    Store,
    /// The desk: this alert is taken on.
    Ack(String, Ack),
    /// The desk: nobody works on this alert any more.
    Unack(String),
    /// The desk: what this alert was worth, and who says so.
    Judge(String, AlertVerdict, String),
    /// The desk: alerts begin or end.
    Effects(Vec<Effect>),
}

impl Live {
    /// Does it, or nothing at all.
    pub(super) async fn perform(&self, act: Act, by: &Actor) -> Result<Acted, ActError> {
        if act == Act::Reload {
            return self.reload_by(by).await;
        }
        let _one = self.acting.lock().await;
        let mut prepared = self.prepare(&act, by).await?;
        if prepared.acted.unchanged {
            // Nothing became of it.
            return Ok(prepared.acted);
        }
        // The end of a test belongs to its begin.
        if !matches!(act, Act::Test { ends: Some(_), .. }) {
            let entry = AuditEntry::of(&act, &prepared.acted, by, self.core.clock.now());
            prepared.commit.records.push(self.audit_record(&entry).await?);
        }
        self.write(prepared.way, prepared.commit).await.inspect_err(|error| {
            if let ActError::Store(error) = error {
                self.tell_store(error);
            }
        })?;
        if let Some(after) = prepared.after {
            after();
        }
        Ok(prepared.acted)
    }

    /// Writes it, or nothing at all.
    async fn write(&self, way: Way, commit: Commit) -> Result<(), ActError> {
        let core = &self.core;
        match way {
            Way::Store => Ok(core.record_now(commit).await?),
            Way::Ack(alert, ack) => core.acknowledge(&alert, ack, commit).await,
            Way::Unack(alert) => core.unacknowledge(&alert, commit).await,
            Way::Judge(alert, verdict, by) => core.judge(&alert, verdict, &by, commit).await,
            Way::Effects(effects) => {
                // What the desk decides is kept for later where it cannot be written: so that is asked before.
                core.prove_writable(core.clock.now()).await?;
                core.record(effects, commit).await;
                Ok(())
            }
        }
    }

    async fn prepare(&self, act: &Act, by: &Actor) -> Result<Prepared, ActError> {
        let now = self.core.clock.now();
        match act {
            Act::Ack { alert, note } => ack::prepare(self, alert, note.as_deref(), by, now).await,
            Act::Unack { alert, .. } => ack::take_back(self, alert).await,
            Act::Close { alert, note } => close::prepare(self, alert, note.as_deref(), by, now).await,
            Act::Judge { alert, verdict } => judge::prepare(self, alert, *verdict, by, now).await,
            Act::Silence(draft) => silence::add(self, draft, by, now).await,
            Act::Expire { silence } => silence::expire(self, silence, by, now).await,
            Act::Mark { service, version, at } => mark::prepare(self, service, version, at.unwrap_or(now), now),
            Act::Drill { instance, severity } => drill::prepare(self, instance, *severity, by, now).await,
            Act::Resend { delivery } => resend::prepare(self, delivery, now).await,
            Act::Test { sink, severity, ends } => {
                test::prepare(self, (sink, *severity, ends.as_deref()), by, now).await
            }
            Act::Reload => Err(ActError::Invalid("a reload has a way of its own".to_owned())),
        }
    }

    /// The files are taken, or refused as a whole, by themselves.
    async fn reload_by(&self, by: &Actor) -> Result<Acted, ActError> {
        self.read_again().await.map_err(ActError::Refused)?;
        let acted = Acted {
            id: self.loaded().blueprint.digest.clone(),
            message: "the files were read again".into(),
            ..Acted::default()
        };
        let _one = self.acting.lock().await;
        let entry = AuditEntry::of(&Act::Reload, &acted, by, self.core.clock.now());
        match self.audit_record(&entry).await {
            Ok(record) => self.core.record(Vec::new(), Commit { records: vec![record], ..Commit::default() }).await,
            Err(error) => self.tell_store(&error),
        }
        Ok(acted)
    }

    /// The record of an entry, under an id that no other has.
    async fn audit_record(&self, entry: &AuditEntry) -> Result<Record, StoreError> {
        let mut again = 0;
        while self.core.store.record(RecordKind::Audit, &entry.id(again)).await?.is_some() {
            again += 1;
        }
        // Text and times: it can always be written.
        let text = serde_json::to_string(entry).unwrap_or_default();
        Ok(Record { kind: RecordKind::Audit, id: entry.id(again), at: entry.at, text: Some(text) })
    }

    fn tell_store(&self, error: &StoreError) {
        self.core.telemetry.tell(&StoreFailure { doing: &error.doing, problem: &error.problem });
    }
}
