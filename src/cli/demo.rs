//! `slo demo`: the real service on a simulated shop.

mod files;
mod screen;
mod shop;
mod stage;
mod street;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;

use crate::app::{App, told_to_stop};
use crate::cli::FAILED;
use crate::cli::printer::Printer;
use crate::cli::run::runtime;
use crate::clock::Clock;
use crate::diag::concise;
use crate::runtime::blueprint::{Launch, Overrides};
use crate::runtime::files::Request;
use crate::secret::Secrets;
use crate::telemetry::Telemetry;
use crate::telemetry::log::{self, LogFormat};
use screen::Screen;
use shop::Shop;
use stage::{Outcome, Stage};
use street::Street;

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
pub fn run(arguments: &Arguments, printer: &Printer) -> anyhow::Result<ExitCode> {
    // The screen is the log; what goes wrong inside is still told.
    log::init(LogFormat::Text, Some("error"), printer.err.has_colour())?;
    let folder = Folder::make()?;
    runtime()?.block_on(play(arguments, printer, &folder.path))
}

async fn play(arguments: &Arguments, printer: &Printer, folder: &Path) -> anyhow::Result<ExitCode> {
    let clock = Clock::accelerated(arguments.speed);
    let shop = Shop { opened: clock.now() };
    let street = Street::open(shop, clock.clone()).await?;
    files::write(folder, street.shop, street.pager)?;
    let launch = Launch {
        request: Request { paths: Vec::new(), config: Some(folder.join("slo.yaml")) },
        overrides: Overrides { listen: Some(arguments.listen), ..Overrides::default() },
        secrets: Arc::new(Secrets::of_process()),
        telemetry: Telemetry::default(),
    };
    let blueprint = launch.blueprint().map_err(|refusal| {
        let findings: Vec<String> = refusal.findings.iter().map(concise::line).collect();
        anyhow::anyhow!("the demo's own files do not pass: {}", findings.join("; "))
    })?;
    let app = App::start(launch, blueprint, clock.clone()).await?;
    let mut screen = Screen::new(printer, shop.opened);
    welcome(&screen, arguments, app.address);
    let stage = Stage { shop, clock, service: Arc::clone(&app.service), keep: arguments.keep };
    let outcome = tokio::select! {
        outcome = stage.run(&mut screen, street.cards) => outcome,
        why = told_to_stop() => Outcome::Interrupted(why),
    };
    screen.close();
    app.stop("the demo is over").await;
    Ok(farewell(&screen, &outcome))
}

fn welcome(screen: &Screen<'_>, arguments: &Arguments, address: SocketAddr) {
    screen.say(&format!(
        "A simulated shop, {} times faster than life. Every figure below is the real service's.",
        arguments.speed
    ));
    screen.say(&format!("  page  http://{address}/"));
    screen.say(&format!("  API   http://{address}/api/v1/slos"));
    screen.say("");
}

fn farewell(screen: &Screen<'_>, outcome: &Outcome) -> ExitCode {
    match outcome {
        Outcome::Recovered => {
            screen.say("");
            screen.say("Burned, paged, recovered, resolved. Next: slo init reliability");
            ExitCode::SUCCESS
        }
        Outcome::Interrupted(why) => {
            screen.say(&format!("{why}; nothing was left behind"));
            ExitCode::SUCCESS
        }
        Outcome::Stuck => {
            screen.say("the page did not come, or did not end; that is a defect: please report it");
            ExitCode::from(FAILED)
        }
    }
}

/// A temporary folder for the demo's files and store, removed at its end.
struct Folder {
    path: PathBuf,
}

impl Folder {
    fn make() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("slo-demo-{}", std::process::id()));
        std::fs::create_dir(&path).with_context(|| format!("making the folder `{}`", path.display()))?;
        Ok(Self { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the system's temporary folder, which is cleaned by others.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}
