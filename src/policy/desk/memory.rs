//! What the desk writes, and how it comes back after a restart.

use crate::policy::desk::case::Case;
use crate::policy::desk::digest::Digest;
use crate::policy::desk::{Decided, Desk, Errand, Kept};
use crate::units::Timestamp;

/// The end of what has none yet: 9999-12-31, so that open ones are listed first.
pub const OPEN: Timestamp = Timestamp::from_seconds(253_402_214_400);

impl Desk {
    /// What was decided since, with the records of everything that changed. To be committed as one.
    pub fn drain(&mut self) -> Decided {
        let mut decided = std::mem::take(&mut self.decided);
        for id in std::mem::take(&mut self.touched) {
            if let Some(case) = self.cases.get(&id) {
                decided.kept.extend(case.kept());
            }
        }
        decided.kept.extend(std::mem::take(&mut self.closed).values().filter_map(Case::kept));
        for id in std::mem::take(&mut self.touched_digests) {
            decided.kept.push(match self.digests.get(&id) {
                Some(digest) => Kept {
                    is_digest: true,
                    at: digest.ended_at.unwrap_or(OPEN),
                    text: serde_json::to_string(digest).ok(),
                    id,
                },
                None => Kept { is_digest: true, id, at: self.now, text: None },
            });
        }
        decided
    }

    /// Goes on from records: cases and digests by their texts. What cannot be read is given back, and left alone.
    #[must_use]
    pub fn restore<'a>(
        cases: impl Iterator<Item = &'a str>,
        digests: impl Iterator<Item = &'a str>,
    ) -> (Self, Vec<String>) {
        let mut desk = Self::default();
        let mut problems = Vec::new();
        for text in digests {
            match serde_json::from_str::<Digest>(text) {
                Ok(digest) => drop(desk.digests.insert(Digest::id(&digest.sink, &digest.key), digest)),
                Err(error) => problems.push(error.to_string()),
            }
        }
        for text in cases {
            match Case::decode(text) {
                Ok(case) => desk.put_back(case),
                Err(problem) => problems.push(problem),
            }
        }
        let due: Vec<_> = desk.digests.iter().map(|(id, digest)| (id.clone(), digest.due())).collect();
        for (id, due) in due {
            desk.send(Errand::Digest(id), due);
        }
        (desk, problems)
    }

    fn put_back(&mut self, mut case: Case) {
        if case.ended_at.is_some() && case.places.is_empty() {
            return;
        }
        let fires = case.ended_at.is_none();
        let mut lost = Vec::new();
        case.places.retain(|sink, place| {
            let Some(digest) = self.digests.get_mut(&place.group) else {
                lost.push(sink.clone());
                return false;
            };
            digest.members.insert(case.alert_id.clone());
            digest.firing += usize::from(fires);
            true
        });
        if !fires && case.places.is_empty() {
            // No digest is left that could tell its end.
            self.close(case);
            return;
        }
        for sink in lost {
            match case.told.get_mut(&sink) {
                // From here on it is told by itself.
                Some(told) => told.alone = true,
                None => case.waits = true,
            }
        }
        self.cases.insert(case.alert_id.clone(), case);
    }
}

impl Case {
    /// Its record; a case that cannot be written would be a fault of ours, and is not dropped for it.
    #[must_use]
    pub fn kept(&self) -> Option<Kept> {
        let at = self.ended_at.filter(|_| self.places.is_empty()).unwrap_or(OPEN);
        Some(Kept { is_digest: false, id: self.alert_id.clone(), at, text: Some(self.encode().ok()?) })
    }

    /// The clock was set back: nothing lies in what is now the future.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        for told in self.told.values_mut() {
            told.at = told.at.min(now);
            told.first_at = told.first_at.min(now);
            told.routed_at = told.routed_at.map(|at| at.min(now));
        }
        self.quiet_ended_at = self.quiet_ended_at.map(|at| at.min(now));
    }
}
