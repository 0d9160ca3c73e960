//! `template/v1` documents and `use`: SLOs for services that are alike.
//!
//! A template's SLOs are not understood before they are used: `${job}` may stand where a name, a number or a query
//! belongs. A use makes a document of its own ([`instantiate`]): what the using document says for all its SLOs, and the
//! template's SLOs with `${..}` replaced in every text (not in keys). It is then read like any other.
//!
//! Decided here: `${name}` is a param; `$$`, `$window` and a `${` without a name and `}` behind it stay as they are.
//! What a param is given is put in as it is: a `${..}` within it is no param.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::{Diagnostic, codes};
use crate::spec::value;
use crate::spec::written::{TemplateFile, TemplateItem, UseItem};
use crate::units::is_name;
use crate::yaml::{Assembly, Document, NodeId, Reader, Shape, suggestion};

/// Values that all uses of one document may bring in, and bytes of replaced texts: far beyond what people write, and
/// little enough to be held.
const LIMITS: (usize, usize) = (2_000_000, 64 * 1024 * 1024);

/// A template, its SLOs not understood yet.
#[derive(Clone, Debug)]
pub struct Template {
    /// How uses name it.
    pub name: String,
    /// Params that every use has to give.
    pub params: Vec<String>,
    /// Its item of `templates`.
    pub node: NodeId,
    /// Items of its `slos`.
    pub slos: Vec<NodeId>,
    /// Whether its texts and its params fit; else nothing is made of it, and why was noted.
    pub sound: bool,
}

/// One of `use`, its params complete.
#[derive(Clone, Debug)]
pub struct Use {
    /// The template.
    pub template: String,
    /// What the params are given.
    pub with: BTreeMap<String, String>,
    /// Its item.
    pub node: NodeId,
}

/// The templates of a document; what is wrong is noted, and a template without a name is left out.
pub fn read_templates(reader: &mut Reader<'_>, root: NodeId) -> Vec<Template> {
    if reader.decode::<TemplateFile>(root).is_none() {
        return Vec::new();
    }
    reader.missing(root, "templates", "a list of templates");
    let items = reader.items(root, "templates");
    items.iter().filter_map(|item| read_template(reader, *item)).collect()
}

fn read_template(reader: &mut Reader<'_>, node: NodeId) -> Option<Template> {
    let item: TemplateItem = reader.decode(node)?;
    if item.name.is_none() {
        reader.missing(node, "name", "how `use` names it");
    }
    let name = value::name(reader, node, "name", item.name);
    let params = read_params(reader, node);
    reader.missing(node, "slos", "the SLOs that each use makes");
    let slos = reader.items(node, "slos").to_vec();
    let sound = fit(reader, &params, &slos);
    let params = params.into_iter().map(|(param, _)| param).collect();
    Some(Template { name: name?, params, node, slos, sound })
}

fn read_params(reader: &mut Reader<'_>, node: NodeId) -> Vec<(String, NodeId)> {
    let document = reader.document();
    let mut params: Vec<(String, NodeId)> = Vec::new();
    for item in reader.items(node, "params") {
        if !reader.expect(*item, Shape::Text) {
            continue;
        }
        let param = document.text(*item).unwrap_or_default();
        if !is_name(param) {
            reader.report(*item, value::bad_name(param));
        } else if params.iter().any(|(known, _)| known == param) {
            let message = format!("`{param}` stands in `params` twice");
            reader.report(*item, Diagnostic::error(codes::TEMPLATE_PARAM, message).with_help("keep one of the two"));
        } else {
            params.push((param.to_owned(), *item));
        }
    }
    params
}

/// Whether every `${..}` of the SLOs is a param; a param that stands nowhere is noted too, and does no harm.
fn fit(reader: &mut Reader<'_>, params: &[(String, NodeId)], slos: &[NodeId]) -> bool {
    let document = reader.document();
    let mut unused: Vec<&(String, NodeId)> = params.iter().collect();
    let mut sound = true;
    let mut open: Vec<NodeId> = slos.iter().rev().copied().collect();
    while let Some(node) = open.pop() {
        open.extend(document.children(node).iter().rev());
        let text = document.text(node).unwrap_or_default();
        let mut told = BTreeSet::new();
        for hole in holes(text) {
            unused.retain(|(param, _)| param != hole.param);
            if params.iter().any(|(param, _)| param == hole.param) || !told.insert(hole.param) {
                continue;
            }
            sound = false;
            let from = text.get(..hole.bytes.0).map_or(0, |before| before.chars().count());
            let to = from + hole.bytes.1 - hole.bytes.0;
            let known = params.iter().map(|(param, _)| param.as_str());
            let finding = Diagnostic::error(codes::TEMPLATE_PARAM, format!("`{}` is not in `params`", hole.param));
            let help = match suggestion(hole.param, known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "add it to `params`".to_owned(),
            };
            reader.report_at(document.place_within(node, from, to), node, finding.with_help(help));
        }
    }
    for (param, node) in unused {
        let finding = Diagnostic::error(codes::TEMPLATE_PARAM, format!("nothing in the template says `${{{param}}}`"));
        reader.report(*node, finding.with_help("use it, or take it out"));
    }
    sound
}

/// The uses of a document that can be made; what is wrong with the others is noted.
pub fn read_uses(reader: &mut Reader<'_>, root: NodeId, templates: &BTreeMap<String, &Template>) -> Vec<Use> {
    let items = reader.items(root, "use");
    items.iter().filter_map(|item| read_use(reader, *item, templates)).collect()
}

fn read_use(reader: &mut Reader<'_>, node: NodeId, templates: &BTreeMap<String, &Template>) -> Option<Use> {
    let item: UseItem = reader.decode(node)?;
    let document = reader.document();
    if item.template.is_none() {
        reader.missing(node, "template", "the name of a template");
    }
    let with = value::texts(reader, node, "with");
    let name = item.template?;
    let Some(template) = templates.get(&name) else {
        reader.report_in(node, "template", unknown_template(&name, templates));
        return None;
    };
    let given = document.child(node, "with");
    for child in given.map_or(&[][..], |given| document.children(given)) {
        let key = document.key(*child).unwrap_or_default();
        if !template.params.iter().any(|param| param == key) {
            let finding = Diagnostic::error(codes::TEMPLATE_PARAM, format!("`{name}` has no param `{key}`"));
            let help = match suggestion(key, template.params.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("its params: {}", quoted(template.params.iter())),
            };
            reader.report_key(*child, finding.with_help(help));
        }
    }
    // What is there and no text was noted already.
    let is_given = |param: &&String| given.is_some_and(|given| document.child(given, param).is_some());
    let missing: Vec<&String> = template.params.iter().filter(|param| !is_given(param)).collect();
    if !missing.is_empty() {
        let message = format!("`{name}` is not given {}", quoted(missing.iter().copied()));
        let finding = Diagnostic::error(codes::TEMPLATE_PARAM, message).with_help("give it in `with`");
        reader.report_in(node, "template", finding);
    }
    let complete = template.params.iter().all(|param| with.contains_key(param));
    (complete && template.sound).then_some(Use { template: name, with, node })
}

fn unknown_template(name: &str, templates: &BTreeMap<String, &Template>) -> Diagnostic {
    let help = match suggestion(name, templates.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None if templates.is_empty() => "no file of the set has templates".to_owned(),
        None => format!("there are {}", quoted(templates.keys())),
    };
    Diagnostic::error(codes::UNKNOWN_TEMPLATE, format!("there is no template `{name}`")).with_help(help)
}

fn quoted<'n>(names: impl Iterator<Item = &'n String>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The document that the uses of `root` make; `None` where they make nothing, or too much, which is noted. `found` gives
/// a template with its document.
pub fn instantiate<'t>(
    reader: &mut Reader<'_>,
    root: NodeId,
    written: &[Use],
    found: impl Fn(&str) -> Option<(&'t Document, &'t Template)>,
) -> Option<Document> {
    let base = reader.document();
    let mut assembly = Assembly::new(base, root, "slos", &["slos", "use"]);
    for item in written {
        let used = base.place(item.node);
        let Some((document, template)) = found(&item.template) else { continue };
        for slo in &template.slos {
            assembly.borrow(document, *slo, &used, &mut |text| filled(text, &item.with));
        }
        let (values, text) = assembly.size();
        if values > LIMITS.0 || text > LIMITS.1 {
            let message = "the templates that this document uses bring in more than 2,000,000 values or 64 MiB";
            reader.report(item.node, Diagnostic::error(codes::LIMIT, message));
            return None;
        }
    }
    let made = assembly.finish();
    made.is_assembled().then_some(made)
}

/// A `${param}` within a text.
struct Hole<'t> {
    param: &'t str,
    /// Its bytes.
    bytes: (usize, usize),
}

/// All params that a text names, in order.
fn holes(text: &str) -> impl Iterator<Item = Hole<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(dollar) = text.get(at..)?.find('$').map(|found| at + found) {
            let rest = text.get(dollar + 1..)?;
            at = dollar + 1;
            if rest.starts_with('$') {
                at += 1;
                continue;
            }
            let Some(inside) = rest.strip_prefix('{') else { continue };
            // No further than a name goes, so that a text of many `${` is walked through once.
            let Some(end) = inside.find(|c: char| !matches!(c, '.' | '_' | '-') && !c.is_ascii_alphanumeric()) else {
                continue;
            };
            let closes = inside.get(end..).is_some_and(|rest| rest.starts_with('}'));
            if let Some(param) = inside.get(..end).filter(|name| closes && is_name(name)) {
                at = dollar + 3 + param.len();
                return Some(Hole { param, bytes: (dollar, at) });
            }
        }
        None
    })
}

/// A text with its params put in; `None` where it has none.
fn filled(text: &str, with: &BTreeMap<String, String>) -> Option<String> {
    let mut filled = String::new();
    let mut rest = 0;
    for hole in holes(text) {
        let Some(value) = with.get(hole.param) else { continue };
        filled.push_str(text.get(rest..hole.bytes.0)?);
        filled.push_str(value);
        rest = hole.bytes.1;
    }
    if rest == 0 {
        return None;
    }
    filled.push_str(text.get(rest..)?);
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_are_put_in_and_everything_else_stays() {
        let with: BTreeMap<String, String> =
            [("job", "cart"), ("code", "5..$"), ("x", "${job}")].map(|(key, text)| (key.into(), text.into())).into();
        for (text, expected) in [
            ("${job}", Some("cart")),
            ("a{job=\"${job}\",code=~\"${code}\"}", Some("a{job=\"cart\",code=~\"5..$\"}")),
            ("${job}${job}", Some("cartcart")),
            ("ä${x}ö", Some("ä${job}ö")),
            ("rate(a[$window])", None),
            ("a$$ $${job}", None),
            ("$ {job} ${} ${job", None),
            ("$window ${job}", Some("$window cart")),
            ("{{.window}} ${no such}", None),
        ] {
            assert_eq!(filled(text, &with).as_deref(), expected, "{text}");
        }
    }
}
