//! One instance from query to decision, with the numbers put in: what is asked, the budget, every tier.
//!
//! The figures are those of the API, not rounded before they are compared: what is printed here is what was decided on.

use std::fmt::Write;
use std::process::ExitCode;

use serde_json::Value;

use crate::cli::client::{Client, Refused, decoded};
use crate::cli::explain::{Arguments, Format};
use crate::cli::once::{computed, files_are_named, prepared};
use crate::cli::printer::{Paint, Printer};
use crate::cli::run::runtime;
use crate::cli::table::{self, printable};
use crate::cli::{FAILED, FINDINGS};
use crate::http::dashboard::format;
use crate::http::dto::alert::{Tier, TierWindow};
use crate::http::dto::instance::{Detail, Instance};
use crate::http::dto::list::List;
use crate::runtime::files::Request;
use crate::units::{InstanceId, SloId, exceeds};

/// Groups named where one has to be chosen.
const GROUPS_NAMED: usize = 5;

/// Asks the running service for the instance, or computes it once, and prints it.
///
/// # Errors
/// Where neither the service nor the store answers.
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    let id: InstanceId = match arguments.what.parse() {
        Ok(id) => id,
        Err(error) => {
            printer.say(&format!("`{}` is no SLO: {error}", arguments.what));
            return Ok(ExitCode::from(FINDINGS));
        }
    };
    if arguments.paths.is_empty() && arguments.config.is_none() && arguments.prometheus.is_none() {
        let client = Client::new(&arguments.server)?;
        return told(Client::block_on(asked(&client, &id)), arguments.format, printer);
    }
    let request = Request { paths: arguments.paths.clone(), config: arguments.config.clone() };
    files_are_named(&request, &[])?;
    let (launch, mut blueprint) = match prepared(request, arguments.prometheus.clone(), printer)? {
        Ok(prepared) => prepared,
        Err(code) => return Ok(code),
    };
    blueprint.slos.retain(|plan| plan.slo.id == id.slo);
    if blueprint.slos.is_empty() {
        printer.say(&format!("the files have no SLO `{}`", id.slo));
        return Ok(ExitCode::from(FINDINGS));
    }
    runtime()?.block_on(async {
        let (client, missing) = computed(launch, blueprint, printer).await?;
        let answer = asked(&client, &id).await;
        if !missing.is_nothing() {
            let sources = client.get(&["api", "v1", "sources"], &[]).await?;
            let said =
                |source: &Value| source.pointer("/last_error/message").and_then(Value::as_str).map(str::to_owned);
            let mut items = sources.get("items").and_then(Value::as_array).into_iter().flatten();
            let problem = items.find_map(said).unwrap_or_else(|| "its source did not answer".to_owned());
            printer.say(&format!("not everything could be computed: {problem}"));
            told(answer, arguments.format, printer)?;
            return Ok(ExitCode::from(FAILED));
        }
        told(answer, arguments.format, printer)
    })
}

/// Which groups an SLO has, where one has to be named.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct HasGroups(String);

/// The detail of an instance.
async fn asked(client: &Client, id: &InstanceId) -> anyhow::Result<Value> {
    let answer = detail(client, id).await;
    let refused = answer.as_ref().err().and_then(|error| error.downcast_ref::<Refused>());
    if refused.is_none_or(|refused| refused.code != "group_required") {
        return answer;
    }
    let slos: List<Instance> = decoded(client.list(&["api", "v1", "slos"], &[]).await?)?;
    let is_one = |slo: &&Instance| slo.service == id.slo.service && slo.name == id.slo.name && !slo.group.is_empty();
    let groups: Vec<&str> = slos.items.iter().filter(is_one).map(|slo| slo.id.as_str()).collect();
    // Without any, the service says that none was seen yet.
    if groups.is_empty() { answer } else { Err(HasGroups(choice(&id.slo, &groups)).into()) }
}

/// The groups of an SLO, as commands to choose from.
fn choice(slo: &SloId, groups: &[&str]) -> String {
    let mut text = match groups.len() {
        1 => format!("`{slo}` has 1 group; name it:"),
        count => format!("`{slo}` has {count} groups; say which:"),
    };
    for group in groups.iter().take(GROUPS_NAMED) {
        let _ = write!(text, "\n  slo explain '{}'", printable(&group.replace('\'', r"'\''")));
    }
    let more = groups.len().saturating_sub(GROUPS_NAMED);
    if more > 0 {
        let _ = write!(text, "\n  and {more} more; `slo status {slo}` lists all");
    }
    text
}

async fn detail(client: &Client, id: &InstanceId) -> anyhow::Result<Value> {
    let group = id.group.to_string();
    let query: Vec<(&str, &str)> = if group.is_empty() { Vec::new() } else { vec![("group", group.as_str())] };
    client.get(&["api", "v1", "slos", &id.slo.service, &id.slo.name], &query).await
}

/// Prints the answer, or why there is none.
fn told(answer: anyhow::Result<Value>, format: Format, printer: &Printer) -> anyhow::Result<ExitCode> {
    match answer {
        Ok(answer) => print(answer, format, printer),
        Err(error) if error.is::<HasGroups>() => {
            printer.say(&error.to_string());
            Ok(ExitCode::from(FINDINGS))
        }
        Err(error) => match error.downcast_ref::<Refused>() {
            Some(refused) if !refused.status.is_server_error() => {
                printer.say(&format!("{refused}; `slo status` lists all"));
                Ok(ExitCode::from(FINDINGS))
            }
            _ => Err(error),
        },
    }
}

/// Prints a detail of the API.
fn print(answer: Value, format: Format, printer: &Printer) -> anyhow::Result<ExitCode> {
    if format == Format::Json {
        printer.data(&(serde_json::to_string_pretty(&answer)? + "\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let detail: Detail = decoded(answer)?;
    printer.data(&text(&detail, printer))?;
    printer.say(&format!("the policy by itself: slo explain {}", detail.policy));
    Ok(ExitCode::SUCCESS)
}

fn text(detail: &Detail, printer: &Printer) -> String {
    let instance = &detail.instance;
    let mut text = String::new();
    let status = table::status_text(printer, &instance.status);
    let id = printer.out.paint(Paint::Bold, &printable(&instance.id));
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(text, "{id}  {status}  as of {}", format::moment(instance.as_of));
    let _ = writeln!(text, "{}\n", printable(&detail.reason));
    let _ = writeln!(text, "{}", printer.out.paint(Paint::Bold, "asked"));
    let _ = writeln!(text, "  source `{}`, mode {}", detail.source, instance.mode);
    for (what, query) in &detail.queries {
        let _ = writeln!(text, "  {what:<6} {}", printable(query));
    }
    let _ = writeln!(text, "\n{}", printer.out.paint(Paint::Bold, "budget"));
    budget(&mut text, detail);
    for (place, (tier, rule)) in detail.tiers.iter().zip(&detail.rules).enumerate() {
        let head = format!("tier {} of `{}`, {}", place + 1, detail.policy, tier.severity);
        let _ = writeln!(text, "\n{}: {rule}", printer.out.paint(Paint::Bold, &head));
        explain_tier(&mut text, tier);
    }
    text
}

/// The budget of SEMANTICS 4 with its numbers.
fn budget(text: &mut String, detail: &Detail) {
    let instance = &detail.instance;
    let (objective, sli, budget) = (instance.objective.0, &instance.sli, &instance.budget);
    let ratio = figure(1.0 - objective);
    let (from, to) = (format::moment(instance.window_from), format::moment(instance.as_of));
    let coverage = percent(instance.coverage.0);
    let _ = writeln!(text, "  W       {}: ({from}, {to}], {coverage} measured", instance.window);
    let _ = writeln!(text, "  B       1 - {} = {ratio}", format::objective(objective));
    let _ = writeln!(text, "  counted {} bad of {}", figure(sli.bad.0), figure(sli.total.0));
    if let Some(line) = good_line(detail) {
        let _ = writeln!(text, "  good    {line}");
    }
    let figures = (budget.allowed, budget.spent_ratio, budget.remaining_ratio, budget.remaining_events);
    if let (Some(allowed), Some(spent), Some(left), Some(events)) = figures
        && sli.total.0 > 0.0
    {
        let expected = allowed.0 / (1.0 - objective);
        let estimated =
            if instance.estimated { ", estimated: unmeasured time is taken to be like the rest" } else { "" };
        let _ = writeln!(text, "  N       {} events in W{estimated}", figure(round(expected)));
        let _ =
            writeln!(text, "  allowed B * N = {ratio} * {} = {}", figure(round(expected)), figure(round(allowed.0)));
        let _ = writeln!(
            text,
            "  spent   bad / allowed = {} / {} = {}; left {}, {} events",
            figure(sli.bad.0),
            figure(round(allowed.0)),
            percent(spent.0),
            percent(left.0),
            figure(round(events.0))
        );
    }
}

fn good_line(detail: &Detail) -> Option<String> {
    let sli = &detail.instance.sli;
    if sli.total.0 <= 0.0 {
        return None;
    }
    let objective = detail.instance.objective.0;
    let shown = |ratio: f64| format::good_percent(ratio, objective);
    let interval = sli.low.zip(sli.high).map(|(low, high)| format!(" (95%: {} to {})", shown(low.0), shown(high.0)));
    let good = 1.0 - sli.bad.0 / sli.total.0;
    Some(format!("1 - bad / total = {}{}", shown(good), interval.unwrap_or_default()))
}

/// What each window says, and what follows.
fn explain_tier(text: &mut String, tier: &Tier) {
    let threshold = tier.threshold_ratio.map(|figure| figure.0);
    for (name, window) in [("over", &tier.over), ("confirm", &tier.confirm)] {
        if let Some(window) = window {
            let _ = writeln!(text, "  {name:<7} {}", judged(window, threshold));
        }
    }
    if let Some(window) = &tier.resolve {
        let _ = writeln!(
            text,
            "  resolve {}: {} of {} bad: share {}, {} measured",
            window.length,
            figure(window.bad.0),
            figure(window.total.0),
            percent(window.ratio.0),
            percent(window.coverage.0)
        );
    }
    let frozen = if tier.frozen { ", frozen: the data neither confirms nor denies it" } else { "" };
    let trend = if tier.over.is_some() { format!(", {}", tier.trend) } else { String::new() };
    let _ = writeln!(text, "  so      {}{trend}{frozen}", tier.state);
}

/// `52 of 3600 bad: share 1.444% * coverage 1 = 0.01444 > 0.0144: holds`.
fn judged(window: &TierWindow, threshold: Option<f64>) -> String {
    let counted = format!("{}: {} of {} bad", window.length, figure(window.bad.0), figure(window.total.0));
    let product = window.ratio.0 * window.coverage.0;
    let ratios = format!("share {} * coverage {}", figure(window.ratio.0), figure(window.coverage.0));
    match threshold {
        Some(threshold) if exceeds(product, threshold) => {
            format!("{counted}: {ratios} = {} > k*B = {}: holds", figure(product), figure(threshold))
        }
        Some(threshold) => {
            format!("{counted}: {ratios} = {}, not above k*B = {}", figure(product), figure(threshold))
        }
        None => format!("{counted}: {ratios}"),
    }
}

/// Six significant digits, as a plain number.
fn figure(value: f64) -> String {
    if value.abs() >= 100_000.0 {
        return format::count(value);
    }
    let rounded: f64 = format!("{value:.5e}").parse().unwrap_or(value);
    format!("{}", rounded + 0.0)
}

/// Four decimals: products of decimals come with a tail.
fn round(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

fn percent(ratio: f64) -> String {
    format!("{}%", figure(ratio * 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_groups_are_named_and_the_others_counted() {
        let groups: Vec<String> = (1..=7).map(|n| format!(r#"shop/a{{region="r'{n}"}}"#)).collect();
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        let text = choice(&SloId::new("shop", "a"), &groups);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 7);
        assert_eq!(lines[0], "`shop/a` has 7 groups; say which:");
        assert_eq!(lines[1], r#"  slo explain 'shop/a{region="r'\''1"}'"#);
        assert_eq!(lines[6], "  and 2 more; `slo status shop/a` lists all");
        assert_eq!(choice(&SloId::new("shop", "a"), &groups[..5]).lines().count(), 6);
    }
}
