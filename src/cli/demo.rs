//! `slo demo`: the real service on a simulated shop.

use std::net::SocketAddr;
use std::process::ExitCode;

use crate::cli::printer::Printer;

/// Watch a simulated shop burn its error budget and a page go out; nothing else installed
///
/// The shop exports metrics and breaks on a script; the real service scrapes it, burns, pages to this terminal and
/// serves its page. Ends by itself after the recovery.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "Examples:
  slo demo
  slo demo --speed 30 --keep")]
pub struct Arguments {
    /// How many times faster than life
    #[arg(long, value_name = "N", default_value_t = 60.0, value_parser = speed)]
    pub speed: f64,
    /// Where the page and the API are served
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9777")]
    pub listen: SocketAddr,
    /// Go on after the recovery, until interrupted
    #[arg(long)]
    pub keep: bool,
}

/// A finite number from 1 to 600: slower than life shows nothing, faster leaves the parts no time.
fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (1.0..=600.0).contains(&speed) => Ok(speed),
        _ => Err("a number from 1 to 600 is wanted".to_owned()),
    }
}

/// Runs the demo.
///
/// # Errors
/// Where the address is taken or the service cannot start.
pub fn run(_arguments: &Arguments, _printer: &Printer) -> anyhow::Result<ExitCode> {
    anyhow::bail!("`slo demo` is not built yet")
}
