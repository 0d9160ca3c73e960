//! One silence of ours at a set of peers: made or changed once in each cluster, and ended in each.
//!
//! Peers of a cluster share silences within a second, and a second one made at another peer would outlive the first; peers
//! that know nothing of each other, as those of two regions, each need their own. Which is which they say themselves
//! (`/api/v2/status`); one that does not say is taken for a peer of the others. One that is down is told at the next look.
//! An attempt that may have got through is looked for by our mark before the next one, at whatever peer answers then. What
//! it is called is the ids at all clusters, with a space between them.
//!
//! Many are mirrored in one round, and the list of a peer has all of them: it is read once a round ([`Looked`]).

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;

use crate::policy::silence::Silence;
use crate::sink::alertmanager::silence::{FoundSilence, Made, mark_of, render};
use crate::sink::alertmanager::{Alertmanager, combine};
use crate::sink::client::{Answer, Method, NoAnswer};
use crate::sink::{DeliveryVerdict, Outcome, verdict};
use crate::units::Timestamp;

/// Why nothing came of a peer.
enum Stop {
    /// It is settled: no other peer is asked.
    Here(Outcome),
    /// The next one may be able to say.
    Next(Outcome),
}

/// What a peer says of itself.
#[derive(Deserialize)]
struct Status {
    cluster: Cluster,
}

/// The peers that it knows; none where it has no cluster.
#[derive(Deserialize)]
struct Cluster {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    peers: Option<Vec<Named>>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

impl Cluster {
    fn names(self) -> BTreeSet<String> {
        self.name.into_iter().chain(self.peers.into_iter().flatten().map(|peer| peer.name)).collect()
    }
}

/// What was found at the peers in one round. Each is asked once, also where it did not answer. What the round itself
/// changes is not in it: each silence has one turn.
#[derive(Default)]
pub struct Looked {
    /// By the address of the API.
    clusters: HashMap<String, Option<BTreeSet<String>>>,
    /// By the address of the API; or what came instead.
    lists: HashMap<String, Result<Listed, Outcome>>,
}

/// The silences of a peer, whatever their state.
struct Listed {
    by_id: HashMap<String, FoundSilence>,
    /// The ids of those of ours that are not over, by their mark.
    by_mark: HashMap<String, Vec<String>>,
}

impl Listed {
    fn of(all: Vec<FoundSilence>) -> Self {
        let mut by_mark: HashMap<String, Vec<String>> = HashMap::new();
        for one in &all {
            if let Some(mark) = one.mark().filter(|mark| one.is(mark)) {
                by_mark.entry(mark).or_default().push(one.id.clone());
            }
        }
        Self { by_id: all.into_iter().map(|one| (one.id.clone(), one)).collect(), by_mark }
    }

    /// Ours of this mark that are not over.
    fn marked(&self, mark: &str) -> impl Iterator<Item = &FoundSilence> {
        self.by_mark.get(mark).into_iter().flatten().filter_map(|id| self.by_id.get(id))
    }
}

impl Alertmanager {
    /// Makes or changes it at the first peer of each cluster that answers.
    pub(super) async fn silence_at_each(
        &self,
        silence: &Silence,
        known: Option<&str>,
        looked: &mut Looked,
        now: Timestamp,
    ) -> Outcome {
        let (mut handles, mut told, mut said) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for (url, peer) in &self.peers {
            let names = if self.peers.len() > 1 { self.cluster(api(url), looked).await } else { None };
            if !handles.is_empty() && names.as_ref().is_none_or(|names| !names.is_disjoint(&told)) {
                continue;
            }
            match self.silence_at(api(url), (silence, known), looked, now).await {
                Ok(outcome) => {
                    handles.extend(outcome.handle);
                    told.extend(names.into_iter().flatten());
                }
                Err(Stop::Here(outcome)) if handles.is_empty() => return outcome,
                Err(Stop::Here(outcome) | Stop::Next(outcome)) => said.push((peer.as_str(), outcome)),
            }
        }
        if handles.is_empty() {
            return combine(&said);
        }
        if !said.is_empty() {
            // What is there at one that is down.
            handles.extend(known.into_iter().flat_map(|known| known.split(' ')).map(str::to_owned));
        }
        Outcome::done("silenced").with_handle(handles.into_iter().collect::<Vec<_>>().join(" "))
    }

    /// Ends it wherever it is.
    pub(super) async fn unsilence_at_each(&self, handle: &str, looked: &mut Looked, now: Timestamp) -> Outcome {
        let mut left: BTreeSet<&str> = handle.split(' ').collect();
        let mut failed = None;
        for (url, _) in &self.peers {
            match self.unsilence_at(api(url), &left.clone(), looked, now).await {
                Ok(found) => left.retain(|id| !found.contains(*id)),
                Err(Stop::Here(outcome) | Stop::Next(outcome)) => failed = Some(outcome),
            }
            if left.is_empty() {
                return Outcome::done("the silence was ended");
            }
        }
        // One that has it may be down: only where all know nothing of it there is nothing to end.
        failed.unwrap_or_else(|| Outcome::done("it is not there"))
    }

    /// The names of a peer and those that share silences with it; none where it has no cluster, `None` where it does not say.
    async fn cluster(&self, api: &str, looked: &mut Looked) -> Option<BTreeSet<String>> {
        if let Some(names) = looked.clusters.get(api) {
            return names.clone();
        }
        let answer = self.client.send(Method::Get, &format!("{api}/status"), &[], None).await.ok();
        let status: Option<Status> = answer.and_then(|answer| serde_json::from_str(&answer.body).ok());
        let names = status.map(|status| status.cluster.names());
        looked.clusters.insert(api.to_owned(), names.clone());
        names
    }

    async fn silence_at(
        &self,
        api: &str,
        (silence, known): (&Silence, Option<&str>),
        looked: &mut Looked,
        now: Timestamp,
    ) -> Result<Outcome, Stop> {
        let mark = mark_of(silence);
        let is_known = |id: &str| known.is_some_and(|known| known.split(' ').any(|one| one == id));
        let all = self.listed(api, looked, now).await?;
        let there = all.marked(&mark).find(|one| is_known(&one.id)).or_else(|| all.marked(&mark).next());
        let refused = |problem: String| Stop::Here(Outcome::new(DeliveryVerdict::Refused, problem));
        let posted = render(silence, there).map_err(refused)?;
        if let Some(same) = there.filter(|there| there.says(&posted)) {
            return Ok(Outcome::done("silenced already").with_handle(same.id.clone()));
        }
        // Texts, flags and times: there is nothing in it that JSON could refuse.
        let body = serde_json::to_vec(&posted).unwrap_or_default();
        let exchange = self.client.send(Method::Post, &format!("{api}/silences"), &[], Some(body)).await;
        let outcome = verdict::judge(&exchange, now);
        if outcome.verdict != DeliveryVerdict::Done {
            return Err(undone(&exchange, outcome));
        }
        let made = exchange.ok().and_then(|answer| serde_json::from_str::<Made>(&answer.body).ok());
        let unnamed = || Stop::Here(Outcome::new(DeliveryVerdict::Ambiguous, "the answer names no silence"));
        Ok(Outcome::done("silenced").with_handle(made.ok_or_else(unnamed)?.silence_id))
    }

    /// Ends what is there of these, and gives their ids.
    async fn unsilence_at(
        &self,
        api: &str,
        ids: &BTreeSet<&str>,
        looked: &mut Looked,
        now: Timestamp,
    ) -> Result<BTreeSet<String>, Stop> {
        let all = self.listed(api, looked, now).await?;
        let named: Vec<&FoundSilence> = ids.iter().filter_map(|id| all.by_id.get(*id)).collect();
        let marks: BTreeSet<String> = named.iter().filter_map(|one| one.mark()).collect();
        // With those whose answers were lost.
        let ours = named.iter().copied().filter(|one| one.status.state != "expired");
        let ours: BTreeSet<&str> =
            ours.chain(marks.iter().flat_map(|mark| all.marked(mark))).map(|one| one.id.as_str()).collect();
        for id in ours {
            let exchange = self.client.send(Method::Delete, &format!("{api}/silence/{id}"), &[], None).await;
            let outcome = verdict::judge(&exchange, now);
            if outcome.verdict != DeliveryVerdict::Done {
                return Err(Stop::Next(outcome));
            }
        }
        Ok(named.into_iter().map(|one| one.id.clone()).collect())
    }

    /// The silences of a peer, read once a round.
    async fn listed<'a>(&self, api: &str, looked: &'a mut Looked, now: Timestamp) -> Result<&'a Listed, Stop> {
        let listed = match looked.lists.entry(api.to_owned()) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(free) => free.insert(self.list(api, now).await.map(Listed::of)),
        };
        listed.as_ref().map_err(|outcome| Stop::Next(outcome.clone()))
    }

    async fn list(&self, api: &str, now: Timestamp) -> Result<Vec<FoundSilence>, Outcome> {
        let exchange = self.client.send(Method::Get, &format!("{api}/silences"), &[], None).await;
        let outcome = verdict::judge(&exchange, now);
        if outcome.verdict != DeliveryVerdict::Done {
            return Err(outcome);
        }
        let unreadable = || Outcome::new(DeliveryVerdict::Retry(None), "its list of silences cannot be read");
        let all = exchange.ok().and_then(|answer| serde_json::from_str(&answer.body).ok());
        all.ok_or_else(unreadable)
    }
}

/// The address of the API of a peer, of that of its alerts.
fn api(alerts: &str) -> &str {
    alerts.strip_suffix("/alerts").unwrap_or(alerts)
}

/// What may have been read is not told to another peer as well, for it would be there twice.
fn undone(exchange: &Result<Answer, NoAnswer>, outcome: Outcome) -> Stop {
    let unread = matches!(exchange, Err(NoAnswer { perhaps_read: false, .. }));
    if unread || outcome.verdict == DeliveryVerdict::Misconfigured { Stop::Next(outcome) } else { Stop::Here(outcome) }
}
