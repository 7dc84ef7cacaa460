//! Where a module has JSX, of which the bundler makes an import that stands nowhere in its source.

use oxc::allocator::Allocator;
use oxc::ast::ast::{JSXElement, JSXFragment};
use oxc::ast_visit::Visit;
use oxc::parser::Parser;
use oxc::span::{SourceType, Span};

/// The line and the column of the first element or fragment, both counted from 0, the column in characters.
pub(super) fn first_element(text: &str) -> Option<(usize, usize)> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, SourceType::tsx()).parse();
    let mut finder = Finder(None);
    finder.visit_program(&parsed.program);
    let before = text.get(..finder.0?.start as usize)?;
    Some((before.matches('\n').count(), before.rsplit('\n').next()?.chars().count()))
}

struct Finder(Option<Span>);

impl<'a> Visit<'a> for Finder {
    fn visit_jsx_element(&mut self, element: &JSXElement<'a>) {
        self.0.get_or_insert(element.span);
    }

    fn visit_jsx_fragment(&mut self, fragment: &JSXFragment<'a>) {
        self.0.get_or_insert(fragment.span);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first element or fragment, wherever it stands; what only looks like one is none.
    #[test]
    fn places() {
        assert_eq!(first_element("const a = 1 < 2;\nconst ü = () => [<p>a<i/></p>, <b/>];"), Some((1, 17)));
        assert_eq!(first_element("export default () => <><p/></>;"), Some((0, 21)));
        assert_eq!(first_element("const a: Array<string> = ['<p>'];"), None);
    }
}
