//! What `slo status`, `slo explain` and `slo backtest` share where no service is asked: files and a store in, an API to ask out.
//!
//! Nothing is written, no port is opened, nothing is sent. Progress is shown on a terminal and nowhere else.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::bail;

use crate::cli::FAILED;
use crate::cli::client::Client;
use crate::cli::printer::Printer;
use crate::cli::progress::Bar;
use crate::cli::run::refused;
use crate::clock::Clock;
use crate::diag::codes;
use crate::http::direct::Direct;
use crate::runtime::blueprint::{Blueprint, Launch, Overrides};
use crate::runtime::files::Request;
use crate::runtime::once::{Missing, Once};
use crate::secret::Secrets;
use crate::telemetry::Telemetry;
use crate::telemetry::log::{self, LogFormat};

/// Refuses where nothing names the files: all YAML below the current folder is never meant. `words`: the arguments that
/// are no paths, of which one may be a mistyped path.
///
/// # Errors
/// Says so.
pub fn files_are_named(request: &Request, words: &[String]) -> anyhow::Result<()> {
    if request.names_nothing() {
        match words.first() {
            Some(word) => bail!("`{word}` is no file or folder; name SLO files"),
            None => bail!("name SLO files or folders"),
        }
    }
    Ok(())
}

/// Reads and judges the files, for `prometheus` in place of their sources where it is given; the exit code where they do
/// not pass, which was told.
///
/// # Errors
/// Where the log cannot be set up, or the findings cannot be printed.
pub fn prepared(
    request: Request,
    prometheus: Option<String>,
    printer: &Printer,
) -> anyhow::Result<Result<(Launch, Blueprint), ExitCode>> {
    // Problems of the sources are told with the figures; what goes wrong inside is still told.
    log::init(LogFormat::Text, Some("error"), printer.err.has_colour())?;
    let launch = Launch {
        request,
        overrides: Overrides { prometheus, without_sinks: true, ..Overrides::default() },
        secrets: Arc::new(Secrets::of_process()),
        telemetry: Telemetry::default(),
    };
    match launch.blueprint() {
        Ok(blueprint) => Ok(Ok((launch, blueprint))),
        Err(refusal) => {
            let unreadable = refusal.findings.iter().any(|finding| finding.code == codes::UNREADABLE);
            let code = refused(refusal, "nothing computed", printer)?;
            Ok(Err(if unreadable { ExitCode::from(FAILED) } else { code }))
        }
    }
}

/// Computes everything once: the API of a service that did, and what it could not.
///
/// # Errors
/// Where the parts cannot be set up.
pub async fn computed(launch: Launch, blueprint: Blueprint, printer: &Printer) -> anyhow::Result<(Client, Missing)> {
    let telemetry = launch.telemetry.clone();
    let once = Once::start(launch, blueprint, Clock::system()).await?;
    let bar = Bar::new(printer);
    let missing = once.finish(|progress| bar.computing(progress)).await;
    drop(bar);
    Ok((Client::direct(Direct::new(once.service(), telemetry))?, missing))
}
