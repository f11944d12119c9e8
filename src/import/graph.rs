//! Tensors in a pickle's object graph: by which path they are reached, and where their elements lie.

use std::borrow::Cow;

use super::element::Element;
use super::pickle::{Node, NodeId, Object, Pickle};

/// How deep modules and dictionaries may nest.
const MAX_DEPTH: usize = 64;
/// Objects looked at; a graph in which many paths lead to the same object has more than it has objects.
const MAX_VISITS: usize = 2_000_000;
/// Dimensions of one tensor.
const MAX_RANK: usize = 8;
/// A name, parts and dots.
const MAX_NAME_BYTES: usize = 256;

/// What a tensor says about itself; its elements are still in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTensor {
    /// The path that leads to it, joined by dots; modules' `_parameters`, `_buffers` and `_modules` left out.
    pub name: String,
    /// Whether it is a plain attribute of a module beside its parameters and buffers: such are stale copies.
    pub is_attribute: bool,
    /// The storage that holds its elements.
    pub storage: String,
    /// Their type.
    pub element: Element,
    /// Of its first element in the storage, in elements.
    pub offset: usize,
    /// Its size.
    pub shape: Vec<usize>,
    /// Elements between neighbours, per dimension.
    pub strides: Vec<usize>,
}

/// What a storage is said to be.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StorageInfo {
    pub key: String,
    pub element: Element,
    pub elements: usize,
}

/// The storage that a persistent id names: `('storage', class, key, location, elements, …)`.
pub(super) fn storage_info(pickle: &Pickle, id: NodeId) -> Option<StorageInfo> {
    let Node::Persistent(id) = pickle.node(id) else { return None };
    let [tag, class, key, _, elements, ..] = *pickle.members(*id)? else { return None };
    if pickle.text(tag)? != "storage" {
        return None;
    }
    let element = Element::of_name(pickle.global(class)?.1)?;
    let elements = usize::try_from(pickle.int(elements)?).ok()?;
    let key = pickle.text(key).filter(|key| key.len() <= MAX_NAME_BYTES)?.to_owned();
    Some(StorageInfo { key, element, elements })
}

/// Why the graph is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the object graph has {0}")]
pub struct GraphError(pub &'static str);

struct Visit {
    node: NodeId,
    name: String,
    is_attribute: bool,
    depth: usize,
}

/// All tensors that can be reached from the root, in no particular order.
pub(super) fn tensors(pickle: &Pickle) -> Result<Vec<StoredTensor>, GraphError> {
    let mut found = Vec::new();
    let mut visits = 0;
    let root = Visit { node: pickle.root(), name: String::new(), is_attribute: false, depth: 0 };
    let mut open = vec![root];
    while let Some(visit) = open.pop() {
        visits += 1;
        if visits > MAX_VISITS {
            return Err(GraphError("too many paths"));
        }
        // A cycle ends here as well: what it leads to was found on the first round.
        if visit.depth > MAX_DEPTH {
            continue;
        }
        match pickle.node(visit.node) {
            Node::Dict(items) => enter_items(pickle, items, &visit, &mut open),
            Node::List(members) | Node::Tuple(members) => {
                for (i, &member) in members.iter().enumerate() {
                    open.extend(child(&visit, &i.to_string(), member, visit.is_attribute));
                }
            }
            Node::Object(object) => {
                if let Some(tensor) = rebuilt(pickle, object, &visit) {
                    found.push(tensor);
                } else {
                    enter_object(pickle, object, &visit, &mut open);
                }
            }
            _ => {}
        }
        if open.len() > MAX_VISITS {
            return Err(GraphError("too many paths"));
        }
    }
    Ok(found)
}

/// What hangs below a name; nothing if the name would be longer than any tensor's, before it is copied.
fn child(parent: &Visit, name: &str, node: NodeId, is_attribute: bool) -> Option<Visit> {
    if parent.name.len() + name.len() >= MAX_NAME_BYTES {
        return None;
    }
    let name = if parent.name.is_empty() { name.to_owned() } else { format!("{}.{name}", parent.name) };
    Some(Visit { node, name, is_attribute, depth: parent.depth + 1 })
}

fn enter_items(pickle: &Pickle, items: &[(NodeId, NodeId)], visit: &Visit, open: &mut Vec<Visit>) {
    for &(key, value) in items {
        let name = match pickle.node(key) {
            Node::Text(text) => Cow::from(text),
            Node::Int(number) => number.to_string().into(),
            _ => continue,
        };
        open.extend(child(visit, &name, value, visit.is_attribute));
    }
}

/// A module's parts are its children; any other attribute of it is an attribute. An object of another class, such as
/// an ordered dictionary, has items, or a list of pairs as its argument.
fn enter_object(pickle: &Pickle, object: &Object, visit: &Visit, open: &mut Vec<Visit>) {
    enter_items(pickle, &object.items, visit, open);
    let is_call = |module, name| pickle.global(object.callable) == Some((module, name));
    if is_call("torch._utils", "_rebuild_parameter") {
        open.extend(object.arguments.first().map(|&data| Visit { node: data, ..at(visit) }));
        return;
    }
    if is_call("collections", "OrderedDict")
        && let Some(pairs) = object.arguments.first().and_then(|&id| pickle.members(id))
    {
        for &pair in pairs {
            if let Some(&[key, value]) = pickle.members(pair) {
                enter_items(pickle, &[(key, value)], visit, open);
            }
        }
    }
    let Some(state) = object.state else { return };
    let Node::Dict(attributes) = pickle.node(state) else { return };
    for &(key, value) in attributes {
        match pickle.text(key) {
            Some("_parameters" | "_buffers" | "_modules") => {
                open.push(Visit { node: value, ..at(visit) });
            }
            Some(name) => open.extend(child(visit, name, value, true)),
            None => {}
        }
    }
}

/// The same place, one step deeper.
fn at(visit: &Visit) -> Visit {
    Visit { name: visit.name.clone(), depth: visit.depth + 1, ..*visit }
}

/// The tensor that a call of PyTorch's would make of a storage.
fn rebuilt(pickle: &Pickle, object: &Object, visit: &Visit) -> Option<StoredTensor> {
    let (module, function) = pickle.global(object.callable)?;
    if module != "torch._utils" || !function.starts_with("_rebuild_tensor") {
        return None;
    }
    let [storage, offset, shape, strides, ..] = object.arguments[..] else { return None };
    let info = storage_info(pickle, storage)?;
    // The third version stores bytes, and says apart what they are.
    let dtype = object.arguments.get(6).filter(|_| function == "_rebuild_tensor_v3");
    let element = match dtype {
        Some(&dtype) => Element::of_name(pickle.global(dtype)?.1)?,
        None => info.element,
    };
    let sizes = |id| -> Option<Vec<usize>> {
        let members = pickle.members(id).filter(|members| members.len() <= MAX_RANK)?;
        members.iter().map(|&id| usize::try_from(pickle.int(id)?).ok()).collect()
    };
    let (shape, strides) = (sizes(shape)?, sizes(strides)?);
    if shape.len() != strides.len() {
        return None;
    }
    let offset = usize::try_from(pickle.int(offset)?).ok()?;
    let (name, is_attribute) = (visit.name.clone(), visit.is_attribute);
    Some(StoredTensor { name, is_attribute, storage: info.key, element, offset, shape, strides })
}
