//! A finding's page: what it means, why it matters, what to do, and a file that has it beside one that has not.

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::json;

use crate::check::load::load;
use crate::check::report;
use crate::check::rules;
use crate::cli::FINDINGS;
use crate::cli::explain::Format;
use crate::cli::printer::{Paint, Printer};
use crate::clock;
use crate::diag::{Severity, Texts, codes, human};
use crate::yaml::SourceText;

/// The file of an example, as its findings name it.
const EXAMPLE: &str = "example.yaml";

/// Prints the page of `code`.
///
/// # Errors
/// Where the page cannot be printed.
pub fn run(code: &str, format: Format, printer: &Printer) -> anyhow::Result<ExitCode> {
    let found = rules::ALL.iter().find(|rule| rule.code == code).zip(codes::title(code));
    let Some((rule, title)) = found else {
        let known = |code: &&codes::Code| code.id;
        let last = codes::LIST.iter().map(|code| known(&code)).max().unwrap_or_default();
        printer.say(&format!("there is no code `{code}`; they go from SLO001 to {last}"));
        return Ok(ExitCode::from(FINDINGS));
    };
    let severity = match rule.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    if format == Format::Json {
        let page = json!({"code": code, "title": title, "severity": severity, "page": rule.page,
            "failing": rule.failing.map(|failing| failing.text), "passing": rule.passing});
        printer.data(&(serde_json::to_string_pretty(&page)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text =
        format!("{}\n\n{}\n", printer.out.paint(Paint::Bold, &format!("{code} ({severity}): {title}")), rule.page);
    if let Some(failing) = &rule.failing {
        // Writing to a string cannot fail, here and below.
        let _ = write!(text, "\nfails:\n\n{}\n{}", indented(failing.text), findings(failing.text, printer));
    }
    if let Some(passing) = rule.passing {
        let _ = write!(text, "\npasses:\n\n{}", indented(passing));
    }
    printer.data(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("  {line}\n") }).collect()
}

/// What `slo check` says of the failing example.
fn findings(text: &str, printer: &Printer) -> String {
    let source = SourceText::named(EXAMPLE, text);
    let loaded = load(std::slice::from_ref(&source));
    let report = report(&loaded, clock::today());
    human::render(&report, &Texts::from_iter([(EXAMPLE, text)]), &loaded.masked, printer.out.has_colour())
}
