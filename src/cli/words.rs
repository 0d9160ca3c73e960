//! What the API answers, in the words of the command line: its parameters are options here, its lists are verbs, and who
//! asks says so with `SLO_TOKEN`.

use serde_json::Value;

use crate::http::error::Failure;

/// Where the API lists things, and the verb that does here.
const LISTS: [(&str, &str); 4] = [
    ("`/api/v1/slos`", "`slo status`"),
    ("`/api/v1/alerts`", "`slo alerts list`"),
    ("`/api/v1/silences`", "`slo silence list`"),
    ("`/api/v1/deliveries`", "`slo deliveries`"),
];

/// Options that the API calls parameters.
const PARAMETERS: [(&str, &str); 1] = [("`group`", "`--group`")];

/// What a refusal says to whoever typed the command.
#[must_use]
pub fn of_the_command_line(failure: &Failure) -> String {
    match failure.code.as_str() {
        "unauthorized" if failure.message.contains("is needed") => {
            "a token is needed: set `SLO_TOKEN` to NAME.SECRET; `slo token` makes one".to_owned()
        }
        "unauthorized" => failure.message.replace("the token is", "the token in `SLO_TOKEN` is"),
        "group_required" => which_group(&failure.detail).unwrap_or_else(|| failure.message.clone()),
        _ => replaced(&failure.message),
    }
}

fn replaced(message: &str) -> String {
    let all = LISTS.iter().chain(&PARAMETERS);
    all.fold(message.to_owned(), |message, (theirs, ours)| message.replace(theirs, ours))
}

/// Of an SLO with groups; `None` where none was seen yet, which the service says itself.
fn which_group(detail: &Value) -> Option<String> {
    let slo = detail.get("slo").and_then(Value::as_str)?;
    let first = detail.get("groups").and_then(Value::as_array)?.first()?;
    let group = first.as_str()?;
    Some(format!("SLO `{slo}` has groups; say which, for example `--group '{group}'`"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(code: &str, message: &str, detail: Value) -> String {
        of_the_command_line(&Failure { code: code.to_owned(), message: message.to_owned(), detail })
    }

    #[test]
    fn a_token_is_named_by_its_variable() {
        let missing = "a token is needed: `Authorization: Bearer NAME.SECRET`; `slo token` makes one";
        let shown = said("unauthorized", missing, json!({}));
        assert!(shown.contains("SLO_TOKEN") && !shown.contains("Bearer"), "{shown}");
        let unknown = "the token is not known; it is NAME.SECRET as `slo token` printed it";
        let shown = said("unauthorized", unknown, json!({}));
        assert_eq!(shown, "the token in `SLO_TOKEN` is not known; it is NAME.SECRET as `slo token` printed it");
    }

    #[test]
    fn parameters_are_options_and_lists_are_verbs() {
        let detail = json!({"slo": "shop/a", "groups": ["region=\"eu\""], "groups_total": 1});
        let theirs = "SLO `shop/a` has groups; say which with `group`, for example `group=region=\"eu\"`, URL-encoded";
        assert_eq!(
            said("group_required", theirs, detail),
            "SLO `shop/a` has groups; say which, for example `--group 'region=\"eu\"'`"
        );
        let none = said("group_required", "SLO `shop/a` has groups, and none was seen yet", json!({"groups": []}));
        assert_eq!(none, "SLO `shop/a` has groups, and none was seen yet");
        let delivery = "there is no delivery `x`; `/api/v1/deliveries` lists them";
        assert_eq!(said("not_found", delivery, json!({})), "there is no delivery `x`; `slo deliveries` lists them");
        let silence = "there is no silence `x`; `/api/v1/silences` lists those there are";
        assert_eq!(
            said("not_found", silence, json!({})),
            "there is no silence `x`; `slo silence list` lists those there are"
        );
        let group = said("bad_parameter", "`group`: no labels", json!({}));
        assert_eq!(group, "`--group`: no labels");
    }
}
