//! The text of a message: the card, or the operator's template in its place.
//!
//! Every sink of text makes its text here. A template that fails never keeps a page from being told: the card is sent,
//! and the outcome carries an alarm.

use crate::policy::card;
use crate::policy::notification::Notification;
use crate::policy::template::Template;
use crate::sink::Parts;

/// Makes the text of a sink.
#[derive(Clone, Debug, Default)]
pub struct Text {
    template: Option<Template>,
}

impl Text {
    /// As this sink is configured.
    #[must_use]
    pub fn of(parts: &Parts<'_>) -> Self {
        Self { template: parts.template.cloned() }
    }

    /// Whether a template stands in place of the card.
    #[must_use]
    pub const fn is_templated(&self) -> bool {
        self.template.is_some()
    }

    /// Whether it does so for this one: a review has a template's text only where that speaks of `report`.
    #[must_use]
    pub fn is_templated_for(&self, notification: &Notification) -> bool {
        self.template_for(notification).is_some()
    }

    fn template_for(&self, notification: &Notification) -> Option<&Template> {
        self.template.as_ref().filter(|template| notification.report.is_none() || template.handles_reports())
    }

    /// The text, not escaped, without blank lines at its end; and what to mend where the template failed and the text is
    /// the card.
    #[must_use]
    pub fn render(&self, notification: &Notification) -> (String, Option<String>) {
        match self.own(notification) {
            None => (card::render(notification), None),
            Some(Ok(text)) => (text, None),
            Some(Err(alarm)) => (card::render(notification), Some(alarm)),
        }
    }

    /// What the template makes of it; `None` where there is none for it.
    pub(super) fn own(&self, notification: &Notification) -> Option<Result<String, String>> {
        let rendered = self.template_for(notification)?.render(notification);
        Some(match rendered {
            Ok(text) if text.trim().is_empty() => {
                Err("the template renders nothing; the built-in text was sent".into())
            }
            Ok(text) => Ok(text.trim_end().to_owned()),
            Err(why) => Err(format!("{why}; the built-in text was sent")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample::samples;

    fn text(template: &str) -> Text {
        Text { template: Some(Template::parse("t.j2", template).unwrap()) }
    }

    #[test]
    fn a_template_that_fails_falls_back_to_the_card_with_an_alarm() {
        let (_, page) = samples().remove(0);
        assert_eq!(Text::default().render(&page), (card::render(&page), None));
        assert_eq!(text("{{ service }}!\n\n").render(&page), ("checkout!".to_owned(), None));
        for bad in ["{{ nothing }}", "{# empty #}", "{{ 1 / 0 }}"] {
            let (told, alarm) = text(bad).render(&page);
            assert_eq!(told, card::render(&page), "{bad}");
            assert!(alarm.unwrap().ends_with("the built-in text was sent"), "{bad}");
        }
    }

    #[test]
    fn a_review_has_a_templates_text_only_where_that_speaks_of_it() {
        let review = crate::policy::sample::review();
        assert_eq!(text("{{ service }} fails!").render(&review), (card::render(&review), None));
        assert!(!text("{{ service }} fails!").is_templated_for(&review));
        let both = text("{% if report %}{{ report.slos|length }} SLOs{% else %}{{ service }} fails!{% endif %}");
        assert_eq!(both.render(&review), ("26 SLOs".to_owned(), None));
        assert!(both.is_templated_for(&review));
    }
}
