//! A review of a time: how the objectives were met, what was spent, who was woken and whether it was worth it.
//!
//! Pure: made from figures and alerts that were looked up, and shown as text. Drills are not alerts and are left out by who
//! looks them up. Counted are alerts that somebody was told of; those held back or kept quiet are named apart. Precision is
//! the share of real ones among those that somebody judged; nobody's silence counts as either. What has something to say
//! comes first, and the rest is folded into one line ([`parts`]).

use serde::{Deserialize, Serialize};

use crate::policy::act::AlertVerdict;
use crate::policy::figure::{percent, rough_percent};
use crate::spec::policy::AlertSeverity;
use crate::units::{Length, Timestamp};

/// Rows of the text; the rest is counted.
const ROWS: usize = 50;
/// Names in a folded line; the rest is counted.
const NAMED: usize = 10;
/// An SLO that has less of its budget has something to say.
const MUCH_LEFT: f64 = 0.5;

/// A review.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Exclusive.
    pub from: Timestamp,
    /// Inclusive.
    pub to: Timestamp,
    /// One for each instance, worst first.
    #[serde(default)]
    pub slos: Vec<ReportLine>,
    /// Over all of them.
    #[serde(default)]
    pub totals: Totals,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReportLine {
    /// Instance id.
    pub slo: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// `T`.
    pub objective: f64,
    /// Share of good events in the time; `None` where nothing was measured.
    pub attained: Option<f64>,
    /// Share of the time that was measured.
    pub coverage: f64,
    /// The budget's period, as written.
    pub window: String,
    /// Share of the budget that is spent at the end of the time; `None` where it is not known.
    pub spent_ratio: Option<f64>,
    /// Share that is left, negative when overspent.
    pub remaining_ratio: Option<f64>,
    /// Of its alerts.
    #[serde(flatten)]
    pub totals: Totals,
}

impl ReportLine {
    /// Whether the objective was met in the time; `None` where nothing was measured.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        self.attained.map(|attained| attained >= self.objective)
    }
}

/// Alerts that fired in the time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// Episodes with an alert.
    pub episodes: usize,
    /// Pages.
    pub pages: Tally,
    /// Tickets.
    pub tickets: Tally,
    /// Real ones among the judged; `None` where none was judged.
    pub precision: Option<f64>,
    /// How many were acknowledged.
    pub acked: usize,
    /// Median time from the first telling to that, in seconds.
    pub ack_seconds: Option<f64>,
    /// Not told and not counted above: held back under another alert.
    #[serde(default)]
    pub held_back: usize,
    /// Not told and not counted above: silenced, excluded, or held after a deploy to its end.
    #[serde(default)]
    pub quiet: usize,
}

/// Alerts of one severity, and what they were worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// That fired.
    pub fired: usize,
    /// Judged real.
    pub real: usize,
    /// Judged noise.
    pub noise: usize,
    /// Judged duplicate.
    pub duplicate: usize,
}

/// Whether anybody heard of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Somebody was told.
    Told,
    /// Another alert was told in its place.
    HeldBack,
    /// It was quiet to its end.
    Quiet,
}

/// An alert that fired in the time.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
    /// Who heard of it.
    pub heard: Heard,
    /// Instance id.
    pub slo: String,
    /// As what.
    pub severity: AlertSeverity,
    /// Begin of its episode.
    pub episode: Timestamp,
    /// What somebody said it was worth.
    pub verdict: Option<AlertVerdict>,
    /// How long after the first telling somebody took it on.
    pub acked_after: Option<Length>,
}

impl Report {
    /// Of these figures, whose own totals are filled in from the alerts.
    #[must_use]
    pub fn of((from, to): (Timestamp, Timestamp), mut slos: Vec<ReportLine>, fired: &[Fired]) -> Self {
        for line in &mut slos {
            line.totals = Totals::of(fired.iter().filter(|alert| alert.slo == line.slo));
        }
        let left = |line: &ReportLine| line.remaining_ratio.unwrap_or(f64::INFINITY);
        slos.sort_by(|a, b| {
            let missed = |line: &ReportLine| line.is_met() != Some(false);
            missed(a).cmp(&missed(b)).then_with(|| left(a).total_cmp(&left(b))).then_with(|| a.slo.cmp(&b.slo))
        });
        Self { from, to, slos, totals: Totals::of(fired.iter()) }
    }
}

impl Totals {
    fn of<'a>(fired: impl Iterator<Item = &'a Fired>) -> Self {
        let mut totals = Self::default();
        let (mut episodes, mut waits) = (Vec::new(), Vec::new());
        for alert in fired.filter(|alert| alert.severity != AlertSeverity::Notice) {
            match alert.heard {
                Heard::Told => {}
                Heard::HeldBack => totals.held_back += 1,
                Heard::Quiet => totals.quiet += 1,
            }
            if alert.heard != Heard::Told {
                continue;
            }
            episodes.push((&alert.slo, alert.episode));
            waits.extend(alert.acked_after.map(|wait| wait.max(Length::ZERO)));
            match alert.severity {
                AlertSeverity::Page => totals.pages.count(alert.verdict),
                AlertSeverity::Ticket => totals.tickets.count(alert.verdict),
                AlertSeverity::Notice => {}
            }
        }
        episodes.sort_unstable();
        episodes.dedup();
        totals.episodes = episodes.len();
        let judged = totals.pages.judged() + totals.tickets.judged();
        let real = totals.pages.real + totals.tickets.real;
        totals.precision = (judged > 0).then(|| real as f64 / judged as f64);
        totals.acked = waits.len();
        totals.ack_seconds = median(waits);
        totals
    }
}

impl Tally {
    fn count(&mut self, verdict: Option<AlertVerdict>) {
        self.fired += 1;
        match verdict {
            Some(AlertVerdict::Real) => self.real += 1,
            Some(AlertVerdict::Noise) => self.noise += 1,
            Some(AlertVerdict::Duplicate) => self.duplicate += 1,
            None => {}
        }
    }

    const fn judged(&self) -> usize {
        self.real + self.noise + self.duplicate
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            fired: self.fired + other.fired,
            real: self.real + other.real,
            noise: self.noise + other.noise,
            duplicate: self.duplicate + other.duplicate,
        }
    }
}

/// The middle one, in seconds; of two in the middle their mean.
fn median(mut lengths: Vec<Length>) -> Option<f64> {
    lengths.sort_unstable();
    let (low, high) = (lengths.get(lengths.len().checked_sub(1)? / 2)?, lengths.get(lengths.len() / 2)?);
    Some(f64::midpoint(low.seconds_f64(), high.seconds_f64()))
}

/// `2026-11-16 to 2026-11-23`: what the subject says.
#[must_use]
pub fn span(report: &Report) -> String {
    format!("{} to {}", day(report.from), day(report.to))
}

/// The report as lines of text, its headline first, without a newline at its end.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut lines = vec![headline(report), between(report), summary(&report.totals)];
    let Parts { said, folded } = parts(report);
    if !said.is_empty() {
        lines.push(String::new());
        let mut rows = vec![COLUMNS.map(str::to_owned)];
        rows.extend(said.iter().take(ROWS).map(|line| cells(line)));
        lines.extend(table(&rows));
        if said.len() > ROWS {
            lines.push(format!("and {} more", said.len() - ROWS));
        }
    }
    if !folded.is_empty() {
        lines.push(String::new());
        lines.extend(folded);
    }
    lines.join("\n")
}

/// `[REPORT] 2026-11-16 to 2026-11-23: 26 SLOs, 2 below the objective`.
#[must_use]
pub fn headline(report: &Report) -> String {
    let missed = report.slos.iter().filter(|line| line.is_met() == Some(false)).count();
    let what = match report.slos.len() {
        0 => "no SLO was evaluated".to_owned(),
        count => format!("{}, {missed} below the objective", counted(count, "SLO")),
    };
    format!("[REPORT] {}: {what}", span(report))
}

/// `from 2026-11-16 08:00 UTC to 2026-11-23 08:00 UTC`.
#[must_use]
pub fn between(report: &Report) -> String {
    format!("from {} to {}", moment(report.from), moment(report.to))
}

/// What a report says, in the order in which it is read.
#[derive(Debug)]
pub struct Parts<'a> {
    /// SLOs that missed, were told of, or have spent much, worst first.
    pub said: Vec<&'a ReportLine>,
    /// A line each for the rest: those that kept their objective, and those without data.
    pub folded: Vec<String>,
}

/// What has something to say, and what has not.
#[must_use]
pub fn parts(report: &Report) -> Parts<'_> {
    let (said, rest): (Vec<&ReportLine>, Vec<&ReportLine>) = report.slos.iter().partition(|line| line.says_something());
    let (kept, unknown): (Vec<&ReportLine>, Vec<&ReportLine>) =
        rest.into_iter().partition(|line| line.attained.is_some());
    let mut folded = Vec::new();
    if !kept.is_empty() {
        let left = kept.iter().filter_map(|line| line.remaining_ratio).min_by(f64::total_cmp);
        let left = left.map_or_else(String::new, |left| format!(", worst budget {} left", rough_percent(left)));
        let who = match (said.is_empty() && unknown.is_empty(), kept.len()) {
            (true, 1) => "it kept its objective".to_owned(),
            (true, count) => format!("all {count} kept their objective"),
            (false, 1) => "1 other kept its objective".to_owned(),
            (false, count) => format!("{count} others kept their objective"),
        };
        folded.push(format!("{who}{left}: {}", names(&kept)));
    }
    if !unknown.is_empty() {
        folded.push(format!("{} had no data: {}", counted(unknown.len(), "SLO"), names(&unknown)));
    }
    Parts { said, folded }
}

impl ReportLine {
    fn says_something(&self) -> bool {
        let Totals { pages, tickets, held_back, quiet, .. } = &self.totals;
        let alerts = pages.fired + tickets.fired + held_back + quiet;
        alerts > 0 || self.is_met() == Some(false) || self.remaining_ratio.is_some_and(|left| left < MUCH_LEFT)
    }
}

fn names(of: &[&ReportLine]) -> String {
    let mut names: Vec<String> = of.iter().take(NAMED).map(|line| plain(&line.slo)).collect();
    if of.len() > NAMED {
        names.push(format!("and {} more", of.len() - NAMED));
    }
    names.join(", ")
}

fn plain(slo: &str) -> String {
    slo.replace(char::is_control, " ")
}

fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// `3 pages, 2 tickets in 4 episodes | 2 real, 1 noise, 2 unjudged | precision 67% of 3 judged | ..`.
#[must_use]
pub fn summary(totals: &Totals) -> String {
    let Totals { pages, tickets, held_back, quiet, .. } = totals;
    let all = pages.plus(*tickets);
    let mut parts = vec![if all.fired == 0 {
        "nobody was told of an alert".to_owned()
    } else {
        let told = format!("{}, {}", counted(pages.fired, "page"), counted(tickets.fired, "ticket"));
        format!("{told} in {}", counted(totals.episodes, "episode"))
    }];
    parts.extend(untold(*held_back, *quiet).map(|untold| format!("not told: {untold}")));
    if all.fired > 0 {
        parts.push(verdicts(all));
        parts.extend(
            totals.precision.map(|share| format!("precision {} of {} judged", rough_percent(share), all.judged())),
        );
    }
    if let Some(seconds) = totals.ack_seconds {
        parts.push(format!("acknowledged after {} (median of {})", wait(seconds), totals.acked));
    }
    parts.join(" | ")
}

/// `2 held back under others, 1 kept quiet`; `None`: all were told.
fn untold(held_back: usize, quiet: usize) -> Option<String> {
    let held = (held_back > 0).then(|| format!("{held_back} held back under others"));
    let quiet = (quiet > 0).then(|| format!("{quiet} kept quiet"));
    let parts: Vec<String> = held.into_iter().chain(quiet).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// `2 real, 1 noise, 1 duplicate, 1 unjudged`; what is none is left out.
fn verdicts(tally: Tally) -> String {
    let all = [
        (tally.real, "real"),
        (tally.noise, "noise"),
        (tally.duplicate, "duplicate"),
        (tally.fired.saturating_sub(tally.judged()), "unjudged"),
    ];
    let said: Vec<String> =
        all.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    said.join(", ")
}

/// What the cells of a line are called.
pub const COLUMNS: [&str; 6] = ["slo", "objective", "attained", "budget left", "alerts", "verdicts"];

/// The cells of a line, as text.
#[must_use]
pub fn cells(line: &ReportLine) -> [String; 6] {
    let unknown = || "no data".to_owned();
    let Totals { pages, tickets, held_back, quiet, .. } = &line.totals;
    let attained = line.attained.map_or_else(unknown, |share| {
        let mark = if line.is_met() == Some(false) { " MISSED" } else { "" };
        format!("{}{mark}", close(share, line.objective))
    });
    let told = [(pages.fired, "page"), (tickets.fired, "ticket")];
    let told = told.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| counted(count, word));
    let alerts: Vec<String> = told.chain(untold(*held_back, *quiet)).collect();
    [
        plain(&line.slo),
        percent(line.objective),
        attained,
        line.remaining_ratio.map_or_else(unknown, rough_percent),
        if alerts.is_empty() { "none".to_owned() } else { alerts.join(", ") },
        verdicts(pages.plus(*tickets)),
    ]
}

/// A share beside its objective: with enough digits that it is not shown to be what it misses.
fn close(share: f64, objective: f64) -> String {
    let text = |digits: usize| format!("{:.digits$}%", (share * 1e9).floor() / 1e9 * 100.0);
    let honest = |text: &str| {
        let shown = text.trim_end_matches('%').parse::<f64>().unwrap_or_default() / 100.0;
        (shown >= objective) == (share >= objective) && (shown < 1.0 || share >= 1.0)
    };
    (2..=7).map(text).find(|text| honest(text)).unwrap_or_else(|| percent(share))
}

/// Cells in columns, two blanks between.
fn table(rows: &[[String; 6]]) -> Vec<String> {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let line = |row: &[String; 6]| {
        let cells = row.iter().enumerate().map(|(column, cell)| format!("{cell:<0$}", width(column).unwrap_or(0)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// `2026-11-23`.
fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

/// `2026-11-23 08:00 UTC`.
fn moment(time: Timestamp) -> String {
    let text: String = time.to_string().chars().take(16).collect();
    format!("{} UTC", text.replace('T', " "))
}

/// `40 s`, `6 min`, `2h5m`.
fn wait(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a wait of people is far below 2^63 s")]
    let whole = seconds.round() as i64;
    match whole {
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{} min", whole / 60),
        _ => format!("{}h{}m", whole / 3_600, whole % 3_600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(slo: &str, attained: Option<f64>, remaining: Option<f64>) -> ReportLine {
        ReportLine {
            slo: slo.into(),
            owner: None,
            objective: 0.999,
            attained,
            coverage: 1.0,
            window: "30d".into(),
            spent_ratio: remaining.map(|left| 1.0 - left),
            remaining_ratio: remaining,
            totals: Totals::default(),
        }
    }

    fn fired(
        slo: &str,
        severity: AlertSeverity,
        episode: i64,
        verdict: Option<AlertVerdict>,
        ack: Option<i64>,
    ) -> Fired {
        let acked_after = ack.map(Length::from_seconds);
        let episode = Timestamp::from_seconds(episode);
        Fired { heard: Heard::Told, slo: slo.into(), severity, episode, verdict, acked_after }
    }

    fn report() -> Report {
        use AlertSeverity::{Page, Ticket};
        use AlertVerdict::{Duplicate, Noise, Real};
        let slos = vec![
            line("shop/fine", Some(0.99995), Some(0.95)),
            line("shop/latency", None, None),
            line("shop/search", Some(1.0), Some(0.88)),
            line("shop/cart", Some(0.9999), Some(0.91)),
            line("checkout/availability", Some(0.998_999), Some(-0.29)),
        ];
        let alerts = [
            fired("checkout/availability", Page, 1, Some(Real), Some(120)),
            fired("checkout/availability", Ticket, 1, Some(Duplicate), None),
            fired("checkout/availability", Page, 2, Some(Noise), Some(600)),
            fired("shop/fine", Ticket, 1, Some(Real), None),
            fired("shop/fine", Page, 9, None, Some(240)),
            Fired { heard: Heard::HeldBack, ..fired("checkout/availability", Ticket, 2, None, None) },
            Fired { heard: Heard::Quiet, ..fired("shop/fine", Page, 10, Some(Noise), None) },
        ];
        let span = ("2026-11-16T08:00:00Z".parse().unwrap(), "2026-11-23T08:00:00Z".parse().unwrap());
        Report::of(span, slos, &alerts)
    }

    #[test]
    fn figures_are_counted_by_hand() {
        let report = report();
        let Totals { episodes, pages, tickets, precision, acked, ack_seconds, held_back, quiet } = report.totals;
        assert_eq!((held_back, quiet), (1, 1));
        assert_eq!((episodes, acked, ack_seconds), (4, 3, Some(240.0)));
        assert_eq!(pages, Tally { fired: 3, real: 1, noise: 1, duplicate: 0 });
        assert_eq!(tickets, Tally { fired: 2, real: 1, noise: 0, duplicate: 1 });
        assert_eq!(precision, Some(0.5), "2 real of 4 judged");
        let ids: Vec<&str> = report.slos.iter().map(|line| line.slo.as_str()).collect();
        assert_eq!(
            ids,
            ["checkout/availability", "shop/search", "shop/cart", "shop/fine", "shop/latency"],
            "missed first"
        );
        assert_eq!(report.slos[0].totals.precision, Some(1.0 / 3.0));
        assert_eq!(report.slos[3].totals.episodes, 2);
        assert_eq!(median(vec![Length::from_seconds(4), Length::from_seconds(1)]), Some(2.5));
        assert_eq!(Totals::of([].iter()), Totals::default());
    }

    #[test]
    fn it_reads_as_a_table() {
        assert_eq!(
            render(&report()),
            "[REPORT] 2026-11-16 to 2026-11-23: 5 SLOs, 1 below the objective\n\
             from 2026-11-16 08:00 UTC to 2026-11-23 08:00 UTC\n\
             3 pages, 2 tickets in 4 episodes | not told: 1 held back under others, 1 kept quiet \
             | 2 real, 1 noise, 1 duplicate, 1 unjudged | precision 50% of 4 judged \
             | acknowledged after 4 min (median of 3)\n\
             \n\
             slo                    objective  attained         budget left  alerts                                       verdicts\n\
             checkout/availability  99.9%      99.8999% MISSED  -29%         2 pages, 1 ticket, 1 held back under others  1 real, 1 noise, 1 duplicate\n\
             shop/fine              99.9%      99.995%          95%          1 page, 1 ticket, 1 kept quiet               1 real, 1 unjudged\n\
             \n\
             2 others kept their objective, worst budget 88% left: shop/search, shop/cart\n\
             1 SLO had no data: shop/latency"
        );
    }

    #[test]
    fn a_quiet_time_says_so() {
        let span = ("2026-11-16T08:00:00Z".parse().unwrap(), "2026-11-23T08:00:00Z".parse().unwrap());
        let text = |slos| render(&Report::of(span, slos, &[])).lines().skip(2).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(text(Vec::new()), ["nobody was told of an alert"]);
        assert!(
            render(&Report::of(span, Vec::new(), &[]))
                .starts_with("[REPORT] 2026-11-16 to 2026-11-23: no SLO was evaluated\n")
        );
        let all = vec![line("a/a", Some(1.0), Some(1.0)), line("b/b", Some(0.9999), Some(0.9))];
        assert_eq!(
            text(all),
            ["nobody was told of an alert", "", "all 2 kept their objective, worst budget 90% left: b/b, a/a"]
        );
        let many = (0..26).map(|index| line(&format!("a/s{index:02}"), Some(1.0), Some(1.0))).collect();
        assert!(text(many)[2].ends_with("a/s08, a/s09, and 16 more"));
        let spent = vec![line("a/a", Some(0.9995), Some(0.3))];
        assert_eq!(text(spent)[3], "a/a  99.9%      99.95%    30%          none");
    }

    #[test]
    fn what_is_missed_is_not_shown_as_met() {
        assert_eq!(close(0.998_999_9, 0.999), "99.89999%");
        assert_eq!(close(0.999, 0.999), "99.90%");
        assert_eq!(close(1.0, 0.999), "100.00%");
        assert_eq!(close(0.999_999, 0.999), "99.9999%");
    }
}
