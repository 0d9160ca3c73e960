//! Service configuration (`slo.yaml`): as written, then as meant. Closed enums: the configuration is the plugin list.
//!
//! Invariant: a secret is a reference (`{env: NAME}` or `{file: PATH}`), never a value; it is resolved by `app`.

pub mod meant;
