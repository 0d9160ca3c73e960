//! One silence of ours at a set of peers: made or changed once in each cluster, and ended in each.
//!
//! Peers of a cluster share silences within a second, and a second one made at another peer would outlive the first; peers
//! that know nothing of each other, as those of two regions, each need their own. Which is which they say themselves
//! (`/api/v2/status`); one that does not say is taken for a peer of the others. One that is down is told at the next look.
//! An attempt that may have got through is looked for by our mark before the next one, at whatever peer answers then. What
//! it is called is the ids at all clusters, with a space between them.

use std::collections::BTreeSet;

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

impl Alertmanager {
    /// Makes or changes it at the first peer of each cluster that answers.
    pub(super) async fn silence_at_each(&self, silence: &Silence, known: Option<&str>, now: Timestamp) -> Outcome {
        let (mut handles, mut told, mut said) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for (url, peer) in &self.peers {
            let names = if self.peers.len() > 1 { self.cluster(api(url)).await } else { None };
            if !handles.is_empty() && names.as_ref().is_none_or(|names| !names.is_disjoint(&told)) {
                continue;
            }
            match self.silence_at(api(url), silence, known, now).await {
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
    pub(super) async fn unsilence_at_each(&self, handle: &str, now: Timestamp) -> Outcome {
        let mut left: BTreeSet<&str> = handle.split(' ').collect();
        let mut failed = None;
        for (url, _) in &self.peers {
            match self.unsilence_at(api(url), &left.clone(), now).await {
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
    async fn cluster(&self, api: &str) -> Option<BTreeSet<String>> {
        let answer = self.client.send(Method::Get, &format!("{api}/status"), &[], None).await.ok()?;
        let status: Status = serde_json::from_str(&answer.body).ok()?;
        Some(status.cluster.names())
    }

    async fn silence_at(
        &self,
        api: &str,
        silence: &Silence,
        known: Option<&str>,
        now: Timestamp,
    ) -> Result<Outcome, Stop> {
        let mark = mark_of(silence);
        let is_known = |id: &str| known.is_some_and(|known| known.split(' ').any(|one| one == id));
        let all = self.list(api, now).await?;
        let there = all.iter().find(|one| is_known(&one.id) && one.is(&mark));
        let there = there.or_else(|| all.iter().find(|one| one.is(&mark)));
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
    async fn unsilence_at(&self, api: &str, ids: &BTreeSet<&str>, now: Timestamp) -> Result<BTreeSet<String>, Stop> {
        let all = self.list(api, now).await?;
        let named: Vec<&FoundSilence> = all.iter().filter(|one| ids.contains(one.id.as_str())).collect();
        let marks: Vec<String> = named.iter().filter_map(|one| one.mark()).collect();
        // With those whose answers were lost.
        let is_ours = |one: &&FoundSilence| {
            let is_named = ids.contains(one.id.as_str()) && one.status.state != "expired";
            is_named || marks.iter().any(|mark| one.is(mark))
        };
        for one in all.iter().filter(is_ours) {
            let exchange = self.client.send(Method::Delete, &format!("{api}/silence/{}", one.id), &[], None).await;
            let outcome = verdict::judge(&exchange, now);
            if outcome.verdict != DeliveryVerdict::Done {
                return Err(Stop::Next(outcome));
            }
        }
        Ok(named.into_iter().map(|one| one.id.clone()).collect())
    }

    /// All silences of a peer, whatever their state.
    async fn list(&self, api: &str, now: Timestamp) -> Result<Vec<FoundSilence>, Stop> {
        let exchange = self.client.send(Method::Get, &format!("{api}/silences"), &[], None).await;
        let outcome = verdict::judge(&exchange, now);
        if outcome.verdict != DeliveryVerdict::Done {
            return Err(Stop::Next(outcome));
        }
        let unreadable = || Outcome::new(DeliveryVerdict::Retry(None), "its list of silences cannot be read");
        let all = exchange.ok().and_then(|answer| serde_json::from_str(&answer.body).ok());
        all.ok_or_else(|| Stop::Next(unreadable()))
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
