//! `idle_escalation`: an escalation to sinks that have been told by then.

use crate::check::rule::{Failing, Rule};
use crate::check::set::{At, Set};
use crate::diag::{Diagnostic, Severity, codes};

/// An escalation to sinks that have been told by then.
pub const RULE: Rule = Rule {
    code: codes::IDLE_ESCALATION,
    severity: Severity::Warning,
    page: "Where nobody acknowledges in time, an escalation tells sinks that have not been told yet. All sinks of this one are
told at once by the route itself, or by an earlier escalation, so nothing happens when its time comes.

Name somebody else in `escalate`, or leave these out of `to`. To tell the same sinks again, use `repeat`.",
    failing: Some(Failing {
        line: 4,
        column: 67,
        text: r#"version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: webhook, url: https://hooks.example/slo}, out: {type: stdout}}
routes: [{match: {}, to: [hook, out], escalate: {after: 15m, to: [hook]}}]
"#,
    }),
    passing: Some(
        r#"version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {hook: {type: webhook, url: https://hooks.example/slo}, out: {type: stdout}}
routes: [{match: {}, to: [out], escalate: {after: 15m, to: [hook]}}]
"#,
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    let Some(config) = &set.config else { return };
    for route in config.at.find(&["routes"]).into_iter().flat_map(At::items).filter(|route| set.is_sound(*route)) {
        let Some(escalate) = route.find(&["escalate"]) else { continue };
        let one = escalate.find(&["to"]).is_some();
        let steps: Vec<At<'_>> = if one { vec![escalate] } else { escalate.items().collect() };
        let mut told: Vec<&str> = names(route).collect();
        for step in steps {
            if names(step).next().is_some() && names(step).all(|name| told.contains(&name)) {
                let message = "an escalation to sinks that have been told by then does nothing";
                let finding = Diagnostic::warning(codes::IDLE_ESCALATION, message);
                let help = "name somebody else, or use `repeat` to tell the same ones again";
                found.push(step.nearest(&["to", "0"]).mark(finding.with_help(help)));
            }
            told.extend(names(step));
        }
    }
}

/// The sinks that `to` of a route or an escalation names, `owner` among them.
fn names<'a>(at: At<'a>) -> impl Iterator<Item = &'a str> {
    at.find(&["to"]).into_iter().flat_map(At::items).filter_map(At::text)
}

#[cfg(test)]
mod tests {
    use crate::check::{judge, load};
    use crate::diag::codes;
    use crate::units::Day;
    use crate::yaml::SourceText;

    #[test]
    fn a_step_that_tells_somebody_new_is_none_of_them() {
        let found = |steps: &str| {
            let sinks = "sinks: {a: {type: stdout}, b: {type: stdout}, c: {type: stdout}}";
            let text = format!(
                "version: config/v1\n{sinks}\nroutes: [{{to: [owner, a], escalate: {steps}}}, {{to: [b, c]}}]\n"
            );
            let findings = judge(&load::load(&[SourceText::named("f", text)]), Day::default());
            findings.into_iter().filter(|finding| finding.code == codes::IDLE_ESCALATION).count()
        };
        assert_eq!(found("[{after: 5m, to: [a, b]}, {after: 10m, to: [c]}]"), 0);
        assert_eq!(found("[{after: 5m, to: [b]}, {after: 10m, to: [b]}]"), 1);
        assert_eq!(found("{after: 5m, to: [owner]}"), 1);
        assert_eq!(found("[{after: 5m, to: [a]}, {after: 10m, to: [owner, a]}]"), 2);
    }
}
