//! Templates of messages: minijinja, strict, bounded, without access to anything but the notification (INTERFACES 6).
//!
//! A template sees the body of the webhook (INTERFACES 5), every key of it, also those that the body leaves out where
//! they say nothing (`contact`, `members`, `several`, `notes`, `occasion`, `acked`, `mark`, `report`, `time_weighted`), and beside them `card` and `subject`, the
//! built-in text. What is not defined is an error and never an empty string: a message with a hole in it is worse than
//! the built-in one. Nothing is escaped in here; each sink escapes what it is given.
//!
//! Bounds: [`LARGEST`] bytes of template and of text, [`FUEL`] instructions. No other template can be included. Templates
//! are written by operators: within the fuel one may still use a lot of memory for a moment.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::{Map, Value};

use crate::policy::card;
use crate::policy::notification::Notification;

/// Bytes of a template, and of what it renders: twice what the largest receiver takes in a message.
pub const LARGEST: usize = 64 * 1024;

/// Instructions of one rendering; a long message with a hundred members takes some thousands.
const FUEL: u64 = 200_000;

/// What a template speaks of that is meant for reviews.
const REPORT: &str = "report";

/// Keys that the webhook's body leaves out where they say nothing.
const LEFT_OUT: &[(&str, Value)] = &[
    ("contact", Value::Null),
    ("mark", Value::Null),
    ("report", Value::Null),
    ("time_weighted", Value::Bool(false)),
    ("members", Value::Array(Vec::new())),
    ("several", Value::Null),
    ("notes", Value::Array(Vec::new())),
    ("occasion", Value::Null),
    ("acked", Value::Null),
];

/// A template that parses.
#[derive(Clone)]
pub struct Template {
    name: Arc<str>,
    environment: Arc<Environment<'static>>,
    handles_reports: bool,
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Why a template cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("template `{name}`{}: {problem}", line.map_or_else(String::new, |line| format!(", line {line}")))]
pub struct TemplateError {
    /// The file.
    pub name: String,
    /// Where in it, from 1.
    pub line: Option<u32>,
    /// The characters of that line that are meant, from 1, the end exclusive; `None`: all of it.
    pub columns: Option<Range<u32>>,
    /// What is wrong.
    pub problem: String,
}

impl Template {
    /// Parses it; `name` is its file, for people.
    ///
    /// # Errors
    /// Where it does not parse, or is larger than [`LARGEST`].
    pub fn parse(name: &str, text: &str) -> Result<Self, TemplateError> {
        if text.len() > LARGEST {
            let problem = format!("is larger than {LARGEST} bytes");
            return Err(TemplateError { name: name.to_owned(), line: None, columns: None, problem });
        }
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_fuel(Some(FUEL));
        // Of an error its place and the name of what is not defined are enough: values are not kept with it.
        environment.set_debug(false);
        environment.add_template_owned(name.to_owned(), text.to_owned()).map_err(|why| error(name, text, &why))?;
        let handles_reports =
            environment.get_template(name).is_ok_and(|template| template.undeclared_variables(false).contains(REPORT));
        Ok(Self { name: name.into(), environment: Arc::new(environment), handles_reports })
    }

    /// Whether it is meant for reviews too: it speaks of `report`. One that does not is made for alerts, and would tell a
    /// review as an alert of nothing.
    #[must_use]
    pub const fn handles_reports(&self) -> bool {
        self.handles_reports
    }

    /// The text of a notification.
    ///
    /// # Errors
    /// Where something is not defined, cannot be done, or a bound is reached.
    pub fn render(&self, notification: &Notification) -> Result<String, TemplateError> {
        let template = self.environment.get_template(&self.name).map_err(|why| error(&self.name, "", &why))?;
        let context = minijinja::Value::from(Serde(context(notification)));
        let text = template.render(context).map_err(|why| error(&self.name, template.source(), &why))?;
        if text.len() > LARGEST {
            let problem = format!("renders more than {LARGEST} bytes");
            return Err(TemplateError { name: self.name.to_string(), line: None, columns: None, problem });
        }
        Ok(text)
    }
}

/// What a template sees.
fn context(notification: &Notification) -> Map<String, Value> {
    // Strings, numbers and maps with text keys: there is nothing in it that JSON could refuse.
    let mut context = match serde_json::to_value(notification.labelled()) {
        Ok(Value::Object(object)) => object,
        _ => Map::new(),
    };
    for (key, value) in LEFT_OUT {
        context.entry(*key).or_insert_with(|| value.clone());
    }
    context.insert("card".to_owned(), Value::String(card::render(notification)));
    context.insert("subject".to_owned(), Value::String(card::subject(notification)));
    context
}

/// `text` is the template's.
fn error(name: &str, text: &str, why: &minijinja::Error) -> TemplateError {
    let meant = why.range().and_then(|range| text.get(range)).filter(|meant| !meant.contains('\n'));
    let problem = match (why.detail(), meant) {
        (Some(detail), _) => format!("{}: {detail}", why.kind()),
        (None, Some(meant)) => format!("{}: `{}`", why.kind(), meant.trim()),
        (None, None) => why.kind().to_string(),
    };
    let line = why.line().and_then(|line| u32::try_from(line).ok());
    TemplateError { name: name.to_owned(), line, columns: why.range().and_then(|range| columns(text, &range)), problem }
}

/// The columns of some bytes of one line of a text.
fn columns(text: &str, bytes: &Range<usize>) -> Option<Range<u32>> {
    let (before, within) = (text.get(..bytes.start)?, text.get(bytes.clone())?);
    let indent = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let count = within.chars().count();
    let column = |count: usize| u32::try_from(count).ok()?.checked_add(1);
    (count > 0 && !within.contains('\n')).then(|| Some(column(indent)?..column(indent + count)?))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sample::samples;

    fn firing() -> Notification {
        samples().remove(0).1
    }

    fn rendered(text: &str) -> Result<String, TemplateError> {
        Template::parse("page.j2", text)?.render(&firing())
    }

    #[test]
    fn a_template_sees_the_body_the_card_and_the_subject() {
        assert_eq!(
            rendered("{{ subject }}|{{ service }}/{{ name }}|{{ labels.region }}|{{ labels.severity }}|{{ state }}")
                .unwrap(),
            "[PAGE] checkout/availability region=eu|checkout/availability|eu|page|firing"
        );
        assert_eq!(rendered("{{ card }}").unwrap(), card::render(&firing()));
        assert!(rendered("{{ {'a': reason}|tojson }}").unwrap().starts_with("{\"a\": \"burns"));
    }

    #[test]
    fn keys_that_the_body_leaves_out_are_there() {
        let text =
            "{% if mark %}!{% endif %}{{ members|length }}{{ time_weighted }}{{ contact }}{% if report %}!{% endif %}";
        assert_eq!(rendered(text).unwrap(), "0False#payments");
    }

    #[test]
    fn what_is_not_defined_is_an_error_with_its_line() {
        let why = rendered("one\n{{ servise }}").unwrap_err();
        assert_eq!(
            (why.line, why.to_string().starts_with("template `page.j2`, line 2: undefined value")),
            (Some(2), true)
        );
        let why = rendered("one\ntwo\n{% if %}").unwrap_err();
        assert_eq!(why.line, Some(3));
        let text = "{{ budget.remaining_ratio }}";
        let template = Template::parse("page.j2", text).unwrap();
        let failing: Vec<&str> =
            samples().iter().filter(|(_, sample)| template.render(sample).is_err()).map(|(name, _)| *name).collect();
        assert_eq!(failing, ["a digest", "the alert of a source", "a heartbeat"]);
    }

    #[test]
    fn nothing_else_can_be_reached_and_nothing_goes_on_for_ever() {
        assert!(rendered("{% include '/etc/passwd' %}").is_err());
        let why = rendered("{% for a in range(1000) %}{% for b in range(1000) %}{{ b }}{% endfor %}{% endfor %}")
            .unwrap_err();
        assert!(why.problem.contains("fuel"), "{why}");
        let why = rendered("{% for a in range(1000) %}{{ card }}{% endfor %}").unwrap_err();
        assert!(why.problem.contains("renders more than"), "{why}");
        assert!(Template::parse("page.j2", &"x".repeat(LARGEST + 1)).is_err());
    }

    #[test]
    fn samples_differ_and_each_has_a_card() {
        let ids: std::collections::BTreeSet<String> = samples().into_iter().map(|(_, sample)| sample.id).collect();
        assert_eq!(ids.len(), 5);
        assert!(samples().iter().all(|(_, sample)| card::render(sample).starts_with('[')));
    }
}
