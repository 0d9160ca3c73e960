//! `bad_template`: a message template that fails, tried on made-up notifications.

use crate::check::rule::Rule;
use crate::check::set::Set;
use crate::diag::{Diagnostic, Place, Severity, codes};
use crate::policy::sample::{review, samples};
use crate::policy::template::{Template, TemplateError};

/// A message template that fails.
pub const RULE: Rule = Rule {
    code: codes::BAD_TEMPLATE,
    severity: Severity::Error,
    page: "The file under `template` of a sink does not parse, or fails when it is tried on a firing page, its end, a digest of
several alerts, the alert of a source and a heartbeat. What is not there is an error, never an empty string: of a source's
alert `budget`, `forecast` and `evidence` are null and `tiers` is empty, so ask first: `{% if budget %}..{% endif %}`.
A webhook's template has to render JSON (`{{ reason|tojson }}`), unless the sink says another `content_type`.

The template sees the webhook's body, and `card` and `subject`, the built-in text. Should it fail all the same when it is
needed, the built-in text is sent and the failure is told.",
    failing: None,
    passing: None,
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    let Some(config) = &set.config else { return };
    for (sink, file) in &config.config.templates {
        let Some(text) = set.templates.and_then(|texts| texts.get(&file.path)) else { continue };
        let name = file.path.display().to_string();
        let Some(mut finding) = tried(&name, text, file.json) else { continue };
        if let Some(at) = config.at.find(&["sinks", sink, "template"]) {
            finding.related.push((at.place(), "used here".to_owned()));
        }
        // A file that several sinks use is told of once.
        if !found.iter().any(|other| other.code == finding.code && other.place == finding.place) {
            found.push(finding);
        }
    }
}

/// What is wrong with it, if anything is.
fn tried(name: &str, text: &str, json: bool) -> Option<Diagnostic> {
    let template = match Template::parse(name, text) {
        Ok(template) => template,
        Err(why) => return Some(told(&why, "does not parse", text)),
    };
    let review = template.handles_reports().then(|| ("a review", review()));
    for (what, sample) in samples().into_iter().chain(review) {
        let rendered = match template.render(&sample) {
            Ok(rendered) => rendered,
            Err(why) => return Some(told(&why, &format!("fails on {what}"), text)),
        };
        if json && let Err(why) = serde_json::from_str::<serde_json::Value>(&rendered) {
            let why = TemplateError { name: name.to_owned(), line: None, columns: None, problem: why.to_string() };
            let help = "write values with `|tojson`, or set `content_type` of the sink";
            return Some(told(&why, &format!("renders no JSON of {what}"), text).with_help(help));
        }
    }
    None
}

fn told(why: &TemplateError, what: &str, text: &str) -> Diagnostic {
    let line = why.line.unwrap_or(1);
    let written = text.lines().nth(usize::try_from(line).unwrap_or(1).saturating_sub(1)).unwrap_or_default();
    let indent = written.chars().take_while(|c| c.is_whitespace()).count();
    let column = |count: usize| u32::try_from(count).unwrap_or(0).saturating_add(1);
    let whole = column(indent)..column(written.trim_end().chars().count().max(indent));
    let columns = why.columns.clone().unwrap_or(whole);
    let file = why.name.as_str().into();
    let place = Place { file, line, column: columns.start, end_line: line, end_column: columns.end };
    Diagnostic::error(codes::BAD_TEMPLATE, format!("the template {what}: {}", why.problem)).at(place, "")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use crate::check::load::{self, Loaded};
    use crate::check::report;
    use crate::diag::concise;
    use crate::units::Day;
    use crate::yaml::SourceText;

    fn found(sinks: &str, template: &str) -> Vec<String> {
        let text = format!("version: config/v1\nsinks: {{{sinks}}}\n");
        let loaded = load::load(&[SourceText::named("/etc/slo.yaml", &text)]);
        let templates = [(PathBuf::from("/etc/page.j2"), template.to_owned())].into();
        let loaded = Loaded { templates, ..loaded };
        report(&loaded, Day::default()).findings().iter().map(concise::line).collect()
    }

    const HOOK: &str = "hook: {type: webhook, url: 'https://hooks.example/', template: page.j2}";
    const TEXT: &str =
        "hook: {type: webhook, url: 'https://hooks.example/', template: page.j2, content_type: text/plain}";

    #[test]
    fn a_template_that_fails_stands_at_its_line_and_names_the_sample() {
        let lines = found(TEXT, "{{ service }}\n  {% if %}\n");
        assert!(
            lines[0].starts_with("/etc/page.j2:2:9: error[SLO110]: the template does not parse: syntax error"),
            "{lines:?}"
        );
        let lines = found(TEXT, "{{ service }}\n\n{{ budget.remaining_ratio }}\n");
        assert!(
            lines[0].starts_with("/etc/page.j2:3:4: error[SLO110]: the template fails on a digest: undefined value"),
            "{lines:?}"
        );
        assert!(lines[0].contains("`budget.remaining_ratio`"), "{lines:?}");
        let lines = found(TEXT, "{{ card }}\nür {{ service }} {{ nmae }}!\n");
        assert!(lines[0].starts_with("/etc/page.j2:2:21: error[SLO110]"), "{lines:?}");
        assert!(lines[0].ends_with("undefined value: `nmae`"), "{lines:?}");
        let lines = found(TEXT, "{{ card }} {% if budget %}{{ budget.remaining_ratio }}{% endif %}");
        assert_eq!(lines, Vec::<String>::new());
    }

    #[test]
    fn a_webhooks_body_is_json_unless_it_says_otherwise() {
        let json = "{\"text\": {{ card|tojson }}}";
        assert_eq!(found(HOOK, json), Vec::<String>::new());
        let lines = found(HOOK, "{\"text\": \"{{ card }}\"}");
        assert!(lines[0].contains("error[SLO110]: the template renders no JSON of a firing page"), "{lines:?}");
        assert_eq!(found(TEXT, "{{ card }}"), Vec::<String>::new());
    }

    #[test]
    fn one_file_of_two_sinks_is_told_of_once() {
        let two = format!(
            "{TEXT}, again: {{type: webhook, url: 'https://hooks.example/2', template: page.j2, content_type: text/plain}}"
        );
        assert_eq!(found(&two, "{{ nothing }}").len(), 1);
    }
}
