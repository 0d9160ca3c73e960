//! What alerts of another tool's files are called: `alertname`, labels and annotations as that tool would send them.
//!
//! Why: the routes, inhibitions and templates of its users go on working beside the tool and after it (INTERFACES 5).
//! Labels are rendered once, when the episode begins, and kept with it; annotations with each notification, since
//! `$value` moves. Where the file makes no alert of a kind, the names are our own.
//! Invariants: nothing of ours (`slo_service`, `slo_severity`, `owner` ..) is among a foreign alert's labels; a label of
//! the group is never overwritten, else two groups would be one alert to their receiver.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::policy::alert::{AlertKind, TierView};
use crate::policy::annotation;
use crate::spec::meant::{Foreign, ForeignAlert, Origin};
use crate::spec::policy::AlertSeverity;
use crate::units::Labels;

/// Where alerts come from that native files ask for.
pub const NATIVE: &str = "native";

/// What `absent(..)` and the like are worth, which is what a tool's alert on missing data looks at.
const VALUE_OF_SILENCE: f64 = 1.0;

/// The labels of one alert that another tool's file names, `alertname` among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignLabels {
    /// Which of our severities it is.
    severity: AlertSeverity,
    /// It is about missing data.
    silence: bool,
    /// Rendered.
    labels: BTreeMap<String, String>,
}

impl ForeignLabels {
    /// Those of all alerts that the file names, for one group.
    #[must_use]
    pub fn of(foreign: &Foreign, group: &Labels, external: &BTreeMap<String, String>) -> Vec<Self> {
        let of = |alert: &ForeignAlert| {
            let labels = rendered_labels(alert, group, external);
            Self { severity: alert.severity, silence: alert.silence, labels }
        };
        foreign.alerts.iter().map(of).collect()
    }

    /// The labels of the alert of this severity and kind, where the file names one.
    #[must_use]
    pub fn find(all: &[Self], severity: AlertSeverity, kind: AlertKind) -> Option<&BTreeMap<String, String>> {
        let fits = |one: &&Self| one.severity == severity && Some(one.silence) == is_silence(kind);
        all.iter().find(fits).map(|one| &one.labels)
    }
}

/// `native`, `sloth` or `pyrra`.
#[must_use]
pub fn origin(foreign: Option<&Foreign>) -> &'static str {
    match foreign.map(|foreign| foreign.origin) {
        None => NATIVE,
        Some(Origin::Sloth) => "sloth",
        Some(Origin::Pyrra) => "pyrra",
    }
}

/// The annotations of the alert of this severity and kind, where the file names one. `labels` are the alert's.
#[must_use]
pub fn annotations(
    foreign: &Foreign,
    (severity, kind): (AlertSeverity, AlertKind),
    labels: &BTreeMap<String, String>,
    tiers: &[TierView],
) -> Option<BTreeMap<String, String>> {
    let silence = is_silence(kind)?;
    let alert = foreign.alerts.iter().find(|alert| alert.severity == severity && alert.silence == silence)?;
    let value = if silence { Some(VALUE_OF_SILENCE) } else { ratio(tiers) };
    let rendered = |(name, text): (&String, &String)| (name.clone(), annotation::render(text, labels, value));
    Some(alert.annotations.iter().map(rendered).collect())
}

/// Whether a kind is about missing data; `None`: no tool's file names such an alert.
const fn is_silence(kind: AlertKind) -> Option<bool> {
    match kind {
        AlertKind::Burn | AlertKind::Budget => Some(false),
        AlertKind::Down | AlertKind::NoData => Some(true),
        AlertKind::Source | AlertKind::Watchdog | AlertKind::Digest | AlertKind::Report => None,
    }
}

/// What the tool's expression is worth: the share of its short window, the first operand of its `and`.
fn ratio(tiers: &[TierView]) -> Option<f64> {
    let first = tiers.first()?;
    first.confirm.as_ref().or(first.over.as_ref()).map(|window| window.ratio)
}

/// External labels, overridden by the alert's, overridden by the group's; placeholders filled from those that have none.
/// What is empty is left out: to Prometheus it is no label.
fn rendered_labels(
    alert: &ForeignAlert,
    group: &Labels,
    external: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut labels = external.clone();
    labels.extend(alert.labels.clone());
    labels.extend(group.iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
    let plain: BTreeMap<String, String> = labels
        .iter()
        .filter(|(_, value)| !annotation::is_template(value))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    for (name, value) in &alert.labels {
        if annotation::is_template(value) && group.get(name).is_none() {
            // a value would make another alert of it at every slice end
            labels.insert(name.clone(), annotation::render(value, &plain, None));
        }
    }
    labels.insert("alertname".to_owned(), annotation::render(&alert.name, &plain, None));
    labels.retain(|_, value| !value.is_empty());
    labels
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::policy::alert::AlertState;
    use crate::policy::instance::InstanceState;
    use crate::policy::machine::kit::{Life, Traffic, burn, definition, down, setting, subject};
    use crate::policy::notification::Notification;
    use crate::policy::state;
    use crate::spec::policy::Gates;
    use crate::units::{InstanceId, SloId};

    const PAGE: AlertSeverity = AlertSeverity::Page;

    fn words(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// As Sloth names the page of `checkout`, `requests`, with a user's labels.
    fn sloth() -> Foreign {
        let labels = [
            ("sloth_id", "checkout-requests"),
            ("sloth_service", "checkout"),
            ("sloth_slo", "requests"),
            ("sloth_severity", "page"),
            ("team", "payments"),
            ("channel", "#{{ $labels.team }}-{{.Labels.region}}"),
            ("figure", "{{ $value }}"),
            ("empty", "{{ $labels.none }}"),
        ];
        let annotations = [
            ("title", "(page) {{$labels.sloth_service}} {{$labels.sloth_slo}} SLO error budget burn rate is too fast."),
            ("value", "{{ $value }}"),
            ("other", "{{ $value | humanize }}"),
        ];
        let alert = ForeignAlert {
            severity: PAGE,
            silence: false,
            name: "CheckoutErrors".into(),
            labels: words(&labels),
            annotations: words(&annotations),
        };
        Foreign { origin: Origin::Sloth, alerts: vec![alert], recorded: Vec::new() }
    }

    fn life(foreign: Option<Foreign>) -> Life {
        let page = burn(PAGE, 14.4, "1h", "5m", Gates::default());
        let ticket = burn(AlertSeverity::Ticket, 3.0, "1d", "2h", Gates::default());
        let mut life = Life::new(vec![page, ticket, down()], &["region"]);
        life.subject.foreign = foreign.map(Arc::new);
        life.subject.external_labels = words(&[("cluster", "eu1"), ("team", "external")]);
        life
    }

    fn told(life: &mut Life, letters: &str) -> Vec<Notification> {
        life.step(&[("eu", letters)]).into_iter().filter_map(|effect| effect.notification).collect()
    }

    #[test]
    fn a_foreign_alert_has_its_own_names_and_none_of_ours() {
        let mut life = life(Some(sloth()));
        let page = told(&mut life, "m..").remove(0);
        let labels = words(&[
            ("alertname", "CheckoutErrors"),
            ("channel", "#payments-eu"),
            ("cluster", "eu1"),
            ("figure", "{{ $value }}"),
            ("region", "eu"),
            ("sloth_id", "checkout-requests"),
            ("sloth_service", "checkout"),
            ("sloth_severity", "page"),
            ("sloth_slo", "requests"),
            ("team", "payments"),
        ]);
        assert_eq!(page.labels, labels);
        assert_eq!((page.origin.as_str(), page.takes_severity()), ("sloth", false));
        assert_eq!(page.annotations["title"], "(page) checkout requests SLO error budget burn rate is too fast.");
        assert_eq!(page.annotations["other"], "{{ $value | humanize }}");
        let mut native = self::life(None);
        let same = told(&mut native, "m..").remove(0);
        assert_eq!((&page.id, &page.dedup_key), (&same.id, &same.dedup_key), "keys do not go by labels");
        assert_eq!((same.origin.as_str(), same.takes_severity()), ("native", true));
    }

    #[test]
    fn the_group_wins_over_a_label_of_the_file() {
        let mut foreign = sloth();
        foreign.alerts[0].labels.insert("region".into(), "all".into());
        let mut life = life(Some(foreign));
        assert_eq!(told(&mut life, "m..")[0].labels["region"], "eu");
    }

    #[test]
    fn what_the_file_names_no_alert_for_has_names_of_ours() {
        let mut life = life(Some(sloth()));
        let ticket = told(&mut life, ".m.").remove(0);
        assert_eq!((ticket.labels["alertname"].as_str(), ticket.origin.as_str()), ("SLOBurn", "sloth"));
        assert!(ticket.takes_severity());
        assert_eq!(ticket.annotations, life.subject.annotations);
        let down = (0..7).flat_map(|_| told(&mut life, "..d")).next().unwrap();
        assert_eq!(down.labels["alertname"], "SLODown");
    }

    #[test]
    fn an_alert_on_silence_is_chosen_by_its_kind() {
        let mut foreign = sloth();
        foreign.origin = Origin::Pyrra;
        foreign.alerts.push(ForeignAlert {
            severity: PAGE,
            silence: true,
            name: "SLOMetricAbsent".into(),
            labels: words(&[("slo", "requests"), ("severity", "critical")]),
            annotations: words(&[("text", "{{ $labels.slo }} in {{ $labels.region }}: {{ $value }}")]),
        });
        let mut life = life(Some(foreign));
        let down = (0..7).flat_map(|_| told(&mut life, "..d")).next().unwrap();
        assert_eq!((down.labels["alertname"].as_str(), down.origin.as_str()), ("SLOMetricAbsent", "pyrra"));
        assert_eq!(down.labels["severity"], "critical");
        assert_eq!(down.annotations["text"], "requests in eu: 1");
    }

    #[test]
    fn labels_stay_for_an_episode_whatever_the_file_says_meanwhile() {
        let mut life = life(Some(sloth()));
        let before = told(&mut life, "m..").remove(0);
        let mut edited = sloth();
        edited.alerts[0].name = "Renamed".into();
        edited.alerts[0].labels.insert("team".into(), "search".into());
        life.subject.foreign = Some(Arc::new(edited));
        assert_eq!(told(&mut life, "f..")[0].labels, before.labels);
        life.subject.foreign = None;
        assert_eq!(told(&mut life, "m..")[0].labels, before.labels);
    }

    #[test]
    fn the_value_is_the_share_of_the_short_window() {
        let mut traffic = Traffic::new("1h");
        traffic.rate("1h", 0.0);
        traffic.rate("30m", 0.0625);
        let definition = definition(vec![burn(PAGE, 14.4, "1h", "5m", Gates::default())], &[]);
        let mut subject = subject();
        subject.foreign = Some(Arc::new(sloth()));
        let mut state = InstanceState::default();
        let steps = traffic.ends().skip(120).map(|at| {
            let verdict = traffic.verdict(&definition, state.firing(&definition), at);
            state.step(&setting(&subject), &definition, &Labels::new(), &verdict, false)
        });
        let effects: Vec<_> = steps.flat_map(|step| step.effects).collect();
        let page = effects.iter().find_map(|effect| effect.notification.as_ref()).unwrap();
        assert_eq!(page.state, AlertState::Firing);
        // 14.4 * 0.001 of the hour is bad after 14.4/62.5 of it, when the last 5 min were all at 1/16
        assert_eq!(page.annotations["value"], "0.0625");
    }

    #[test]
    fn a_state_written_before_there_were_foreign_names_goes_on_with_its_labels() {
        let page = burn(PAGE, 14.4, "1h", "5m", Gates::default());
        let mut life = Life::new(vec![page], &[]);
        let before = life.step(&[("", "m")]).remove(0).notification.unwrap();
        let written = life.book.drain().unwrap().states.remove(0).1;
        assert!(!written.contains("foreign"), "{written}");
        let (id, state) = state::read("k", &written).unwrap();
        assert_eq!(id, InstanceId { slo: SloId::new("checkout", "availability"), group: Labels::new() });
        life.subject.foreign = Some(Arc::new(sloth()));
        let episode = state.episode.unwrap();
        assert_eq!(episode.labels_of((PAGE, AlertKind::Burn)), before.labels);
        let mut life = self::life(Some(sloth()));
        let before = told(&mut life, "m..").remove(0);
        let written = life.book.drain().unwrap().states.remove(0).1;
        let read = state::read("k", &written).unwrap().1;
        assert_eq!(read.episode.unwrap().labels_of((PAGE, AlertKind::Burn)), before.labels);
    }
}
