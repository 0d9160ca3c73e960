//! Tables of a letter: the alerts of a message of several, and the SLOs of a review. Pure.
//!
//! As all of the HTML: styles on the elements, everything from outside escaped, readable from 320 px on. No figure and no
//! bar stands without the name of whose it is. Readers of mail cut a letter at about 100 KB, so rows are bounded.

use crate::policy::alert::AlertState;
use crate::policy::notification::{Member, Notification};
use crate::policy::report::{self, Parts, Report, ReportLine};
use crate::policy::several::{self, News};
use crate::sink::email::html::{BAD, CALM, GOOD, INK, QUIET, RULE, budget_bar, burn_bar, escaped, is_link};

/// Alerts with a row each.
const MEMBERS: usize = 20;
/// SLOs with a row each.
const SLOS: usize = 50;

/// The alerts of a message: name, what is new, the sentence, and what burns.
pub(super) fn members(notification: &Notification) -> String {
    let all = &notification.members;
    let marked = several::is_marked(all);
    let rows: String = all.iter().take(MEMBERS).map(|one| member(one, marked)).collect();
    let count =
        notification.several.as_ref().map_or(all.len(), |several| several.firing + several.ended).max(all.len());
    let rest = count.saturating_sub(all.len().min(MEMBERS));
    let rest = if rest > 0 { cell(&more(rest, notification.links.get("why"))) } else { String::new() };
    framed(&format!("{rows}{rest}"), "fixed")
}

fn member(of: &Member, marked: bool) -> String {
    let name = linked(&several::name(&of.slo), of.link.as_ref());
    let colour = match of.news {
        Some(News::New) => BAD,
        Some(News::Ended) => GOOD,
        _ => QUIET,
    };
    let news = of.news.filter(|_| marked).map_or_else(String::new, |news| {
        format!(" <span style=\"color:{colour};font-weight:600\">{}</span>", news.name())
    });
    let taken = of.acked_by.as_ref().map_or_else(String::new, |by| format!(" | taken by {}", escaped(by)));
    let mut bars: Vec<String> = Vec::new();
    if of.state != AlertState::Resolved {
        bars.extend(of.remaining_ratio.map(budget_bar));
        bars.extend(of.burn.as_ref().map(|burn| burn_bar(&burn.length, burn.rate, burn.factor)));
    }
    cell(&format!(
        "<div style=\"font-weight:600\">{name}{news}</div>\n\
         <div style=\"color:{QUIET}\">{}{taken}</div>\n<div>{}</div>{}",
        escaped(&several::since(of)),
        escaped(&several::sentence(of)),
        bars.concat()
    ))
}

fn cell(inner: &str) -> String {
    format!("<tr><td style=\"padding:10px 0;border-top:1px solid {RULE};overflow-wrap:anywhere\">{inner}</td></tr>\n")
}

fn more(count: usize, list: Option<&String>) -> String {
    linked(&format!("and {count} more"), list)
}

fn linked(words: &str, address: Option<&String>) -> String {
    match address.filter(|address| is_link(address)) {
        Some(address) => format!("<a href=\"{}\" style=\"color:{CALM}\">{}</a>", escaped(address), escaped(words)),
        None => escaped(words),
    }
}

fn framed(rows: &str, layout: &str) -> String {
    format!(
        "<tr><td style=\"padding:0 16px 8px\"><table width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" \
         style=\"border-collapse:collapse;table-layout:{layout}\">{rows}</table></td></tr>\n"
    )
}

/// What a review says above its table: the time, and the figures of all.
pub(super) fn outline(report: &Report) -> Vec<String> {
    vec![report::between(report), report::summary(&report.totals)]
}

/// The SLOs of a review that have something to say, and the lines of the others.
pub(super) fn slos(report: &Report) -> String {
    let Parts { said, folded } = report::parts(report);
    let mut rows = String::new();
    if !said.is_empty() {
        let widths = ["30%", "18%", "16%", "18%", "18%"];
        let head = ["SLO", "attained", "budget left", "alerts", "verdicts"];
        let heads = head.iter().zip(widths).map(|(name, width)| {
            let style = "padding:4px 8px 4px 0;font-weight:400;vertical-align:bottom";
            format!("<th align=\"left\" width=\"{width}\" style=\"{style};color:{QUIET}\">{name}</th>")
        });
        rows.extend(["<tr>".to_owned(), heads.collect(), "</tr>\n".to_owned()]);
        rows.extend(said.iter().take(SLOS).map(|line| slo(line)));
        if said.len() > SLOS {
            rows.push_str(&wide(&format!("and {} more", said.len() - SLOS)));
        }
    }
    rows.extend(folded.iter().map(|line| wide(line)));
    if rows.is_empty() {
        return rows;
    }
    // On a narrow screen the names break, figures and words do not.
    framed(&rows, "auto")
}

fn wide(text: &str) -> String {
    let style = format!("padding:10px 0;border-top:1px solid {RULE};overflow-wrap:anywhere");
    format!("<tr><td colspan=\"5\" style=\"{style}\">{}</td></tr>\n", escaped(text))
}

fn slo(line: &ReportLine) -> String {
    let [name, objective, attained, left, alerts, verdicts] = report::cells(line);
    let missed = line.is_met() == Some(false);
    let spent = line.remaining_ratio.is_some_and(|left| left < 0.0);
    let colour = |bad: bool| if bad { format!("color:{BAD};font-weight:600") } else { format!("color:{INK}") };
    let cells = [
        (
            format!("<b style=\"overflow-wrap:anywhere\">{}</b>", escaped(&name).replacen('/', "/<wbr>", 1)),
            colour(false),
        ),
        (
            format!(
                "{}<br><span style=\"color:{QUIET};font-weight:400\">of {}</span>",
                escaped(&attained),
                escaped(&objective)
            ),
            colour(missed),
        ),
        (escaped(&left), colour(spent)),
        (escaped(&alerts), colour(false)),
        (escaped(&verdicts), colour(false)),
    ];
    let style = format!("padding:8px 8px 8px 0;border-top:1px solid {RULE}");
    let cells = cells.iter().map(|(text, colour)| format!("<td valign=\"top\" style=\"{style};{colour}\">{text}</td>"));
    format!("<tr>{}</tr>\n", cells.collect::<String>())
}

#[cfg(test)]
mod tests {
    use crate::policy::card;
    use crate::policy::sample::{digest, review};
    use crate::sink::email::html;

    #[test]
    fn every_alert_of_several_has_its_own_bars_and_the_rest_is_counted() {
        let mut told = digest(1_000);
        told.links.insert("why".to_owned(), "https://slo.example/alerts?state=firing".to_owned());
        told.members[0].link = Some("https://slo.example/slo/shop/cart".to_owned());
        told.members[1].reason = "<script>".to_owned();
        let page = html::render(&told, &card::render(&told));
        assert_eq!(page.matches("error budget").count(), 20);
        assert!(page.contains("<a href=\"https://slo.example/slo/shop/cart\""), "{page}");
        assert!(
            page.contains(">and 980 more</a>") && page.contains("&lt;script&gt;") && page.len() < 100_000,
            "{page}"
        );
        assert!(!page.contains("\n- "), "no line of the text is left between");
    }

    #[test]
    fn a_review_is_a_table_of_those_with_something_to_say() {
        let told = review();
        let page = html::render(&told, &card::render(&told));
        assert_eq!((page.matches("<th ").count(), page.matches("<b ").count()), (5, 2), "{page}");
        assert!(page.contains("23 others kept their objective, worst budget 88% left: shop/s00"), "{page}");
        assert!(page.contains("1 SLO had no data: shop/new"), "{page}");
        let own = html::render(&told, "An operator's text\nsays it in its own way");
        assert!(own.contains("in its own way") && !own.contains("<th "), "{own}");
    }
}
