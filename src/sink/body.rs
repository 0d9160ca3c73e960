//! The JSON of a notification as INTERFACES 5 lists it: body of the webhook, line of standard output.

use crate::policy::notification::Notification;

/// The notification as one JSON object, its label `severity` added ([`Notification::labelled`]).
/// Deterministic: keys in the order of INTERFACES 5, labels by name.
#[must_use]
pub fn render(notification: &Notification) -> String {
    // Strings, numbers and maps with text keys: there is nothing in it that JSON could refuse.
    serde_json::to_string(&notification.labelled()).unwrap_or_default()
}
