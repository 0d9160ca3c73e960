//! Sinks against receivers that keep state and check what they get against the shape that their vendor documents.
//!
//! A receiver that is a file in `tests/receivers/` names the source of each behaviour it copies.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

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
#[path = "outbox_kit/sample.rs"]
mod sample;
#[path = "receivers/server.rs"]
mod server;
#[path = "receivers/slack.rs"]
mod slack;
#[path = "receivers/teams.rs"]
mod teams;
#[path = "receivers/servicenow.rs"]
mod servicenow;
#[path = "receivers/tickets.rs"]
mod tickets;
