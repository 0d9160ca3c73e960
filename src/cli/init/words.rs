//! What the values of a label say about who is to blame. Pure.
//!
//! A value is bad where the server is at fault: a client's mistake does not spend the budget. Only labels whose every
//! value is understood are taken, because a word that nobody knows could be either.

use std::collections::BTreeSet;

/// Labels that tell how a request ended, the likeliest first.
pub const LABELS: [&str; 15] = [
    "code",
    "status",
    "status_code",
    "http_status_code",
    "http_response_status_code",
    "response_code",
    "grpc_code",
    "grpc_status",
    "rpc_grpc_status_code",
    "status_class",
    "outcome",
    "result",
    "error",
    "success",
    "state",
];

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// HTTP status codes.
    Http,
    /// gRPC status codes.
    Grpc,
    /// Words such as `error`.
    Words,
}

/// gRPC's status codes, by number; the word of each as Go's libraries write it.
const GRPC: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];
/// Faults of the server among them: `Unknown`, `DeadlineExceeded`, `Unimplemented`, `Internal`, `Unavailable`, `DataLoss`.
const GRPC_BAD: [usize; 6] = [2, 4, 12, 13, 14, 15];

const BAD: [&str; 8] = ["error", "errors", "fail", "failed", "failure", "exception", "timeout", "server_error"];
const GOOD: [&str; 9] =
    ["success", "succeeded", "successful", "ok", "completed", "informational", "redirection", "hit", "miss"];
/// Not good, and not the server's fault.
const CLIENT: [&str; 7] = ["client_error", "canceled", "cancelled", "denied", "rejected", "invalid", "not_found"];

/// The matcher of bad events: the operation with its value, such as `=~"5.."`, and what the values are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What is counted.
    pub protocol: Protocol,
    /// A regular expression of bad values.
    pub bad: String,
}

/// What the values of `label` say; `None` where any of them is not understood.
#[must_use]
pub fn judge(label: &str, values: &BTreeSet<String>) -> Option<Verdict> {
    let values: Vec<&str> = values.iter().map(String::as_str).filter(|value| !value.is_empty()).collect();
    let all = |test: &dyn Fn(&str) -> bool| !values.is_empty() && values.iter().all(|value| test(value));
    let verdict = |protocol, bad: String| Some(Verdict { protocol, bad });
    if all(&is_http) {
        return verdict(Protocol::Http, "5..".to_owned());
    }
    if label.contains("grpc") && all(&|value| value.parse::<usize>().is_ok_and(|number| number < GRPC.len())) {
        let bad: Vec<String> = GRPC_BAD.iter().map(ToString::to_string).collect();
        return verdict(Protocol::Grpc, bad.join("|"));
    }
    let is_ok_alone = all(&|value| value == "OK");
    if label.contains("grpc") || !is_ok_alone {
        let camel = all(&|value| GRPC.contains(&value) || value == "Cancelled");
        let snake = all(&|value| GRPC.iter().any(|name| snake(name) == value) || value == "CANCELED");
        let written = GRPC_BAD.iter().filter_map(|number| GRPC.get(*number));
        match (camel, snake) {
            (true, false) => return verdict(Protocol::Grpc, written.copied().collect::<Vec<_>>().join("|")),
            (false, true) => {
                return verdict(Protocol::Grpc, written.map(|name| self::snake(name)).collect::<Vec<_>>().join("|"));
            }
            (true, true) => {
                let both = written.flat_map(|name| [(*name).to_owned(), self::snake(name)]);
                return verdict(Protocol::Grpc, dedup(both).join("|"));
            }
            (false, false) => {}
        }
    }
    if all(&|value| value == "true" || value == "false") {
        return match label {
            "error" => verdict(Protocol::Words, "true".to_owned()),
            "success" => verdict(Protocol::Words, "false".to_owned()),
            _ => None,
        };
    }
    by_words(&values)
}

/// Values of the vocabulary, all in one case; at least one has to say that something went well or wrong.
fn by_words(values: &[&str]) -> Option<Verdict> {
    let known = |value: &str, words: &[&str]| words.contains(&value.to_lowercase().as_str());
    let understood = values.iter().all(|value| known(value, &BAD) || known(value, &GOOD) || known(value, &CLIENT));
    let telling = values.iter().any(|value| known(value, &BAD) || known(value, &GOOD));
    if values.is_empty() || !understood || !telling {
        return None;
    }
    let respell: fn(&str) -> String = if values.iter().all(|value| *value == value.to_uppercase()) {
        str::to_uppercase
    } else if values.iter().all(|value| *value == value.to_lowercase()) {
        str::to_owned
    } else {
        |word| word.chars().take(1).flat_map(char::to_uppercase).chain(word.chars().skip(1)).collect()
    };
    Some(Verdict { protocol: Protocol::Words, bad: BAD.map(respell).join("|") })
}

/// `200`, `5xx`.
fn is_http(value: &str) -> bool {
    let mut characters = value.chars();
    let class = characters.next().is_some_and(|first| ('1'..='5').contains(&first));
    let rest: String = characters.collect();
    class && rest.len() == 2 && (rest.chars().all(|digit| digit.is_ascii_digit()) || rest.eq_ignore_ascii_case("xx"))
}

/// `DeadlineExceeded` as `DEADLINE_EXCEEDED`; `OK` stays.
fn snake(name: &str) -> String {
    if name == "OK" {
        return name.to_owned();
    }
    // The one that other libraries spell with two l.
    if name == "Canceled" {
        return "CANCELLED".to_owned();
    }
    let mut text = String::new();
    for (index, character) in name.chars().enumerate() {
        if index > 0 && character.is_uppercase() {
            text.push('_');
        }
        text.extend(character.to_uppercase());
    }
    text
}

fn dedup(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    words.filter(|word| seen.insert(word.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_say_what_is_counted_and_what_is_bad() {
        let camel = "Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss";
        let snake = "UNKNOWN|DEADLINE_EXCEEDED|UNIMPLEMENTED|INTERNAL|UNAVAILABLE|DATA_LOSS";
        let words = "error|errors|fail|failed|failure|exception|timeout|server_error";
        for (label, values, expected) in [
            ("code", &["200", "404", "503"][..], Some((Protocol::Http, "5.."))),
            ("status", &["2xx", "5xx"], Some((Protocol::Http, "5.."))),
            ("code", &["200", ""], Some((Protocol::Http, "5.."))),
            ("grpc_code", &["OK", "Internal"], Some((Protocol::Grpc, camel))),
            ("code", &["OK", "NotFound"], Some((Protocol::Grpc, camel))),
            ("grpc_status", &["OK", "NOT_FOUND", "CANCELLED"], Some((Protocol::Grpc, snake))),
            ("rpc_grpc_status_code", &["0", "14"], Some((Protocol::Grpc, "2|4|12|13|14|15"))),
            ("outcome", &["success", "error"], Some((Protocol::Words, words))),
            ("outcome", &["SUCCESS", "CLIENT_ERROR"], Some((Protocol::Words, &*words.to_uppercase()))),
            ("status", &["OK"], Some((Protocol::Words, &*words.to_uppercase()))),
            ("error", &["true", "false"], Some((Protocol::Words, "true"))),
            ("success", &["true"], Some((Protocol::Words, "false"))),
            ("state", &["true"], None),
            ("code", &["200", "teapot"], None),
            ("code", &["600"], None),
            ("code", &["0", "14"], None),
            ("result", &["denied"], None),
            ("result", &["success", "whatever"], None),
            ("error", &["connection refused"], None),
            ("code", &[""], None),
            ("code", &[], None),
        ] {
            let values: BTreeSet<String> = values.iter().map(|value| (*value).to_owned()).collect();
            let verdict = judge(label, &values);
            let found = verdict.as_ref().map(|verdict| (verdict.protocol, verdict.bad.as_str()));
            assert_eq!(found, expected, "{label} {values:?}");
        }
    }

    #[test]
    fn a_grpc_counter_that_saw_nothing_but_ok_admits_both_spellings() {
        let verdict = judge("grpc_code", &BTreeSet::from(["OK".to_owned()])).unwrap();
        assert!(verdict.bad.contains("DeadlineExceeded|DEADLINE_EXCEEDED"), "{}", verdict.bad);
    }
}
