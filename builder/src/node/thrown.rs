//! Modules that throw while they are loaded. The bundler leaves out what stands behind a `throw` that is always reached, and exports it
//! all the same: the interpreter would refuse the bundle, and nobody would hear what was thrown.

use oxc::allocator::Allocator;
use oxc::ast::ast::Statement;
use oxc::parser::Parser;
use oxc::span::{GetSpan as _, SourceType, Span};

/// What stands before a `throw`, so that it may never be reached as far as the bundler knows.
const PERHAPS: &str = "if (globalThis) ";

/// Whether `text`, the content of a module, is worth a look: what a module does itself is written without an indent.
pub(super) fn may_throw(text: &str) -> bool {
    text.starts_with("throw") || text.contains("\nthrow")
}

/// What takes the place of what, so that the module throws as it is written.
pub(super) fn edits(source_type: SourceType, text: &str) -> Vec<(Span, String)> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, source_type).parse();
    let edit = |statement: &Statement<'_>| match statement {
        Statement::ThrowStatement(throw) => {
            // Up to what is thrown, which keeps its place in the map.
            let word = Span::new(throw.span.start, throw.argument.span().start);
            Some((word, format!("{PERHAPS}throw ")))
        }
        _ => None,
    };
    if parsed.panicked { Vec::new() } else { parsed.program.body.iter().filter_map(edit).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a module throws itself is edited; what its functions and branches throw is not.
    #[test]
    fn throws() {
        let edited = |text: &str| {
            let starts: Vec<u32> = edits(SourceType::ts(), text).iter().map(|(span, _)| span.start).collect();
            (may_throw(text), starts)
        };
        assert_eq!(edited("const a: number = 1;\nthrow new Error('a');\nexport { a };"), (true, vec![21]));
        assert_eq!(edited("throw 'a'"), (true, vec![0]));
        assert_eq!(edited("export function a() {\n  throw 1;\n}\nif (a) throw 2;"), (false, vec![]));
        assert_eq!(edited("`\nthrow 1;`"), (true, vec![]));
    }
}
