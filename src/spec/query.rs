//! PromQL as users write it: parsed once, and told apart into plain selectors (exact mode) and everything else.
//!
//! The parser's tree has no positions and its errors have none either, so brackets, quotes and lengths are looked at
//! here first: that gives a place for the commonest mistakes, and bounds what the parser's recursion has to bear.
//! `$window` and `{{.window}}` stand for a range that is filled in when the store is asked.

use std::time::Duration;

use promql_parser::label::MatchOp;
use promql_parser::parser::{self, AggregateExpr, Expr, LabelModifier, VectorSelector, token};
use promql_parser::util::{ExprVisitor, walk_expr};

use crate::spec::meant::Unit;
use crate::spec::scan;
use crate::spec::selector::{Matcher, Operation, Selector};

/// The placeholder of a range.
pub const WINDOW: &str = "$window";

/// What the placeholder is while parsing: a range that nobody writes.
const STAND_IN: Duration = Duration::from_millis(475_147_253);
const STAND_IN_TEXT: &str = "475147253ms";

/// A query that parses.
#[derive(Clone, Debug)]
pub struct Query {
    /// As written, with `{{.window}}` turned into `$window`.
    pub text: String,
    /// Whether it has the placeholder.
    pub windowed: bool,
    tree: Expr,
    plain: Option<Selector>,
}

/// A query that does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// What is wrong.
    pub message: String,
    /// Characters of the text that are to blame, where that is known.
    pub within: Option<(usize, usize)>,
}

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    /// Where the text is no PromQL, or more than the bounds of `scan` allow.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        scan::check(text).map_err(|(message, within)| QueryError { message, within: Some(within) })?;
        let text = text.trim().replace("{{.window}}", WINDOW).replace("{{ .window }}", WINDOW);
        let filled = text.replace(WINDOW, STAND_IN_TEXT);
        let tree = parser::parse(&filled).map_err(|message| explain(&text, &message))?;
        Ok(Self { windowed: filled != text, text, plain: plain(&tree), tree })
    }

    /// The selector that the query is, where it is a plain one (FORMATS 1): `m{..}`, `sum(m{..})` or
    /// `sum(rate(m{..}[$window]))`.
    #[must_use]
    pub const fn plain(&self) -> Option<&Selector> {
        self.plain.as_ref()
    }

    /// The selector whose counter the query takes the rate or the increase of over `$window`, summed or not:
    /// `sum by (..) (rate(m{..}[$window]))`, `increase(m{..}[$window])`.
    #[must_use]
    pub fn counted(&self) -> Option<Counted> {
        let inner = match unwrapped(&self.tree) {
            Expr::Aggregate(sum) if sum.op.id() == token::T_SUM => {
                if matches!(sum.modifier, Some(LabelModifier::Exclude(_))) {
                    return None;
                }
                unwrapped(&sum.expr)
            }
            other => other,
        };
        let Expr::Call(call) = inner else { return None };
        let function = ["rate", "increase"].into_iter().find(|name| *name == call.func.name)?;
        match call.args.args.first().map(|arg| unwrapped(arg)) {
            Some(Expr::MatrixSelector(matrix)) if matrix.range == STAND_IN => {
                Some(Counted { selector: plain_selector(&matrix.vs)?, function })
            }
            _ => None,
        }
    }

    /// The labels by which the query's value is grouped, in the order written: those of the outermost `sum by (..)` or
    /// the like, on both sides of an operator alike; empty where there are none.
    #[must_use]
    pub fn grouping(&self) -> Vec<String> {
        grouping(&self.tree).unwrap_or_default()
    }

    /// The selector that the query is, as it stands: no parentheses, no function, a metric name.
    #[must_use]
    pub fn bare(&self) -> Option<Selector> {
        bare(&self.tree)
    }

    /// Whether the value is a rate or a count, by the range functions in it; `None` where they are mixed or do not tell.
    #[must_use]
    pub fn unit(&self) -> Option<Unit> {
        let mut functions = Functions::default();
        walk(&self.tree, &mut functions);
        match (functions.rates, functions.counts, functions.others) {
            (true, false, false) => Some(Unit::Rate),
            (false, true, false) => Some(Unit::Count),
            _ => None,
        }
    }

    /// The equality matchers of this label that every selector in the query has, with one value.
    #[must_use]
    pub fn common_equality(&self, label: &str) -> Option<String> {
        let mut equalities = Equalities { label, values: Vec::new() };
        walk(&self.tree, &mut equalities);
        let first = equalities.values.first()?.clone()?;
        equalities.values.iter().all(|value| value.as_ref() == Some(&first)).then_some(first)
    }
}

/// What [`Query::counted`] is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// What is counted.
    pub selector: Selector,
    /// `rate` or `increase`.
    pub function: &'static str,
}

/// Matchers as written within braces: `code!~"5..", method="GET"`.
///
/// # Errors
/// Where they are not what may stand within braces.
pub fn matchers(text: &str) -> Result<Vec<Matcher>, QueryError> {
    let wrapped = format!("m{{{text}}}");
    let moved = |(from, to): (usize, usize)| (from.saturating_sub(2), to.saturating_sub(2));
    let query = Query::parse(&wrapped)
        .map_err(|error| QueryError { within: error.within.map(moved), message: error.message })?;
    match query.plain() {
        Some(selector) if selector.metric == "m" => Ok(selector.matchers.clone()),
        _ => Err(QueryError { message: format!("`{text}` is no list of label matchers"), within: None }),
    }
}

/// The error of the parser in our words, with the place of an unknown function.
fn explain(text: &str, message: &str) -> QueryError {
    if let Some(name) = message.strip_prefix("unknown function with name ").map(|name| name.trim_matches(['\'', '"'])) {
        let within = text.find(&format!("{name}(")).and_then(|at| text.get(..at)).map(|before| {
            let from = before.chars().count();
            (from, from + name.chars().count())
        });
        return QueryError { message: format!("PromQL has no function `{name}`"), within };
    }
    let message = message.replace(STAND_IN_TEXT, WINDOW);
    QueryError { message: format!("this is not PromQL: {message}"), within: None }
}

/// The selector that the whole tree is, if it is one.
fn plain(tree: &Expr) -> Option<Selector> {
    let inner = unwrapped(tree);
    let Expr::Aggregate(sum) = inner else { return bare(inner) };
    if sum.op.id() != token::T_SUM || sum.modifier.is_some() {
        return None;
    }
    match unwrapped(&sum.expr) {
        Expr::Call(call) if call.func.name == "rate" => match call.args.args.first().map(|arg| unwrapped(arg)) {
            Some(Expr::MatrixSelector(matrix)) if matrix.range == STAND_IN => plain_selector(&matrix.vs),
            _ => None,
        },
        other => bare(other),
    }
}

/// `None` for a number, which goes with any grouping.
fn grouping(tree: &Expr) -> Option<Vec<String>> {
    match unwrapped(tree) {
        Expr::NumberLiteral(_) => None,
        Expr::Aggregate(AggregateExpr { modifier: Some(LabelModifier::Include(by)), .. }) => Some(by.labels.clone()),
        Expr::Binary(binary) => match (grouping(&binary.lhs), grouping(&binary.rhs)) {
            (Some(left), Some(right)) if left != right => Some(Vec::new()),
            (left, right) => left.or(right),
        },
        _ => Some(Vec::new()),
    }
}

/// Parentheses taken off.
fn unwrapped(expr: &Expr) -> &Expr {
    let mut inner = expr;
    while let Expr::Paren(paren) = inner {
        inner = &paren.expr;
    }
    inner
}

fn bare(expr: &Expr) -> Option<Selector> {
    match expr {
        Expr::VectorSelector(selector) => plain_selector(selector),
        _ => None,
    }
}

fn plain_selector(selector: &VectorSelector) -> Option<Selector> {
    if selector.offset.is_some() || selector.at.is_some() || !selector.matchers.or_matchers.is_empty() {
        return None;
    }
    let mut metric = selector.name.clone();
    let mut matchers = Vec::new();
    for matcher in &selector.matchers.matchers {
        let operation = match matcher.op {
            MatchOp::Equal => Operation::Equal,
            MatchOp::NotEqual => Operation::NotEqual,
            MatchOp::Re(_) => Operation::Match,
            MatchOp::NotRe(_) => Operation::NotMatch,
        };
        if matcher.name == "__name__" {
            if operation != Operation::Equal || metric.replace(matcher.value.clone()).is_some() {
                return None;
            }
            continue;
        }
        matchers.push(Matcher::new(&matcher.name, operation, &matcher.value).ok()?);
    }
    Some(Selector { metric: metric?, matchers, bucket: None })
}

fn walk(tree: &Expr, visitor: &mut impl ExprVisitor<Error = std::convert::Infallible>) {
    // The visitors here have no errors.
    let _: Result<bool, _> = walk_expr(visitor, tree);
}

#[derive(Default)]
struct Functions {
    rates: bool,
    counts: bool,
    others: bool,
}

impl ExprVisitor for Functions {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Self::Error> {
        if let Expr::Call(call) = expr {
            match call.func.name {
                "rate" | "irate" | "deriv" => self.rates = true,
                "increase" | "delta" | "idelta" | "count_over_time" | "sum_over_time" | "changes" | "resets" => {
                    self.counts = true;
                }
                name if name.ends_with("_over_time") => self.others = true,
                _ => {}
            }
        }
        Ok(true)
    }
}

struct Equalities<'l> {
    label: &'l str,
    /// One for each selector.
    values: Vec<Option<String>>,
}

impl ExprVisitor for Equalities<'_> {
    type Error = std::convert::Infallible;

    fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Self::Error> {
        let selector = match expr {
            Expr::VectorSelector(selector) => selector,
            Expr::MatrixSelector(matrix) => &matrix.vs,
            _ => return Ok(true),
        };
        let equal = |matcher: &&promql_parser::label::Matcher| {
            matcher.name == self.label && matcher.op == MatchOp::Equal && !matcher.value.is_empty()
        };
        self.values.push(selector.matchers.matchers.iter().find(equal).map(|matcher| matcher.value.clone()));
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Option<String> {
        Query::parse(text).unwrap().plain().map(ToString::to_string)
    }

    #[test]
    fn plain_selectors_are_told_from_everything_else() {
        let selector = r#"http_requests_total{job="checkout",code=~"5.."}"#;
        for text in [
            r#"http_requests_total{job="checkout", code=~"5.."}"#,
            r#"sum(http_requests_total{job="checkout", code=~"5.."})"#,
            r#"sum(rate(http_requests_total{job="checkout", code=~"5.."}[$window]))"#,
            r#"(sum((rate(http_requests_total{job="checkout", code=~"5.."}[{{.window}}]))))"#,
            r#"{__name__="http_requests_total", job="checkout", code=~"5.."}"#,
        ] {
            assert_eq!(plain(text).as_deref(), Some(selector), "{text}");
        }
        for text in [
            "sum(rate(a[5m]))",
            "sum(increase(a[$window]))",
            "sum by (x) (rate(a[$window]))",
            "sum(irate(a[$window]))",
            "a offset 5m",
            "a @ 5",
            "avg(a)",
            "a + b",
            r#"{__name__=~"a.*"}"#,
            r#"a{x="1" or y="2"}"#,
            "sum(rate(a[$window])) - sum(rate(b[$window]))",
        ] {
            assert_eq!(plain(text), None, "{text}");
        }
    }

    #[test]
    fn the_unit_comes_from_the_functions() {
        let unit = |text: &str| Query::parse(text).unwrap().unit();
        assert_eq!(unit("sum(rate(a[$window])) - sum(irate(b[$window]))"), Some(Unit::Rate));
        assert_eq!(unit("sum(increase(a[$window]))"), Some(Unit::Count));
        assert_eq!(unit("sum(increase(a[$window])) + sum(rate(b[$window]))"), None);
        assert_eq!(unit("sum(avg_over_time(a[$window]))"), None);
        assert_eq!(unit("a"), None);
    }

    #[test]
    fn errors_say_where_when_that_is_known() {
        let within = |text: &str| Query::parse(text).unwrap_err().within;
        assert_eq!(within("sum(rat(a[5m]))"), Some((4, 7)));
        assert_eq!(within("sum(rate(a[5m])"), Some((3, 4)));
        assert_eq!(within(r#"a{b="c}"#), Some((4, 7)));
        assert_eq!(within("rate(a)"), None);
        assert!(Query::parse(r#"a{b=~"("}"#).is_err());
        assert!(Query::parse("").is_err());
        assert!(Query::parse(r#"a{b="c",,d="e"}"#).is_err());
    }

    #[test]
    fn matchers_are_only_matchers() {
        assert_eq!(matchers(r#"code!~"5..", method="GET""#).unwrap().len(), 2);
        assert_eq!(matchers("").unwrap(), []);
        for text in [r#"a="b"} + m{"#, "5", r#"a="b"} offset 5m #"#, r#"__name__="x""#] {
            assert!(matchers(text).is_err(), "{text}");
        }
    }

    #[test]
    fn equalities_count_only_where_every_selector_has_them() {
        let query = Query::parse(r#"rate(a{job="x",z="1"}[$window]) + rate(b{job="x",z="2"}[$window])"#).unwrap();
        assert_eq!(query.common_equality("job").as_deref(), Some("x"));
        assert_eq!(query.common_equality("z"), None);
        assert_eq!(query.common_equality("instance"), None);
    }

    #[test]
    fn hostile_queries_end_in_an_error_and_not_in_a_crash() {
        let deep = format!("{}a{}", "(".repeat(40_000), ")".repeat(40_000));
        let chain = vec!["a"; 6_000].join("+");
        let minus = format!("{}a", "-".repeat(9_000));
        let words = vec!["a"; 3_000].join(" and ");
        for text in [deep, chain, minus, words] {
            assert!(Query::parse(&text).is_err());
        }
        assert!(Query::parse(&vec!["a"; 200].join(" + ")).is_ok());
        assert!(Query::parse(&format!("{}a{}", "(".repeat(60), ")".repeat(60))).is_ok());
        assert!(Query::parse(&format!("{}a", "-".repeat(250))).is_ok());
    }
}
