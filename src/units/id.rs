//! Ids of SLOs and their instances: names only, nothing random.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::Labels;

/// `service/name`; unique over the whole set of files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SloId {
    /// The service that the SLO speaks about.
    pub service: String,
    /// The SLO's name within the service.
    pub name: String,
}

/// One SLO, or one group of a grouped one: `service/name` or `service/name{region="eu"}`, labels sorted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId {
    /// The SLO.
    pub slo: SloId,
    /// The group's labels; empty for an SLO without `by`.
    pub group: Labels,
}

/// The text is not `service/name`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an SLO id such as checkout/availability")]
pub struct IdError(String);

/// Whether `text` may name a service, SLO, policy, source, sink or owner: `[A-Za-z0-9][A-Za-z0-9._-]{0,127}`.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.len() <= 128 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(inner)
}

impl SloId {
    /// From its two names.
    #[must_use]
    pub fn new(service: impl Into<String>, name: impl Into<String>) -> Self {
        Self { service: service.into(), name: name.into() }
    }
}

impl InstanceId {
    /// The only instance of an SLO without groups.
    #[must_use]
    pub const fn ungrouped(slo: SloId) -> Self {
        Self { slo, group: Labels::new() }
    }
}

impl fmt::Display for SloId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.name)
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() { write!(f, "{}", self.slo) } else { write!(f, "{}{{{}}}", self.slo, self.group) }
    }
}

impl FromStr for SloId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((service, name)) if is_name(service) && is_name(name) => Ok(Self::new(service, name)),
            _ => Err(IdError(text.to_owned())),
        }
    }
}

impl FromStr for InstanceId {
    type Err = IdError;
    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || IdError(text.to_owned());
        match text.split_once('{') {
            None => Ok(Self::ungrouped(text.parse()?)),
            Some((slo, rest)) => {
                let group = rest.strip_suffix('}').ok_or_else(error)?;
                let slo = slo.parse().map_err(|_| error())?;
                Ok(Self { slo, group: group.parse().map_err(|_| error())? })
            }
        }
    }
}

impl Serialize for SloId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SloId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shown_with_sorted_groups() {
        let slo: SloId = "checkout/availability".parse().unwrap();
        let id = InstanceId { slo, group: Labels::from([("zone", "a"), ("region", "eu")]) };
        assert_eq!(id.to_string(), r#"checkout/availability{region="eu",zone="a"}"#);
        assert!("checkout".parse::<SloId>().is_err());
        assert!("a/b/c".parse::<SloId>().is_err());
    }

    #[test]
    fn instance_ids_are_read_as_shown() {
        for text in ["checkout/availability", r#"checkout/availability{region="e\"u}",zone="a"}"#] {
            assert_eq!(text.parse::<InstanceId>().unwrap().to_string(), text);
        }
        for text in ["checkout", "a/b{", "a/b{region=eu}", "a/b{region=\"eu\"", "/b{region=\"eu\"}"] {
            assert_eq!(text.parse::<InstanceId>(), Err(IdError(text.into())));
        }
    }

    #[test]
    fn names_follow_the_grammar() {
        assert!(is_name("checkout-v2.eu_1"));
        assert!(!is_name("-checkout"));
        assert!(!is_name(""));
        assert!(!is_name(&"a".repeat(129)));
    }
}
