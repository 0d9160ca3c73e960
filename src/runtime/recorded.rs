//! What the recording rules of others had at a time: Sloth's error ratios, asked for where histories differ.
//!
//! Names are Sloth's (`slo:sli_error:ratio_rate1h`, labels `sloth_service` and `sloth_slo`). Where there are no such
//! series nothing is said of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::replay::why::{RuleFigure, RuleQuestion};
use crate::source::{Source, SourceError};
use crate::units::{Length, SloId, Timestamp};

/// The figures asked for, in the order of the questions. `look` is the time of the replay: a series without a value in
/// it does not exist.
///
/// # Errors
/// Where the source does not answer.
pub async fn figures(
    source: &Arc<dyn Source>,
    slo: &SloId,
    questions: &[RuleQuestion],
    (begin, end): (Timestamp, Timestamp),
) -> Result<Vec<RuleFigure>, SourceError> {
    let mut exist: BTreeMap<String, bool> = BTreeMap::new();
    let mut figures = Vec::with_capacity(questions.len());
    for RuleQuestion { window, at } in questions {
        let name = format!("slo:sli_error:ratio_rate{window}");
        let series = format!("{name}{{sloth_service={},sloth_slo={}}}", quoted(&slo.service), quoted(&slo.name));
        let first = async |promql: String, at: Timestamp| {
            let values = source.evaluate(&promql, at, at, Length::ZERO).await?;
            Ok(values.first().and_then(|value| value.points.last()).map(|(_, value)| *value))
        };
        let value = first(series.clone(), *at).await?.filter(|value| value.is_finite());
        let exists = match (value, exist.get(&series)) {
            (Some(_), _) => true,
            (None, Some(known)) => *known,
            (None, None) => first(format!("last_over_time({series}[{}])", end.since(begin)), end).await?.is_some(),
        };
        exist.insert(series, exists);
        figures.push(RuleFigure { series: name, at: *at, value, exists });
    }
    Ok(figures)
}

/// A PromQL string.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
