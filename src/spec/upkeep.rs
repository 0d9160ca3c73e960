//! `formerly` and `review`: what an SLO was called, and when somebody has to look at it again.

use crate::diag::{Diagnostic, codes};
use crate::spec::value;
use crate::spec::written::ReviewItem;
use crate::units::{Day, SloId};
use crate::yaml::{NodeId, Reader, Shape};

/// Reads `formerly`: ids, each with its node; what is none, or stands there twice, is noted and left out.
pub fn read_formerly(reader: &mut Reader<'_>, node: NodeId) -> Vec<SloId> {
    let document = reader.document();
    let mut ids: Vec<SloId> = Vec::new();
    for item in reader.items(node, "formerly") {
        if !reader.expect(*item, Shape::Text) {
            continue;
        }
        let text = document.text(*item).unwrap_or_default();
        match text.parse::<SloId>() {
            Ok(id) if ids.contains(&id) => {
                let finding = Diagnostic::error(codes::FORMER_ID, format!("`{id}` stands in `formerly` twice"));
                reader.report(*item, finding.with_help("keep one of the two"));
            }
            Ok(id) => ids.push(id),
            Err(_) => {
                let finding = Diagnostic::error(codes::BAD_NAME, format!("`{text}` is not the id of an SLO"));
                reader.report(*item, finding.with_help("write it like checkout/availability"));
            }
        }
    }
    ids
}

/// Reads `review`.
pub fn read_review(reader: &mut Reader<'_>, node: NodeId) -> Option<Day> {
    let document = reader.document();
    let review = document.child(node, "review").filter(|review| document.shape(*review) != Shape::Nothing)?;
    let item: ReviewItem = reader.decode(review)?;
    if item.by.is_none() {
        reader.missing(review, "by", "a date such as 2027-03-01");
    }
    value::parsed(reader, review, "by", item.by.as_deref(), codes::BAD_DURATION)
}
