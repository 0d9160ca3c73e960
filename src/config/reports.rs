//! Reads `reports`: reviews that are sent at set times (FORMATS 3).

use serde::Deserialize;

use crate::config::meant::ReportPlan;
use crate::diag::{Diagnostic, codes};
use crate::spec::value;
use crate::units::{Length, Schedule, ScheduleError};
use crate::yaml::{NodeId, Reader, Written};

/// Where none is said.
const ZONE: &str = "UTC";

/// One of `reports`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ReportItem {
    schedule: Option<String>,
    zone: Option<String>,
    to: Option<Vec<String>>,
    period: Option<String>,
}

impl Written for ReportItem {}

/// Reads all of them; what is wrong is noted, and left out.
pub(super) fn read_reports(reader: &mut Reader<'_>, root: NodeId) -> Vec<ReportPlan> {
    reader.items(root, "reports").iter().filter_map(|node| read_report(reader, *node)).collect()
}

fn read_report(reader: &mut Reader<'_>, node: NodeId) -> Option<ReportPlan> {
    let item: ReportItem = reader.decode(node)?;
    let to = item.to.unwrap_or_default();
    if to.is_empty() {
        reader.missing(node, "to", "a list of sinks");
    }
    if item.schedule.is_none() {
        reader.missing(node, "schedule", "when a report is made, such as \"0 9 * * Mon\"");
    }
    let period = value::positive_length(reader, node, "period", item.period.as_deref());
    let zone = item.zone.as_deref().unwrap_or(ZONE);
    match Schedule::new(item.schedule.as_deref()?, Length::ZERO, zone) {
        Ok(schedule) => Some(ReportPlan { schedule, to, period }),
        Err(error) => {
            let (key, code, help) = match error {
                ScheduleError::Cron(_) => {
                    let help = "five fields: minute, hour, day, month, day of the week; or six with seconds first";
                    ("schedule", codes::BAD_DURATION, help)
                }
                ScheduleError::Zone(_) => ("zone", codes::BAD_CHOICE, "a name such as Europe/Berlin, or UTC"),
            };
            reader.report_in(node, key, Diagnostic::error(code, error.to_string()).with_help(help));
            None
        }
    }
}
