//! `refused_writes`: a service that others reach, and that takes nothing from anybody.

use crate::check::rule::{Failing, Rule};
use crate::check::set::Set;
use crate::diag::{Diagnostic, Severity, codes};

/// A service that others reach, and that takes nothing from anybody.
pub const RULE: Rule = Rule {
    code: codes::REFUSED_WRITES,
    severity: Severity::Warning,
    page: "The service listens on an address that other machines reach, and has no tokens: everybody there may look, and every
write is refused, on this machine too. No acknowledgement, silence or drill is taken but by the signed links of a message.

Make a token with `slo token NAME --role admin --file /etc/slo/tokens` and name the file: `server: {auth: {tokens:
{file: /etc/slo/tokens}}}`; or listen on `127.0.0.1`, where everything is open.",
    failing: Some(Failing {
        line: 4,
        column: 18,
        text: r#"version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {out: {type: stdout}}
server: {listen: "10.1.2.3:9777", external_url: https://slo.example}
"#,
    }),
    passing: Some(
        r#"version: config/v1
sources: {prometheus: {type: prometheus, urls: [http://127.0.0.1:9090]}}
sinks: {out: {type: stdout}}
server: {listen: "10.1.2.3:9777", external_url: https://slo.example, auth: {tokens: {file: /etc/slo/tokens}}}
"#,
    ),
    lint: Some(lint),
};

fn lint(set: &Set<'_>, found: &mut Vec<Diagnostic>) {
    let Some(config) = &set.config else { return };
    let server = &config.config.server;
    if server.listen.ip().is_loopback() || server.tokens.is_some() || !set.is_config_sound(&["server"]) {
        return;
    }
    let message = format!("every write is refused: `{}` is not loopback, and no `auth` is set", server.listen);
    let finding = Diagnostic::warning(codes::REFUSED_WRITES, message)
        .with_help("set `auth: {tokens: {file: PATH}}`; `slo token NAME --role ROLE --file PATH` makes a line of it");
    found.push(config.at.nearest(&["server", "listen"]).mark(finding));
}
