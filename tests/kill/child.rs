//! The whole service (`slo::app`) in a process of its own, on a clock that runs quickly: what `slo run` does, but for the
//! command line.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use slo::app::App;
use slo::clock::Clock;
use slo::runtime::blueprint::{Launch, Overrides};
use slo::runtime::files::Request;
use slo::secret::Secrets;
use slo::telemetry::Telemetry;
use slo::telemetry::log::{self, LogFormat};

use super::world::{Quick, SPEED};

/// Set in the child: when virtual time began, and the folder.
const CHILD: &str = "SLO_TEST_KILL_CHILD";

/// Serves until it is killed. Does nothing unless the test started it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child_that_serves() {
    let Ok(orders) = std::env::var(CHILD) else { return };
    let (began, folder) = orders.split_once(' ').unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    log::init(LogFormat::Text, Some("info"), false).unwrap();
    let config = Path::new(folder).join("slo.yaml");
    let launch = Launch {
        request: Request { paths: Vec::new(), config: Some(config) },
        overrides: Overrides::default(),
        secrets: Arc::new(Secrets::of_process()),
        telemetry: Telemetry::default(),
    };
    let blueprint = launch.blueprint().map_err(|refusal| refusal.findings).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "small")]
    let clock = Clock::accelerated(SPEED as f64);
    let quick = Quick { began: began.parse().unwrap() };
    clock.set((quick.now() - clock.now().millis()).div_euclid(1_000));
    let _app = App::start(launch, blueprint, clock).await.unwrap();
    std::future::pending::<()>().await;
}

/// Starts it; its log goes to `log.txt` in the folder.
pub fn start(folder: &Path, quick: Quick) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log.txt")).unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["scene::child::child_that_serves", "--exact", "--nocapture"])
        .env(CHILD, format!("{} {}", quick.began, folder.display()))
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}
