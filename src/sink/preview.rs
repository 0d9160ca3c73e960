//! A request as people are shown it before it is sent (`slo notify test --dry-run`). Pure.
//!
//! Made without secrets: the command puts `***` in place of whatever stands in for them.

use serde_json::Value;

/// A POST of JSON: its address, headers worth seeing, the body, and what is to be mended of the template.
#[must_use]
pub fn posted(url: &str, headers: &[(&str, &str)], body: &Value, alarm: Option<String>) -> String {
    let mut lines = vec![format!("POST {url}")];
    lines.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
    lines.push("content-type: application/json".to_owned());
    lines.extend(alarm.map(|alarm| format!("(alarm: {alarm})")));
    // Texts and numbers in maps with text keys: there is nothing in it that JSON could refuse.
    format!("{}\n\n{}", lines.join("\n"), serde_json::to_string_pretty(body).unwrap_or_default())
}
