//! The only way to the terminal: data on standard output, talk on standard error.
//!
//! Why a type: colour, terminals and readers that went away are decided once, here. A reader that closed the pipe
//! (`| head`) is no failure: [`ReaderGone`] travels up and `cli::main` ends with success. Standard error is for people,
//! so what cannot be written there is dropped.
//! Invariant: meaning never depends on colour; colour goes to a terminal only and never where `NO_COLOR` is set.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};

/// Whoever read standard output has closed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reader of standard output is gone")]
pub struct ReaderGone;

/// How a piece of text is set off, where the channel has colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Stands out.
    Bold,
    /// Of lesser interest.
    Dim,
    /// Something is wrong.
    Red,
    /// Something is doubtful.
    Yellow,
    /// Something is well.
    Green,
    /// Something to follow: an address, a command.
    Cyan,
}

impl Paint {
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Red => "1;31",
            Self::Yellow => "1;33",
            Self::Green => "1;32",
            Self::Cyan => "36",
        }
    }
}

/// One of the two standard streams, and what it can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    terminal: bool,
    colour: bool,
}

impl Channel {
    /// Whether a person looks at it directly; progress bars are for terminals only.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        self.terminal
    }

    /// Whether escape sequences may be written.
    #[must_use]
    pub const fn has_colour(self) -> bool {
        self.colour
    }

    /// `text`, set off where the channel has colour.
    #[must_use]
    pub fn paint(self, paint: Paint, text: &str) -> String {
        if self.colour { format!("\u{1b}[{}m{text}\u{1b}[0m", paint.code()) } else { text.to_owned() }
    }
}

/// Both channels of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Printer {
    /// Standard output: data.
    pub out: Channel,
    /// Standard error: talk.
    pub err: Channel,
}

impl Printer {
    /// What this process was started with.
    #[must_use]
    pub fn of_process() -> Self {
        let colour = wants_colour(std::env::var_os("NO_COLOR").as_deref(), std::env::var_os("TERM").as_deref());
        let channel = |terminal: bool| Channel { terminal, colour: terminal && colour };
        Self { out: channel(io::stdout().is_terminal()), err: channel(io::stderr().is_terminal()) }
    }

    /// Writes data as it is, without a line end of its own.
    ///
    /// # Errors
    /// [`ReaderGone`] where the pipe was closed; another I/O error (a full disk) as it is.
    pub fn data(&self, text: &str) -> anyhow::Result<()> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ReaderGone.into()),
            Err(error) => Err(anyhow::Error::new(error).context("writing to standard output")),
        }
    }

    /// Writes a line of data.
    ///
    /// # Errors
    /// As [`Self::data`].
    pub fn line(&self, text: &str) -> anyhow::Result<()> {
        self.data(&format!("{text}\n"))
    }

    /// Writes a line of talk. What cannot be written is dropped: there is nobody left to tell.
    pub fn say(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _ = writeln!(err, "{text}").and_then(|()| err.flush());
    }
}

/// `NO_COLOR` with any value but the empty one switches colour off; so does a terminal that has none.
fn wants_colour(no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_and_dumb_terminals_are_honoured() {
        let wants =
            |no_color: Option<&str>, term: Option<&str>| wants_colour(no_color.map(OsStr::new), term.map(OsStr::new));
        assert!(wants(None, Some("xterm-256color")) && wants(Some(""), None));
        assert!(!wants(Some("1"), Some("xterm")) && !wants(Some("0"), None) && !wants(None, Some("dumb")));
    }

    #[test]
    fn paint_is_left_out_where_there_is_no_colour() {
        let plain = Channel { terminal: true, colour: false };
        assert_eq!(plain.paint(Paint::Red, "bad"), "bad");
        let coloured = Channel { terminal: true, colour: true };
        assert_eq!(coloured.paint(Paint::Red, "bad"), "\u{1b}[1;31mbad\u{1b}[0m");
    }
}
