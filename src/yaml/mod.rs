//! YAML with positions: text in, documents out in which every key and value knows its place.
//!
//! Why this way: `serde_yaml` decodes well and keeps no positions, stops at the first error, turns written digits into
//! floats and reports an alias bomb without saying where. So one event pass of `saphyr-parser` builds a [`Document`]
//! (places, written scalars, duplicate keys, bounds), and [`Reader`] has `serde_yaml` decode one mapping of it at a
//! time, so that everything wrong is found in one run. This module knows no format and reads no file.
//!
//! Decided here: merge keys (`<<: *base`) work, own keys win, of several bases the first; all scalars but `null`, `~`
//! and nothing at all are text as written, so `99.95`, `1_0` and `no` keep their digits and letters.
//!
//! Invariants: at most [`MAX_BYTES`] a file, [`MAX_DEPTH`] levels, [`MAX_COPIES`] nodes and [`MAX_COPIED_TEXT`] bytes
//! from aliases; lines and columns count from 1, columns in characters.

mod assembly;
mod build;
mod document;
mod parse;
mod reader;
mod text;

pub use assembly::Assembly;
pub use document::{Document, NodeId, Shape};
pub use parse::{MAX_BYTES, MAX_COPIED_TEXT, MAX_COPIES, MAX_DEPTH, Stream, parse};
pub use reader::{Flag, Reader, Written, suggestion};
pub use text::SourceText;
