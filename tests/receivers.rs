//! Sinks against receivers that are true to the wire: each keeps the state that its vendor keeps, checks bodies against
//! the documented shape, and answers with programmed faults.
//! A receiver that is a file in `tests/receivers/` names the source of each behaviour it copies.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

#[path = "receivers/exec.rs"]
mod exec;
#[path = "receivers/github.rs"]
mod github;
#[path = "receivers/gitlab.rs"]
mod gitlab;
#[path = "receivers/jira.rs"]
mod jira;
#[path = "receivers/kit.rs"]
mod kit;
#[path = "receivers/opsgenie.rs"]
mod opsgenie;
#[path = "receivers/pagerduty.rs"]
mod pagerduty;
#[path = "outbox_kit/server.rs"]
mod recorder;
#[path = "outbox_kit/sample.rs"]
mod sample;
#[path = "receivers/server.rs"]
mod server;
#[path = "receivers/servicenow.rs"]
mod servicenow;
#[path = "receivers/slack.rs"]
mod slack;
#[path = "receivers/teams.rs"]
mod teams;
#[path = "receivers/tickets.rs"]
mod tickets;
#[path = "receivers/webhook.rs"]
mod webhook;
