//! Which tiers Sloth's SLOs have: those of the one `AlertWindows` document for their period, where there is one.

use crate::diag::{Diagnostic, codes};
use crate::spec::foreign::windows::{Windows, read_windows};
use crate::units::Length;
use crate::yaml::{Document, NodeId, Reader};

/// The windows for a period out of all `AlertWindows` documents with their index among `parts`, and what is wrong with
/// the documents; `used` where the set has SLOs of Sloth.
pub fn windows(
    parts: &[(&Document, NodeId)],
    period: Length,
    used: bool,
) -> (Option<(Windows, usize)>, Vec<Diagnostic>) {
    let mut findings = Vec::new();
    let mut read: Vec<(Windows, usize)> = Vec::new();
    for (index, (document, root)) in parts.iter().copied().enumerate() {
        let mut reader = Reader::new(document);
        let windows = read_windows(&mut reader, root);
        let at = document.child(root, "spec").unwrap_or(root);
        if let Some(windows) = windows {
            if let Some((first, index)) = read.iter().find(|(first, _)| first.period == windows.period) {
                let mut finding = twice(first, &windows);
                let place = parts.get(*index).map(|(document, root)| document.place(*root));
                finding.related.extend(place.map(|place| (place, "the first".to_owned())));
                reader.report_in(at, "sloPeriod", finding);
            } else {
                if !(used && windows.period == period) {
                    reader.report_in(at, "sloPeriod", unused(windows.period, period, used));
                }
                read.push((windows, index));
            }
        }
        findings.extend(reader.into_findings());
    }
    (read.into_iter().find(|(windows, _)| windows.period == period), findings)
}

fn twice(first: &Windows, second: &Windows) -> Diagnostic {
    let help = "keep one of the two";
    if first == second {
        let message = format!("the windows for {} are given twice, with the same content", first.period);
        return Diagnostic::warning(codes::ALERT_WINDOWS, message).with_help(help);
    }
    let message = format!("there are two different sets of windows for {}", first.period);
    Diagnostic::error(codes::ALERT_WINDOWS, message).with_help(help)
}

fn unused(of: Length, period: Length, has_slos: bool) -> Diagnostic {
    let (reason, help) = if has_slos {
        let reason = format!("the period of Sloth's SLOs is {period}");
        (reason, format!("write `sloth: {{period: {of}}}` in the configuration to use them"))
    } else {
        ("there are no SLOs of Sloth beside them".to_owned(), "check them together with the SLOs".to_owned())
    };
    Diagnostic::info(codes::ALERT_WINDOWS, format!("no SLO uses these windows: {reason}")).with_help(help)
}
