//! What makes quiet, held ready: silences and deploy markers of the store, exclusions and holds of the files.
//!
//! Whatever changes makes new [`Quiets`], which the desk is given at once, and wakes those who mirror silences. Silences
//! that are over, and deploys that hold nothing and are old, are let go here; the store keeps them with the history.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::policy::evidence::{Deploy, Evidence};
use crate::policy::machine::Effect;
use crate::policy::quiet::{Quiets, Written};
use crate::policy::silence::{Silence, SilenceState};
use crate::runtime::core::{Core, held};
use crate::store::{Record, RecordKind, Store, StoreError};
use crate::units::{Length, Timestamp};

/// Version of the records of silences and of deploys.
const VERSION: u32 = 1;

/// Records read at start: as many as people can have written within the history, and more than fit a list.
const READ: usize = 100_000;

/// How long deploys are held ready: an alert that fires for long goes on naming the one before it fired.
const DEPLOYS_ARE_KEPT: Length = Length::from_days(30);

/// A silence as recorded.
#[derive(Serialize, Deserialize)]
struct SilenceRecord {
    version: u32,
    #[serde(flatten)]
    silence: Silence,
}

/// A deploy as recorded.
#[derive(Serialize, Deserialize)]
struct DeployRecord {
    version: u32,
    deploy: Deploy,
}

/// The record of a silence.
#[must_use]
pub fn silence_record(silence: &Silence) -> Record {
    let record = SilenceRecord { version: VERSION, silence: silence.clone() };
    // Texts, flags and times: it can always be written.
    let text = serde_json::to_string(&record).unwrap_or_default();
    Record { kind: RecordKind::Silence, id: silence.id.clone(), at: silence.ends_at, text: Some(text) }
}

/// The silence of a record; `None`, which is told, where another version wrote it.
#[must_use]
pub fn silence_of(record: &Record) -> Option<Silence> {
    Some(read::<SilenceRecord>(record, |record| record.version)?.silence)
}

/// The record of a deploy. One that is told twice is one.
#[must_use]
pub fn deploy_record(deploy: &Deploy) -> Record {
    let id = format!("{:015}-{}-{}", deploy.at.millis(), deploy.service, deploy.version);
    let record = DeployRecord { version: VERSION, deploy: deploy.clone() };
    let text = serde_json::to_string(&record).unwrap_or_default();
    Record { kind: RecordKind::Marker, id, at: deploy.at, text: Some(text) }
}

/// The deploy of a record; `None`, which is told, where another version wrote it.
#[must_use]
pub fn deploy_of(record: &Record) -> Option<Deploy> {
    Some(read::<DeployRecord>(record, |record| record.version)?.deploy)
}

fn read<T: for<'de> Deserialize<'de>>(record: &Record, version: impl Fn(&T) -> u32) -> Option<T> {
    let found = serde_json::from_str::<T>(record.text.as_deref().unwrap_or_default()).ok();
    let found = found.filter(|found| version(found) == VERSION);
    if found.is_none() {
        tracing::warn!(kind = record.kind.name(), id = record.id, "a record cannot be read; it is left alone");
    }
    found
}

/// Names the newest deploy before the alert fired in its evidence, and in what is told of it.
pub fn name_deploy(quiets: &Quiets, effect: &mut Effect) {
    let Some(fired) = effect.alert.fired_at else { return };
    let slo = effect.alert.slo.as_str();
    let service = slo.split_once('/').map_or(slo, |(service, _)| service);
    let Some(deploy) = quiets.last_deploy(service, fired) else { return };
    let name = |evidence: &mut Option<Evidence>| {
        evidence.get_or_insert_default().deploy = Some(deploy.clone());
    };
    name(&mut effect.alert.evidence);
    if let Some(notification) = &mut effect.notification {
        name(&mut notification.evidence);
    }
}

/// Everything that makes quiet, to be changed piece by piece.
#[derive(Debug, Default)]
pub struct Stillness {
    parts: Mutex<Parts>,
    /// Woken by every change, for those who mirror silences.
    pub changed: Notify,
}

#[derive(Debug, Default)]
struct Parts {
    silences: BTreeMap<String, Silence>,
    deploys: BTreeMap<String, Deploy>,
    written: Written,
}

impl Stillness {
    /// What the store has of it, and what the files say.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn read(store: &dyn Store, written: Written) -> Result<Self, StoreError> {
        let silences = store.records(RecordKind::Silence, READ).await?;
        let silences = silences.iter().filter_map(silence_of).map(|silence| (silence.id.clone(), silence)).collect();
        let markers = store.records(RecordKind::Marker, READ).await?;
        let deploys = markers.iter().filter_map(|record| Some((record.id.clone(), deploy_of(record)?))).collect();
        Ok(Self { parts: Mutex::new(Parts { silences, deploys, written }), changed: Notify::new() })
    }

    /// Silences that hold or will, by id.
    #[must_use]
    pub fn silences(&self) -> Vec<Silence> {
        held(&self.parts).silences.values().cloned().collect()
    }

    /// Takes these silences, new or changed.
    pub fn take(&self, core: &Core, silences: Vec<Silence>) {
        self.change(core, |parts| {
            parts.silences.extend(silences.into_iter().map(|silence| (silence.id.clone(), silence)));
        });
    }

    /// Takes a deploy, by the id of its record.
    pub fn deployed(&self, core: &Core, id: String, deploy: Deploy) {
        self.change(core, |parts| drop(parts.deploys.insert(id, deploy)));
    }

    /// The files say this from now on.
    pub fn rewritten(&self, core: &Core, written: Written) {
        self.change(core, |parts| parts.written = written);
    }

    /// Hands to the desk what there is.
    pub fn show(&self, core: &Core) {
        self.change(core, |_| ());
    }

    fn change(&self, core: &Core, change: impl FnOnce(&mut Parts)) {
        let now = core.clock.now();
        let mut parts = held(&self.parts);
        change(&mut parts);
        parts.let_go(now);
        let quiets = Quiets::new(parts.silences.values().cloned(), &parts.written, parts.deploys.values().cloned());
        // Under the lock: of two changes the later is what stays.
        core.quiets_changed(quiets);
        drop(parts);
        self.changed.notify_one();
    }
}

impl Parts {
    /// Forgets what is over.
    fn let_go(&mut self, now: Timestamp) {
        self.silences.retain(|_, silence| silence.state(now) != SilenceState::Expired);
        let longest = self.written.on_deploy.values().map(|on| on.hold).max().unwrap_or(Length::ZERO);
        let since = now - longest.max(DEPLOYS_ARE_KEPT);
        self.deploys.retain(|_, deploy| deploy.at >= since);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::silence::LabelMatcher;

    #[test]
    fn records_read_back_and_what_another_version_wrote_is_left_alone() {
        let time = Timestamp::from_seconds;
        let silence = Silence {
            id: "0123456789ab".into(),
            matchers: vec![LabelMatcher { name: "a".into(), value: "b".into(), is_regex: true, is_equal: false }],
            created_by: "ann".into(),
            comment: "why".into(),
            starts_at: time(1_000),
            ends_at: time(2_000),
        };
        let record = silence_record(&silence);
        assert_eq!((record.at, silence_of(&record)), (silence.ends_at, Some(silence.clone())));
        let deploy = Deploy { service: "checkout".into(), version: "v2".into(), at: time(1_000) };
        let marker = deploy_record(&deploy);
        assert_eq!(deploy_of(&marker), Some(deploy));
        assert_eq!(marker.id, "000000001000000-checkout-v2");
        let text = record.text.as_ref().map(|text| text.replace("\"version\":1", "\"version\":2"));
        assert_eq!(silence_of(&Record { text, ..record }), None);
        assert_eq!(deploy_of(&Record { text: None, ..marker }), None);
    }
}
