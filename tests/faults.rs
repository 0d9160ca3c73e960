//! The fault table of deliveries, each row a test: what goes wrong, what happens, and that nothing is lost silently.
//!
//! `sockets` goes over real ones with the durable store, on a clock that runs 600 times faster than life; `times` runs on
//! tokio's paused time with a receiver in memory; `gates` is about what waits and what goes past a hold; `model` holds any
//! plan of faults against receivers that keep state; `stand_in` is about who hears of it instead; `kills` kills a process
//! that has nothing but an outbox, again and again. `docs/reliability.md` names them all.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "helpers of tests fail by panicking")]

#[path = "faults/gates.rs"]
mod gates;
#[path = "outbox_kit/house.rs"]
mod house;
#[path = "faults/kills.rs"]
mod kills;
#[path = "faults/many.rs"]
mod many;
#[path = "faults/model.rs"]
mod model;
#[path = "outbox_kit/sample.rs"]
mod sample;
#[path = "outbox_kit/server.rs"]
mod server;
#[path = "faults/sockets.rs"]
mod sockets;
#[path = "faults/stand_in.rs"]
mod stand_in;
#[path = "faults/times.rs"]
mod times;
#[path = "faults/tls.rs"]
mod tls;
