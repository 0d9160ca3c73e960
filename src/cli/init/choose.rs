//! Which candidates become SLOs, now that their events are known. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::init::candidates::{Candidate, Found, Kind, PROBES};
use crate::cli::init::ladder::{Counted, objective, threshold};
use crate::cli::init::words::Protocol;
use crate::units::{Length, is_name};

/// A candidate with what was computed of it.
#[derive(Clone, Debug)]
pub struct Computed {
    /// The candidate.
    pub candidate: Candidate,
    /// Its events over the period.
    pub counted: Counted,
    /// How much of the period was measured.
    pub measured: Length,
    /// Whether all of it could be computed; else the other figures say nothing.
    pub known: bool,
}

/// An SLO to be written.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Name of the service: its job, as a name.
    pub service: String,
    /// Name of the SLO.
    pub name: String,
    /// As written, such as `99.9%`.
    pub objective: &'static str,
    /// Of what.
    pub computed: Computed,
}

/// What there is no SLO for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declined {
    /// The job.
    pub job: String,
    /// Why, with the metric or instance.
    pub why: Why,
}

/// Why there is no SLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Nothing that can be counted.
    Nothing,
    /// The store did not answer for this metric.
    Failed(String),
    /// The metric counted nothing.
    NoTraffic(String),
    /// The metric meets no rung with a step to spare: its good share in percent, as text.
    NoRung(String, String),
    /// So many probes have no SLO of their own.
    Probes(usize),
}

/// What is written and what is not.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// By service and name.
    pub slos: Vec<Chosen>,
    /// By job.
    pub declined: Vec<Declined>,
}

/// Chooses one SLO a job and kind; a probe each.
#[must_use]
pub fn choose(found: &Found, computed: Vec<Computed>) -> Choice {
    let mut groups: BTreeMap<(String, Kind, String), Vec<Computed>> = BTreeMap::new();
    for one in computed {
        let candidate = &one.candidate;
        let subject = if candidate.kind == Kind::Probe { candidate.subject.clone() } else { String::new() };
        groups.entry((candidate.job.clone(), candidate.kind, subject)).or_default().push(one);
    }
    let (mut picked, mut declined) = (Vec::new(), Vec::new());
    let mut known: BTreeSet<String> = BTreeSet::new();
    for ((job, kind, _), group) in groups {
        known.insert(job.clone());
        match pick(kind, group) {
            Ok((computed, objective)) => picked.push((computed, objective)),
            Err(why) => declined.push(Declined { job, why }),
        }
    }
    let nothing = found.jobs.difference(&known).map(|job| Declined { job: job.clone(), why: Why::Nothing });
    declined.extend(nothing);
    declined.extend(probes_left_out(found));
    declined.sort_by(|a, b| a.job.cmp(&b.job));
    Choice { slos: named(picked), declined }
}

/// The one of a job and kind: best name, then most events.
fn pick(kind: Kind, mut group: Vec<Computed>) -> Result<(Computed, &'static str), Why> {
    let subject = group.first().map(|one| one.candidate.subject.clone()).unwrap_or_default();
    let failed = group.iter().any(|one| !one.known);
    group.retain(|one| one.known && one.counted.total > 0.0);
    group.sort_by(|a, b| {
        let events = b.counted.total.total_cmp(&a.counted.total);
        a.candidate.rank.cmp(&b.candidate.rank).then(events).then_with(|| a.candidate.subject.cmp(&b.candidate.subject))
    });
    let Some(best) = group.first().map(|one| one.candidate.subject.clone()) else {
        return Err(if failed { Why::Failed(subject) } else { Why::NoTraffic(subject) });
    };
    group.retain(|one| one.candidate.subject == best);
    if matches!(kind, Kind::Latency(_)) {
        group.sort_by(|a, b| a.candidate.bound.unwrap_or_default().total_cmp(&b.candidate.bound.unwrap_or_default()));
        let buckets: Vec<Counted> = group.iter().map(|one| one.counted).collect();
        // Where no bucket will do, the largest is the one to name.
        let place = threshold(&buckets).unwrap_or(group.len().saturating_sub(1));
        group = group.into_iter().skip(place).take(1).collect();
    }
    let Some(one) = group.into_iter().next() else { return Err(Why::NoTraffic(subject)) };
    match objective(one.counted) {
        Some(objective) => Ok((one, objective)),
        None => Err(Why::NoRung(best, format!("{:.2}%", one.counted.good_ratio() * 100.0))),
    }
}

fn probes_left_out(found: &Found) -> Vec<Declined> {
    let mut of_job: BTreeMap<&String, usize> = BTreeMap::new();
    for (job, _) in &found.probes {
        *of_job.entry(job).or_default() += 1;
    }
    let over = of_job.into_iter().filter(|(_, count)| *count > PROBES);
    over.map(|(job, count)| Declined { job: job.clone(), why: Why::Probes(count - PROBES) }).collect()
}

/// Gives names that are unique: services of jobs, SLOs of kinds.
fn named(picked: Vec<(Computed, &'static str)>) -> Vec<Chosen> {
    let mut services: BTreeMap<String, String> = BTreeMap::new();
    let mut taken = BTreeSet::new();
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut slos = Vec::new();
    for (computed, objective) in picked {
        let candidate = &computed.candidate;
        let service = services
            .entry(candidate.job.clone())
            .or_insert_with(|| unique(&name_of(&candidate.job, "service"), &mut taken))
            .clone();
        let held = names.entry(service.clone()).or_default();
        let wanted = match candidate.kind {
            Kind::Requests(protocol) => prefixed(protocol, "availability", held),
            Kind::Latency(protocol) => prefixed(protocol, "latency", held),
            Kind::Probe => format!("probe-{}", name_of(&candidate.subject, "target")),
        };
        let name = unique(&wanted, held);
        slos.push(Chosen { service, name, objective, computed });
    }
    slos
}

/// `availability`, or `grpc-availability` where HTTP has that name.
fn prefixed(protocol: Protocol, name: &str, held: &BTreeSet<String>) -> String {
    match protocol {
        _ if !held.contains(name) => name.to_owned(),
        Protocol::Http => format!("http-{name}"),
        Protocol::Grpc => format!("grpc-{name}"),
        Protocol::Words => format!("outcome-{name}"),
    }
}

/// A name made of any text: what no name may hold becomes `-`; the scheme of an address is left out.
fn name_of(text: &str, otherwise: &str) -> String {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let clean: String = text.chars().map(|c| if inner(c) { c } else { '-' }).take(100).collect();
    let trimmed = clean.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned();
    if is_name(&trimmed) { trimmed } else { otherwise.to_owned() }
}

/// The name, with a number where it is taken; case does not tell names apart, because file systems may not.
fn unique(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut number = 2;
    while !taken.insert(candidate.to_lowercase()) {
        candidate = format!("{name}-{number}");
        number += 1;
    }
    candidate
}

#[cfg(test)]
mod tests {
    use super::*;

    fn computed(job: &str, kind: Kind, subject: &str, bound: Option<f64>, (bad, total): (f64, f64)) -> Computed {
        let candidate = Candidate {
            job: job.into(),
            kind,
            subject: subject.into(),
            rank: usize::from(subject.starts_with('z')),
            bound,
            sli: Vec::new(),
            description: String::new(),
        };
        Computed {
            candidate,
            counted: Counted { bad, total },
            measured: Length::from_days(2),
            known: subject != "deaf_total",
        }
    }

    fn found(jobs: &[&str]) -> Found {
        Found { jobs: jobs.iter().map(|job| (*job).to_owned()).collect(), ..Found::default() }
    }

    #[test]
    fn one_of_each_kind_by_name_then_traffic_and_the_rest_is_told() {
        let http = Kind::Requests(Protocol::Http);
        let choice = choose(
            &found(&["a", "b", "c", "idle"]),
            vec![
                computed("a", http, "z_total", None, (0.0, 1e9)),
                computed("a", http, "few_total", None, (7.0, 10_000.0)),
                computed("a", http, "many_total", None, (7.0, 100_000.0)),
                computed("a", Kind::Requests(Protocol::Grpc), "grpc_total", None, (0.0, 5.0)),
                computed("b", http, "quiet_total", None, (0.0, 0.0)),
                computed("d", http, "deaf_total", None, (0.0, 5.0)),
                computed("c", http, "poor_total", None, (66.0, 1_000.0)),
            ],
        );
        let told: Vec<_> =
            choice.slos.iter().map(|slo| (&*slo.name, &*slo.computed.candidate.subject, slo.objective)).collect();
        assert_eq!(told, [("availability", "many_total", "99.95%"), ("grpc-availability", "grpc_total", "99.95%")]);
        let declined = |job: &str, why| Declined { job: job.to_owned(), why };
        assert_eq!(
            choice.declined,
            [
                declined("b", Why::NoTraffic("quiet_total".into())),
                declined("c", Why::NoRung("poor_total".into(), "93.40%".into())),
                declined("d", Why::Failed("deaf_total".into())),
                declined("idle", Why::Nothing),
            ]
        );
    }

    #[test]
    fn of_a_histogram_one_bucket_is_taken() {
        let latency = Kind::Latency(Protocol::Http);
        let bucket = |bound, bad| computed("a", latency, "h", Some(bound), (bad, 10_000.0));
        // In any order: bounds decide.
        let choice =
            choose(&found(&["a"]), vec![bucket(10.0, 0.0), bucket(0.5, 50.0), bucket(0.1, 900.0), bucket(1.0, 4.0)]);
        let [slo] = &choice.slos[..] else { panic!("one") };
        assert_eq!((slo.computed.candidate.bound, slo.objective, &*slo.name), (Some(0.5), "99%", "latency"));
        let choice = choose(&found(&["a"]), vec![bucket(0.1, 900.0), bucket(0.2, 700.0)]);
        assert_eq!(choice.declined, [Declined { job: "a".into(), why: Why::NoRung("h".into(), "93.00%".into()) }]);
    }

    #[test]
    fn names_are_names_and_unique() {
        let probe = |job: &str, instance: &str| computed(job, Kind::Probe, instance, None, (0.0, 10.0));
        let all = vec![
            probe("mon/itor", "https://a.example/x"),
            probe("mon/itor", "a.example/x"),
            probe("Mon-itor", "b:9115"),
            probe("///", "…"),
        ];
        let choice = choose(&Found::default(), all);
        let ids: Vec<String> = choice.slos.iter().map(|slo| format!("{}/{}", slo.service, slo.name)).collect();
        assert_eq!(
            ids,
            [
                "service/probe-target",
                "Mon-itor/probe-b-9115",
                "mon-itor-2/probe-a.example-x",
                "mon-itor-2/probe-a.example-x-2"
            ]
        );
        assert!(choice.slos.iter().all(|slo| is_name(&slo.service) && is_name(&slo.name)));
    }
}
