//! Modules that ask where they are: in a bundle they would get the bundle's place. Each is told the place that its own file
//! has in the artifact, and the files that it reads from there by literal names become members.

use std::path::{Path, PathBuf};

use oxc::allocator::Allocator;
use oxc::ast::ast::{
    Argument, BinaryExpression, BinaryOperator, BindingIdentifier, CallExpression, Expression, Function,
    IdentifierReference, MetaProperty, NewExpression, ObjectProperty, StaticMemberExpression, TemplateLiteral,
    VariableDeclaration,
};
use oxc::ast_visit::{Visit, walk};
use oxc::parser::Parser;
use oxc::semantic::ScopeFlags;
use oxc::span::{SourceType, Span};
use ship_core::FunctionRuntime;

use super::place::package_folder;

/// The launcher's word for the artifact's folder, `/` not included, and for its URL, `/` included.
const FOLDER: &str = "globalThis.__ship.folder";
const URL: &str = "globalThis.__ship.url";

/// What Node calls the function with that it makes of a module of `CommonJS`.
const ARGUMENTS: &str = "arguments";

/// The setting of Express that names a package which it requires when it first renders a page.
const VIEW_ENGINE: &str = "view engine";

/// The folder in which Express looks for pages, where it is not told another.
const VIEWS: &str = "views";

/// What a module has to do with places.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) struct Located {
    /// What takes the place of what, in order.
    pub(super) edits: Vec<(Span, String)>,
    /// Files and folders that it reads.
    pub(super) files: Vec<PathBuf>,
    /// It requires modules whose names are made when it runs, from a path.
    pub(super) requires_computed: bool,
    /// Packages that it has others require by their names.
    pub(super) packages: Vec<String>,
}

/// What a module may read: nothing above this folder, and not the folder itself.
pub(super) struct Module<'m> {
    /// The module's file.
    pub(super) file: &'m Path,
    /// The folder that becomes the artifact's.
    pub(super) base: &'m Path,
    /// Its path in the artifact.
    pub(super) place: &'m str,
    /// What runs it.
    pub(super) runtime: FunctionRuntime,
    /// It is a function: nothing of the project imports it first.
    pub(super) is_entry: bool,
}

/// Whether `text`, the content of a module, is worth a look at all.
pub(super) fn may_ask(module: &Path, text: &str) -> bool {
    // Bundlers at large do not know the arguments of a module, so packages do not use them; most mention those of functions.
    let may_have_arguments = || text.contains(ARGUMENTS) && package_folder(module).is_none();
    ["import.meta", "__dirname", "__filename", "process.cwd", VIEW_ENGINE].iter().any(|word| text.contains(word))
        || requires_computed(text)
        || may_have_arguments()
}

/// Whether `require(` is followed by something else than a literal.
fn requires_computed(text: &str) -> bool {
    text.match_indices("require(").any(|(index, word)| {
        let argument = text[index + word.len()..].trim_start();
        !argument.starts_with(['"', '\'', ')'])
    })
}

/// Finds what `text`, the content of the module, asks and reads.
pub(super) fn locate(module: &Module<'_>, source_type: SourceType, text: &str) -> Located {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, text, source_type).parse();
    if parsed.panicked {
        return Located::default();
    }
    // A module of ECMAScript has no arguments.
    let is_script = !parsed.module_record.has_module_syntax;
    let mut declared = Declared { dirname: false, filename: false, arguments: !is_script };
    declared.visit_program(&parsed.program);
    let mut visitor = Visitor { module, declared, functions: 0, found: Located::default() };
    visitor.visit_program(&parsed.program);
    visitor.found.edits.sort_by_key(|(span, _)| span.start);
    visitor.found
}

/// Which of the names of `CommonJS` a module declares itself.
struct Declared {
    dirname: bool,
    filename: bool,
    arguments: bool,
}

impl<'a> Visit<'a> for Declared {
    fn visit_binding_identifier(&mut self, binding: &BindingIdentifier<'a>) {
        self.dirname |= binding.name == "__dirname";
        self.filename |= binding.name == "__filename";
        self.arguments |= binding.name == ARGUMENTS;
    }
}

struct Visitor<'m> {
    module: &'m Module<'m>,
    declared: Declared,
    /// How many functions with arguments of their own stand around what is visited.
    functions: usize,
    found: Located,
}

impl Visitor<'_> {
    /// What stands for a place of the artifact's folder.
    fn path(place: &str) -> String {
        if place.is_empty() { format!("({FOLDER})") } else { format!("({FOLDER}+{})", literal(&format!("/{place}"))) }
    }

    fn folder_place(&self) -> &str {
        self.module.place.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    fn edit(&mut self, span: Span, with: String) {
        self.found.edits.push((span, with));
    }

    /// What an unbound name of `CommonJS` means, if that has to do with the module's place.
    fn commonjs_name(&self, name: &str) -> Option<String> {
        let filename = || Self::path(self.module.place);
        let dirname = || Self::path(self.folder_place());
        match name {
            "__dirname" if !self.declared.dirname => Some(dirname()),
            "__filename" if !self.declared.filename => Some(filename()),
            ARGUMENTS if !self.declared.arguments && self.functions == 0 => {
                let those = format!("exports, require, module, {}, {}", filename(), dirname());
                Some(format!("(function () {{ return arguments; }})({those})"))
            }
            _ => None,
        }
    }

    /// What a property of `import.meta` is: its names are those of Node, and of the interpreter that has more.
    fn meta(&self, name: &str) -> Option<String> {
        match (name, self.module.runtime) {
            ("url", _) => Some(format!("({URL}+{})", literal(&escaped(self.module.place)))),
            ("dirname", _) | ("dir", FunctionRuntime::Bun) => Some(Self::path(self.folder_place())),
            ("filename", _) | ("path", FunctionRuntime::Bun) => Some(Self::path(self.module.place)),
            ("file", FunctionRuntime::Bun) => {
                Some(literal(self.module.place.rsplit('/').next().unwrap_or(self.module.place)))
            }
            // The launcher is what is started; to a function, it is the function.
            ("main", FunctionRuntime::Bun | FunctionRuntime::Deno) => Some(self.module.is_entry.to_string()),
            _ => None,
        }
    }

    /// The folder that an expression names, if it is one of the ways to name the module's own or the working directory.
    fn folder(&self, expression: &Expression<'_>) -> Option<PathBuf> {
        match expression {
            // A module that declares it by itself means the same by it.
            Expression::Identifier(name) if name.name == "__dirname" => self.module.file.parent().map(Path::to_owned),
            Expression::StaticMemberExpression(member)
                if is_import_meta(&member.object) && matches!(&*member.property.name, "dirname" | "dir") =>
            {
                self.module.file.parent().map(Path::to_owned)
            }
            Expression::CallExpression(call) => {
                let Expression::StaticMemberExpression(member) = &call.callee else { return None };
                let is_cwd = member.property.name == "cwd"
                    && matches!(&member.object, Expression::Identifier(object) if object.name == "process");
                is_cwd.then(|| self.module.base.to_owned())
            }
            _ => None,
        }
    }

    /// Takes note of a file or folder, as far as it is there, and in the artifact's reach.
    fn reads(&mut self, path: &Path) {
        let Some(path) = normal(path).map(before_pattern) else { return };
        let is_within = path.starts_with(self.module.base) && path != self.module.base;
        let is_secret = path.components().any(|part| part.as_os_str().to_string_lossy().starts_with(".env"));
        if is_within && !is_secret && path.exists() && !self.found.files.contains(&path) {
            self.found.files.push(path);
        }
    }

    fn join(&mut self, arguments: &[Argument<'_>]) {
        let Some(folder) = arguments.first().and_then(Argument::as_expression).and_then(|first| self.folder(first))
        else {
            return;
        };
        let mut path = folder;
        let mut has_name = false;
        for argument in &arguments[1..] {
            // What follows is known when it runs; the folder so far holds it.
            let Argument::StringLiteral(part) = argument else { break };
            path.push(part.value.trim_start_matches('/'));
            has_name = true;
        }
        if has_name {
            self.reads(&path);
        }
    }
}

impl Visitor<'_> {
    /// `app.set('view engine', 'ejs')`, and `app.set('views', './pages')`.
    fn setting(&mut self, arguments: &[Argument<'_>]) {
        let [Argument::StringLiteral(name), Argument::StringLiteral(value)] = arguments else { return };
        // What a package sets is its own business.
        if package_folder(self.module.file).is_some() {
            return;
        }
        let folder = match &*name.value {
            VIEW_ENGINE => {
                self.found.packages.push(value.value.to_string());
                VIEWS
            }
            VIEWS => &value.value,
            _ => return,
        };
        self.reads(&self.module.base.join(folder.trim_start_matches('/')));
    }
}

impl<'a> Visit<'a> for Visitor<'_> {
    /// A `require` that a module makes for itself requires what the one of `CommonJS` would: without its declaration, the bundler
    /// sees that.
    fn visit_variable_declaration(&mut self, declaration: &VariableDeclaration<'a>) {
        if makes_require(declaration) {
            self.edit(declaration.span, ";".to_owned());
            return;
        }
        walk::walk_variable_declaration(self, declaration);
    }

    fn visit_function(&mut self, function: &Function<'a>, flags: ScopeFlags) {
        self.functions += 1;
        walk::walk_function(self, function, flags);
        self.functions -= 1;
    }

    fn visit_identifier_reference(&mut self, reference: &IdentifierReference<'a>) {
        if let Some(place) = self.commonjs_name(&reference.name) {
            self.edit(reference.span, place);
        }
    }

    fn visit_object_property(&mut self, property: &ObjectProperty<'a>) {
        if property.shorthand
            && let Expression::Identifier(value) = &property.value
            && let Some(place) = self.commonjs_name(&value.name)
        {
            self.edit(property.span, format!("{}: {place}", value.name));
            return;
        }
        walk::walk_object_property(self, property);
    }

    fn visit_static_member_expression(&mut self, member: &StaticMemberExpression<'a>) {
        if is_import_meta(&member.object)
            && let Some(place) = self.meta(&member.property.name)
        {
            self.edit(member.span, place);
            return;
        }
        walk::walk_static_member_expression(self, member);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        let name = match &call.callee {
            Expression::Identifier(name) => Some(name.name.as_str()),
            Expression::StaticMemberExpression(member) => Some(member.property.name.as_str()),
            _ => None,
        };
        match name {
            Some("join" | "resolve") => self.join(&call.arguments),
            Some("set") => self.setting(&call.arguments),
            Some("require") if matches!(&call.callee, Expression::Identifier(_)) => {
                self.found.requires_computed |= call.arguments.first().is_some_and(is_computed_path);
            }
            _ => {}
        }
        walk::walk_call_expression(self, call);
    }

    fn visit_new_expression(&mut self, new: &NewExpression<'a>) {
        if let (Expression::Identifier(class), [Argument::StringLiteral(path), Argument::StaticMemberExpression(base)]) =
            (&new.callee, new.arguments.as_slice())
            && class.name == "URL"
            && is_import_meta(&base.object)
            && base.property.name == "url"
            && !path.value.contains(':')
        {
            let path = self.module.file.with_file_name("").join(&*path.value);
            self.reads(&path);
        }
        walk::walk_new_expression(self, new);
    }

    fn visit_binary_expression(&mut self, sum: &BinaryExpression<'a>) {
        if sum.operator == BinaryOperator::Addition
            && let (Some(folder), Expression::StringLiteral(rest)) = (self.folder(&sum.left), &sum.right)
        {
            self.reads(&folder.join(rest.value.trim_start_matches('/')));
        }
        walk::walk_binary_expression(self, sum);
    }

    fn visit_template_literal(&mut self, template: &TemplateLiteral<'a>) {
        if let ([before, after], [expression]) = (template.quasis.as_slice(), template.expressions.as_slice())
            && before.value.raw.is_empty()
            && let (Some(folder), Some(rest)) = (self.folder(expression), &after.value.cooked)
        {
            self.reads(&folder.join(rest.trim_start_matches('/')));
        }
        walk::walk_template_literal(self, template);
    }

    fn visit_meta_property(&mut self, _: &MetaProperty<'a>) {}
}

/// Whether what is required is a path that is put together when the program runs. A mere variable is most often the name of
/// a plugin that its user installs, and stays what it is.
fn is_computed_path(argument: &Argument<'_>) -> bool {
    match argument {
        Argument::TemplateLiteral(template) => !template.expressions.is_empty(),
        Argument::BinaryExpression(sum) => {
            matches!(&sum.left, Expression::StringLiteral(start) if start.value.starts_with('.'))
        }
        Argument::CallExpression(call) => {
            matches!(&call.callee, Expression::StaticMemberExpression(member)
                if matches!(&*member.property.name, "join" | "resolve")
                    && matches!(&member.object, Expression::Identifier(object) if object.name == "path"))
        }
        _ => false,
    }
}

/// Whether all that is declared is `require`, by `createRequire(import.meta.url)`.
fn makes_require(declaration: &VariableDeclaration<'_>) -> bool {
    let [declarator] = declaration.declarations.as_slice() else { return false };
    let Some(Expression::CallExpression(call)) = &declarator.init else { return false };
    let makes = match &call.callee {
        Expression::Identifier(name) => name.name == "createRequire",
        Expression::StaticMemberExpression(member) => member.property.name == "createRequire",
        _ => false,
    };
    let of_itself = matches!(call.arguments.as_slice(), [Argument::StaticMemberExpression(member)]
        if is_import_meta(&member.object) && member.property.name == "url");
    makes && of_itself && declarator.id.get_identifier_name().is_some_and(|name| name == "require")
}

fn is_import_meta(expression: &Expression<'_>) -> bool {
    matches!(expression, Expression::MetaProperty(meta) if meta.meta.name == "import" && meta.property.name == "meta")
}

/// A path without `.` and `..`.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                if !normal.pop() {
                    return None;
                }
            }
            other => normal.push(other),
        }
    }
    Some(normal)
}

/// The folder in front of a name that is filled in when it is used: `locales` of `locales/{{lng}}/*.json`.
fn before_pattern(path: PathBuf) -> PathBuf {
    let is_pattern = |part: &std::path::Component<'_>| part.as_os_str().to_string_lossy().contains(['{', '*']);
    if path.exists() { path } else { path.components().take_while(|part| !is_pattern(part)).collect() }
}

/// A text as a literal of JavaScript.
fn literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A path in a URL.
fn escaped(path: &str) -> String {
    path.replace('%', "%25").replace('?', "%3F").replace('#', "%23")
}

#[cfg(test)]
mod tests;
