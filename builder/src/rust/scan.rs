//! What a Rust file below `api/` is: a handler, a program of its own, or a helper of others.

use proc_macro2::Span;
use syn::{FnArg, Item, ItemFn, ReturnType};

/// What a Rust file says about itself.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct RustFile {
    /// What answers requests, if anything does.
    pub(crate) entry: Option<RustEntry>,
    /// What was probably meant to answer requests, and does not.
    pub(crate) near_handler: Option<NearRustHandler>,
}

/// What of a file answers requests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum RustEntry {
    /// `async fn handler(request) -> …`: a program is made around it.
    Handler {
        /// Whether its types are those of `vercel_runtime`.
        is_vercel: bool,
        /// The line and the column of its name, counted from 1.
        place: (usize, usize),
    },
    /// A program with a `main` of its own, which stands at this place in the text.
    Program { main: std::ops::Range<usize> },
    /// Something that cannot be read: the compiler knows better words for it.
    Unreadable,
}

/// What people call a function that answers requests, besides `handler`.
const NEAR_NAMES: [&str; 5] = ["handle", "handle_request", "request_handler", "lambda_handler", "function_handler"];

/// A function that was meant to answer requests, and cannot.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NearRustHandler {
    /// Its name.
    pub(crate) name: String,
    /// The line it starts in, counted from 1.
    pub(crate) line: usize,
    /// What keeps it from being one.
    pub(crate) flaw: RustFlaw,
}

/// What keeps a function from answering requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RustFlaw {
    /// It is not `async`.
    NotAsync,
    /// It does not take exactly one request.
    Parameters,
    /// It returns nothing.
    ReturnsNothing,
    /// It has type parameters.
    Generic,
    /// It is not called `handler`.
    Name,
}

/// Whether a file is one that may belong to a function in Rust.
pub(crate) fn is_rust_source(name: &str) -> bool {
    name.strip_suffix(".rs").is_some()
}

/// Reads a file.
pub(crate) fn scan(text: &str) -> RustFile {
    let Ok(file) = syn::parse_file(text) else {
        let may_answer = text.contains("fn handler") || text.contains("fn main");
        return RustFile { entry: may_answer.then_some(RustEntry::Unreadable), near_handler: None };
    };
    let functions = || file.items.iter().filter_map(function);
    if let Some(main) = functions().find(|function| function.sig.ident == "main") {
        let main = main.sig.ident.span().byte_range();
        return RustFile { entry: Some(RustEntry::Program { main }), near_handler: None };
    }
    let Some(handler) = functions().find(|function| function.sig.ident == "handler") else {
        let near = functions().find(|function| NEAR_NAMES.iter().any(|name| function.sig.ident == name));
        return RustFile { entry: None, near_handler: near.map(|near| nearly(near, RustFlaw::Name)) };
    };
    let is_vercel = text.contains("vercel_runtime");
    match flaw(handler, is_vercel) {
        None => {
            let name = handler.sig.ident.span().start();
            let place = (name.line, name.column + 1);
            RustFile { entry: Some(RustEntry::Handler { is_vercel, place }), near_handler: None }
        }
        Some(flaw) => RustFile { entry: None, near_handler: Some(nearly(handler, flaw)) },
    }
}

fn nearly(function: &ItemFn, flaw: RustFlaw) -> NearRustHandler {
    NearRustHandler { name: function.sig.ident.to_string(), line: line(function.sig.ident.span()), flaw }
}

fn function(item: &Item) -> Option<&ItemFn> {
    match item {
        Item::Fn(function) => Some(function),
        _ => None,
    }
}

fn line(span: Span) -> usize {
    span.start().line
}

/// `vercel_runtime` also hands a handler its state, as a second parameter.
fn flaw(handler: &ItemFn, is_vercel: bool) -> Option<RustFlaw> {
    let signature = &handler.sig;
    let most = if is_vercel { 2 } else { 1 };
    let takes_self = signature.inputs.iter().any(|input| matches!(input, FnArg::Receiver(_)));
    if signature.asyncness.is_none() {
        return Some(RustFlaw::NotAsync);
    }
    if takes_self || signature.inputs.is_empty() || signature.inputs.len() > most {
        return Some(RustFlaw::Parameters);
    }
    if signature.generics.type_params().next().is_some() {
        return Some(RustFlaw::Generic);
    }
    matches!(signature.output, ReturnType::Default).then_some(RustFlaw::ReturnsNothing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw_of(text: &str) -> Option<(usize, RustFlaw)> {
        scan(text).near_handler.map(|near| (near.line, near.flaw))
    }

    /// A handler, whoever may see it and whatever its types are; a program; helpers, which are neither.
    #[test]
    fn entries() {
        let handler = |is_vercel, place| Some(RustEntry::Handler { is_vercel, place });
        for (text, expected) in [
            ("async fn handler(r: Request) -> Result<Response, E> { todo!() }", handler(false, (1, 10))),
            (
                "//! A date.\n#![allow(dead_code)]\npub async fn handler(_: http::Request<String>) -> R { x }",
                handler(false, (3, 14)),
            ),
            (
                "use vercel_runtime::*;\npub async fn handler(r: Request, s: AppState) -> R { x }",
                handler(true, (2, 14)),
            ),
            ("#[tokio::main]\nasync fn main() {}\nasync fn handler() {}", Some(RustEntry::Program { main: 24..28 })),
            ("pub fn double(n: u32) -> u32 { 2 * n }", None),
            ("// async fn handler(r: R) -> R {}\nconst S: &str = \"fn main() {}\";", None),
            ("mod inner { async fn handler(r: R) -> R { r } }", None),
            ("async fn handler(r: R) -> R {", Some(RustEntry::Unreadable)),
            ("pub fn helper( {", None),
        ] {
            assert_eq!(scan(text).entry, expected, "{text}");
        }
    }

    /// What is nearly a handler is named with its line and what it lacks.
    #[test]
    fn near_handlers() {
        assert_eq!(flaw_of("\nfn handler(r: R) -> R { r }"), Some((2, RustFlaw::NotAsync)));
        assert_eq!(flaw_of("async fn handler() -> R { r }"), Some((1, RustFlaw::Parameters)));
        assert_eq!(flaw_of("async fn handler(a: A, b: B) -> R { r }"), Some((1, RustFlaw::Parameters)));
        assert_eq!(flaw_of("async fn handler<T>(a: T) -> R { r }"), Some((1, RustFlaw::Generic)));
        assert_eq!(flaw_of("/// Doc.\nasync fn handler(a: A) {}"), Some((2, RustFlaw::ReturnsNothing)));
        assert_eq!(flaw_of("async fn handler(a: A) -> R { r }"), None);
        assert_eq!(flaw_of("pub async fn handle(a: A) -> R { r }"), Some((1, RustFlaw::Name)));
        assert_eq!(flaw_of("fn other() {}"), None);
    }
}
