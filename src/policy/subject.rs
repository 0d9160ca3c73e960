//! Whom an alert is about and what comes along from the files: names, labels, links; the keys made from them.
//!
//! Why apart from the definition: the engine needs numbers only, and two subjects with one definition alert alike.
//! Invariant: keys and ids are made of names, the episode's begin and counts; nothing random, no wall clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::meant::Owner;
use crate::policy::alert::AlertKind;
use crate::policy::naming::{self, ForeignLabels};
use crate::spec::meant::{Foreign, Mode, Override, Sli, Slo};
use crate::spec::policy::AlertSeverity;
use crate::units::{Labels, Objective, SloId, Timestamp};

/// The service under which a source's own alert is told.
pub const SOURCE_SERVICE: &str = "source";

/// Our severity among the labels, before a sink's map.
pub const SEVERITY_LABEL: &str = "slo_severity";

/// What the alerts of one SLO (or of one source) say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// `service/name`; `source/NAME` for a source.
    pub id: SloId,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where the owner is found (`owners` in the configuration).
    pub contact: Option<String>,
    /// `T`; `None` for a source.
    pub objective: Option<Objective>,
    /// Other objectives for some of its groups; the first that matches holds.
    pub overrides: Vec<Override>,
    /// Labels of the files: the SLO's, overridden by those of `alerting`.
    pub labels: BTreeMap<String, String>,
    /// Annotations of `alerting`.
    pub annotations: BTreeMap<String, String>,
    /// Links of the files.
    pub links: BTreeMap<String, String>,
    /// Whether its alerts are sent.
    pub mode: Mode,
    /// `server.external_labels`: added to every alert and to its dedup key.
    pub external_labels: BTreeMap<String, String>,
    /// What it counts is time, not requests (`gauge`, `probe`, `ratio`): that is how it is told.
    pub time_weighted: bool,
    /// What another tool would call its alerts; `None`: names of our own.
    pub foreign: Option<Arc<Foreign>>,
}

impl Subject {
    /// Of an SLO as meant.
    #[must_use]
    pub fn of(slo: &Slo, external_labels: &BTreeMap<String, String>) -> Self {
        let mut labels = slo.labels.clone();
        labels.extend(slo.alerting.labels.clone());
        Self {
            id: slo.id.clone(),
            owner: slo.owner.clone(),
            contact: None,
            objective: Some(slo.objective),
            overrides: slo.overrides.clone(),
            labels,
            annotations: slo.alerting.annotations.clone(),
            links: slo.links.clone(),
            mode: slo.alerting.mode,
            external_labels: external_labels.clone(),
            time_weighted: matches!(slo.sli, Sli::Gauge { .. } | Sli::Ratio { .. }),
            foreign: slo.alerting.foreign.clone(),
        }
    }

    /// With where its owner is found.
    #[must_use]
    pub fn found_at(mut self, owners: &BTreeMap<String, Owner>) -> Self {
        self.contact = self.owner.as_ref().and_then(|owner| owners.get(owner)?.contact.clone());
        self
    }

    /// Of the source `name`.
    #[must_use]
    pub fn source(name: &str, external_labels: &BTreeMap<String, String>) -> Self {
        Self {
            id: SloId::new(SOURCE_SERVICE, name),
            owner: None,
            contact: None,
            objective: None,
            overrides: Vec::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            links: BTreeMap::new(),
            mode: Mode::Live,
            external_labels: external_labels.clone(),
            time_weighted: false,
            foreign: None,
        }
    }

    /// `T` of a group.
    #[must_use]
    pub fn objective_of(&self, group: &Labels) -> Option<Objective> {
        self.overrides.iter().find(|over| over.holds(group)).map(|over| over.objective).or(self.objective)
    }

    /// The instance id as text: `service/name{region="eu"}`.
    #[must_use]
    pub fn instance(&self, group: &Labels) -> String {
        if group.is_empty() { self.id.to_string() } else { format!("{}{{{group}}}", self.id) }
    }

    /// External labels, instance id, severity and kind: `{cluster="eu1"}checkout/availability/page/burn`.
    #[must_use]
    pub fn dedup_key(&self, group: &Labels, severity: AlertSeverity, kind: AlertKind) -> String {
        let instance = self.instance(group);
        let external: Labels = self.external_labels.clone().into_iter().collect();
        let key = format!("{instance}/{}/{}", severity.name(), kind.name());
        if external.is_empty() { key } else { format!("{{{external}}}{key}") }
    }

    /// Where it comes from: `native`, `sloth` or `pyrra`.
    #[must_use]
    pub fn origin(&self) -> &'static str {
        naming::origin(self.foreign.as_deref())
    }

    /// The labels of the alerts that another tool's file names; kept for an episode.
    #[must_use]
    pub fn foreign_labels(&self, group: &Labels) -> Vec<ForeignLabels> {
        self.foreign
            .as_deref()
            .map_or_else(Vec::new, |foreign| ForeignLabels::of(foreign, group, &self.external_labels))
    }

    /// The labels that all alerts of an instance share: external ones, the files', the group's, ours; the later win.
    /// They are kept for an episode; [`labels_of`] adds what is the alert's own.
    #[must_use]
    pub fn shared_labels(&self, group: &Labels) -> BTreeMap<String, String> {
        let mut labels = self.external_labels.clone();
        labels.extend(self.labels.clone());
        labels.extend(group.iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        labels.extend(names_of(&self.id));
        if let Some(owner) = &self.owner {
            labels.insert("owner".into(), owner.clone());
        }
        labels
    }

    /// Names of all labels that its alerts may have; `by`: those of its groups.
    #[must_use]
    pub fn label_names(&self, by: &[String]) -> BTreeSet<String> {
        let foreign = self.foreign.iter().flat_map(|foreign| &foreign.alerts).flat_map(|alert| alert.labels.keys());
        let own = OWN.iter().map(|name| (*name).to_owned());
        let files = self.shared_labels(&Labels::default()).into_keys();
        files.chain(own).chain(by.iter().chain(foreign).cloned()).collect()
    }
}

/// Labels that every alert has of its own.
const OWN: [&str; 2] = ["alertname", SEVERITY_LABEL];

/// The labels that name an SLO.
#[must_use]
pub fn names_of(id: &SloId) -> [(String, String); 2] {
    [("slo_service".to_owned(), id.service.clone()), ("slo_name".to_owned(), id.name.clone())]
}

/// An alert's labels: what its instance's alerts share, with `alertname` and `slo_severity`.
#[must_use]
pub fn labels_of(
    shared: &BTreeMap<String, String>,
    severity: AlertSeverity,
    kind: AlertKind,
) -> BTreeMap<String, String> {
    let mut labels = shared.clone();
    labels.insert("alertname".into(), kind.alert_name().into());
    labels.insert(SEVERITY_LABEL.into(), severity.name().into());
    labels
}

/// The id of the `count`th alert of an episode.
#[must_use]
pub fn alert_id(dedup_key: &str, episode: Timestamp, count: u32) -> String {
    format!("{dedup_key}/{episode}/alert-{count}")
}

/// The id of an alert that has only been pending: it belongs to no episode yet.
#[must_use]
pub fn pending_id(dedup_key: &str, started_at: Timestamp) -> String {
    format!("{dedup_key}/{started_at}/pending")
}

/// The id of a notification: its transition's number counts the states told or tellable.
#[must_use]
pub fn notification_id(dedup_key: &str, episode: Timestamp, transition: u32) -> String {
    format!("{dedup_key}/{episode}/{transition}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(external: &[(&str, &str)]) -> Subject {
        let external = external.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut subject = Subject::source("prometheus", &external);
        subject.id = SloId::new("checkout", "availability");
        subject
    }

    #[test]
    fn keys_are_made_of_names() {
        let eu = Labels::from([("region", "eu")]);
        let key = |subject: &Subject, group: &Labels| subject.dedup_key(group, AlertSeverity::Page, AlertKind::NoData);
        assert_eq!(key(&subject(&[]), &Labels::new()), "checkout/availability/page/no_data");
        assert_eq!(key(&subject(&[]), &eu), r#"checkout/availability{region="eu"}/page/no_data"#);
        let external = subject(&[("cluster", "eu1"), ("az", "a")]);
        assert_eq!(key(&external, &eu), r#"{az="a",cluster="eu1"}checkout/availability{region="eu"}/page/no_data"#);
        let begin = Timestamp::from_seconds(1_795_000_000);
        assert_eq!(alert_id("k", begin, 2), "k/2026-11-18T11:06:40Z/alert-2");
        assert_eq!(notification_id("k", begin, 3), "k/2026-11-18T11:06:40Z/3");
    }

    #[test]
    fn our_own_labels_win_over_those_of_the_files() {
        let mut subject = subject(&[("cluster", "eu1"), ("tier", "0")]);
        subject.owner = Some("payments".into());
        subject.labels = BTreeMap::from([
            ("tier".into(), "1".into()),
            ("slo_name".into(), "x".into()),
            ("region".into(), "y".into()),
        ]);
        let shared = subject.shared_labels(&Labels::from([("region", "eu")]));
        let labels = labels_of(&shared, AlertSeverity::Ticket, AlertKind::Burn);
        let want = [
            ("alertname", "SLOBurn"),
            ("cluster", "eu1"),
            ("owner", "payments"),
            ("region", "eu"),
            ("slo_name", "availability"),
            ("slo_service", "checkout"),
            ("slo_severity", "ticket"),
            ("tier", "1"),
        ];
        let got: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(got, want);
    }
}
