//! One document as a tree in which every key and value knows its place.
//!
//! Nodes live in one vector and know their parent, so that a path such as `/slos/0/objective` is spelled only when a
//! finding needs it. What an alias brings in is copied: its path is that of the use, its places are those of the
//! anchor, except for its outermost node, which stands where the alias is written.

use std::sync::Arc;

use serde_yaml::{Mapping, Value};

use crate::diag::Place;

/// A node of one [`Document`]; of no use with another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) u32);

/// What kind of value a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `null`, `~`, or nothing at all.
    Nothing,
    /// A scalar: text, numbers, booleans, times.
    Text,
    /// A list.
    List,
    /// A mapping.
    Mapping,
}

impl Shape {
    /// In words, with an article.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Text => "text",
            Self::List => "a list",
            Self::Mapping => "a mapping",
        }
    }
}

/// Lines and columns from 1, the end exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) end_line: u32,
    pub(super) end_column: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Segment {
    Root,
    Key(Arc<str>, Stretch),
    Index(u32),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Nothing,
    Text(Arc<str>),
    List(Vec<NodeId>),
    Mapping(Vec<NodeId>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) parent: Option<NodeId>,
    pub(super) segment: Segment,
    pub(super) stretch: Stretch,
    pub(super) content: Content,
}

/// A stretch of nodes that another document says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    /// The outermost; those after it, up to the next piece, are below it.
    pub(super) first: NodeId,
    /// The file that says it.
    pub(super) file: Arc<str>,
    /// Its path there.
    pub(super) path: String,
    /// What asks for it.
    pub(super) used: Place,
}

/// One YAML document with the places of everything in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    pub(super) file: Arc<str>,
    pub(super) nodes: Vec<Node>,
    /// What was borrowed from other documents, ascending; mostly nothing.
    pub(super) pieces: Vec<Piece>,
    /// Nodes whose text is not the one written, ascending.
    pub(super) replaced: Vec<NodeId>,
}

impl Document {
    pub(super) fn empty(file: &Arc<str>) -> Self {
        Self { file: Arc::clone(file), nodes: Vec::new(), pieces: Vec::new(), replaced: Vec::new() }
    }

    /// The file that holds it, as it was named.
    #[must_use]
    pub fn file(&self) -> &Arc<str> {
        &self.file
    }

    /// The outermost node.
    #[must_use]
    pub const fn root(&self) -> NodeId {
        NodeId(0)
    }

    /// Whether its list of items was borrowed from other documents.
    #[must_use]
    pub const fn is_assembled(&self) -> bool {
        !self.pieces.is_empty()
    }

    /// Where something borrowed is used; `None` for what the document says itself.
    #[must_use]
    pub fn used_at(&self, node: NodeId) -> Option<&Place> {
        self.piece(node).map(|piece| &piece.used)
    }

    fn piece(&self, node: NodeId) -> Option<&Piece> {
        let after = self.pieces.partition_point(|piece| piece.first <= node);
        self.pieces.get(after.checked_sub(1)?)
    }

    pub(super) fn node(&self, node: NodeId) -> Option<&Node> {
        self.nodes.get(node.0 as usize)
    }

    /// What kind of value it is.
    #[must_use]
    pub fn shape(&self, node: NodeId) -> Shape {
        match self.node(node).map(|node| &node.content) {
            None | Some(Content::Nothing) => Shape::Nothing,
            Some(Content::Text(_)) => Shape::Text,
            Some(Content::List(_)) => Shape::List,
            Some(Content::Mapping(_)) => Shape::Mapping,
        }
    }

    /// The text of a scalar as written, quotes and escapes undone; `None` for everything else.
    #[must_use]
    pub fn text(&self, node: NodeId) -> Option<&str> {
        match &self.node(node)?.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Items of a list or values of a mapping, in the order written.
    #[must_use]
    pub fn children(&self, node: NodeId) -> &[NodeId] {
        match self.node(node).map(|node| &node.content) {
            Some(Content::List(children) | Content::Mapping(children)) => children,
            _ => &[],
        }
    }

    /// The key under which a value of a mapping stands.
    #[must_use]
    pub fn key(&self, node: NodeId) -> Option<&str> {
        match &self.node(node)?.segment {
            Segment::Key(key, _) => Some(key),
            _ => None,
        }
    }

    /// The value of `key` in a mapping.
    #[must_use]
    pub fn child(&self, node: NodeId, key: &str) -> Option<NodeId> {
        self.children(node).iter().copied().find(|child| self.key(*child) == Some(key))
    }

    /// Where the value is; where it is nothing at all, its key; of a list or mapping over several lines, the first
    /// thing on its first line.
    #[must_use]
    pub fn place(&self, node: NodeId) -> Place {
        let Some(found) = self.node(node) else { return self.at(Stretch::START) };
        let empty = (found.stretch.line, found.stretch.column) == (found.stretch.end_line, found.stretch.end_column);
        match &found.segment {
            Segment::Key(_, key) if empty => self.place_of(node, *key),
            _ => self.place_of(node, self.first_line(node, found.stretch)),
        }
    }

    fn first_line(&self, node: NodeId, stretch: Stretch) -> Stretch {
        let Some(first) = self.children(node).first().filter(|_| stretch.line != stretch.end_line) else {
            return stretch;
        };
        let begin = match self.node(*first).map(|first| (&first.segment, first.stretch)) {
            Some((Segment::Key(_, key), _)) => *key,
            Some((_, item)) => self.first_line(*first, item),
            None => stretch,
        };
        let end_column = if begin.end_line == stretch.line { begin.end_column } else { stretch.column + 1 };
        Stretch { end_line: stretch.line, end_column, ..stretch }
    }

    /// Where the key of a value is; for items of lists and the document itself, the value.
    #[must_use]
    pub fn key_place(&self, node: NodeId) -> Place {
        match self.node(node).map(|node| &node.segment) {
            Some(Segment::Key(_, stretch)) => self.place_of(node, *stretch),
            _ => self.place(node),
        }
    }

    /// The place of characters `from..to` of a scalar's text, where it is written on one line without escapes; else
    /// the whole value's.
    #[must_use]
    pub fn place_within(&self, node: NodeId, from: usize, to: usize) -> Place {
        let whole = self.place(node);
        let length = self.text(node).map_or(0, |text| text.chars().count());
        let written = whole.end_column.saturating_sub(whole.column) as usize;
        let quote = match written.checked_sub(length) {
            Some(0) => 0,
            Some(2) => 1,
            _ => return whole,
        };
        let replaced = self.replaced.binary_search(&node).is_ok();
        if replaced || whole.line != whole.end_line || from > to || to > length {
            return whole;
        }
        let shift = |by: usize| whole.column.saturating_add(u32::try_from(by + quote).unwrap_or(u32::MAX));
        Place { column: shift(from), end_column: shift(to), ..whole }
    }

    /// The path of a node in its file, `/slos/0/objective`; `/` in a key is written `~1` and `~` is `~0`, as in JSON
    /// pointers.
    #[must_use]
    pub fn path(&self, node: NodeId) -> String {
        match self.piece(node) {
            Some(piece) => format!("{}{}", piece.path, self.spelled(node, Some(piece.first))),
            None => self.spelled(node, None),
        }
    }

    /// The path by which [`Document::find`] finds a node; other than [`Document::path`] only for what is borrowed.
    #[must_use]
    pub fn address(&self, node: NodeId) -> String {
        self.spelled(node, None)
    }

    /// The segments from below `from`, or from the document, down to a node.
    fn spelled(&self, node: NodeId, from: Option<NodeId>) -> String {
        let mut segments = Vec::new();
        let mut next = (Some(node) != from).then_some(node);
        while let Some(found) = next.and_then(|node| self.node(node)) {
            match &found.segment {
                Segment::Root => {}
                Segment::Key(key, _) => segments.push(key.replace('~', "~0").replace('/', "~1")),
                Segment::Index(index) => segments.push(index.to_string()),
            }
            next = found.parent.filter(|parent| Some(*parent) != from);
        }
        segments.iter().rev().flat_map(|segment| ["/", segment]).collect()
    }

    /// The node at an address, if there is one; the empty address is the document.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<NodeId> {
        let (node, complete) = self.walk(path);
        complete.then_some(node)
    }

    /// The node at a path, or the innermost one that is there on the way to it.
    #[must_use]
    pub fn nearest(&self, path: &str) -> NodeId {
        self.walk(path).0
    }

    fn walk(&self, path: &str) -> (NodeId, bool) {
        let mut node = self.root();
        for segment in path.split('/').skip(1) {
            let next = match self.shape(node) {
                Shape::List => segment.parse().ok().and_then(|index: usize| self.children(node).get(index).copied()),
                _ => self.child(node, &segment.replace("~1", "/").replace("~0", "~")),
            };
            match next {
                Some(next) => node = next,
                None => return (node, false),
            }
        }
        (node, true)
    }

    /// A node and all below it for `serde_yaml`; every scalar is the text as written.
    #[must_use]
    pub fn value(&self, node: NodeId) -> Value {
        match self.node(node).map(|node| &node.content) {
            None | Some(Content::Nothing) => Value::Null,
            Some(Content::Text(text)) => Value::String(text.to_string()),
            Some(Content::List(items)) => items.iter().map(|item| self.value(*item)).collect(),
            Some(Content::Mapping(values)) => {
                let entry = |value: &NodeId| {
                    let key = self.key(*value).unwrap_or_default();
                    (Value::String(key.to_owned()), self.value(*value))
                };
                Value::Mapping(values.iter().map(entry).collect::<Mapping>())
            }
        }
    }

    pub(super) fn at(&self, stretch: Stretch) -> Place {
        stretch.in_file(&self.file)
    }

    /// A stretch of the file that says a node.
    fn place_of(&self, node: NodeId, stretch: Stretch) -> Place {
        stretch.in_file(self.piece(node).map_or(&self.file, |piece| &piece.file))
    }
}

impl Stretch {
    /// The first character of a file.
    pub(super) const START: Self = Self { line: 1, column: 1, end_line: 1, end_column: 1 };

    pub(super) fn in_file(self, file: &Arc<str>) -> Place {
        let Self { line, column, end_line, end_column } = self;
        Place { file: Arc::clone(file), line, column, end_line, end_column }
    }
}
