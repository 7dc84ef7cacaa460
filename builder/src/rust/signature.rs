//! What of a handler's signature cannot be right, known before anything is compiled: compilers look at it last, after all that it depends on.

use std::ops::Range;

use syn::{Attribute, File, FnArg, Item, ItemFn, ReturnType, Type, UseTree};

use super::generated::{HANDLER, RETURNS, TAKES, said_of_type};
use super::snapshot::Workspace;
use crate::detect::SiteFolder;
use crate::excerpt::excerpt;

/// Types of the language that are neither a request nor an answer.
const PRIMITIVES: [&str; 17] = [
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16", "u32", "u64", "u128",
    "usize",
];

/// Types that every file knows and that are neither, unless the file means another one by the name.
const OF_THE_PRELUDE: [&str; 3] = ["Option", "String", "Vec"];

/// Attributes that leave a function as it is written.
const HARMLESS_ATTRIBUTES: [&str; 7] = ["allow", "deny", "doc", "expect", "inline", "must_use", "warn"];

/// What Vercel's crate takes and gives is that crate's to judge.
const VERCEL: &str = "vercel_runtime";

/// What is certainly wrong with the handlers of `workspace`: the place, what it is, and the line; nothing if nothing is.
pub(super) fn flaws(workspace: &Workspace, site: &SiteFolder) -> Option<String> {
    let of_file = |file: &str, text: &str| {
        let wrong = wrong_types(text).into_iter().map(|wrong| wrong.message(file, text)).collect::<Vec<_>>();
        (!wrong.is_empty()).then(|| wrong.join("\n"))
    };
    let flaws: Vec<String> =
        workspace.handlers().filter_map(|(path, text, _)| of_file(&workspace.shown(&path, site), &text)).collect();
    (!flaws.is_empty()).then(|| flaws.join("\n"))
}

/// A type in the signature of a handler that cannot stand there.
#[derive(PartialEq, Eq, Debug)]
struct WrongType {
    /// The trait that it lacks.
    missing: &'static str,
    /// Where it is written.
    at: Range<usize>,
}

impl WrongType {
    fn message(&self, file: &str, text: &str) -> String {
        let (before, written) = (text.get(..self.at.start), text.get(self.at.clone()));
        let (before, written) = (before.unwrap_or_default(), written.unwrap_or_default());
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
        let width = written.lines().next().unwrap_or_default().chars().count();
        let shown = excerpt(text.lines().nth(line - 1).unwrap_or_default(), line, column, width);
        let said = said_of_type(written, self.missing).unwrap_or_default();
        format!("{file}:{line}:{}: {said}\n{shown}", column + 1)
    }
}

fn wrong_types(text: &str) -> Vec<WrongType> {
    if text.contains(VERCEL) {
        return Vec::new();
    }
    let Ok(file) = syn::parse_file(text) else { return Vec::new() };
    let Some(handler) = file.items.iter().find_map(handler) else { return Vec::new() };
    if !handler.attrs.iter().all(is_harmless) {
        return Vec::new();
    }
    let wrong = [taken(handler), returned(handler)].into_iter().flatten().filter(|(_, it, _)| is_wrong(it, &file));
    wrong.map(|(missing, _, at)| WrongType { missing, at: trimmed(text, at) }).collect()
}

/// What a handler takes: the trait that it has to have, its type, and between which places that stands.
fn taken(handler: &ItemFn) -> Option<(&'static str, &Type, Range<usize>)> {
    let FnArg::Typed(taken) = handler.sig.inputs.first()? else { return None };
    let end = handler.sig.paren_token.span.close().byte_range().start;
    Some((TAKES, &taken.ty, taken.colon_token.span.byte_range().end..end))
}

/// The same of what it returns.
fn returned(handler: &ItemFn) -> Option<(&'static str, &Type, Range<usize>)> {
    let ReturnType::Type(arrow, returned) = &handler.sig.output else { return None };
    let end = handler.block.brace_token.span.open().byte_range().start;
    Some((RETURNS, returned, arrow.spans[1].byte_range().end..end))
}

/// A range of a text without the blanks at its ends, and without the comma behind the last parameter.
fn trimmed(text: &str, at: Range<usize>) -> Range<usize> {
    let Some(written) = text.get(at.clone()) else { return at };
    let start = at.end - written.trim_start().len();
    start..start + written.trim().trim_end_matches(',').trim_end().len()
}

fn handler(item: &Item) -> Option<&ItemFn> {
    match item {
        Item::Fn(function) if function.sig.ident == HANDLER => Some(function),
        _ => None,
    }
}

fn is_harmless(attribute: &Attribute) -> bool {
    HARMLESS_ATTRIBUTES.iter().any(|name| attribute.path().is_ident(name))
}

/// Whether a type is neither a request nor an answer, whatever else the program says.
fn is_wrong(written: &Type, file: &File) -> bool {
    match written {
        Type::Array(_) | Type::Ptr(_) | Type::Reference(_) | Type::Slice(_) | Type::Tuple(_) => true,
        Type::Paren(inner) => is_wrong(&inner.elem, file),
        Type::Path(path) if path.qself.is_none() && path.path.segments.len() == 1 => {
            let name = path.path.segments[0].ident.to_string();
            let is_known = PRIMITIVES.contains(&&*name) || OF_THE_PRELUDE.contains(&&*name);
            is_known && !file.items.iter().any(|item| may_name(item, &name))
        }
        _ => false,
    }
}

/// Whether an item may give a name another meaning.
fn may_name(item: &Item, name: &str) -> bool {
    match item {
        Item::Enum(item) => item.ident == name,
        Item::Mod(item) => item.ident == name,
        Item::Struct(item) => item.ident == name,
        Item::Trait(item) => item.ident == name,
        Item::Type(item) => item.ident == name,
        Item::Union(item) => item.ident == name,
        Item::Use(item) => brings(&item.tree, name),
        Item::Macro(_) | Item::Verbatim(_) => true,
        _ => false,
    }
}

fn brings(tree: &UseTree, name: &str) -> bool {
    match tree {
        UseTree::Path(path) => brings(&path.tree, name),
        UseTree::Name(brought) => brought.ident == name,
        UseTree::Rename(brought) => brought.rename == name,
        UseTree::Glob(_) => true,
        UseTree::Group(group) => group.items.iter().any(|tree| brings(tree, name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let wrong: Vec<String> = wrong_types(text).iter().map(|wrong| wrong.message("api/x.rs", text)).collect();
        wrong.join("\n")
    }

    /// What is no request and no answer is said at its place.
    #[test]
    fn certainly_wrong() {
        insta::assert_snapshot!(said("use http::Request;\n\n/// Dates.\npub async fn handler(name: &str) -> Vec<u8> { x }"), @"
        api/x.rs:4:28: `handler` takes `&str`: expected `async fn handler(request: Request) -> Result<Response, Error>`
         4 | pub async fn handler(name: &str) -> Vec<u8> { x }
           |                            ^^^^
        api/x.rs:4:37: `handler` returns `Vec<u8>`: expected `async fn handler(request: Request) -> Result<Response, Error>`
         4 | pub async fn handler(name: &str) -> Vec<u8> { x }
           |                                     ^^^^^^^
        ");
        for (signature, count) in [
            ("(r: u32) -> String", 2),
            ("(r: (u8, u8)) -> Result<Response<String>, Error>", 1),
            ("(r: Request<String>) -> &'static str", 1),
            ("(r: Request<String>) -> ()", 1),
            ("(r: [u8; 4]) -> Answer", 1),
        ] {
            assert_eq!(wrong_types(&format!("async fn handler{signature} {{ x }}")).len(), count, "{signature}");
        }
    }

    /// What may be right is left to the compiler: types that the file names, and whatever a macro makes of a function.
    #[test]
    fn possibly_right() {
        for text in [
            "async fn handler(r: Request) -> Result<Response, Error> { x }",
            "async fn handler(r: Request) -> impl Answer { x }",
            "type String = http::Response<()>;\nasync fn handler(r: Request) -> String { x }",
            "use mine::{Answer as String};\nasync fn handler(r: Request) -> String { x }",
            "use mine::*;\nasync fn handler(r: Request) -> String { x }",
            "types!();\nasync fn handler(r: Request) -> String { x }",
            "#[wrapped]\nasync fn handler(r: u32) -> String { x }",
            "use vercel_runtime::Error;\nasync fn handler(r: u32) -> String { x }",
        ] {
            assert_eq!(said(text), "", "{text}");
        }
    }
}
