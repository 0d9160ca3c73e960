//! Silences as shown: with the alerts that fire and that they cover.

use std::collections::{BTreeMap, BTreeSet};

use crate::policy::alert::Alert;
use crate::policy::episode::Episode;
use crate::policy::silence::{LabelMatcher, Matchers, Silence, SilenceState};
use crate::policy::subject::{SOURCE_SERVICE, Subject};
use crate::runtime::live::Live;
use crate::runtime::quiet::silence_of;
use crate::runtime::service::SilenceView;
use crate::store::{AlertFilter, RecordKind, StoreError};
use crate::units::InstanceId;
use crate::yaml::suggestion;

/// Silences shown, those that are over among them.
const SHOWN: usize = 10_000;

/// Firing alerts looked at.
const FIRING: usize = 10_000;

impl Live {
    /// Those of the store, active ones first.
    pub(super) async fn silence_views(&self) -> Result<Vec<SilenceView>, StoreError> {
        let now = self.core.clock.now();
        let records = self.core.store.records(RecordKind::Silence, SHOWN).await?;
        let mut silences: Vec<(SilenceState, Silence)> =
            records.iter().filter_map(silence_of).map(|silence| (silence.state(now), silence)).collect();
        // Each state by its own interest: what ends next, what begins next, what ended last.
        silences.sort_by_key(|(state, silence)| {
            let time = match state {
                SilenceState::Active => silence.ends_at.millis(),
                SilenceState::Pending => silence.starts_at.millis(),
                SilenceState::Expired => -silence.ends_at.millis(),
            };
            (*state, time, silence.id.clone())
        });
        let firing = if silences.iter().any(|(state, _)| *state != SilenceState::Expired) {
            let filter = AlertFilter { state: Some("firing".to_owned()), ..AlertFilter::default() };
            self.labelled(self.core.store.alerts(&filter, FIRING).await?)
        } else {
            Vec::new()
        };
        let view = |(state, silence): (SilenceState, Silence)| {
            let matchers = Matchers::new(&silence.matchers).ok().filter(|_| state != SilenceState::Expired);
            let covers = |(_, labels): &&(Alert, BTreeMap<String, String>)| {
                matchers.as_ref().is_some_and(|matchers| matchers.hold(labels))
            };
            let covers = firing.iter().filter(covers).map(|(alert, _)| alert.clone()).collect();
            SilenceView { silence, state, covers }
        };
        Ok(silences.into_iter().map(view).collect())
    }

    /// Says of a silence that it waits for a label which no alert of what is loaded can have: a slip, most often.
    pub(super) fn label_that_nothing_has(&self, matchers: &[LabelMatcher]) -> Option<String> {
        let loaded = self.loaded();
        let plans = loaded.blueprint.slos.iter().flat_map(|plan| plan.subject.label_names(&plan.slo.by));
        let source = Subject::source("any", &self.core.config().server.external_labels).label_names(&[]);
        let known: BTreeSet<String> = plans.chain(source).collect();
        let waits = |matcher: &&LabelMatcher| {
            !known.contains(&matcher.name) && matcher.compiled().is_ok_and(|matcher| !matcher.allows(""))
        };
        let LabelMatcher { name, .. } = matchers.iter().find(waits)?;
        let ours = format!("slo_{name}");
        let near = known.get(&ours).map(String::as_str);
        let near = near.or_else(|| suggestion(name, known.iter().map(String::as_str)));
        let meant = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Some(format!("no alert has the label `{name}`, so this silences nothing{meant}"))
    }

    /// The labels that one alert is told with.
    pub(super) async fn labels_of(&self, alert: &Alert) -> Option<BTreeMap<String, String>> {
        match self.core.labels_told(&alert.id).await {
            Some(labels) => Some(labels),
            None => self.labelled(vec![alert.clone()]).pop().map(|(_, labels)| labels),
        }
    }

    /// Alerts with the labels that they are told with.
    fn labelled(&self, alerts: Vec<Alert>) -> Vec<(Alert, BTreeMap<String, String>)> {
        let loaded = self.loaded();
        let config = self.core.config();
        let of = |alert: Alert| {
            let id: InstanceId = alert.slo.parse().ok()?;
            let plan = loaded.blueprint.slos.iter().find(|plan| plan.slo.id == id.slo);
            let source = || Subject::source(&id.slo.name, &config.server.external_labels);
            let subject = match plan {
                Some(plan) => plan.subject.clone(),
                None if id.slo.service == SOURCE_SERVICE => source(),
                None => return None,
            };
            let (shared, foreign) = (subject.shared_labels(&id.group), subject.foreign_labels(&id.group));
            let episode = Episode::begin(alert.started_at, shared, foreign);
            let labels = episode.labels_of((alert.severity, alert.kind));
            Some((alert, labels))
        };
        alerts.into_iter().filter_map(of).collect()
    }
}
