//! What a bot keeps of a message: where it is, which alert it shows, and which alerts of the instance fire.
//!
//! Pure. One message stands for an episode of an instance, and several alerts share it (a page and a ticket, say). It
//! shows the most urgent one that fires; the end of one while another fires is a reply, and is said in the message only
//! where it is the one that is shown.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::policy::alert::AlertState;
use crate::policy::notification::Notification;
use crate::sink::message::{is_alert, which};

/// A message and its thread: the handle of a bot's deliveries, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Slack's id of the channel: the name that is configured will not do for an update.
    pub channel: String,
    /// Slack's id of the message.
    pub ts: String,
    /// The alert that the message shows: `page/burn`.
    pub shown: String,
    /// The alerts that fire.
    pub firing: BTreeSet<String>,
}

impl Thread {
    /// Of a message that was just posted.
    #[must_use]
    pub fn new(channel: &str, ts: &str, notification: &Notification) -> Self {
        let this = Self {
            channel: channel.to_owned(),
            ts: ts.to_owned(),
            shown: which(notification),
            firing: BTreeSet::new(),
        };
        this.after(notification).0
    }

    /// From a handle; `None` where it is none of ours.
    #[must_use]
    pub fn parse(handle: &str) -> Option<Self> {
        serde_json::from_str(handle).ok()
    }

    /// As a handle.
    #[must_use]
    pub fn handle(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The same message elsewhere: it was posted anew.
    #[must_use]
    pub fn moved(&self, channel: &str, ts: &str) -> Self {
        Self { channel: channel.to_owned(), ts: ts.to_owned(), ..self.clone() }
    }

    /// After a notification; and whether the message shows it now.
    #[must_use]
    pub fn after(&self, notification: &Notification) -> (Self, bool) {
        let which = which(notification);
        let mut next = self.clone();
        let fires = is_alert(notification) && notification.state != AlertState::Resolved;
        if fires {
            next.firing.insert(which.clone());
        } else {
            next.firing.remove(&which);
        }
        let idle = !self.firing.contains(&self.shown);
        let shows = which == self.shown || (fires && (idle || rank(&which) < rank(&self.shown)));
        if shows {
            next.shown = which;
        }
        (next, shows)
    }

    /// `still firing: ticket/burn`, below a message that shows an end.
    #[must_use]
    pub fn others(&self) -> Option<String> {
        let others: Vec<&str> = self.firing.iter().filter(|which| **which != self.shown).map(String::as_str).collect();
        (!self.firing.contains(&self.shown) && !others.is_empty())
            .then(|| format!("still firing: {}", others.join(", ")))
    }
}

/// Pages before tickets before notices.
fn rank(which: &str) -> u8 {
    match which.split('/').next() {
        Some("page") => 0,
        Some("ticket") => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample::samples;
    use crate::spec::policy::AlertSeverity;

    fn told(severity: AlertSeverity, state: AlertState) -> Notification {
        let (_, sample) = samples().remove(0);
        Notification { state, severity, ..sample }
    }

    #[test]
    fn a_message_shows_the_most_urgent_alert_that_fires() {
        let ticket = Thread::new("C1", "1.0", &told(AlertSeverity::Ticket, AlertState::Firing));
        assert_eq!(ticket.shown, "ticket/burn");
        // Its own repeat and its own end are shown.
        assert!(ticket.after(&told(AlertSeverity::Ticket, AlertState::Firing)).1);
        assert!(ticket.after(&told(AlertSeverity::Ticket, AlertState::Resolved)).1);
        // A page takes its place; after that the ticket's end is a reply.
        let (page, shows) = ticket.after(&told(AlertSeverity::Page, AlertState::Firing));
        assert!(shows);
        assert!(!page.after(&told(AlertSeverity::Ticket, AlertState::Resolved)).1);
        assert!(!page.after(&told(AlertSeverity::Notice, AlertState::Firing)).1);
        // The page ends first: the message says what goes on.
        let (ended, shows) = page.after(&told(AlertSeverity::Page, AlertState::Resolved));
        assert!(shows);
        assert_eq!(ended.others().unwrap(), "still firing: ticket/burn");
        assert_eq!(page.others(), None);
        // What fires next is shown, whatever it is.
        assert!(ended.after(&told(AlertSeverity::Notice, AlertState::Firing)).1);
        assert_eq!(Thread::parse(&ended.handle()), Some(ended));
        assert_eq!(Thread::parse("41"), None);
    }
}
