//! Notices that a file changed: the stat of what is read below the watched paths, compared every two seconds.
//!
//! Why polling: a ConfigMap is swapped by renaming a symbolic link two folders up, editors replace files, network file
//! systems do not tell; a stat of a few hundred files costs less than getting all of that right with events.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::runtime::files::is_yaml;
use crate::units::Length;

/// How often the files are looked at: changes are taken over within 5 s (INTERFACES 2).
pub const INTERVAL: Length = Length::from_seconds(2);

/// As deep as a watched folder is followed; symbolic links may make circles.
const MAX_DEPTH: usize = 16;

/// A number that changes when any of `paths`, or a YAML file below them, is added, removed, replaced or written. Other
/// files below them are not read, and some change all the time: the store and a log lie in the same folder by default.
#[must_use]
pub fn fingerprint(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        visit(path, 0, &mut hasher);
    }
    hasher.finish()
}

fn visit(path: &Path, depth: usize, hasher: &mut DefaultHasher) {
    path.hash(hasher);
    let Ok(metadata) = fs::metadata(path) else {
        return;
    };
    if !metadata.is_dir() {
        (metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()).hash(hasher);
        return;
    }
    if depth == MAX_DEPTH {
        return;
    }
    let Ok(entries) = fs::read_dir(path) else {
        return;
    };
    let mut children: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    children.sort();
    for child in children {
        let hidden = child.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && (child.is_dir() || is_yaml(&child)) {
            visit(&child, depth + 1, hasher);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn the_store_and_the_log_beside_the_files_are_not_watched() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        fs::create_dir(root.join("data")).unwrap();
        fs::write(root.join("slo.yaml"), "version: config/v1").unwrap();
        let first = fingerprint(std::slice::from_ref(&root));
        fs::write(root.join("data/slo.db"), "x").unwrap();
        fs::write(root.join("log.txt"), "x").unwrap();
        assert_eq!(first, fingerprint(std::slice::from_ref(&root)));
        fs::write(root.join("data/more.yml"), "x").unwrap();
        assert_ne!(first, fingerprint(std::slice::from_ref(&root)));
        // What was named is watched whatever it is called.
        let log = root.join("log.txt");
        let named = fingerprint(std::slice::from_ref(&log));
        fs::write(&log, "more").unwrap();
        assert_ne!(named, fingerprint(std::slice::from_ref(&log)));
    }

    #[test]
    fn sees_writes_additions_and_configmap_swaps() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_path_buf();
        for version in ["..1", "..2"] {
            fs::create_dir(root.join(version)).unwrap();
            fs::write(root.join(version).join("slo.yaml"), version).unwrap();
        }
        symlink("..1", root.join("..data")).unwrap();
        symlink("..data/slo.yaml", root.join("slo.yaml")).unwrap();
        let first = fingerprint(std::slice::from_ref(&root));
        assert_eq!(first, fingerprint(std::slice::from_ref(&root)));

        symlink("..2", root.join("..new")).unwrap();
        fs::rename(root.join("..new"), root.join("..data")).unwrap();
        let swapped = fingerprint(std::slice::from_ref(&root));
        assert_ne!(first, swapped);

        fs::write(root.join("more.yaml"), "x").unwrap();
        assert_ne!(swapped, fingerprint(std::slice::from_ref(&root)));
    }
}
