//! Typed decode of one mapping at a time, with everything wrong noted at its place.
//!
//! `serde_yaml` decodes each mapping into a type *as written*. Where it refuses, every key is tried by itself, so that
//! one wrong value does not hide the next; what cannot be decoded is left out, noted, and the rest goes on. Which keys
//! a mapping may have comes from the type: its fields, what it decodes apart ([`Written::NESTED`]), and what the
//! formats name and this version does not have ([`Written::NOT_BUILT`]).
//!
//! Invariant: no message shows a value that `serde_yaml` refused, for it may be a secret.

use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::{Deserialize, forward_to_deserialize_any};
use serde_yaml::{Mapping, Value};

use crate::diag::{Diagnostic, Place, codes};
use crate::units::SloId;
use crate::yaml::document::{Document, NodeId, Shape};

/// A mapping as written: a struct whose fields all have defaults (`#[serde(default)]`). All scalars arrive as text.
pub trait Written: DeserializeOwned + Default {
    /// Keys that are allowed and decoded apart.
    const NESTED: &'static [&'static str] = &[];
    /// Keys of the format that are not built yet.
    const NOT_BUILT: &'static [&'static str] = &[];
    /// Whether a key is allowed that no list can name.
    fn allows(_key: &str) -> bool {
        false
    }
}

/// `true` or `false`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flag(pub bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "true" => Ok(Self(true)),
            "false" => Ok(Self(false)),
            _ => Err(serde::de::Error::custom("expected `true` or `false`")),
        }
    }
}

/// Decodes one document and collects what is wrong with it.
#[derive(Debug)]
pub struct Reader<'a> {
    document: &'a Document,
    findings: Vec<Diagnostic>,
    /// The SLO that is read at the moment; every finding names it.
    pub slo: Option<SloId>,
}

impl<'a> Reader<'a> {
    /// Of this document.
    #[must_use]
    pub const fn new(document: &'a Document) -> Self {
        Self { document, findings: Vec::new(), slo: None }
    }

    /// The document.
    #[must_use]
    pub const fn document(&self) -> &'a Document {
        self.document
    }

    /// Everything found so far.
    #[must_use]
    pub fn into_findings(self) -> Vec<Diagnostic> {
        self.findings
    }

    /// How many findings there are so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.findings.len()
    }

    /// Notes a finding at a value.
    pub fn report(&mut self, node: NodeId, finding: Diagnostic) {
        self.report_at(self.document.place(node), node, finding);
    }

    /// Notes a finding at the value of `key`, or at the mapping's own place where the key is missing.
    pub fn report_in(&mut self, node: NodeId, key: &str, finding: Diagnostic) {
        self.report(self.document.child(node, key).unwrap_or(node), finding);
    }

    /// Notes a finding at a key.
    pub fn report_key(&mut self, node: NodeId, finding: Diagnostic) {
        self.report_at(self.document.key_place(node), node, finding);
    }

    /// Notes a finding at a place that belongs to a value.
    pub fn report_at(&mut self, place: Place, node: NodeId, finding: Diagnostic) {
        let finding = finding.at(place, self.document.path(node)).used(self.document.used_at(node));
        let slo = finding.slo.clone().or_else(|| self.slo.clone());
        self.findings.push(Diagnostic { slo, ..finding });
    }

    /// Reads something again of which everything wrong was noted already.
    pub fn quietly<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.findings.len();
        let found = read(self);
        self.findings.truncate(before);
        found
    }

    /// Says that `key` has to be there; the place is the mapping's first line. A value of a wrong shape is not missing,
    /// and was noted already.
    pub fn missing(&mut self, node: NodeId, key: &str, help: &str) {
        let document = self.document;
        let is_empty = |child: NodeId| match document.shape(child) {
            Shape::Nothing => true,
            Shape::Text => false,
            Shape::List | Shape::Mapping => document.children(child).is_empty(),
        };
        if document.child(node, key).is_some_and(|child| !is_empty(child)) {
            return;
        }
        let finding = Diagnostic::error(codes::MISSING_KEY, format!("`{key}` is missing")).with_help(help);
        self.report(node, finding);
    }

    /// Whether a value has this shape; another one is noted, nothing at all too.
    pub fn expect(&mut self, node: NodeId, shape: Shape) -> bool {
        let found = self.document.shape(node);
        if found != shape {
            let name = self.document.key(node).map_or_else(|| "this".to_owned(), |key| format!("`{key}`"));
            let message = format!("{name} is {}, expected {}", found.name(), shape.name());
            self.report(node, Diagnostic::error(codes::SHAPE, message));
        }
        found == shape
    }

    /// Items of the list under `key`; none where there is no such key, or no list (which is noted).
    pub fn items(&mut self, node: NodeId, key: &str) -> &'a [NodeId] {
        let Some(list) = self.document.child(node, key) else { return &[] };
        if self.document.shape(list) == Shape::Nothing || !self.expect(list, Shape::List) {
            return &[];
        }
        self.document.children(list)
    }

    /// Decodes a mapping; `None` where it is none. Unknown keys, keys not built yet and values of a wrong shape are
    /// noted.
    pub fn decode<T: Written>(&mut self, node: NodeId) -> Option<T> {
        if !self.expect(node, Shape::Mapping) {
            return None;
        }
        let fields = fields_of::<T>();
        let mut entries = Mapping::new();
        for child in self.document.children(node) {
            let Some(key) = self.document.key(*child) else { continue };
            if fields.contains(&key) {
                entries.insert(Value::from(key), self.document.value(*child));
            } else if T::NOT_BUILT.contains(&key) {
                if self.document.shape(*child) == Shape::Nothing {
                    continue; // `tls: null` asks for nothing
                }
                let finding = Diagnostic::error(codes::NOT_BUILT, format!("`{key}` is not built yet"));
                self.report_key(*child, finding);
            } else if !T::NESTED.contains(&key) && !T::allows(key) {
                self.unknown::<T>(*child, key, fields);
            }
        }
        Some(
            serde_yaml::from_value(Value::Mapping(entries.clone()))
                .unwrap_or_else(|_| self.decode_by_key(node, entries)),
        )
    }

    /// Tries every key by itself, notes those that fail, and decodes the others.
    fn decode_by_key<T: Written>(&mut self, node: NodeId, entries: Mapping) -> T {
        let mut good = Mapping::new();
        for (key, value) in entries {
            let alone = Mapping::from_iter([(key.clone(), value.clone())]);
            match serde_yaml::from_value::<T>(Value::Mapping(alone)) {
                Ok(_) => {
                    good.insert(key, value);
                }
                Err(error) => {
                    let Some(child) = key.as_str().and_then(|key| self.document.child(node, key)) else { continue };
                    let found = self.document.shape(child).name();
                    let expected = expected(&error.to_string());
                    let message = format!("`{}` is {found}, expected {expected}", key.as_str().unwrap_or_default());
                    self.report(child, Diagnostic::error(codes::SHAPE, message));
                }
            }
        }
        serde_yaml::from_value(Value::Mapping(good)).unwrap_or_default()
    }

    fn unknown<T: Written>(&mut self, child: NodeId, key: &str, fields: &[&str]) {
        let known = fields.iter().chain(T::NESTED).chain(T::NOT_BUILT).copied();
        let mut finding = Diagnostic::error(codes::UNKNOWN_KEY, format!("unknown key `{key}`"));
        finding.help = Some(match suggestion(key, known.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("known here: {}", known.map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")),
        });
        self.report_key(child, finding);
    }
}

/// The word nearest to `text`, where one is near enough to be meant.
pub fn suggestion<'w>(text: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let distance = |word: &str| strsim::damerau_levenshtein(text, word);
    // A third of the letters may differ: `alertmanger`, `promethues`; not `hook` for `mail`.
    let bound = (text.chars().count() / 3).max(1);
    words.map(|word| (distance(word), word)).filter(|(distance, _)| *distance <= bound).min().map(|(_, word)| word)
}

/// What `serde_yaml` expected, without the value that it found.
fn expected(message: &str) -> String {
    let tail = message.rsplit("expected ").next().unwrap_or_default();
    match tail {
        "a string" => "text".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a mapping".to_owned(),
        "`true` or `false`" => tail.to_owned(),
        _ => "something else".to_owned(),
    }
}

/// The names of a struct's fields, as `serde` knows them.
fn fields_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // Always fails: it only listens to what the type asks for.
    let _: Result<T, Heard> = T::deserialize(Listener(&mut fields));
    fields
}

struct Listener<'f>(&'f mut &'static [&'static str]);

#[derive(Debug)]
struct Heard;

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing to decode")
    }
}

impl std::error::Error for Heard {}

impl serde::de::Error for Heard {
    fn custom<M: fmt::Display>(_: M) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for Listener<'_> {
    type Error = Heard;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Heard> {
        Err(Heard)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Heard> {
        *self.0 = fields;
        Err(Heard)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
