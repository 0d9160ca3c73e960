//! Alerting rules: one for each severity and kind of alert, as the service has them.
//!
//! A rule has one `for` for all its tiers. It waits as long as the least patient of them; what another has to wait
//! longer is asked within the expression: that it matched at every slice end before. `keep_firing_for` is the longest;
//! vmalert before 1.91 does not know it, so there it is asked within the expression, too: that it held at a slice end
//! within that time.

use crate::engine::definition::{Kind, Tier};
use crate::policy::alert::AlertKind;
use crate::ruler::document::{Makes, Rule};
use crate::ruler::label::{Naming, naming};
use crate::ruler::note::Notes;
use crate::ruler::record::{ERROR_RATIO, REMAINING, bad, measured, total};
use crate::ruler::scope::{Part, Parts, series};
use crate::ruler::silence::{down, no_data, no_traffic};
use crate::ruler::window::short_of;
use crate::ruler::{Item, Ruler, Terms, WINDOW};
use crate::spec::policy::AlertSeverity;
use crate::units::Length;

/// Between comparisons of one tier: only the ratio's series have the label `window`.
const AND: &str = "\nand ignoring (window)\n";

/// A tier as an expression.
struct Condition {
    /// A vector: an element for each group that matches.
    expression: String,
    /// How long it has to match.
    wait: Length,
    /// How long it goes on after that.
    keep: Length,
}

/// An alert as it is put together: tiers that the files give one name and equal labels are one alert.
struct Draft {
    order: (AlertKind, AlertSeverity),
    naming: Naming,
    /// Of its tiers: what it says has to be true of each.
    kinds: Vec<Kind>,
    conditions: Vec<Condition>,
    comments: Vec<String>,
}

type Expressed = (AlertKind, Condition);

/// The alerting rules of an SLO.
pub(super) fn alerts(item: &Item<'_>, terms: Terms<'_>, parts: &Parts<'_>, notes: &mut Notes) -> Vec<Rule> {
    let mut drafts: Vec<Draft> = Vec::new();
    for (index, tier) in item.definition.tiers.iter().enumerate() {
        let Some((kind, condition)) = condition(item, parts, index, tier, notes) else { continue };
        let naming_of = |kinds: &[Kind]| naming(item, terms, tier.severity, kind, kinds);
        let naming = naming_of(&[tier.kind]);
        for name in &naming.unsound {
            let sentence = format!("the template of `{name}` is none that rulers take: it is written as text");
            notes.add(&item.slo.id, sentence);
        }
        let is_same = |draft: &&mut Draft| (&draft.naming.name, &draft.naming.labels) == (&naming.name, &naming.labels);
        let comments = unexpressed(tier);
        for sentence in &comments {
            notes.add(&item.slo.id, sentence);
        }
        if let Some(draft) = drafts.iter_mut().find(is_same) {
            draft.kinds.push(tier.kind);
            draft.naming = naming_of(&draft.kinds);
            draft.conditions.push(condition);
            let fresh: Vec<String> = comments.into_iter().filter(|one| !draft.comments.contains(one)).collect();
            draft.comments.extend(fresh);
        } else {
            let (order, kinds, conditions) = ((kind, tier.severity), vec![tier.kind], vec![condition]);
            drafts.push(Draft { order, naming, kinds, conditions, comments });
        }
    }
    drafts.sort_by_key(|draft| draft.order);
    drafts.into_iter().map(|draft| rule(draft, terms.ruler, item.definition.slice.length())).collect()
}

fn rule(draft: Draft, ruler: Ruler, slice: Length) -> Rule {
    let Draft { naming, conditions, comments, .. } = draft;
    let keep = conditions.iter().map(|condition| condition.keep).max().unwrap_or(Length::ZERO);
    let within = ruler == Ruler::VictoriaMetrics && keep > Length::ZERO;
    let least = conditions.iter().map(|condition| condition.wait).min().unwrap_or(Length::ZERO);
    let for_ = if within { Length::ZERO } else { least };
    let expression = expression(&conditions, for_, slice, naming.dropped);
    let (expression, keep_firing_for) =
        if within { (kept(&expression, keep, slice), Length::ZERO) } else { (expression, keep) };
    let makes = Makes::Alert { name: naming.name, for_, keep_firing_for, annotations: naming.annotations };
    Rule { makes, expression, labels: naming.labels, comments }
}

/// Gates of a tier that a rule does not have.
fn unexpressed(tier: &Tier) -> Vec<String> {
    let gates = &tier.gates;
    let all = [
        (gates.hold < 1.0, "`hold` is not expressed: an alert ends as soon as its ratio is at the threshold"),
        (
            gates.active.is_some(),
            "`active` is not expressed: a rule holds at any time; let the routes of Alertmanager have `active_time_intervals`",
        ),
        (gates.max_false_pages.is_some(), "`max_false_pages` is not expressed: `min_bad` stays as it is written"),
    ];
    all.into_iter().filter(|(there, _)| *there).map(|(_, sentence)| sentence.to_owned()).collect()
}

fn condition(item: &Item<'_>, parts: &Parts<'_>, index: usize, tier: &Tier, notes: &mut Notes) -> Option<Expressed> {
    let gates = &tier.gates;
    let (kind, expression, wait) = match tier.kind {
        Kind::Burn { over, confirm, .. } => {
            (AlertKind::Burn, parts.join(|part| burns(part, index, over, confirm)), gates.for_)
        }
        Kind::SliBelow { over, .. } => (AlertKind::Burn, parts.join(|part| burns(part, index, over, None)), gates.for_),
        Kind::BudgetLeft { below } => {
            let less = |part: &Part<'_>| format!("{} < {below}", part.series(REMAINING, &[]));
            (
                AlertKind::Budget,
                parts.join(|part| gated(less(part), tier, |events| part.series(events, &[]))),
                gates.for_,
            )
        }
        Kind::BudgetDrop { drop, over } => {
            let much = |part: &Part<'_>| gated(dropped(part, drop, over), tier, |events| part.series(events, &[]));
            (AlertKind::Budget, parts.join(much), gates.for_)
        }
        Kind::Exhausts { .. } => {
            notes.add(
                &item.slo.id,
                format!("`exhausts` of its {} is not expressed: a rule makes no forecast", tier.severity.name()),
            );
            return None;
        }
        Kind::NoTraffic { over, min_total } => {
            let hardly_any = no_traffic(item, over, min_total);
            (AlertKind::NoData, gated(hardly_any, tier, |events| series(&item.slo.id, events, &[])), gates.for_)
        }
        Kind::Down { after } => (AlertKind::Down, down(item)?, after.max(gates.for_)),
        Kind::NoData { after } => (AlertKind::NoData, no_data(item), after.max(gates.for_)),
    };
    Some((kind, Condition { expression, wait, keep: gates.keep_firing_for }))
}

/// `bad(L) > drop * B * N(W)`.
fn dropped(part: &Part<'_>, drop: f64, over: Length) -> String {
    let all = part.series(&total(part.definition.window), &[]);
    let measured = measured(part).map(|measured| format!(" / ({measured})")).unwrap_or_default();
    format!("{} > {all}{measured} * {} * {drop}", part.series(&bad(over), &[]), part.definition.budget)
}

/// `ratio > k * B` over both windows, and the gates. The part has a threshold of its own.
fn burns(part: &Part<'_>, index: usize, over: Length, confirm: Option<Length>) -> String {
    let Some(tier) = part.definition.tiers.get(index) else { return String::new() };
    let (Kind::Burn { threshold, .. } | Kind::SliBelow { threshold, .. }) = tier.kind else { return String::new() };
    let ratio =
        |length: Length| format!("{} > {threshold}", part.series(ERROR_RATIO, &[(WINDOW, &length.to_string())]));
    let all: Vec<String> = std::iter::once(over).chain(confirm).map(ratio).collect();
    gated(all.join(AND), tier, |events| part.series(events, &[]))
}

/// `condition`, and as many events in the tier's long window as its gates want, as the engine has it.
fn gated(condition: String, tier: &Tier, series: impl Fn(&str) -> String) -> String {
    let (Some(over), gates) = (tier.kind.window(), &tier.gates) else { return condition };
    let least = [(bad(over), gates.min_bad), (total(over), gates.min_total)];
    let asked = least.into_iter().filter(|(_, least)| *least > 0.0);
    let asked = asked.map(|(events, least)| format!("{} >= {least}", series(&events)));
    std::iter::once(condition).chain(asked).collect::<Vec<_>>().join(AND)
}

/// Any of the conditions, without the labels that differ between them; the rule itself waits `for_`.
fn expression(conditions: &[Condition], for_: Length, slice: Length, dropped: &str) -> String {
    let any: Vec<String> = conditions
        .iter()
        .map(|condition| {
            let more = Length::from_millis(condition.wait.millis() - for_.millis());
            in_parentheses(&held(&condition.expression, more, slice))
        })
        .collect();
    format!("max without ({dropped}) {}", in_parentheses(&any.join("\nor\n")))
}

/// That it held at a slice end within `length`.
fn kept(expression: &str, length: Length, slice: Length) -> String {
    format!("max_over_time({}[{length}:{slice}])", in_parentheses(expression))
}

/// That the condition matches, and did at every slice end for `length` before.
fn held(condition: &str, length: Length, slice: Length) -> String {
    if length == Length::ZERO {
        return condition.to_owned();
    }
    let times = length.count_of(slice) + 1;
    let condition = in_parentheses(condition);
    format!("{condition}\nand\ncount_over_time({condition}[{}:{slice}]) >= {times}", short_of(slice * times))
}

/// On lines of their own, further in. Only for expressions without users' text, whose strings may have several lines.
fn in_parentheses(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    format!("(\n{}\n)", lines.join("\n"))
}
