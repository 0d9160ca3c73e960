//! One silence of ours at a set of peers: made, changed or ended at the first of them that answers, for peers share
//! silences, and a second one made at another peer would outlive the first.
//!
//! An attempt that may have got through is looked for by our mark before the next one, at whatever peer answers then.

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

impl Alertmanager {
    /// Makes or changes it at the first peer that answers.
    pub(super) async fn silence_at_one(&self, silence: &Silence, known: Option<&str>, now: Timestamp) -> Outcome {
        let mut said = Vec::new();
        for (url, peer) in &self.peers {
            match self.silence_at(api(url), silence, known, now).await {
                Ok(outcome) | Err(Stop::Here(outcome)) => return outcome,
                Err(Stop::Next(outcome)) => said.push((peer.as_str(), outcome)),
            }
        }
        combine(&said)
    }

    /// Ends it at the first peer that has it.
    pub(super) async fn unsilence_at_one(&self, handle: &str, now: Timestamp) -> Outcome {
        let mut said = Vec::new();
        for (url, peer) in &self.peers {
            match self.unsilence_at(api(url), handle, now).await {
                Ok(outcome) | Err(Stop::Here(outcome)) => return outcome,
                Err(Stop::Next(outcome)) => said.push((peer.as_str(), outcome)),
            }
        }
        // One that has it may be down: only where all know nothing of it there is nothing to end.
        let unknown = |outcome: &Outcome| outcome.verdict == DeliveryVerdict::Done;
        if let Some((_, down)) = said.iter().find(|(_, outcome)| !unknown(outcome)) {
            return down.clone();
        }
        combine(&said)
    }

    async fn silence_at(
        &self,
        api: &str,
        silence: &Silence,
        known: Option<&str>,
        now: Timestamp,
    ) -> Result<Outcome, Stop> {
        let mark = mark_of(silence);
        let all = self.list(api, now).await?;
        let there = all.iter().find(|one| known == Some(one.id.as_str()) && one.is(&mark));
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

    async fn unsilence_at(&self, api: &str, handle: &str, now: Timestamp) -> Result<Outcome, Stop> {
        let all = self.list(api, now).await?;
        let Some(ours) = all.iter().find(|one| one.id == handle) else {
            return Err(Stop::Next(Outcome::done("it is not there")));
        };
        let mark = ours.mark();
        // With those whose answers were lost.
        let is_ours = |one: &&FoundSilence| match &mark {
            Some(mark) => one.is(mark),
            None => one.id == handle && one.status.state != "expired",
        };
        for one in all.iter().filter(is_ours) {
            let exchange = self.client.send(Method::Delete, &format!("{api}/silence/{}", one.id), &[], None).await;
            let outcome = verdict::judge(&exchange, now);
            if outcome.verdict != DeliveryVerdict::Done {
                return Err(Stop::Next(outcome));
            }
        }
        Ok(Outcome::done("the silence was ended"))
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
