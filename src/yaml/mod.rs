//! `yaml`: to be filled in.
