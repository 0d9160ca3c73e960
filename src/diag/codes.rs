//! The one list of codes: what a finding can be about, each with a short title. Codes are stable: never reused, never
//! renumbered.
//!
//! 001 to 029 come from reading files (`yaml`, `spec`, `config`); lints begin at 030. Invariant: a place with one of
//! the codes in [`is_masked`] holds a secret, and no renderer shows its text.

/// A code with its title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// `SLO001` and so on.
    pub id: &'static str,
    /// What it is about, in a few words.
    pub title: &'static str,
}

/// The file is no YAML, or no UTF-8.
pub const SYNTAX: &str = "SLO001";
/// A key that the format does not have.
pub const UNKNOWN_KEY: &str = "SLO002";
/// A key that stands twice in one mapping.
pub const DUPLICATE_KEY: &str = "SLO003";
/// A bound of the reader: 10 MiB a file, depth 64, expansion of aliases.
pub const LIMIT: &str = "SLO004";
/// A list where text belongs, and the like.
pub const SHAPE: &str = "SLO005";
/// A key that has to be there and is not.
pub const MISSING_KEY: &str = "SLO006";
/// Part of the format, and not built into this version.
pub const NOT_BUILT: &str = "SLO007";
/// A document that says not, or not rightly, what it is.
pub const UNKNOWN_DOCUMENT: &str = "SLO008";
/// A name outside the grammar of names.
pub const BAD_NAME: &str = "SLO009";
/// Two things of one name or id.
pub const DUPLICATE_NAME: &str = "SLO010";
/// Not a duration, or none that fits here.
pub const BAD_DURATION: &str = "SLO011";
/// Not an objective, out of range, or off by a factor of 100.
pub const BAD_OBJECTIVE: &str = "SLO012";
/// PromQL that does not parse.
pub const BAD_QUERY: &str = "SLO013";
/// Keys of an SLI that do not go together.
pub const BAD_SLI: &str = "SLO014";
/// A pushdown query without `$window`.
pub const NO_WINDOW: &str = "SLO015";
/// A pushdown query of which it is not clear whether it counts or rates.
pub const UNCLEAR_UNIT: &str = "SLO016";
/// A policy that nobody defines.
pub const UNKNOWN_POLICY: &str = "SLO017";
/// A policy that takes a preset's name.
pub const PRESET_TAKEN: &str = "SLO018";
/// Not a number, or none that fits here.
pub const BAD_NUMBER: &str = "SLO019";
/// A secret written in a file.
pub const LITERAL_SECRET: &str = "SLO020";
/// A link that is not http or https.
pub const BAD_LINK: &str = "SLO021";
/// An address that cannot be used.
pub const BAD_ADDRESS: &str = "SLO022";
/// A label name that Prometheus would not take, or one given twice.
pub const BAD_LABEL: &str = "SLO023";
/// A word that is not one of those allowed here.
pub const BAD_CHOICE: &str = "SLO024";
/// A file that cannot be read.
pub const UNREADABLE: &str = "SLO025";
/// A policy that does not fit the SLO's period.
pub const POLICY_MISFIT: &str = "SLO026";
/// More than one configuration.
pub const TWO_CONFIGURATIONS: &str = "SLO027";
/// Tiers, gates or routes that contradict themselves.
pub const BAD_TIER: &str = "SLO028";
/// Bad (or good) and total ask the same.
pub const SAME_QUERY: &str = "SLO030";
/// Bad (or good) selects what the total never selects.
pub const CANNOT_MATCH: &str = "SLO031";
/// A name that is no counter's, counted.
pub const GAUGE_AS_COUNTER: &str = "SLO032";
/// A burn tier that total failure does not reach.
pub const UNREACHABLE_TIER: &str = "SLO033";
/// A burn tier that fires while the objective is met.
pub const LOW_FACTOR: &str = "SLO034";
/// A burn tier that adds nothing to another one.
pub const SHADOWED_TIER: &str = "SLO035";
/// A graver tier that is slower than a lesser one.
pub const INVERTED_TIERS: &str = "SLO036";
/// A window of a tier that holds too few slices or samples.
pub const SHORT_WINDOW: &str = "SLO037";
/// A window that is no whole number of slices.
pub const UNEVEN_WINDOW: &str = "SLO038";
/// Alerts of a severity that nobody would get.
pub const NO_ROUTE: &str = "SLO039";
/// A sink that the configuration does not have.
pub const UNKNOWN_SINK: &str = "SLO040";
/// A source that the configuration does not have.
pub const UNKNOWN_SOURCE: &str = "SLO041";
/// An owner that the configuration does not have.
pub const UNKNOWN_OWNER: &str = "SLO042";
/// Alerts sent over plain http to another machine.
pub const PLAIN_HTTP: &str = "SLO043";
/// A page that does not say what to do.
pub const NO_RUNBOOK: &str = "SLO044";
/// A page that does not say whose it is.
pub const NO_OWNER: &str = "SLO045";
/// A label that an alert carries already.
pub const CLASHING_LABEL: &str = "SLO046";
/// A plugin of another tool.
pub const FOREIGN_PLUGIN: &str = "SLO050";
/// A field of another tool's file that is not honoured, or does not matter here.
pub const NOT_HONOURED: &str = "SLO051";
/// A template of another tool's file that is not understood.
pub const FOREIGN_TEMPLATE: &str = "SLO052";
/// Sloth's `AlertWindows` that nothing uses, or that contradict each other.
pub const ALERT_WINDOWS: &str = "SLO053";
/// A gauge's query with the placeholder of a range.
pub const WINDOW_IN_GAUGE: &str = "SLO057";
/// PromQL for a source that evaluates none.
pub const NO_QUERIES: &str = "SLO058";
/// A counter's value judged as it stands.
pub const COUNTER_AS_GAUGE: &str = "SLO059";
/// A param of a template that is missing, unknown or of no use.
pub const TEMPLATE_PARAM: &str = "SLO060";
/// A template that nobody defines.
pub const UNKNOWN_TEMPLATE: &str = "SLO061";
/// An override of groups that there cannot be.
pub const BAD_OVERRIDE: &str = "SLO062";
/// An override that changes nothing.
pub const USELESS_OVERRIDE: &str = "SLO063";
/// A former id that is in use, or claimed twice.
pub const FORMER_ID: &str = "SLO064";
/// The day by which an SLO had to be looked at is past.
pub const REVIEW_OVERDUE: &str = "SLO065";
/// Looks like a document of ours, and does not say so.
pub const UNSAID_VERSION: &str = "SLO066";
/// A forecast that is the only page.
pub const LONE_FORECAST: &str = "SLO070";
/// A gate that does nothing for the tier it stands on.
pub const IDLE_GATE: &str = "SLO071";
/// A route behind one that takes everything it would.
pub const UNREACHABLE_ROUTE: &str = "SLO072";
/// A route that does what its receiver does by itself.
pub const RECEIVER_DOES_IT: &str = "SLO073";
/// Pages that only one sink gets, and no fallback.
pub const LONE_RECEIVER: &str = "SLO074";
/// A route that asks for what no loaded SLO has.
pub const EMPTY_MATCH: &str = "SLO075";
/// An escalation to sinks that have been told by then.
pub const IDLE_ESCALATION: &str = "SLO076";
/// A group that holds pages back for long.
pub const LATE_PAGE: &str = "SLO077";
/// A sink that nothing leads to.
pub const UNUSED_SINK: &str = "SLO078";
/// A program, a file of tokens or a secret that is not there.
pub const MISSING_FILE: &str = "SLO079";
/// An exclusion that says no reason.
pub const NO_REASON: &str = "SLO080";
/// An exclusion that is over, and will not come back.
pub const PAST_EXCLUSION: &str = "SLO081";
/// A pattern of an exclusion that no SLO fits.
pub const EMPTY_EXCLUSION: &str = "SLO082";
/// A service that other machines reach, and that takes nothing from anybody.
pub const REFUSED_WRITES: &str = "SLO083";
/// A report to a sink that takes none.
pub const LOUD_REPORT: &str = "SLO095";
/// Alerts go to Opsgenie's own API, which will be switched off.
pub const OPSGENIE_ENDS: &str = "SLO100";
/// An address of Office connectors, which are no more.
pub const RETIRED_CONNECTOR: &str = "SLO101";
/// A channel for an incoming webhook of Slack, which has its own.
pub const FIXED_CHANNEL: &str = "SLO102";
/// Links in messages that nobody could open.
pub const DEAD_LINKS: &str = "SLO103";
/// A message template that does not parse, or fails on a made-up notification.
pub const BAD_TEMPLATE: &str = "SLO110";
/// A tier `down` of an SLO of which nothing says what is alive.
pub const DEAF_TIER: &str = "SLO111";
/// A window that the time after the newest sample fills.
pub const SILENT_WINDOW: &str = "SLO112";

/// Every code, ascending.
pub const LIST: &[Code] = &[
    Code { id: SYNTAX, title: "the file is not YAML" },
    Code { id: UNKNOWN_KEY, title: "unknown key" },
    Code { id: DUPLICATE_KEY, title: "duplicate key" },
    Code { id: LIMIT, title: "too large, too deep or too many aliases" },
    Code { id: SHAPE, title: "wrong kind of value" },
    Code { id: MISSING_KEY, title: "missing key" },
    Code { id: NOT_BUILT, title: "not built yet" },
    Code { id: UNKNOWN_DOCUMENT, title: "unknown kind of document" },
    Code { id: BAD_NAME, title: "bad name" },
    Code { id: DUPLICATE_NAME, title: "duplicate name or id" },
    Code { id: BAD_DURATION, title: "bad duration" },
    Code { id: BAD_OBJECTIVE, title: "bad objective" },
    Code { id: BAD_QUERY, title: "PromQL does not parse" },
    Code { id: BAD_SLI, title: "contradicting SLI" },
    Code { id: NO_WINDOW, title: "query without $window" },
    Code { id: UNCLEAR_UNIT, title: "unclear unit of a query" },
    Code { id: UNKNOWN_POLICY, title: "unknown policy" },
    Code { id: PRESET_TAKEN, title: "policy takes the name of a preset" },
    Code { id: BAD_NUMBER, title: "bad number" },
    Code { id: LITERAL_SECRET, title: "secret written in a file" },
    Code { id: BAD_LINK, title: "link is not http or https" },
    Code { id: BAD_ADDRESS, title: "bad address" },
    Code { id: BAD_LABEL, title: "bad label" },
    Code { id: BAD_CHOICE, title: "not one of the words allowed" },
    Code { id: UNREADABLE, title: "file cannot be read" },
    Code { id: POLICY_MISFIT, title: "policy does not fit the period" },
    Code { id: TWO_CONFIGURATIONS, title: "more than one configuration" },
    Code { id: BAD_TIER, title: "contradicting tier" },
    Code { id: SAME_QUERY, title: "bad and total are the same query" },
    Code { id: CANNOT_MATCH, title: "selector cannot match the total's" },
    Code { id: GAUGE_AS_COUNTER, title: "gauge used as a counter" },
    Code { id: UNREACHABLE_TIER, title: "tier can never fire" },
    Code { id: LOW_FACTOR, title: "burn factor below 1" },
    Code { id: SHADOWED_TIER, title: "tier is shadowed by another" },
    Code { id: INVERTED_TIERS, title: "tiers are not in order of urgency" },
    Code { id: SHORT_WINDOW, title: "window is too short" },
    Code { id: UNEVEN_WINDOW, title: "window is not a multiple of the slice" },
    Code { id: NO_ROUTE, title: "no route for a severity" },
    Code { id: UNKNOWN_SINK, title: "unknown sink" },
    Code { id: UNKNOWN_SOURCE, title: "unknown source" },
    Code { id: UNKNOWN_OWNER, title: "unknown owner" },
    Code { id: PLAIN_HTTP, title: "plain http to a remote sink" },
    Code { id: NO_RUNBOOK, title: "page without a runbook" },
    Code { id: NO_OWNER, title: "page without an owner" },
    Code { id: CLASHING_LABEL, title: "label clashes" },
    Code { id: FOREIGN_PLUGIN, title: "plugin of another tool" },
    Code { id: NOT_HONOURED, title: "field is not honoured" },
    Code { id: FOREIGN_TEMPLATE, title: "template is not understood" },
    Code { id: ALERT_WINDOWS, title: "alert windows are unused or ambiguous" },
    Code { id: WINDOW_IN_GAUGE, title: "gauge query with $window" },
    Code { id: NO_QUERIES, title: "source evaluates no queries" },
    Code { id: COUNTER_AS_GAUGE, title: "counter used as a gauge" },
    Code { id: TEMPLATE_PARAM, title: "template and params do not fit" },
    Code { id: UNKNOWN_TEMPLATE, title: "unknown template" },
    Code { id: BAD_OVERRIDE, title: "override of groups that there are not" },
    Code { id: USELESS_OVERRIDE, title: "override changes nothing" },
    Code { id: FORMER_ID, title: "former id in use or claimed twice" },
    Code { id: REVIEW_OVERDUE, title: "review is overdue" },
    Code { id: UNSAID_VERSION, title: "document does not say what it is" },
    Code { id: LONE_FORECAST, title: "forecast is the only page" },
    Code { id: IDLE_GATE, title: "gate does nothing" },
    Code { id: UNREACHABLE_ROUTE, title: "route is never reached" },
    Code { id: RECEIVER_DOES_IT, title: "receiver does this by itself" },
    Code { id: LONE_RECEIVER, title: "pages go to one sink and have no fallback" },
    Code { id: EMPTY_MATCH, title: "route matches nothing" },
    Code { id: IDLE_ESCALATION, title: "escalation does nothing" },
    Code { id: LATE_PAGE, title: "pages are told late" },
    Code { id: UNUSED_SINK, title: "sink is not used" },
    Code { id: MISSING_FILE, title: "file or secret is not there" },
    Code { id: NO_REASON, title: "exclusion without a reason" },
    Code { id: PAST_EXCLUSION, title: "exclusion is past" },
    Code { id: EMPTY_EXCLUSION, title: "exclusion of SLOs that there are not" },
    Code { id: REFUSED_WRITES, title: "every write is refused" },
    Code { id: LOUD_REPORT, title: "report to a sink that takes none" },
    Code { id: OPSGENIE_ENDS, title: "Opsgenie's own API ends" },
    Code { id: RETIRED_CONNECTOR, title: "connector of Office is retired" },
    Code { id: FIXED_CHANNEL, title: "incoming webhook has its own channel" },
    Code { id: DEAD_LINKS, title: "messages have no links" },
    Code { id: BAD_TEMPLATE, title: "message template fails" },
    Code { id: DEAF_TIER, title: "tier down can never fire" },
    Code { id: SILENT_WINDOW, title: "silence passes for health" },
];

/// The title of a code, if there is such a code.
#[must_use]
pub fn title(id: &str) -> Option<&'static str> {
    LIST.iter().find(|code| code.id == id).map(|code| code.title)
}

/// Whether the place of a finding with this code holds a secret.
#[must_use]
pub fn is_masked(id: &str) -> bool {
    id == LITERAL_SECRET
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_ascending_and_have_titles() {
        assert!(LIST.windows(2).all(|pair| pair[0].id < pair[1].id));
        assert!(LIST.iter().all(|code| code.id.len() == 6 && !code.title.is_empty()));
        assert_eq!(title(LITERAL_SECRET), Some("secret written in a file"));
    }
}
