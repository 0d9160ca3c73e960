//! What rules cannot express: each sentence once, with the SLOs that it concerns.

use std::collections::BTreeMap;

use crate::units::SloId;

/// SLOs named with one note; more are counted.
const NAMED: usize = 8;

/// Sentences and whom they concern.
#[derive(Debug, Default)]
pub(super) struct Notes {
    of_some: BTreeMap<String, Vec<SloId>>,
    of_all: Vec<String>,
}

impl Notes {
    /// Of one SLO; a sentence that it has already is not repeated.
    pub(super) fn add(&mut self, id: &SloId, sentence: impl Into<String>) {
        let ids = self.of_some.entry(sentence.into()).or_default();
        if ids.last() != Some(id) {
            ids.push(id.clone());
        }
    }

    /// Of the whole file.
    pub(super) fn of_all(&mut self, sentence: String) {
        self.of_all.push(sentence);
    }

    /// One line each.
    pub(super) fn into_lines(self) -> Vec<String> {
        let some = self.of_some.into_iter().map(|(sentence, ids)| {
            let named: Vec<String> = ids.iter().take(NAMED).map(ToString::to_string).collect();
            let more = if ids.len() > NAMED { format!(" and {} more", ids.len() - NAMED) } else { String::new() };
            format!("{}{more}: {sentence}", named.join(", "))
        });
        self.of_all.into_iter().chain(some).collect()
    }
}
