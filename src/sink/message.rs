//! A message before it takes the shape of a receiver: first line, what follows, what to do.
//!
//! Pure. Made from the text of the sink ([`Text`]): the card, or the operator's template. A mark (drill, test) is said
//! first, whoever wrote the text. What to do comes from the card's last line also where there is a template: receivers that
//! have buttons show it there.

use crate::policy::alert::{AlertKind, AlertState};
use crate::policy::card;
use crate::policy::notification::{Mark, Notification};
use crate::sink::escape;
use crate::sink::text::Text;

/// How the line of the card begins that says what to do (INTERFACES 5).
const WHAT_TO_DO: &str = "do ";

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The first line, with the mark.
    pub headline: String,
    /// What follows, without what to do.
    pub lines: Vec<String>,
    /// What to do.
    pub links: Vec<Link>,
    /// The text is the operator's: it says what to do itself, or leaves it out.
    pub templated: bool,
}

/// Somewhere to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What it is: `runbook`.
    pub name: String,
    /// An http or https address in one word.
    pub address: String,
}

impl Message {
    /// The message of a notification, and what to mend where the template failed.
    #[must_use]
    pub fn of(text: &Text, notification: &Notification) -> (Self, Option<String>) {
        let (told, alarm) = text.render(notification);
        let templated = text.is_templated_for(notification) && alarm.is_none();
        let mut lines: Vec<String> = told.lines().map(str::to_owned).collect();
        let actions = if templated { links_of(&card::render(notification)) } else { links_of(&told) };
        if !templated {
            lines.retain(|line| !line.starts_with(WHAT_TO_DO));
        }
        let headline = if lines.is_empty() { String::new() } else { lines.remove(0) };
        let message = Self { headline: marked(notification.mark, headline), lines, links: actions, templated };
        (message, alarm)
    }

    /// All of it, as the card says it.
    #[must_use]
    pub fn text(&self) -> String {
        let told: Vec<String> = self.links.iter().map(|link| format!("{} {}", link.name, link.address)).collect();
        let what_to_do = (!self.templated && !told.is_empty()).then(|| format!("do     {}", told.join(" | ")));
        let lines = [&self.headline].into_iter().chain(&self.lines).chain(&what_to_do);
        lines.map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

/// Whether it is told of an alert: reviews and heartbeats are none, and need no answer.
#[must_use]
pub const fn is_alert(notification: &Notification) -> bool {
    !matches!(notification.kind, AlertKind::Report | AlertKind::Watchdog)
}

/// Whether something fires.
#[must_use]
pub fn is_firing(notification: &Notification) -> bool {
    is_alert(notification) && notification.state != AlertState::Resolved
}

/// `page/burn`: which of the alerts of an instance it is.
#[must_use]
pub fn which(notification: &Notification) -> String {
    format!("{}/{}", notification.severity.name(), notification.kind.name())
}

/// `[PAGE] checkout/availability region=eu: taken on by kim: the disk is full`: all that is said of an acknowledgement;
/// `None` where it is none.
#[must_use]
pub fn taken_on(notification: &Notification) -> Option<String> {
    who_took_it_on(notification).map(|who| format!("{}: {who}", escape::line(&card::subject(notification))))
}

/// `taken on by kim: the disk is full`, in one line whatever they wrote.
#[must_use]
pub fn who_took_it_on(notification: &Notification) -> Option<String> {
    let ack = notification.acked.as_ref().filter(|_| notification.tells_ack())?;
    let note = ack.note.as_deref().map(str::trim).filter(|note| !note.is_empty());
    let note = note.map_or_else(String::new, |note| format!(": {note}"));
    Some(escape::line(&format!("taken on by {}{note}", ack.by)))
}

/// The mark before anything else, where the text does not begin with it.
fn marked(mark: Option<Mark>, headline: String) -> String {
    let word = match mark {
        None => return headline,
        Some(Mark::Drill) => "[DRILL]",
        Some(Mark::Test) => "[TEST]",
    };
    if headline.starts_with(word) { headline } else { format!("{word} {headline}") }
}

/// `do     runbook https://.. | ack https://..`: the names and addresses of the card's last line.
fn links_of(card: &str) -> Vec<Link> {
    let line = card.lines().rev().find_map(|line| line.strip_prefix(WHAT_TO_DO)).unwrap_or_default();
    line.split(" | ").filter_map(|part| link(part.trim())).collect()
}

fn link(part: &str) -> Option<Link> {
    let (name, address) = part.rsplit_once(' ')?;
    let is_http = address.starts_with("https://") || address.starts_with("http://");
    let is_word = !address.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>'));
    (is_http && is_word).then(|| Link { name: name.trim().to_owned(), address: address.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample::samples;

    fn of(notification: &Notification) -> Message {
        Message::of(&Text::default(), notification).0
    }

    #[test]
    fn a_card_is_taken_apart_and_put_together_again() {
        for (name, sample) in samples() {
            let message = of(&sample);
            assert_eq!(message.text(), card::render(&sample), "{name}");
        }
    }

    #[test]
    fn the_mark_comes_first_and_once() {
        let (_, mut sample) = samples().remove(0);
        sample.mark = Some(Mark::Test);
        let message = of(&sample);
        assert!(message.headline.starts_with("[TEST] "), "{}", message.headline);
        assert_eq!(marked(sample.mark, message.headline.clone()), message.headline);
        assert_eq!(marked(Some(Mark::Drill), "[PAGE] x".to_owned()), "[DRILL] [PAGE] x");
    }

    #[test]
    fn only_addresses_become_links() {
        assert_eq!(link("mute 1h https://slo.example/a/x").unwrap().name, "mute 1h");
        for odd in ["runbook", "runbook javascript:alert(1)", "runbook https://x.example/<script>"] {
            assert_eq!(link(odd), None, "{odd}");
        }
    }
}
