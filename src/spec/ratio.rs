//! `sli.ratio`: an error ratio that the store gives, weighted by time (SEMANTICS 2, *Other kinds*).
//!
//! Written as `ratio: {query: ..}` or, short, `ratio: '..'`. Only the share is known, not how many events it is of: where
//! counts can be had, `events` says more.

use crate::spec::events::{ReadSli, query, target_of};
use crate::spec::meant::Sli;
use crate::spec::written::RatioItem;
use crate::yaml::{NodeId, Reader, Shape};

/// Reads `ratio`, under this key of `sli`; what is wrong is noted.
pub fn read_ratio(reader: &mut Reader<'_>, sli: NodeId, ratio: NodeId) -> Option<ReadSli> {
    let document = reader.document();
    let query = if document.shape(ratio) == Shape::Text {
        query(reader, sli, "ratio", document.text(ratio))?
    } else {
        let item: RatioItem = reader.decode(ratio)?;
        if item.query.is_none() {
            reader.missing(ratio, "query", "PromQL that gives the share of bad events, 0 to 1");
        }
        query(reader, ratio, "query", item.query.as_deref())?
    };
    let target = target_of(&query);
    Some(ReadSli { sli: Sli::Ratio { query: query.text }, target })
}
