//! A disk that can be filled.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// The file that takes the room.
const FILLER: &str = "filler";

/// A file system of one megabyte, for as long as this lives.
pub struct TinyDisk(tempfile::TempDir);

impl TinyDisk {
    /// `None`, said in one line, where nothing may be mounted.
    pub fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        println!("skipped: nothing may be mounted here");
        None
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all that is left, in small pieces to the last block.
    pub fn fill(&self) {
        let mut file = fs::File::create(self.path().join(FILLER)).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
    }

    /// Gives it back.
    pub fn make_room(&self) {
        fs::remove_file(self.path().join(FILLER)).unwrap();
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}
