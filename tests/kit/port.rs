//! Ports for servers that choose none themselves.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Below those that the system gives to outgoing connections: one of these could have a port that was free a moment ago.
const FIRST: u32 = 12_000;
/// Ports that a process of tests has for itself, as long as these are few.
const OF_A_PROCESS: u32 = 100;
/// Processes before the first range comes again.
const PROCESSES: u32 = 200;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A port that nobody listens on. Two parts of a test that ask side by side say that they are part `0` and `1`.
pub fn free(asker: u32) -> u16 {
    let process = std::process::id() % PROCESSES;
    loop {
        let number = NEXT.fetch_add(2, Ordering::SeqCst) + asker;
        let port = FIRST + (process * OF_A_PROCESS + number) % (PROCESSES * OF_A_PROCESS);
        let port = u16::try_from(port).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
