//! What a query selects, for the rules that compare the two sides of an SLI.

use promql_parser::label::MatchOp;
use promql_parser::parser::{self, Expr, VectorSelector};

use crate::spec::selector::{Matcher, Operation, Selector};

/// A selector within a query, and the function that it stands under, if directly.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Metric name; empty where the query has none.
    pub metric: String,
    /// Matchers without `__name__`.
    pub matchers: Vec<Matcher>,
    /// `rate`, `increase` ..
    pub function: Option<String>,
}

impl From<&Selector> for Selected {
    fn from(selector: &Selector) -> Self {
        Self { metric: selector.metric.clone(), matchers: selector.matchers.clone(), function: None }
    }
}

/// Parses a pushdown query, its placeholder replaced by some range; `None` where it is no PromQL (told elsewhere).
#[must_use]
pub fn parse(text: &str) -> Option<Expr> {
    parser::parse(&text.replace("$window", "5m")).ok()
}

/// All selectors of a query, from left to right.
#[must_use]
pub fn selected(query: &Expr) -> Vec<Selected> {
    let mut found = Vec::new();
    collect(query, None, &mut found);
    found
}

fn collect(query: &Expr, function: Option<&str>, found: &mut Vec<Selected>) {
    match query {
        Expr::Aggregate(aggregate) => collect(&aggregate.expr, None, found),
        Expr::Unary(unary) => collect(&unary.expr, None, found),
        Expr::Binary(binary) => {
            collect(&binary.lhs, None, found);
            collect(&binary.rhs, None, found);
        }
        Expr::Paren(paren) => collect(&paren.expr, function, found),
        Expr::Subquery(subquery) => collect(&subquery.expr, function, found),
        Expr::VectorSelector(selector) => found.push(convert(selector, function)),
        Expr::MatrixSelector(selector) => found.push(convert(&selector.vs, function)),
        Expr::Call(call) => call.args.args.iter().for_each(|arg| collect(arg, Some(call.func.name), found)),
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
    }
}

fn convert(selector: &VectorSelector, function: Option<&str>) -> Selected {
    let mut metric = selector.name.clone().unwrap_or_default();
    let mut matchers = Vec::new();
    for matcher in &selector.matchers.matchers {
        let operation = match matcher.op {
            MatchOp::Equal => Operation::Equal,
            MatchOp::NotEqual => Operation::NotEqual,
            MatchOp::Re(_) => Operation::Match,
            MatchOp::NotRe(_) => Operation::NotMatch,
        };
        if matcher.name == "__name__" {
            if operation == Operation::Equal {
                metric.clone_from(&matcher.value);
            }
        } else if let Ok(matcher) = Matcher::new(&matcher.name, operation, &matcher.value) {
            matchers.push(matcher);
        }
    }
    Selected { metric, matchers, function: function.map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_selector_is_found_with_its_function() {
        let query = parse(
            r#"sum by (a) (rate(errors_total{job="x",code=~"5.."}[$window])) - on() (up + (increase({__name__="y"}[5m])))"#,
        );
        let found: Vec<String> = selected(&query.unwrap())
            .iter()
            .map(|s| format!("{} {} {}", s.metric, s.function.as_deref().unwrap_or("-"), s.matchers.len()))
            .collect();
        assert_eq!(found, ["errors_total rate 2", "up - 0", "y increase 0"]);
        assert!(parse("sum(").is_none());
    }
}
