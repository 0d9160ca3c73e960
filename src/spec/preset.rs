//! The policies that come with the program: files of `rules/`, embedded, and read like every other policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::spec::policy::Policy;
use crate::spec::rules::read_policies;
use crate::yaml::{Reader, SourceText, parse};

/// The policy of an SLO that names none.
pub const DEFAULT: &str = "balanced";

const FILES: &[(&str, &str)] = &[
    ("rules/workbook.yaml", include_str!("../../rules/workbook.yaml")),
    ("rules/balanced.yaml", include_str!("../../rules/balanced.yaml")),
    ("rules/sloth.yaml", include_str!("../../rules/sloth.yaml")),
    ("rules/pyrra.yaml", include_str!("../../rules/pyrra.yaml")),
    ("rules/datadog.yaml", include_str!("../../rules/datadog.yaml")),
    ("rules/predictive.yaml", include_str!("../../rules/predictive.yaml")),
    ("rules/guidance.yaml", include_str!("../../rules/guidance.yaml")),
];

/// The presets by name.
#[must_use]
pub fn presets() -> BTreeMap<String, Arc<Policy>> {
    let mut presets = BTreeMap::new();
    for (file, text) in FILES {
        for (document, _) in parse(&SourceText::named(file, text)).documents {
            let mut reader = Reader::new(&document);
            for read in read_policies(&mut reader, document.root()) {
                presets.insert(read.policy.name.clone(), Arc::new(read.policy));
            }
        }
    }
    presets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_files_are_faultless() {
        let names: Vec<String> = presets().into_keys().collect();
        assert_eq!(names, ["balanced", "datadog", "guidance", "predictive", "pyrra", "sloth", "workbook"]);
        assert!(names.contains(&DEFAULT.to_owned()));
        for (file, text) in FILES {
            let stream = parse(&SourceText::named(file, text));
            assert_eq!(stream.stopped, None);
            for (document, findings) in stream.documents {
                let mut reader = Reader::new(&document);
                read_policies(&mut reader, document.root());
                assert_eq!((findings, reader.into_findings()), (vec![], vec![]), "{file}");
            }
        }
        assert_eq!(presets()["balanced"].tiers.len(), 6);
        assert_eq!(presets()["workbook"].tiers.len(), 4);
    }
}
