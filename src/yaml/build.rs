//! The event pass: builds documents, finds duplicate keys, copies what aliases bring in, and keeps the bounds.
//!
//! Decided here: a merge key (`<<`) adds what the mapping does not say itself; of several bases the first wins. An
//! alias within its own anchor is an error. After a key that is no text (a list, a mapping) reading goes on, so that
//! the rest of the file is looked at too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use saphyr_parser::{Event, ScalarStyle, Tag};

use crate::diag::{Diagnostic, Place, codes};
use crate::yaml::document::{Content, Document, Node, NodeId, Segment, Stretch};
use crate::yaml::parse::{MAX_COPIED_TEXT, MAX_COPIES, MAX_DEPTH, Stream};

/// Outcome of an event; the error ends the reading of the file.
type Outcome = Result<(), Box<Diagnostic>>;

/// A list or mapping that has begun and not ended.
struct Frame {
    node: NodeId,
    mapping: bool,
    anchor: usize,
    /// Keys seen, with the stretch of each.
    keys: BTreeMap<Arc<str>, Stretch>,
    /// The key whose value is due.
    key: Option<Key>,
    /// Whether the whole thing stands where a key should.
    is_key: bool,
}

struct Key {
    text: Arc<str>,
    stretch: Stretch,
    /// Whether it is a merge key: `<<` without quotes.
    merge: bool,
}

/// Takes the events of one file.
pub(super) struct Builder {
    stream: Stream,
    document: Document,
    findings: Vec<Diagnostic>,
    frames: Vec<Frame>,
    /// Nodes that have ended, by the number of their anchor.
    anchors: BTreeMap<usize, NodeId>,
    copies: usize,
    copied_text: usize,
}

impl Builder {
    pub(super) fn new(file: &Arc<str>) -> Self {
        Self {
            stream: Stream::default(),
            document: Document::empty(file),
            findings: Vec::new(),
            frames: Vec::new(),
            anchors: BTreeMap::new(),
            copies: 0,
            copied_text: 0,
        }
    }

    pub(super) fn finish(self) -> Stream {
        self.stream
    }

    pub(super) fn place(&self, stretch: Stretch) -> Place {
        self.document.at(stretch)
    }

    pub(super) fn event(&mut self, event: Event<'_>, stretch: Stretch) -> Outcome {
        match event {
            Event::DocumentStart(_) => self.begin_document(),
            Event::DocumentEnd => self.end_document(),
            Event::Scalar(text, style, anchor, tag) => {
                let tagged = self.tag(tag.as_deref(), stretch);
                let plain = style == ScalarStyle::Plain && !tagged;
                self.scalar(text.as_ref().into(), plain, anchor, stretch);
            }
            Event::SequenceStart(anchor, tag) => self.open(false, anchor, tag.as_deref(), stretch)?,
            Event::MappingStart(anchor, tag) => self.open(true, anchor, tag.as_deref(), stretch)?,
            Event::SequenceEnd | Event::MappingEnd => self.close(stretch),
            Event::Alias(anchor) => self.alias(anchor, stretch)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd => {}
        }
        Ok(())
    }

    fn begin_document(&mut self) {
        self.document.nodes.clear();
        self.findings.clear();
        self.frames.clear();
        self.anchors.clear();
        (self.copies, self.copied_text) = (0, 0);
    }

    fn end_document(&mut self) {
        let file = Arc::clone(&self.document.file);
        let nodes = std::mem::take(&mut self.document.nodes);
        let findings = std::mem::take(&mut self.findings);
        if nodes.first().is_some_and(|root| root.content != Content::Nothing) {
            self.stream.documents.push((Document { nodes, ..Document::empty(&file) }, findings));
        }
    }

    /// Whether the tag is one of YAML's own (`!!str`); any other is a finding.
    fn tag(&mut self, tag: Option<&Tag>, stretch: Stretch) -> bool {
        let Some(tag) = tag else { return false };
        let known = tag.is_yaml_core_schema() || tag.suffix.is_empty();
        if !known {
            self.find(Diagnostic::error(codes::SHAPE, format!("the tag `{tag}` means nothing here")), stretch);
        }
        known
    }

    /// Notes something wrong within the mapping or list at hand.
    fn find(&mut self, finding: Diagnostic, stretch: Stretch) {
        let path = self.frames.last().map_or_else(String::new, |frame| self.document.path(frame.node));
        let place = self.place(stretch);
        self.findings.push(finding.at(place, path));
    }

    /// Whether the next node stands where a key is due.
    fn key_is_due(&self) -> bool {
        self.frames.last().is_some_and(|frame| frame.mapping && frame.key.is_none())
    }

    fn scalar(&mut self, text: Arc<str>, plain: bool, anchor: usize, stretch: Stretch) {
        let nothing = plain && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
        let id = if self.key_is_due() {
            let merge = plain && text.as_ref() == "<<";
            self.take_key(Key { text: Arc::clone(&text), stretch, merge });
            if anchor == 0 {
                return;
            }
            self.push(None, Segment::Root, stretch, Content::Text(text))
        } else {
            self.attach(stretch, if nothing { Content::Nothing } else { Content::Text(text) })
        };
        if anchor > 0 {
            self.anchors.insert(anchor, id);
        }
    }

    fn take_key(&mut self, key: Key) {
        if let Some(frame) = self.frames.last_mut() {
            frame.key = Some(key);
        }
    }

    fn open(&mut self, mapping: bool, anchor: usize, tag: Option<&Tag>, stretch: Stretch) -> Outcome {
        self.tag(tag, stretch);
        if self.frames.len() >= MAX_DEPTH {
            return Err(self.too_deep(stretch));
        }
        let content = if mapping { Content::Mapping(Vec::new()) } else { Content::List(Vec::new()) };
        let is_key = self.key_is_due();
        let node = if is_key {
            self.find(Diagnostic::error(codes::SHAPE, "a key has to be text"), stretch);
            self.push(None, Segment::Root, stretch, content)
        } else {
            self.attach(stretch, content)
        };
        self.frames.push(Frame { node, mapping, anchor, keys: BTreeMap::new(), key: None, is_key });
        Ok(())
    }

    fn close(&mut self, stretch: Stretch) {
        let Some(frame) = self.frames.pop() else { return };
        let begin = self.document.node(frame.node).map_or(stretch, |node| node.stretch);
        // A block collection has no end of its own: its last child says where it ends.
        let is_block = (stretch.line, stretch.column) == (stretch.end_line, stretch.end_column);
        let last = self.document.children(frame.node).last().and_then(|last| self.document.node(*last));
        let end = if is_block { last.map_or(begin, |last| last.stretch) } else { stretch };
        if let Some(node) = self.document.nodes.get_mut(frame.node.0 as usize) {
            (node.stretch.end_line, node.stretch.end_column) = (end.end_line, end.end_column);
        }
        if frame.mapping {
            self.merge(frame.node);
        }
        if frame.anchor > 0 {
            self.anchors.insert(frame.anchor, frame.node);
        }
        if frame.is_key {
            self.take_key(Key { text: "?".into(), stretch: begin, merge: false });
        }
    }

    fn push(&mut self, parent: Option<NodeId>, segment: Segment, stretch: Stretch, content: Content) -> NodeId {
        let id = NodeId(u32::try_from(self.document.nodes.len()).unwrap_or(u32::MAX));
        self.document.nodes.push(Node { parent, segment, stretch, content });
        id
    }

    /// Puts a node where the open list or mapping wants its next value; a key that stands there twice is a finding.
    fn attach(&mut self, stretch: Stretch, content: Content) -> NodeId {
        let Some(frame) = self.frames.last_mut() else { return self.push(None, Segment::Root, stretch, content) };
        let parent = frame.node;
        let (segment, twice) = match frame.key.take() {
            Some(key) => {
                let text = if key.merge { MERGE.into() } else { key.text };
                let first = frame.keys.get(&text).copied();
                frame.keys.entry(Arc::clone(&text)).or_insert(key.stretch);
                (Segment::Key(text, key.stretch), first.map(|first| (first, key.stretch)))
            }
            None => (Segment::Index(count(self.document.children(parent).len())), None),
        };
        let id = self.push(Some(parent), segment, stretch, content);
        if let Some((first, second)) = twice {
            self.duplicate(id, first, second);
        } else if let Some(parent) = self.document.nodes.get_mut(parent.0 as usize)
            && let Content::List(children) | Content::Mapping(children) = &mut parent.content
        {
            children.push(id);
        }
        id
    }

    fn duplicate(&mut self, id: NodeId, first: Stretch, second: Stretch) {
        let key = self.document.key(id).unwrap_or_default();
        let message = format!("`{}` stands twice in one mapping", if key == MERGE { "<<" } else { key });
        let mut finding = Diagnostic::error(codes::DUPLICATE_KEY, message)
            .with_help("keep one of the two")
            .at(self.place(second), self.document.path(id));
        finding.related.push((self.place(first), "first written here".to_owned()));
        self.findings.push(finding);
    }

    fn stop(&self, code: &'static str, message: &str, stretch: Stretch) -> Box<Diagnostic> {
        Box::new(Diagnostic::error(code, message).at(self.place(stretch), ""))
    }

    fn too_deep(&self, stretch: Stretch) -> Box<Diagnostic> {
        self.stop(codes::LIMIT, &format!("nested deeper than {MAX_DEPTH} levels"), stretch)
    }

    fn alias(&mut self, anchor: usize, stretch: Stretch) -> Outcome {
        let Some(target) = self.anchors.get(&anchor).copied() else {
            let message = "this alias stands within the thing that it means";
            return Err(self.stop(codes::SYNTAX, message, stretch));
        };
        if self.key_is_due() {
            let text = self.document.text(target).unwrap_or("?").into();
            self.take_key(Key { text, stretch, merge: false });
            return Ok(());
        }
        let id = self.attach(stretch, Content::Nothing);
        let content = self.copy(target, id, self.frames.len(), stretch)?;
        if let Some(node) = self.document.nodes.get_mut(id.0 as usize) {
            node.content = content;
        }
        Ok(())
    }

    /// The content of `target` once more, as content of `owner`; `alias` is where it is asked for.
    fn copy(
        &mut self,
        target: NodeId,
        owner: NodeId,
        depth: usize,
        alias: Stretch,
    ) -> Result<Content, Box<Diagnostic>> {
        let content = self.document.node(target).map_or(Content::Nothing, |node| node.content.clone());
        self.copies += 1;
        if let Content::Text(text) = &content {
            self.copied_text += text.len();
        }
        if self.copies > MAX_COPIES || self.copied_text > MAX_COPIED_TEXT {
            let message = "the aliases of this document bring in more than 200,000 values or 10 MiB";
            return Err(self.stop(codes::LIMIT, message, alias));
        }
        let (Content::List(children) | Content::Mapping(children)) = &content else { return Ok(content) };
        if depth >= MAX_DEPTH {
            return Err(self.too_deep(alias));
        }
        let mut copies = Vec::with_capacity(children.len());
        for child in children {
            let Some(Node { segment, stretch, .. }) = self.document.node(*child).cloned() else { continue };
            let id = self.push(Some(owner), segment, stretch, Content::Nothing);
            let content = self.copy(*child, id, depth + 1, alias)?;
            if let Some(node) = self.document.nodes.get_mut(id.0 as usize) {
                node.content = content;
            }
            copies.push(id);
        }
        Ok(if matches!(content, Content::List(_)) { Content::List(copies) } else { Content::Mapping(copies) })
    }

    /// Replaces the merge key of a mapping by what its bases say and the mapping does not.
    fn merge(&mut self, mapping: NodeId) {
        let Some(merge) = self.document.child(mapping, MERGE) else { return };
        let bases: Vec<NodeId> = match self.document.node(merge).map(|node| &node.content) {
            Some(Content::Mapping(_)) => vec![merge],
            Some(Content::List(items)) => items.clone(),
            _ => Vec::new(),
        };
        let fits = |base: &NodeId| matches!(self.document.node(*base), Some(Node { content: Content::Mapping(_), .. }));
        if bases.is_empty() || !bases.iter().all(fits) {
            let finding = Diagnostic::error(codes::SHAPE, "`<<` takes a mapping or a list of mappings");
            let place = self.document.key_place(merge);
            self.findings.push(finding.at(place, self.document.path(mapping)));
        }
        let mut children: Vec<NodeId> = self.document.children(mapping).to_vec();
        children.retain(|child| *child != merge);
        let mut known: BTreeSet<Arc<str>> =
            children.iter().filter_map(|child| self.document.key(*child)).map(Arc::from).collect();
        for base in bases {
            for child in self.document.children(base).to_vec() {
                if !self.document.key(child).is_some_and(|key| known.insert(key.into())) {
                    continue;
                }
                if let Some(node) = self.document.nodes.get_mut(child.0 as usize) {
                    node.parent = Some(mapping);
                }
                children.push(child);
            }
        }
        if let Some(node) = self.document.nodes.get_mut(mapping.0 as usize) {
            node.content = Content::Mapping(children);
        }
    }
}

/// How a merge key is kept until its mapping ends; a quoted `"<<"` is a key like any other.
const MERGE: &str = "\u{0}<<";

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
