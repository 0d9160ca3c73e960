//! The HTTP interface against a fake service, through a real listener: every address, every key, every error.
#![expect(clippy::disallowed_methods, reason = "answers of our own server, on loopback, are read whole")]
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail like tests")]
#![expect(clippy::string_slice, reason = "places found by search are boundaries")]

#[path = "http/api.rs"]
mod api;
#[path = "http/command.rs"]
mod command;
#[path = "http/dashboard.rs"]
mod dashboard;
#[path = "http/fake.rs"]
mod fake;
#[path = "http/fake_people.rs"]
mod fake_people;
#[path = "http/operations.rs"]
mod operations;
#[path = "http/people.rs"]
mod people;
#[path = "http/server.rs"]
mod server;
#[path = "http/telling.rs"]
mod telling;
