//! A review of a time: how the objectives were met, what was spent, who was woken and whether it was worth it.
//!
//! Pure: made from figures and alerts that were looked up, and shown as text. Drills are not alerts and are left out by who
//! looks them up. Precision is the share of real ones among those that somebody judged; nobody's silence counts as either.

use serde::{Deserialize, Serialize};

use crate::policy::act::AlertVerdict;
use crate::policy::figure::{percent, rough_percent};
use crate::spec::policy::AlertSeverity;
use crate::units::{Length, Timestamp};

/// Rows of the text; the rest is counted.
const ROWS: usize = 50;

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

/// An alert that fired in the time.
#[derive(Clone, Debug, PartialEq)]
pub struct Fired {
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
        for alert in fired {
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
    let missed = report.slos.iter().filter(|line| line.is_met() == Some(false)).count();
    let slos = if report.slos.len() == 1 { "1 SLO".to_owned() } else { format!("{} SLOs", report.slos.len()) };
    let mut lines = vec![
        format!("[REPORT] {}: {slos}, {missed} below the objective", span(report)),
        format!("from {} to {}", moment(report.from), moment(report.to)),
        summary(&report.totals),
        String::new(),
    ];
    let header = ["slo", "objective", "attained", "budget left", "pages", "tickets", "real", "noise"];
    let mut rows = vec![header.map(str::to_owned)];
    rows.extend(report.slos.iter().take(ROWS).map(row));
    lines.extend(table(&rows));
    if report.slos.len() > ROWS {
        lines.push(format!("and {} more, which met their objective or burnt less", report.slos.len() - ROWS));
    }
    lines.join("\n")
}

fn summary(totals: &Totals) -> String {
    let counted = |count: usize, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
    let told = format!("{}, {}", counted(totals.pages.fired, "page"), counted(totals.tickets.fired, "ticket"));
    let mut parts = vec![format!("{told} in {}", counted(totals.episodes, "episode"))];
    let judged = totals.pages.judged() + totals.tickets.judged();
    parts.push(match totals.precision {
        Some(precision) => format!("precision {} of {judged} judged", rough_percent(precision)),
        None => "none judged".to_owned(),
    });
    if let Some(seconds) = totals.ack_seconds {
        parts.push(format!("acknowledged after {} (median of {})", wait(seconds), totals.acked));
    }
    parts.join(" | ")
}

fn row(line: &ReportLine) -> [String; 8] {
    let unknown = || "no data".to_owned();
    let Totals { pages, tickets, .. } = &line.totals;
    let attained = line.attained.map_or_else(unknown, |share| {
        let mark = if line.is_met() == Some(false) { " MISSED" } else { "" };
        format!("{}{mark}", close(share, line.objective))
    });
    [
        line.slo.replace(char::is_control, " "),
        percent(line.objective),
        attained,
        line.remaining_ratio.map_or_else(unknown, rough_percent),
        pages.fired.to_string(),
        tickets.fired.to_string(),
        (pages.real + tickets.real).to_string(),
        (pages.noise + tickets.noise).to_string(),
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
fn table(rows: &[[String; 8]]) -> Vec<String> {
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let line = |row: &[String; 8]| {
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
        Fired { slo: slo.into(), severity, episode: Timestamp::from_seconds(episode), verdict, acked_after }
    }

    fn report() -> Report {
        use AlertSeverity::{Page, Ticket};
        use AlertVerdict::{Duplicate, Noise, Real};
        let slos = vec![
            line("shop/fine", Some(0.99995), Some(0.95)),
            line("shop/latency", None, None),
            line("checkout/availability", Some(0.998_999), Some(-0.29)),
        ];
        let alerts = [
            fired("checkout/availability", Page, 1, Some(Real), Some(120)),
            fired("checkout/availability", Ticket, 1, Some(Duplicate), None),
            fired("checkout/availability", Page, 2, Some(Noise), Some(600)),
            fired("shop/fine", Ticket, 1, Some(Real), None),
            fired("shop/fine", Page, 9, None, Some(240)),
        ];
        let span = ("2026-11-16T08:00:00Z".parse().unwrap(), "2026-11-23T08:00:00Z".parse().unwrap());
        Report::of(span, slos, &alerts)
    }

    #[test]
    fn figures_are_counted_by_hand() {
        let report = report();
        let Totals { episodes, pages, tickets, precision, acked, ack_seconds } = report.totals;
        assert_eq!((episodes, acked, ack_seconds), (4, 3, Some(240.0)));
        assert_eq!(pages, Tally { fired: 3, real: 1, noise: 1, duplicate: 0 });
        assert_eq!(tickets, Tally { fired: 2, real: 1, noise: 0, duplicate: 1 });
        assert_eq!(precision, Some(0.5), "2 real of 4 judged");
        let ids: Vec<&str> = report.slos.iter().map(|line| line.slo.as_str()).collect();
        assert_eq!(ids, ["checkout/availability", "shop/fine", "shop/latency"], "missed first");
        assert_eq!(report.slos[0].totals.precision, Some(1.0 / 3.0));
        assert_eq!(report.slos[1].totals.episodes, 2);
        assert_eq!(median(vec![Length::from_seconds(4), Length::from_seconds(1)]), Some(2.5));
        assert_eq!(Totals::of([].iter()), Totals::default());
    }

    #[test]
    fn it_reads_as_a_table() {
        assert_eq!(
            render(&report()),
            "[REPORT] 2026-11-16 to 2026-11-23: 3 SLOs, 1 below the objective\n\
             from 2026-11-16 08:00 UTC to 2026-11-23 08:00 UTC\n\
             3 pages, 2 tickets in 4 episodes | precision 50% of 4 judged | acknowledged after 4 min (median of 3)\n\
             \n\
             slo                    objective  attained         budget left  pages  tickets  real  noise\n\
             checkout/availability  99.9%      99.8999% MISSED  -29%         2      1        1     1\n\
             shop/fine              99.9%      99.995%          95%          1      1        1     0\n\
             shop/latency           99.9%      no data          no data      0      0        0     0"
        );
    }

    #[test]
    fn what_is_missed_is_not_shown_as_met() {
        assert_eq!(close(0.998_999_9, 0.999), "99.89999%");
        assert_eq!(close(0.999, 0.999), "99.90%");
        assert_eq!(close(1.0, 0.999), "100.00%");
        assert_eq!(close(0.999_999, 0.999), "99.9999%");
    }
}
