//! Choosing, ordering and cutting lists. Pure.
//!
//! A cursor names the last item of the part before and its place: the next part begins after that item wherever it
//! stands by then, or at its old place where it is gone. So paging goes on while the figures move.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::runtime::service::Summary;

/// Statuses, worst first (INTERFACES 3).
pub const STATUSES: [&str; 8] = ["page", "ticket", "notice", "down", "no_data", "inconclusive", "starting", "ok"];

/// Orders of the list of instances.
pub const SORTS: [&str; 4] = ["worst", "remaining", "burn", "name"];

/// Which instances are asked for. Empty lists and `None` mean any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Text that the id or the owner holds, whatever the case.
    pub text: Option<String>,
    /// Exact service.
    pub service: Option<String>,
    /// Exact owner.
    pub owner: Option<String>,
    /// Any of these statuses.
    pub statuses: Vec<String>,
}

impl Choice {
    /// Whether an instance is asked for.
    pub fn takes(&self, summary: &Summary) -> bool {
        let owner = summary.owner.as_deref();
        let text = self.text.as_ref().is_none_or(|text| {
            let text = text.to_lowercase();
            summary.id.to_string().to_lowercase().contains(&text)
                || owner.is_some_and(|owner| owner.to_lowercase().contains(&text))
        });
        text && self.service.as_ref().is_none_or(|service| summary.id.slo.service == *service)
            && self.owner.as_ref().is_none_or(|wanted| owner == Some(wanted))
            && (self.statuses.is_empty() || self.statuses.contains(&summary.status))
    }
}

/// Place of a status in the order of badness; an unknown one comes last.
pub fn badness(status: &str) -> usize {
    STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len())
}

/// Orders instances: `worst` by status, then least budget left; `remaining` least first; `burn` highest first; `name`.
/// Equals go by id, so the order is the same every time.
pub fn sort(summaries: &mut [Summary], by: &str) {
    summaries.sort_by(|a, b| {
        let remaining = || a.remaining.total_cmp(&b.remaining);
        let burn = || b.burn.total_cmp(&a.burn);
        match by {
            "name" => std::cmp::Ordering::Equal,
            "remaining" => remaining(),
            "burn" => burn(),
            _ => badness(&a.status).cmp(&badness(&b.status)).then_with(remaining).then_with(burn),
        }
        .then_with(|| a.id.cmp(&b.id))
    });
}

/// A part of a list and the cursor of the next one.
pub fn part<T>(
    mut items: Vec<T>,
    id: impl Fn(&T) -> String,
    cursor: Option<&Cursor>,
    limit: usize,
) -> (Vec<T>, Option<Cursor>) {
    let start = cursor
        .map_or(0, |cursor| items.iter().position(|item| id(item) == cursor.last).map_or(cursor.place, |at| at + 1));
    let start = start.min(items.len());
    let end = start.saturating_add(limit).min(items.len());
    let more = end < items.len();
    let items: Vec<T> = items.drain(start..end).collect();
    let next = items.last().filter(|_| more).map(|last| Cursor { place: end, last: id(last) });
    (items, next)
}

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    place: usize,
    last: String,
}

impl Cursor {
    /// As the API gives it out: opaque, safe in an address.
    pub fn write(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{} {}", self.place, self.last))
    }

    /// As it was given out; `None` where it was not.
    pub fn read(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (place, last) = text.split_once(' ')?;
        Some(Self { place: place.parse().ok()?, last: last.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{InstanceId, SloId};

    fn summary(name: &str, status: &str, remaining: f64, burn: f64) -> Summary {
        let id = InstanceId::ungrouped(SloId::new("shop", name));
        Summary { id, owner: Some("Payments".into()), status: status.into(), remaining, burn }
    }

    fn names(summaries: &[Summary]) -> Vec<&str> {
        summaries.iter().map(|summary| summary.id.slo.name.as_str()).collect()
    }

    #[test]
    fn worst_first_is_status_then_budget_then_burn() {
        let mut all = [
            summary("a", "ok", -1.0, 9.0),
            summary("b", "page", 0.5, 20.0),
            summary("c", "page", 0.5, 30.0),
            summary("d", "page", -0.5, 15.0),
            summary("e", "no_data", 1.0, 0.0),
        ];
        sort(&mut all, "worst");
        assert_eq!(names(&all), ["d", "c", "b", "e", "a"]);
        sort(&mut all, "remaining");
        assert_eq!(names(&all), ["a", "d", "b", "c", "e"]);
        sort(&mut all, "burn");
        assert_eq!(names(&all), ["c", "b", "d", "a", "e"]);
        sort(&mut all, "name");
        assert_eq!(names(&all), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn choices_narrow_each_other() {
        let one = summary("availability", "page", 0.0, 0.0);
        assert!(Choice::default().takes(&one));
        let choice = |text: &str, status: &str| Choice {
            text: Some(text.into()),
            statuses: vec![status.into()],
            ..Choice::default()
        };
        assert!(choice("AVAIL", "page").takes(&one));
        assert!(choice("payments", "page").takes(&one));
        assert!(!choice("avail", "ok").takes(&one));
        assert!(!Choice { owner: Some("search".into()), ..Choice::default() }.takes(&one));
        assert!(!Choice { service: Some("sho".into()), ..Choice::default() }.takes(&one));
    }

    #[test]
    fn parts_follow_each_other_even_where_items_went() {
        let items = vec!["a", "b", "c", "d", "e"];
        let id = |item: &&str| (*item).to_owned();
        let (first, next) = part(items.clone(), id, None, 2);
        let cursor = Cursor::read(&next.unwrap().write()).unwrap();
        assert_eq!(first, ["a", "b"]);
        assert_eq!(part(items, id, Some(&cursor), 2).0, ["c", "d"]);
        assert_eq!(part(vec!["x", "a", "b", "c"], id, Some(&cursor), 9), (vec!["c"], None), "b moved");
        assert_eq!(part(vec!["a", "c", "d"], id, Some(&cursor), 9).0, ["d"], "b is gone: goes on at its place");
        assert_eq!(part(vec!["a"], id, Some(&cursor), 9), (vec![], None));
        assert_eq!(Cursor::read("not a cursor"), None);
    }
}
