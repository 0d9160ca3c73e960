//! Alerts that wait: they are in no store, because most of them never fire.

use crate::policy::alert::{Alert, AlertState};
use crate::runtime::live::Live;
use crate::store::{AlertFilter, is_of_slo};

impl Live {
    /// Alerts that wait for their `for` or `after`, newest first.
    pub(super) fn pending(&self, filter: &AlertFilter) -> Vec<Alert> {
        let wanted = |alert: &Alert| {
            alert.state == AlertState::Pending
                && filter.state.as_ref().is_none_or(|state| state == "pending")
                && filter.severity.as_ref().is_none_or(|severity| severity == alert.severity.name())
                && filter.slo.as_ref().is_none_or(|slo| is_of_slo(&alert.slo, slo))
        };
        let loaded = self.loaded();
        let mut pending: Vec<Alert> = loaded
            .entries
            .values()
            .flat_map(|entry| {
                entry.with(|inner| inner.book.alerts().filter(|a| wanted(a)).cloned().collect::<Vec<_>>())
            })
            .collect();
        pending.sort_by(|a, b| b.started_at.cmp(&a.started_at).then_with(|| a.id.cmp(&b.id)));
        pending
    }
}
