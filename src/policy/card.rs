//! A notification as text: the lines that every sink of text says, in the order of INTERFACES 5.
//!
//! ```text
//! [PAGE] checkout/availability region=eu: 3.1% of requests fail (objective 99.9%)
//! since 02:54 UTC, 6 min | 1204 of 38830 in 5m | 41% of budget left | data complete
//! where  code=503 97% of bad, 0.1% of good | instance=eu-3 88% of bad, 9% of good
//! change checkout v41 at 02:49 | held back: checkout/availability/ticket/burn | owner payments #payments
//! do     runbook https://wiki.example/checkout | ack URL | mute 1h URL | why URL
//! ```
//! Why it is told now, where that is not the alert itself, stands in a third line: `note   silence ended`.
//! A digest lists its alerts in place of the second and third line, and its first line is its subject ([`several`]). What is no life says so first: `[DRILL] [PAGE] ..`.
//! Pure. What is not known is left out, with its separator; nothing is made up. Up to the first colon that is followed
//! by a space, the first line is the subject of an e-mail. Control characters of names and links are taken out, so that
//! a card is as many lines as it says.

use crate::policy::alert::{AlertKind, AlertState, EndedBy, TierView, WindowView};
use crate::policy::figure::{clock, count, minutes, percent, rough_percent, significant};
use crate::policy::notification::{ForecastView, Mark, Notification};
use crate::policy::report;
use crate::policy::several;
use crate::units::{Length, Timestamp};

/// From this coverage on data is called complete.
const COMPLETE: f64 = 0.999;

/// The links that come first, in this order, and what they are called.
const FIRST_LINKS: [(&str, &str); 4] = [("runbook", "runbook"), ("ack", "ack"), ("mute", "mute 1h"), ("why", "why")];
/// What the links of several alerts are called.
const OF_SEVERAL: [(&str, &str); 3] = [("runbook", "runbook"), ("ack", "ack all"), ("why", "alerts")];

/// The card, without a newline at its end.
#[must_use]
pub fn render(notification: &Notification) -> String {
    if let Some(report) = &notification.report {
        return report::render(report);
    }
    let mut lines = vec![headline(notification)];
    if several::is_several(notification) {
        lines.extend(notes(notification));
        lines.extend(several::lines(notification));
    } else {
        lines.push(figures(notification));
        lines.extend(notes(notification));
        lines.extend(differs(notification));
    }
    lines.extend(around(notification));
    lines.extend(links(notification));
    let lines: Vec<String> = lines.into_iter().map(|line| line.replace(char::is_control, " ")).collect();
    lines.join("\n")
}

/// `[PAGE] checkout/availability region=eu`, `[PAGE] 7 alerts of team web: s20/availability, ..`: what an e-mail's subject is.
#[must_use]
pub fn subject(notification: &Notification) -> String {
    if let Some(report) = &notification.report {
        return format!("[REPORT] {}", report::span(report));
    }
    let word = match notification.state {
        AlertState::Resolved => "RESOLVED".to_owned(),
        _ => notification.severity.name().to_uppercase(),
    };
    let mark = match notification.mark {
        Some(Mark::Drill) => "[DRILL] ",
        Some(Mark::Test) => "[TEST] ",
        None => "",
    };
    if several::is_several(notification) {
        return format!("{mark}[{word}] {}", several::title(notification));
    }
    let mut words = vec![format!("{mark}[{word}] {}/{}", notification.service, notification.name)];
    words.extend(notification.group.iter().map(|(name, value)| format!("{name}={value}")));
    words.join(" ")
}

/// The service of what is told of sinks themselves: what a person has to mend there stands in the reason.
const SINKS: &str = "sink";

fn headline(notification: &Notification) -> String {
    if several::is_several(notification) {
        return subject(notification);
    }
    let objective = objective(notification).map_or_else(String::new, |text| format!(" (objective {text})"));
    let what = match (notification.ended_by, kind(notification)) {
        (Some(EndedBy::Withdrawn), _) => "withdrawn, it left the files".to_owned(),
        (Some(EndedBy::Closed), _) => "closed by a person".to_owned(),
        (ended, AlertKind::Down) => if ended.is_some() { "up again" } else { "down" }.to_owned(),
        (ended, AlertKind::NoData) => if ended.is_some() { "data is back" } else { "no data" }.to_owned(),
        (_, AlertKind::Watchdog) => "is alive".to_owned(),
        (_, AlertKind::Digest) => "fires".to_owned(),
        (_, AlertKind::Report) => "review".to_owned(),
        (None, AlertKind::Source) if notification.service == SINKS => notification.reason.clone(),
        (Some(_), AlertKind::Source) if notification.service == SINKS => "needs nobody any more".to_owned(),
        (ended, AlertKind::Source) => if ended.is_some() { "answers again" } else { "does not answer" }.to_owned(),
        (_, AlertKind::Budget) => of_the_budget(notification),
        (_, AlertKind::Burn) => {
            let window = window(notification);
            if notification.resolved_at.is_some() {
                return format!("{}: {}{objective}", subject(notification), over(window, notification.time_weighted));
            }
            let share = window.map_or(0.0, |window| window.ratio);
            let failing = if notification.time_weighted { "of the time is bad" } else { "of requests fail" };
            format!("{} {failing}", percent_to_two(share))
        }
    };
    format!("{}: {what}{objective}", subject(notification))
}

/// What is said of a burn that is over: `over, 0.2% of requests failed in the last 5m`.
fn over(window: Option<&WindowView>, time_weighted: bool) -> String {
    let Some(window) = window else { return "over".to_owned() };
    let length = &window.length;
    match (window.total > 0.0, time_weighted) {
        (false, _) => format!("over, no {} in the last {length}", events(time_weighted)),
        (true, true) => format!("over, {} of the time was bad in the last {length}", percent_to_two(window.ratio)),
        (true, false) => format!("over, {} of requests failed in the last {length}", percent_to_two(window.ratio)),
    }
}

const fn events(time_weighted: bool) -> &'static str {
    if time_weighted { "readings" } else { "requests" }
}

fn figures(notification: &Notification) -> String {
    let mut parts = vec![span(notification)];
    if let Some(window) = window(notification) {
        let (unit, length) = (if notification.time_weighted { " readings" } else { "" }, &window.length);
        parts.push(if window.total > 0.0 {
            format!("{} of {}{unit} in {length}", count(window.bad), count(window.total))
        } else {
            format!("no {} in {length}", events(notification.time_weighted))
        });
    }
    if let Some(budget) = &notification.budget {
        // Of what is over nobody asks when the budget would be gone.
        let asked = notification.forecast.as_ref().filter(|_| notification.resolved_at.is_none());
        let ahead = asked.map_or_else(String::new, |forecast| ahead(forecast, notification.as_of));
        parts.push(format!("{} of budget left{ahead}", rough_percent(budget.remaining_ratio)));
    }
    if !matches!(kind(notification), AlertKind::Source | AlertKind::Watchdog) {
        let coverage = notification.coverage;
        let complete = coverage >= COMPLETE;
        parts.push(if complete {
            "data complete".to_owned()
        } else {
            format!("data {} complete", rough_percent(coverage))
        });
    }
    parts.join(" | ")
}

/// `the budget is running out`, `27% of the budget was spent in 7d`, `23% of the budget is left`.
fn of_the_budget(notification: &Notification) -> String {
    let Some(budget) = &notification.budget else { return "of the budget".to_owned() };
    let exhausted = budget.remaining_ratio <= 0.0;
    match notification.tiers.first().map(|tier| (tier.kind.as_str(), tier.over.as_ref())) {
        Some(("budget_drop", Some(window))) if budget.allowed > 0.0 => {
            let spent = rough_percent(window.bad / budget.allowed);
            format!("{spent} of the budget was spent in {}", window.length)
        }
        Some(("exhausts", _)) if notification.ended_by.is_none() => {
            if exhausted { "the budget is exhausted" } else { "the budget is running out" }.to_owned()
        }
        _ => format!("{} of the budget is left", rough_percent(budget.remaining_ratio)),
    }
}

/// `, gone in 9h30m`; `, back in 5d11h` of one that is exhausted; nothing where neither is in sight.
fn ahead(forecast: &ForecastView, now: Timestamp) -> String {
    let (word, at) = match (forecast.exhausts_at, forecast.recovers_at) {
        (Some(at), _) => ("gone", at),
        (None, Some(at)) => ("back", at),
        (None, None) => return String::new(),
    };
    format!(", {word} in {}", minutes(at.since(now)))
}

/// `note   silence ended | nobody acknowledged within 15m`: why it is told now, where that is not the alert itself.
fn notes(notification: &Notification) -> Option<String> {
    let ended = notification.resolved_at.is_some();
    let acked = notification.acked.as_ref().filter(|_| !ended).map(|ack| {
        let dated = notification.as_of.since(ack.at) >= Length::from_days(1);
        format!("acknowledged by {} at {} UTC", ack.by, clock(ack.at, dated))
    });
    let notes: Vec<String> = notification.notes.iter().cloned().chain(acked).collect();
    (!notes.is_empty()).then(|| format!("note   {}", notes.join(" | ")))
}

/// `where  code=503 97% of bad, 0.1% of good`.
fn differs(notification: &Notification) -> Option<String> {
    let differs = &notification.evidence.as_ref()?.differs;
    let told = differs.iter().map(|one| {
        let (bad, good) = (rough_percent(one.bad_ratio), percent_to_two(one.good_ratio));
        format!("{}={} {bad} of bad, {good} of good", one.name, one.value)
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("where  {}", told.join(" | ")))
}

/// What it is about: of a digest of one alert what that is about.
fn kind(notification: &Notification) -> AlertKind {
    match notification.members.as_slice() {
        [only] if notification.kind == AlertKind::Digest => only.kind,
        _ => notification.kind,
    }
}

/// What was deployed, alerts held back under this one, and who answers for it.
fn around(notification: &Notification) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(deploy) = notification.evidence.as_ref().and_then(|evidence| evidence.deploy.as_ref()) {
        let dated = notification.as_of.since(deploy.at) >= Length::from_days(1);
        parts.push(format!("change {} {} at {}", deploy.service, deploy.version, clock(deploy.at, dated)));
    }
    if !notification.context.is_empty() {
        let held: Vec<&str> = notification.context.iter().map(|id| without_episode(id)).collect();
        parts.push(format!("held back: {}", held.join(", ")));
    }
    if let Some(owner) = &notification.owner {
        let contact = notification.contact.as_ref().map_or_else(String::new, |contact| format!(" {contact}"));
        parts.push(format!("owner {owner}{contact}"));
    }
    (!parts.is_empty()).then(|| parts.join(" | "))
}

fn links(notification: &Notification) -> Option<String> {
    let named: &[(&str, &str)] = if several::is_several(notification) { &OF_SEVERAL } else { &FIRST_LINKS };
    let first = named.iter().filter_map(|(name, said)| Some((*said, notification.links.get(*name)?)));
    let others = notification.links.iter().filter(|(name, _)| named.iter().all(|(first, _)| first != name));
    let others = others.map(|(name, address)| (name.as_str(), address));
    let links: Vec<String> = first.chain(others).map(|(name, address)| format!("{name} {address}")).collect();
    (!links.is_empty()).then(|| format!("do     {}", links.join(" | ")))
}

/// `since 02:54 UTC, 6 min`; `from 02:54 to 03:00 UTC, 6 min` once it has ended. The date stands beside the time where
/// a day or more lies between.
fn span(notification: &Notification) -> String {
    let (from, ended) = (notification.started_at, notification.resolved_at);
    let to = ended.unwrap_or(notification.as_of);
    let length = to.since(from);
    let long = length >= Length::from_days(1);
    match ended {
        Some(ended) => format!("from {} to {} UTC, {}", clock(from, long), clock(ended, long), minutes(length)),
        None => format!("since {} UTC, {}", clock(from, long), minutes(length)),
    }
}

/// The window that the headline speaks of: the confirm window of the first tier, or its long one; of an end the window
/// that showed it.
fn window(notification: &Notification) -> Option<&WindowView> {
    let ended = notification.resolved_at.is_some();
    let shown = |tier: &TierView| tier.resolve.is_some() && ended;
    notification
        .tiers
        .iter()
        .find_map(|tier| if shown(tier) { tier.resolve.as_ref() } else { tier.confirm.as_ref().or(tier.over.as_ref()) })
}

/// The objective, from a tier's threshold: `k*B` over `k`. The digits that a float cannot know are cut.
fn objective(notification: &Notification) -> Option<String> {
    let bound = |tier: &TierView| Some((tier.factor.filter(|factor| *factor > 0.0)?, tier.threshold_ratio?));
    let (factor, threshold) = notification.tiers.iter().find_map(bound)?;
    Some(format!("{}%", significant((1.0 - threshold / factor) * 100.0, 12)))
}

/// Two digits are enough at first sight, unless they would say that all fail.
fn percent_to_two(share: f64) -> String {
    let short = significant(share * 100.0, 2);
    if short == "100" { percent(share) } else { format!("{short}%") }
}

/// An alert's id without episode and count: what a person calls it.
fn without_episode(id: &str) -> &str {
    let cut = |text| str::rsplit_once(text, '/').map_or(text, |(rest, _)| rest);
    if id.contains("/alert-") { cut(cut(id)) } else { id }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::policy::evidence::{Deploy, Difference, Evidence};
    use crate::policy::notification::{BudgetView, MeasuredBudget, Occasion};
    use crate::spec::policy::AlertSeverity;
    use crate::units::Labels;

    fn window(length: &str, bad: f64, total: f64, coverage: f64) -> WindowView {
        let at: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
        let ratio = bad / total;
        WindowView { length: length.to_owned(), from: at, to: at, bad, total, ratio, rate: ratio / 0.001, coverage }
    }

    fn page() -> Notification {
        let tier = TierView {
            kind: "burn".to_owned(),
            severity: AlertSeverity::Page,
            state: AlertState::Firing,
            frozen: false,
            trend: "burning".to_owned(),
            factor: Some(14.4),
            threshold_ratio: Some(0.0144),
            over: Some(window("1h", 9_000.0, 465_000.0, 1.0)),
            confirm: Some(window("5m", 1_204.0, 38_830.0, 1.0)),
            resolve: None,
            false_pages: None,
        };
        Notification {
            id: "k/e/1".to_owned(),
            alert_id: "k/e/alert-1".to_owned(),
            dedup_key: "k".to_owned(),
            episode: "2026-11-21T02:54:00Z".parse().unwrap(),
            transition: 1,
            state: AlertState::Firing,
            severity: AlertSeverity::Page,
            kind: AlertKind::Burn,
            origin: "native".to_owned(),
            slo: r#"checkout/availability{region="eu"}"#.to_owned(),
            service: "checkout".to_owned(),
            name: "availability".to_owned(),
            group: Labels::from([("region", "eu")]),
            owner: Some("payments".to_owned()),
            contact: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            links: BTreeMap::from([
                ("dashboard".to_owned(), "https://grafana.example/d/checkout".to_owned()),
                ("runbook".to_owned(), "https://wiki.example/checkout".to_owned()),
            ]),
            started_at: "2026-11-21T02:54:00Z".parse().unwrap(),
            fired_at: "2026-11-21T02:54:00Z".parse().unwrap(),
            resolved_at: None,
            as_of: "2026-11-21T03:00:00Z".parse().unwrap(),
            ended_by: None,
            reason: String::new(),
            tiers: vec![tier],
            budget: Some(BudgetView {
                allowed: 10_002.3,
                spent_ratio: 0.59,
                remaining_ratio: 0.41,
                remaining_events: 4_100.0,
                measured: MeasuredBudget { allowed: 10_002.3, spent_ratio: 0.59 },
            }),
            forecast: Some(ForecastView {
                exhausted: false,
                exhausts_at: Some("2026-11-21T12:30:40Z".parse().unwrap()),
                recovers_at: None,
                lookback: "6h".to_owned(),
            }),
            evidence: None,
            members: Vec::new(),
            several: None,
            notes: Vec::new(),
            occasion: Occasion::default(),
            acked: None,
            mark: None,
            report: None,
            context: vec!["search/availability/ticket/burn/2026-11-21T02:54:00Z/alert-1".to_owned()],
            coverage: 1.0,
            time_weighted: false,
        }
    }

    #[test]
    fn a_page_says_what_burns_since_when_and_what_to_do() {
        assert_eq!(
            render(&Notification { contact: Some("#payments".to_owned()), ..page() }),
            "[PAGE] checkout/availability region=eu: 3.1% of requests fail (objective 99.9%)\n\
             since 02:54 UTC, 6 min | 1204 of 38830 in 5m | 41% of budget left, gone in 9h30m | data complete\n\
             held back: search/availability/ticket/burn | owner payments #payments\n\
             do     runbook https://wiki.example/checkout | dashboard https://grafana.example/d/checkout"
        );
        assert_eq!(subject(&page()), "[PAGE] checkout/availability region=eu");
    }

    /// The text of INTERFACES 5, word for word but for the addresses.
    #[test]
    fn evidence_a_deploy_and_links_to_act_stand_where_the_contract_has_them() {
        let differs = |name: &str, value: &str, bad_ratio, good_ratio| Difference {
            name: name.to_owned(),
            value: value.to_owned(),
            bad_ratio,
            good_ratio,
            bad: 1.0,
            good: 1.0,
        };
        let mut card = Notification { contact: Some("#payments".to_owned()), ..page() };
        card.evidence = Some(Evidence {
            traces: Vec::new(),
            differs: vec![differs("code", "503", 0.97, 0.001), differs("instance", "eu-3", 0.88, 0.09)],
            deploy: Some(Deploy {
                service: "checkout".to_owned(),
                version: "v41".to_owned(),
                at: "2026-11-21T02:49:10Z".parse().unwrap(),
            }),
        });
        for name in ["ack", "mute", "why"] {
            card.links.insert(name.to_owned(), format!("https://slo.example/{name}"));
        }
        card.context = vec!["search/availability/ticket/burn/2026-11-21T02:54:00Z/alert-1".to_owned()];
        assert_eq!(
            render(&card),
            "[PAGE] checkout/availability region=eu: 3.1% of requests fail (objective 99.9%)\n\
             since 02:54 UTC, 6 min | 1204 of 38830 in 5m | 41% of budget left, gone in 9h30m | data complete\n\
             where  code=503 97% of bad, 0.1% of good | instance=eu-3 88% of bad, 9% of good\n\
             change checkout v41 at 02:49 | held back: search/availability/ticket/burn | owner payments #payments\n\
             do     runbook https://wiki.example/checkout | ack https://slo.example/ack | mute 1h https://slo.example/mute \
             | why https://slo.example/why | dashboard https://grafana.example/d/checkout"
        );
        card.mark = Some(Mark::Drill);
        assert!(subject(&card).starts_with("[DRILL] [PAGE] checkout/"), "{}", subject(&card));
    }

    #[test]
    fn a_digest_lists_its_alerts_and_counts_the_rest() {
        let mut card = crate::policy::sample::digest(12);
        for name in ["ack", "why"] {
            card.links.insert(name.to_owned(), format!("https://slo.example/{name}"));
        }
        let text = render(&card);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "[PAGE] 12 alerts of service shop: shop/cart, shop/search (+10)");
        assert_eq!(lines[0], subject(&card));
        assert_eq!(lines[1], "note   what changes is told together, 5m from now at the earliest");
        assert_eq!(
            lines[2],
            "- shop/cart since 02:54 UTC: burns 31 times the budget over 1h and 31 times over 5m | 41% of budget left"
        );
        assert_eq!(
            lines[12..],
            [
                "- and 2 more",
                "owner payments #payments",
                "do     runbook https://wiki.example/checkout | ack all https://slo.example/ack \
                 | alerts https://slo.example/why",
            ]
        );
        card.state = AlertState::Resolved;
        assert!(subject(&card).starts_with("[RESOLVED] all alerts of service shop have ended"), "{}", subject(&card));
    }

    #[test]
    fn a_digest_of_one_alert_reads_as_that_one_does() {
        let mut group = page();
        let alone = render(&group);
        group.members = vec![crate::policy::notification::Member::of(&group)];
        group.kind = AlertKind::Digest;
        assert_eq!(render(&group), alone);
    }

    #[test]
    fn a_resolve_says_from_when_to_when() {
        let mut ended = page();
        ended.state = AlertState::Resolved;
        ended.ended_by = Some(EndedBy::KnownFalse);
        ended.resolved_at = Some("2026-11-21T03:39:00Z".parse().unwrap());
        ended.as_of = "2026-11-21T03:39:00Z".parse().unwrap();
        ended.forecast = None;
        ended.tiers[0].confirm = Some(window("5m", 0.0, 38_830.0, 0.97));
        ended.coverage = 0.97;
        ended.context.clear();
        assert_eq!(
            render(&ended),
            "[RESOLVED] checkout/availability region=eu: over, 0% of requests failed in the last 5m (objective 99.9%)\n\
             from 02:54 to 03:39 UTC, 45 min | 0 of 38830 in 5m | 41% of budget left | data 97% complete\n\
             owner payments\n\
             do     runbook https://wiki.example/checkout | dashboard https://grafana.example/d/checkout"
        );
        ended.ended_by = Some(EndedBy::Withdrawn);
        ended.started_at = "2026-11-19T02:54:00Z".parse().unwrap();
        assert_eq!(
            render(&ended).lines().take(2).collect::<Vec<_>>(),
            [
                "[RESOLVED] checkout/availability region=eu: withdrawn, it left the files (objective 99.9%)",
                "from 2026-11-19 02:54 to 2026-11-21 03:39 UTC, 2d | 0 of 38830 in 5m | 41% of budget left | data 97% complete",
            ]
        );
    }

    #[test]
    fn an_alert_of_the_budget_says_what_became_of_it() {
        let mut card = page();
        card.kind = AlertKind::Budget;
        let line = |card: &Notification| render(card).lines().take(2).map(str::to_owned).collect::<Vec<_>>();
        card.tiers[0].kind = "exhausts".to_owned();
        card.tiers[0].confirm = None;
        assert_eq!(
            line(&card),
            [
                "[PAGE] checkout/availability region=eu: the budget is running out (objective 99.9%)",
                "since 02:54 UTC, 6 min | 9000 of 465000 in 1h | 41% of budget left, gone in 9h30m | data complete",
            ]
        );
        card.tiers[0].kind = "budget_drop".to_owned();
        card.tiers[0].over = Some(window("7d", 3_000.0, 465_000.0, 1.0));
        assert!(line(&card)[0].ends_with(": 30% of the budget was spent in 7d (objective 99.9%)"), "{:?}", line(&card));
        card.tiers[0].kind = "budget_left".to_owned();
        (card.tiers[0].factor, card.tiers[0].threshold_ratio) = (None, None);
        assert!(line(&card)[0].ends_with(": 41% of the budget is left"), "{:?}", line(&card));
        let back = "2026-11-26T14:00:00Z".parse().unwrap();
        let forecast = |exhausts_at, recovers_at| ForecastView {
            exhausted: true,
            exhausts_at,
            recovers_at,
            lookback: "6h".to_owned(),
        };
        card.forecast = Some(forecast(None, Some(back)));
        assert!(line(&card)[1].contains("left, back in 5d11h |"), "{:?}", line(&card));
        card.forecast = Some(forecast(None, None));
        assert!(line(&card)[1].contains("left | data"), "{:?}", line(&card));
    }

    #[test]
    fn a_sources_alert_has_only_what_it_knows() {
        let source = Notification {
            kind: AlertKind::Source,
            service: "source".to_owned(),
            name: "prometheus".to_owned(),
            group: Labels::new(),
            owner: None,
            links: BTreeMap::new(),
            tiers: Vec::new(),
            budget: None,
            context: Vec::new(),
            ..page()
        };
        assert_eq!(render(&source), "[PAGE] source/prometheus: does not answer\nsince 02:54 UTC, 6 min");
        let reason = "sink `gh` needs attention: labels were dropped".to_owned();
        let sink = Notification { service: "sink".to_owned(), name: "gh".to_owned(), reason, ..source };
        let first = "[PAGE] sink/gh: sink `gh` needs attention: labels were dropped\n";
        assert!(render(&sink).starts_with(first), "{}", render(&sink));
    }

    #[test]
    fn what_is_weighted_by_time_speaks_of_time() {
        let mut gauge = Notification { time_weighted: true, ..page() };
        gauge.tiers[0].confirm = Some(window("5m", 8.0, 10.0, 1.0));
        let card = render(&gauge);
        assert!(
            card.starts_with(
                "[PAGE] checkout/availability region=eu: 80% of the time is bad (objective 99.9%)\n\
             since 02:54 UTC, 6 min | 8 of 10 readings in 5m | "
            ),
            "{card}"
        );
    }

    #[test]
    fn names_cannot_break_the_lines() {
        let mut odd = page();
        odd.group = Labels::from([("region", "eu\n[PAGE] fake\u{1b}[31m")]);
        odd.tiers[0].confirm = Some(window("5m", 38_829.0, 38_830.0, 1.0));
        let card = render(&odd);
        assert_eq!(card.lines().count(), 4);
        assert!(
            card.starts_with("[PAGE] checkout/availability region=eu [PAGE] fake [31m: 99.997% of requests fail"),
            "{card}"
        );
    }
}
