//! Reading a Python file: which of its names answers requests, what is only nearly such a name, and where its grammar is broken.

use std::path::Path;

use ruff_python_ast::{Expr, Parameters, Stmt, StmtClassDef, StmtFunctionDef};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use ruff_text_size::{Ranged, TextSize};

use super::syntax::{SyntaxError, line_of};

/// The names under which an application is found.
const APPLICATIONS: [&str; 2] = ["app", "application"];

/// The name of a request handler class, in any case.
const HANDLER: &str = "handler";

/// What other platforms or habits call what answers requests.
const NEAR_APPLICATIONS: [&str; 3] = ["App", "APP", "Application"];

/// What makes an application when it is called.
const APPLICATION_MAKERS: [&str; 9] = [
    "FastAPI",
    "Flask",
    "Starlette",
    "Quart",
    "Sanic",
    "Bottle",
    "Litestar",
    "get_wsgi_application",
    "get_asgi_application",
];

/// What a class is derived from that can answer requests: this, or what has it at its end.
const HANDLER_BASE: &str = "HTTPRequestHandler";

/// How the names of methods begin that answer requests.
const HANDLER_METHOD: &str = "do_";

/// How many parameters a WSGI application has, and an ASGI application.
const WSGI_PARAMETERS: usize = 2;
const ASGI_PARAMETERS: usize = 3;

/// What a Python file holds, as far as it matters for deploying it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct PythonFile {
    /// The name of what answers requests.
    pub(crate) variable: Option<String>,
    /// What is nearly that, if nothing is.
    pub(crate) near: Option<NearEntry>,
    /// The first function that takes something, where nothing is even nearly that and the file is no script. It was meant as a
    /// handler if nobody uses the file.
    pub(crate) lone: Option<NearEntry>,
    /// Where the grammar is broken.
    pub(crate) errors: Vec<SyntaxError>,
}

/// Something that was probably meant to answer requests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NearEntry {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) flaw: EntryFlaw,
}

/// What keeps something in a Python file from answering requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum EntryFlaw {
    /// `def handler(request)`: a function where a class is expected.
    FunctionHandler,
    /// `handler = …`: a variable where a class is expected.
    VariableHandler,
    /// `class Handler:`, derived from nothing that answers requests.
    PlainClass,
    /// `def app(request)`: neither two parameters nor three.
    Parameters,
    /// `App`, `main` or another name.
    Name,
    /// Any other name, in a file that nobody uses.
    Unused,
}

/// Whether a file of this name is Python.
pub(crate) fn is_python_source(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "py")
}

/// Reads `text`, the content of `file`.
pub(crate) fn scan(file: &str, text: &str) -> PythonFile {
    let parsed = parse_unchecked(text, ParseOptions::from(Mode::Module));
    let errors = parsed.errors();
    // What follows the first mistake is often only its consequence.
    let errors: Vec<SyntaxError> = errors
        .iter()
        .take(1)
        .map(|error| SyntaxError::new(file, text, error.location.start(), &error.error.to_string()))
        .collect();
    let mut finding = Finding { text, ..Finding::default() };
    if let Some(module) = parsed.try_into_module() {
        finding.statements(&module.syntax().body);
    }
    let variable = finding.handler.or(finding.application.map(|(_, name)| name));
    let near = if variable.is_none() { finding.near } else { None };
    let has_lone = variable.is_none() && near.is_none() && !finding.is_script;
    let lone = if has_lone { finding.lone } else { None };
    PythonFile { variable, near, lone, errors }
}

/// Whether `text` imports the module `name`: what another file uses is a helper, and just as it should be.
pub(crate) fn imports(text: &str, name: &str) -> bool {
    let is_import = |line: &&str| line.starts_with("from ") || line.starts_with("import ");
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    text.lines().map(str::trim_start).filter(is_import).any(|line| line.split(|c| !is_word(c)).any(|word| word == name))
}

/// Whether `text` has the word `name` anywhere: modules are also named in texts, which a framework reads.
pub(crate) fn mentions(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

/// What was found so far.
#[derive(Default)]
struct Finding<'t> {
    text: &'t str,
    /// The application of the first of [`APPLICATIONS`] that is there, with its rank.
    application: Option<(usize, String)>,
    handler: Option<String>,
    near: Option<NearEntry>,
    lone: Option<NearEntry>,
    /// Whether it does something when it is run by itself.
    is_script: bool,
    /// The classes of the file that are derived from a request handler.
    handler_classes: Vec<String>,
}

impl Finding<'_> {
    /// Looks at what a module binds, also in branches.
    fn statements(&mut self, statements: &[Stmt]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Assign(assign) => {
                let makes_application = makes_application(&assign.value);
                assign.targets.iter().for_each(|target| match target {
                    Expr::Name(name) if makes_application && !APPLICATIONS.contains(&name.id.as_str()) => {
                        self.nearly(name.id.as_str(), name.range().start(), EntryFlaw::Name);
                    }
                    target => self.target(target),
                });
            }
            Stmt::AnnAssign(assign) if assign.value.is_some() => self.target(&assign.target),
            Stmt::FunctionDef(function) => self.function(function),
            Stmt::ClassDef(class) => self.class(class),
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.bound(name.as_str(), name.range().start(), Binding::Import);
                }
            }
            Stmt::If(branches) if is_main(&branches.test) => self.is_script = true,
            Stmt::If(branches) if last_name(&branches.test) != Some("TYPE_CHECKING") => {
                self.statements(&branches.body);
                branches.elif_else_clauses.iter().for_each(|clause| self.statements(&clause.body));
            }
            Stmt::Try(attempt) => {
                self.statements(&attempt.body);
                for ruff_python_ast::ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                    self.statements(&handler.body);
                }
                self.statements(&attempt.orelse);
                self.statements(&attempt.finalbody);
            }
            Stmt::With(with) => self.statements(&with.body),
            _ => {}
        }
    }

    fn target(&mut self, target: &Expr) {
        match target {
            Expr::Name(name) => self.bound(name.id.as_str(), name.range().start(), Binding::Variable),
            Expr::Tuple(tuple) => tuple.elts.iter().for_each(|element| self.target(element)),
            Expr::List(list) => list.elts.iter().for_each(|element| self.target(element)),
            _ => {}
        }
    }

    fn bound(&mut self, name: &str, at: TextSize, binding: Binding) {
        if let Some(rank) = APPLICATIONS.iter().position(|known| *known == name) {
            self.application(rank, name);
        } else if name.eq_ignore_ascii_case(HANDLER) {
            match binding {
                // A class of another file, perhaps: what it is shows when it is loaded.
                Binding::Import => self.handler = Some(name.to_owned()),
                Binding::Variable => self.nearly(name, at, EntryFlaw::VariableHandler),
            }
        } else if binding == Binding::Variable && NEAR_APPLICATIONS.contains(&name) {
            self.nearly(name, at, EntryFlaw::Name);
        }
    }

    fn application(&mut self, rank: usize, name: &str) {
        if self.application.as_ref().is_none_or(|(known, _)| rank < *known) {
            self.application = Some((rank, name.to_owned()));
        }
    }

    fn function(&mut self, function: &StmtFunctionDef) {
        let (name, at) = (function.name.as_str(), function.name.range().start());
        let parameters = Count::of(&function.parameters);
        // A decorator can make anything of a function.
        let can_answer = !function.decorator_list.is_empty()
            || parameters.can_be(ASGI_PARAMETERS)
            || (!function.is_async && parameters.can_be(WSGI_PARAMETERS));
        if let Some(rank) = APPLICATIONS.iter().position(|known| *known == name) {
            if can_answer {
                self.application(rank, name);
            } else {
                self.nearly(name, at, EntryFlaw::Parameters);
            }
        } else if name.eq_ignore_ascii_case(HANDLER) {
            self.nearly(name, at, EntryFlaw::FunctionHandler);
        } else if name == "main" && parameters.required > 0 {
            self.nearly(name, at, EntryFlaw::Name);
        } else if parameters.required > 0 && function.decorator_list.is_empty() && !name.starts_with('_') {
            let line = line_of(self.text, at.to_usize());
            self.lone.get_or_insert(NearEntry { name: name.to_owned(), line, flaw: EntryFlaw::Unused });
        }
    }

    fn class(&mut self, class: &StmtClassDef) {
        let name = class.name.as_str();
        let answers = self.is_handler_class(class);
        if answers {
            self.handler_classes.push(name.to_owned());
        }
        if name.eq_ignore_ascii_case(HANDLER) {
            if answers {
                self.handler = Some(name.to_owned());
            } else {
                self.nearly(name, class.name.range().start(), EntryFlaw::PlainClass);
            }
        } else if APPLICATIONS.contains(&name) {
            self.nearly(name, class.name.range().start(), EntryFlaw::PlainClass);
        }
    }

    /// Whether a class is derived from a request handler, as far as the file shows: by the name of a base, or because it has
    /// a base and methods as request handlers have them.
    fn is_handler_class(&self, class: &StmtClassDef) -> bool {
        let bases = class.arguments.as_deref().map_or(&[][..], |arguments| &arguments.args);
        let is_known = |base: &Expr| {
            last_name(base).is_some_and(|name| {
                name.ends_with(HANDLER_BASE) || self.handler_classes.iter().any(|known| known == name)
            })
        };
        let is_method = |statement: &Stmt| matches!(statement, Stmt::FunctionDef(method) if method.name.starts_with(HANDLER_METHOD));
        bases.iter().any(is_known) || (!bases.is_empty() && class.body.iter().any(is_method))
    }

    fn nearly(&mut self, name: &str, at: TextSize, flaw: EntryFlaw) {
        let line = line_of(self.text, at.to_usize());
        self.near.get_or_insert(NearEntry { name: name.to_owned(), line, flaw });
    }
}

/// How a name gets its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Binding {
    Variable,
    Import,
}

/// How many arguments a function can be called with.
struct Count {
    required: usize,
    most: usize,
}

impl Count {
    fn of(parameters: &Parameters) -> Self {
        let positional = parameters.posonlyargs.iter().chain(&parameters.args);
        let required = positional.clone().filter(|parameter| parameter.default.is_none()).count();
        let most = if parameters.vararg.is_some() { usize::MAX } else { positional.count() };
        Self { required, most }
    }

    const fn can_be(&self, count: usize) -> bool {
        self.required <= count && count <= self.most
    }
}

/// `BaseHTTPRequestHandler`, of `http.server.BaseHTTPRequestHandler` too.
fn last_name(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        _ => None,
    }
}

/// Whether `Flask(__name__)` is called, or something else that makes an application.
fn makes_application(value: &Expr) -> bool {
    matches!(value, Expr::Call(call) if last_name(&call.func).is_some_and(|name| APPLICATION_MAKERS.contains(&name)))
}

/// `if __name__ == "__main__":`, which nobody runs who imports the file.
fn is_main(test: &Expr) -> bool {
    matches!(test, Expr::Compare(compare) if last_name(&compare.left) == Some("__name__"))
}

#[cfg(test)]
mod tests;
