//! Modules that throw while they are loaded. The bundler leaves out what stands behind a `throw` that is always reached, and exports it
//! all the same: the interpreter would refuse the bundle, and nobody would hear what was thrown.

use std::path::Path;

use oxc::allocator::Allocator;
use oxc::ast::ast::{Statement, ThrowStatement};
use oxc::parser::Parser;
use oxc::span::{GetSpan as _, SourceType, Span};

use super::place::package_folder;

/// What stands before a `throw`, so that it may never be reached as far as the bundler knows.
const PERHAPS: &str = "if (globalThis) ";

/// Whether `text`, the content of a module, is worth a look: what a module does itself is written without an indent, unless a condition
/// stands around it. Packages are large, and are loaded before they are published.
pub(super) fn may_throw(module: &Path, text: &str) -> bool {
    text.starts_with("throw")
        || text.contains("\nthrow")
        || (text.contains("throw") && package_folder(module).is_none())
}

/// What takes the place of what, so that the module throws as it is written.
pub(super) fn edits(source_type: SourceType, text: &str) -> Vec<(Span, String)> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, source_type).parse();
    if parsed.panicked {
        return Vec::new();
    }
    let edit = |throw: &ThrowStatement<'_>| {
        // Up to what is thrown, which keeps its place in the map.
        let word = Span::new(throw.span.start, throw.argument.span().start);
        (word, format!("{PERHAPS}throw "))
    };
    parsed.program.body.iter().flat_map(thrown).map(edit).collect()
}

/// What a statement may throw while its module is loaded, as far as the bundler may find out that it always does: in blocks, and below
/// conditions that are known before.
fn thrown<'s, 'a>(statement: &'s Statement<'a>) -> Vec<&'s ThrowStatement<'a>> {
    match statement {
        Statement::ThrowStatement(throw) => vec![&**throw],
        Statement::BlockStatement(block) => block.body.iter().flat_map(thrown).collect(),
        Statement::IfStatement(choice) => {
            let is_enclosed =
                |branch: &&Statement<'_>| matches!(branch, Statement::BlockStatement(_) | Statement::IfStatement(_));
            // What is put before a `throw` would take an `else` that follows.
            let is_last = |branch: &&Statement<'_>| is_enclosed(branch) || choice.alternate.is_none();
            let first = Some(&choice.consequent).filter(is_last);
            let other = choice.alternate.as_ref().filter(is_enclosed);
            first.into_iter().chain(other).flat_map(thrown).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str) -> Vec<u32> {
        edits(SourceType::ts(), text).iter().map(|(span, _)| span.start).collect()
    }

    /// What a module throws itself is edited; what its functions throw is not.
    #[test]
    fn throws() {
        assert_eq!(edited("const a: number = 1;\nthrow new Error('a');\nexport { a };"), [21]);
        assert_eq!(edited("throw 'a'"), [0]);
        assert_eq!(edited("export function a() {\n  throw 1;\n}\ntry { throw 2; } catch {}"), [0; 0]);
        assert_eq!(edited("`\nthrow 1;`"), [0; 0]);
    }

    /// Below conditions it is edited where that leaves each `else` with its `if`.
    #[test]
    fn below_conditions() {
        assert_eq!(edited("if (1) { throw 1; }"), [9]);
        assert_eq!(edited("{ { throw 1; } }"), [4]);
        assert_eq!(edited("if (1) throw 1;"), [7]);
        assert_eq!(edited("if (a) { throw 1; } else if (1) { throw 2; } else { throw 3; }"), [9, 34, 52]);
        assert_eq!(edited("if (a) throw 1; else b();"), [0; 0]);
        assert_eq!(edited("if (a) if (b) {} else throw 1; else c();"), [0; 0]);
    }

    /// Packages are looked at where they throw without an indent, a project's own modules wherever they do.
    #[test]
    fn worth_a_look() {
        let (own, package) = (Path::new("/p/api/a.ts"), Path::new("/p/node_modules/a/a.js"));
        let may_throw = |text: &str| [own, package].map(|module| may_throw(module, text));
        assert_eq!(may_throw("a();\nthrow 1;"), [true, true]);
        assert_eq!(may_throw("if (1) {\n  throw 1;\n}"), [true, false]);
        assert_eq!(may_throw("export default 1;"), [false, false]);
    }
}
