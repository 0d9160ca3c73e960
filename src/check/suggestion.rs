//! "Did you mean": the known name closest to a misspelt one.

/// The closest of `known`, where one is close enough to be a slip of the hand.
#[must_use]
pub fn closest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters may differ: `alertmanger`, `promethues`; not `hook` for `mail`.
    let bound = (written.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(written, name), name))
        .filter(|(distance, _)| *distance <= bound)
        .min()
        .map(|(_, name)| name)
}

/// The remedy for an unknown name: the closest, else all that there are.
#[must_use]
pub fn help<'a>(written: &str, known: impl IntoIterator<Item = &'a str> + Clone, what: &str) -> String {
    if let Some(name) = closest(written, known.clone()) {
        return format!("did you mean `{name}`?");
    }
    let names: Vec<String> = known.into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        format!("the configuration has no {what}")
    } else {
        format!("known {what}: {}", names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_mended_and_strangers_are_not() {
        assert_eq!(closest("promethues", ["prometheus", "scrape"]), Some("prometheus"));
        assert_eq!(closest("hook", ["mail"]), None);
        assert_eq!(help("hook", ["mail", "chat"], "sinks"), "known sinks: `mail`, `chat`");
        assert_eq!(help("hook", [], "sinks"), "the configuration has no sinks");
    }
}
