//! What was sent of alerts: by themselves, and in messages of several. A message of several names up to 1,000 alerts and
//! is told for as long as they last, so each is read once for an answer, whatever the number of alerts in it.

use std::collections::HashMap;

use crate::http::app::App;
use crate::http::dto::case::Case;
use crate::http::error::ApiError;
use crate::policy::alert::AlertState;
use crate::policy::notification::MEMBERS_NAMED;
use crate::store::{Delivery, DeliveryFilter};

/// Deliveries shown with one alert.
const DELIVERIES_OF_AN_ALERT: usize = 200;

/// The outbox, as one answer reads it.
pub struct Outbox<'a> {
    app: &'a App,
    digests: HashMap<String, Digest>,
}

/// The messages of one digest, without their members.
struct Digest {
    rows: Vec<Delivery>,
    /// By alert: which rows name it, and the state that they tell of it.
    named: HashMap<String, Vec<(usize, AlertState)>>,
    /// Rows that name as many as there is room for, and so tell of more.
    full: Vec<usize>,
}

impl<'a> Outbox<'a> {
    /// Nothing of it is read yet.
    #[must_use]
    pub fn new(app: &'a App) -> Self {
        Self { app, digests: HashMap::new() }
    }

    /// What was sent of an alert, or waits, newest first. Messages of several are as they concern it: without the others,
    /// and with the state that they tell of it.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn of(&mut self, alert: &str, case: &Case) -> Result<Vec<Delivery>, ApiError> {
        let mut rows = self.read(alert).await?;
        for id in &case.digests {
            if !self.digests.contains_key(id) {
                let digest = Digest::new(self.read(id).await?);
                self.digests.insert(id.clone(), digest);
            }
            rows.extend(self.digests.get(id).into_iter().flat_map(|digest| digest.about(alert, case)));
        }
        rows.sort_by_key(|row| std::cmp::Reverse(row.sequence));
        rows.truncate(DELIVERIES_OF_AN_ALERT);
        Ok(rows)
    }

    async fn read(&self, id: &str) -> Result<Vec<Delivery>, ApiError> {
        let filter = DeliveryFilter { alert_id: Some(id.to_owned()), ..DeliveryFilter::default() };
        Ok(self.app.service.deliveries(&filter, DELIVERIES_OF_AN_ALERT).await?)
    }
}

impl Digest {
    fn new(mut rows: Vec<Delivery>) -> Self {
        let (mut named, mut full) = (HashMap::<String, Vec<_>>::new(), Vec::new());
        for (index, row) in rows.iter_mut().enumerate() {
            let members = std::mem::take(&mut row.notification.members);
            if members.len() >= MEMBERS_NAMED {
                full.push(index);
            }
            for member in members {
                named.entry(member.alert_id).or_default().push((index, member.state));
            }
        }
        Self { rows, named, full }
    }

    /// The rows that tell of an alert: by name, or where there is no room for more names, from when it was told there on.
    fn about(&self, alert: &str, case: &Case) -> Vec<Delivery> {
        let named = self.named.get(alert).map(Vec::as_slice).unwrap_or_default();
        let by_name = named.iter().filter_map(|(index, state)| {
            let mut row = self.rows.get(*index)?.clone();
            row.notification.state = *state;
            Some(row)
        });
        let is_named = |index: &usize| named.iter().any(|(other, _)| other == index);
        let nameless = self.full.iter().filter(|index| !is_named(index)).filter_map(|index| self.rows.get(*index));
        let is_in = |row: &&Delivery| case.told.get(&row.sink).is_some_and(|told| row.created_at >= told.first_at);
        by_name.chain(nameless.filter(is_in).cloned()).collect()
    }
}
