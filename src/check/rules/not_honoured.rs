//! `not_honoured`: the page and the examples of a finding that the readers make.

use crate::check::rule::{Failing, Rule};
use crate::diag::{Severity, codes};

/// Field is not honoured.
pub const RULE: Rule = Rule {
    code: codes::NOT_HONOURED,
    severity: Severity::Warning,
    page: "The file belongs to another tool, is read as it is, and this field asks for something that is not
done here, or does not matter here (an info). Everything that the finding does not name is honoured.

Take the field out if nothing else reads the file; `slo convert` writes the native format and says what became of
each field.",
    failing: Some(Failing {
        line: 12,
        column: 30,
        text: r#"apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: {name: shop-errors, namespace: shop}
spec:
  target: "99.9"
  window: 4w
  indicator:
    ratio:
      errors: {metric: 'requests_total{job="shop", code=~"5.."}'}
      total: {metric: 'requests_total{job="shop"}'}
  alerting: {burnrates: false, absent: false}
  partial_response_strategy: warn
"#,
    }),
    passing: Some(
        r#"apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: {name: shop-errors, namespace: shop}
spec:
  target: "99.9"
  window: 4w
  indicator:
    ratio:
      errors: {metric: 'requests_total{job="shop", code=~"5.."}'}
      total: {metric: 'requests_total{job="shop"}'}
  alerting: {burnrates: false, absent: false}
"#,
    ),
    lint: None,
};
