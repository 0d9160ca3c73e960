//! Progress of long work: a bar on a terminal, nothing elsewhere. Standard output is left to data.

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::printer::Printer;
use crate::runtime::once::Progress;

/// Steps of a bar.
const STEPS: u32 = 1_000;

/// A bar on standard error, gone when it is dropped.
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// An empty one.
    #[must_use]
    pub fn new(printer: &Printer) -> Self {
        if !printer.err.is_terminal() {
            return Self { bar: ProgressBar::hidden() };
        }
        let bar = ProgressBar::new(u64::from(STEPS));
        // The template is a constant; one that cannot be read would leave the default, which is fine too.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// `share` (0 to 1) is done; `doing` is what goes on.
    pub fn show(&self, share: f64, doing: String) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and STEPS")]
        self.bar.set_position((share.clamp(0.0, 1.0) * f64::from(STEPS)) as u64);
        self.bar.set_message(doing);
    }

    /// A computation without a service goes on.
    pub fn computing(&self, progress: Progress) {
        let Progress { slos, judged, read } = progress;
        let doing = if judged < slos { "asking for" } else { "reading the past of" };
        self.show(read, format!("{doing} {slos} SLOs"));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
