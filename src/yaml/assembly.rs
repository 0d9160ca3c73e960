//! A document put together from others: the mapping of one, and in a list of it items that other documents say.
//!
//! Why: what a template says is read like anything else that is written, so that readers and lints need not know of
//! templates. Texts are replaced on the way; places and paths stay those of the files that say them, and every borrowed
//! node knows where it is used.
//!
//! Not done here: what is replaced by what, and how much of it there may be; the caller bounds [`Assembly::size`].

use std::sync::Arc;

use crate::diag::Place;
use crate::yaml::document::{Content, Document, Node, NodeId, Piece, Segment};

/// A document in the making.
#[derive(Debug)]
pub struct Assembly {
    document: Document,
    list: NodeId,
    /// Bytes of texts that were replaced: the others are shared with the documents that they are from.
    replaced_text: usize,
}

impl Assembly {
    /// What the mapping `root` of `base` says, without the keys `without`, and an empty list under `key`.
    #[must_use]
    pub fn new(base: &Document, root: NodeId, key: &str, without: &[&str]) -> Self {
        let mut assembly = Self { document: Document::empty(base.file()), list: NodeId(0), replaced_text: 0 };
        let Some(node) = base.node(root) else { return assembly };
        let stretch = node.stretch;
        let owner = assembly.push(Node { parent: None, segment: Segment::Root, stretch, content: Content::Nothing });
        let kept =
            base.children(root).iter().filter(|child| base.key(**child).is_none_or(|key| !without.contains(&key)));
        let mut children: Vec<NodeId> =
            kept.map(|child| assembly.copy(base, *child, owner, None, &mut |_| None)).collect();
        let content = Content::List(Vec::new());
        let segment = Segment::Key(key.into(), stretch);
        assembly.list = assembly.push(Node { parent: Some(owner), segment, stretch, content });
        children.push(assembly.list);
        assembly.fill(owner, Content::Mapping(children));
        assembly
    }

    /// Adds `item` of another document to the list; `replace` gives what a text becomes, or `None` where it stays.
    /// `used` is the place that asks for it.
    pub fn borrow(
        &mut self,
        from: &Document,
        item: NodeId,
        used: &Place,
        replace: &mut dyn FnMut(&str) -> Option<String>,
    ) {
        let first = self.next();
        let (file, path, used) = (Arc::clone(from.file()), from.path(item), used.clone());
        self.document.pieces.push(Piece { first, file, path, used });
        let index = self.document.children(self.list).len();
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let id = self.copy(from, item, self.list, Some(Segment::Index(index)), replace);
        if let Some(Node { content: Content::List(items), .. }) = self.document.nodes.get_mut(self.list.0 as usize) {
            items.push(id);
        }
    }

    /// Values that it holds, and bytes of replaced texts.
    #[must_use]
    pub const fn size(&self) -> (usize, usize) {
        (self.document.nodes.len(), self.replaced_text)
    }

    /// Done.
    #[must_use]
    pub fn finish(self) -> Document {
        self.document
    }

    fn next(&self) -> NodeId {
        NodeId(u32::try_from(self.document.nodes.len()).unwrap_or(u32::MAX))
    }

    fn push(&mut self, node: Node) -> NodeId {
        let id = self.next();
        self.document.nodes.push(node);
        id
    }

    fn fill(&mut self, node: NodeId, content: Content) {
        if let Some(node) = self.document.nodes.get_mut(node.0 as usize) {
            node.content = content;
        }
    }

    /// Copies a node and all below it; as deep as the document is, which the reader of files bounds.
    fn copy(
        &mut self,
        from: &Document,
        node: NodeId,
        parent: NodeId,
        segment: Option<Segment>,
        replace: &mut dyn FnMut(&str) -> Option<String>,
    ) -> NodeId {
        let Some(found) = from.node(node) else { return parent };
        let segment = segment.unwrap_or_else(|| found.segment.clone());
        let id = self.push(Node { parent: Some(parent), segment, stretch: found.stretch, content: Content::Nothing });
        let content = match &found.content {
            Content::Nothing => Content::Nothing,
            Content::Text(text) => match replace(text) {
                None => Content::Text(Arc::clone(text)),
                Some(replaced) => {
                    self.replaced_text += replaced.len();
                    self.document.replaced.push(id);
                    Content::Text(replaced.into())
                }
            },
            Content::List(items) => {
                Content::List(items.iter().map(|item| self.copy(from, *item, id, None, replace)).collect())
            }
            Content::Mapping(values) => {
                Content::Mapping(values.iter().map(|value| self.copy(from, *value, id, None, replace)).collect())
            }
        };
        self.fill(id, content);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Shape, SourceText, parse};

    fn document(file: &str, text: &str) -> Document {
        parse(&SourceText::named(file, text)).documents.remove(0).0
    }

    #[test]
    fn borrowed_items_keep_their_places_and_paths_and_know_where_they_are_used() {
        let base = document("shop.yaml", "service: shop\nuse: [{template: http}]\nowner: web\n");
        let template =
            document("http.yaml", "templates:\n  - slos:\n      - name: a\n        by: [x, '${y}']\n      - name: b\n");
        let used = base.place(base.find("/use/0").unwrap());
        let mut assembly = Assembly::new(&base, base.root(), "slos", &["slos", "use"]);
        for item in template.children(template.find("/templates/0/slos").unwrap()) {
            assembly.borrow(&template, *item, &used, &mut |text| (text == "${y}").then(|| "zone".to_owned()));
        }
        assert_eq!(assembly.size(), (11, 4));
        let made = assembly.finish();
        assert_eq!(made.shape(made.find("/slos").unwrap()), Shape::List);
        assert_eq!(made.find("/use"), None);
        let node = made.find("/slos/0/by/1").unwrap();
        assert_eq!((made.text(node), made.path(node).as_str()), (Some("zone"), "/templates/0/slos/0/by/1"));
        assert_eq!(made.address(node), "/slos/0/by/1");
        assert_eq!(made.place(node), template.place(template.find("/templates/0/slos/0/by/1").unwrap()));
        assert_eq!(made.place_within(node, 0, 2), made.place(node), "its characters are not those of the file");
        assert_eq!(made.used_at(node), Some(&used));
        let second = made.find("/slos/1/name").unwrap();
        assert_eq!((made.text(second), made.path(second).as_str()), (Some("b"), "/templates/0/slos/1/name"));
        let owner = made.find("/owner").unwrap();
        assert_eq!((made.path(owner).as_str(), made.place(owner).line, made.used_at(owner)), ("/owner", 3, None));
        assert_eq!(made.place(owner).file.as_ref(), "shop.yaml");
    }
}
