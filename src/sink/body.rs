//! The JSON of a notification as INTERFACES 5 lists it: body of the webhook, line of standard output.

use crate::policy::notification::Notification;

/// The notification as one JSON object, its label `severity` added (`page`, `ticket`, `notice`: these sinks have no map),
/// but not to an alert of another tool's file.
/// Deterministic: keys in the order of INTERFACES 5, labels by name.
#[must_use]
pub fn render(notification: &Notification) -> String {
    let mut told = notification.clone();
    if told.takes_severity() {
        told.labels.insert("severity".to_owned(), told.severity.name().to_owned());
    }
    // Strings, numbers and maps with text keys: there is nothing in it that JSON could refuse.
    serde_json::to_string(&told).unwrap_or_default()
}
