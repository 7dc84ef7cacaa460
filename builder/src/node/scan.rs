//! Reading what a module exports: whether it is a function of the site, how it wants to be run, and what nearly made it one.

use oxc::allocator::Allocator;
use oxc::ast::ast::{
    Argument, ArrowFunctionExpression, AssignmentTarget, BindingPattern, CallExpression, ConditionalExpression,
    Declaration, ExportDefaultDeclarationKind, ExportNamedDeclaration, Expression, Function, IfStatement,
    ImportDeclarationSpecifier, LogicalExpression, ObjectExpression, ObjectPropertyKind, Program, Statement,
    VariableDeclarator,
};
use oxc::ast_visit::{Visit, walk};
use oxc::parser::Parser;
use oxc::semantic::ScopeFlags;
use oxc::span::{GetSpan, SourceType};
use ship_core::FunctionRuntime;

use super::own_config::{self, OwnConfig, OwnFlaw};

/// The methods of HTTP that a module may export a function for, and the one that takes every method.
pub(super) const WEB_EXPORTS: [&str; 8] = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "fetch"];

/// Names under which people export handlers that no convention knows, however they write them.
const NEAR_NAMES: [&str; 10] =
    ["handler", "handle", "main", "get", "head", "options", "post", "put", "delete", "patch"];

/// Packages whose `serve` makes a server of Node's kind that listens.
const SERVING_PACKAGES: [&str; 3] = ["@hono/node-server", "h3", "srvx"];

/// What a module of `api/` is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct NodeScan {
    /// It exports something that can answer requests, or listens.
    pub(crate) is_function: bool,
    /// It listens.
    pub(super) listens: bool,
    /// The files that it loads for what they do, as it names them.
    pub(super) loads: Vec<String>,
    /// It breaks the grammar.
    pub(crate) is_broken: bool,
    /// What is nearly a handler, where nothing is one.
    pub(crate) near: Option<NearExport>,
    /// What its `config` says.
    pub(crate) config: OwnConfig,
    /// What it says of itself and nothing comes of.
    pub(crate) flaws: Vec<OwnFlaw>,
    /// The interpreter that it asks for: in its first line, or by calling what only that one has.
    pub(crate) interpreter: Option<FunctionRuntime>,
}

/// An export that somebody may have meant as a handler.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NearExport {
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// What was found, in words.
    pub(crate) found: String,
}

/// Reads `text`, the content of `file`.
pub(crate) fn scan(file: &str, text: &str) -> NodeScan {
    let allocator = Allocator::default();
    let source_type = SourceType::from_path(file).unwrap_or_default().with_jsx(!file.ends_with("ts"));
    let parsed = Parser::new(&allocator, text, source_type).parse();
    if parsed.panicked || !parsed.diagnostics.is_empty() {
        // Whoever wrote it should hear what is wrong with it, so it must not be passed over.
        let interpreter = named_in_first_line(text).or_else(|| serving_in_text(text));
        return NodeScan { is_function: true, is_broken: true, interpreter, ..NodeScan::default() };
    }
    let mut exports = Exports { program: &parsed.program, text, found: NodeScan::default() };
    exports.read();
    exports.found.interpreter = named_in_first_line(text).or(exports.found.interpreter);
    exports.found
}

/// The interpreter of `#!/usr/bin/env -S deno run`.
fn named_in_first_line(text: &str) -> Option<FunctionRuntime> {
    let line = text.strip_prefix("#!")?.lines().next()?;
    let mut words = line.split([' ', '/', '\t']);
    words.find_map(|word| match word {
        "bun" => Some(FunctionRuntime::Bun),
        "deno" => Some(FunctionRuntime::Deno),
        "node" => Some(FunctionRuntime::Node),
        _ => None,
    })
}

/// Whose `serve` a text seems to call that cannot be read.
fn serving_in_text(text: &str) -> Option<FunctionRuntime> {
    let calls = [("Bun.serve(", FunctionRuntime::Bun), ("Deno.serve(", FunctionRuntime::Deno)];
    calls.into_iter().find(|(call, _)| text.contains(call)).map(|(_, runtime)| runtime)
}

/// What an export turned out to be.
enum Export {
    Handler,
    Near(String),
    Other,
}

struct Exports<'s, 'a> {
    program: &'s Program<'a>,
    text: &'s str,
    found: NodeScan,
}

impl<'s, 'a> Exports<'s, 'a> {
    fn read(&mut self) {
        let program = self.program;
        for statement in &program.body {
            self.statement(statement);
        }
        let calls = Calls::read(program);
        self.found.is_function |= calls.listens || calls.serving.is_some();
        self.found.listens = calls.listens || calls.serving.is_some();
        self.found.interpreter = calls.serving;
        for (name, expression) in calls.assigned {
            let export = self.named(&name, Some(expression));
            self.take(export, expression.span().start);
        }
        if self.found.is_function {
            self.found.near = None;
        }
    }

    fn statement(&mut self, statement: &'s Statement<'a>) {
        match statement {
            Statement::ExportDefaultDeclaration(export) => {
                let kind = match &export.declaration {
                    ExportDefaultDeclarationKind::FunctionDeclaration(function) if function.body.is_none() => {
                        Export::Other
                    }
                    ExportDefaultDeclarationKind::FunctionDeclaration(_) => Export::Handler,
                    ExportDefaultDeclarationKind::ClassDeclaration(_) => {
                        Export::Near("its default export is a class".into())
                    }
                    ExportDefaultDeclarationKind::TSInterfaceDeclaration(_) => Export::Other,
                    other => other.as_expression().map_or(Export::Other, |value| self.value(value)),
                };
                self.take(kind, export.span.start);
            }
            Statement::ExportNamedDeclaration(export) if !export.export_kind.is_type() => self.named_exports(export),
            Statement::ImportDeclaration(import) if import.specifiers.is_none() => self.loads(&import.source.value),
            Statement::ExpressionStatement(statement) => {
                if let Expression::CallExpression(call) = &statement.expression
                    && let (Expression::Identifier(name), [Argument::StringLiteral(file)]) =
                        (&call.callee, call.arguments.as_slice())
                    && name.name == "require"
                {
                    self.loads(&file.value);
                }
            }
            // What it exports is in another file; it may be a handler.
            Statement::ExportAllDeclaration(export) if !export.export_kind.is_type() && export.exported.is_none() => {
                self.found.is_function = true;
            }
            Statement::FunctionDeclaration(function) if function.body.is_some() => {
                // Nobody calls a function so who has another use for it.
                let is_method = |name: &&str| WEB_EXPORTS.contains(name) && *name != "fetch";
                if let Some(name) = function.id.as_ref().map(|id| &*id.name).filter(is_method) {
                    self.take(Export::Near(format!("`{name}` is not exported")), function.span.start);
                }
            }
            Statement::TSExportAssignment(export) => {
                let kind = self.value(&export.expression);
                self.take(kind, export.span.start);
            }
            _ => {}
        }
    }

    fn loads(&mut self, file: &str) {
        if file.starts_with('.') {
            self.found.loads.push(file.to_owned());
        }
    }

    fn named_exports(&mut self, export: &'s ExportNamedDeclaration<'a>) {
        for specifier in export.specifiers.iter().filter(|specifier| !specifier.export_kind.is_type()) {
            let value = if export.source.is_some() { None } else { self.declared(&specifier.local.name()) };
            let kind = self.named(&specifier.exported.name(), value);
            self.take(kind, specifier.span.start);
        }
        match &export.declaration {
            Some(Declaration::FunctionDeclaration(function)) if function.body.is_some() => {
                if let Some(id) = &function.id {
                    let kind = self.named(&id.name, None);
                    self.take(kind, export.span.start);
                }
            }
            Some(Declaration::VariableDeclaration(variables)) => {
                for variable in &variables.declarations {
                    let Some(name) = variable.id.get_identifier_name() else { continue };
                    if name == "config"
                        && let Some(Expression::ObjectExpression(object)) = variable.init.as_ref().map(unwrapped)
                    {
                        self.found.config = OwnConfig::read(object);
                        self.found.flaws.extend(own_config::flaws(object, self.text));
                    }
                    if let Some(value) = variable.init.as_ref().map(unwrapped) {
                        self.found.flaws.extend(own_config::outside(&name, value, self.text));
                    }
                    let kind = self.named(&name, variable.init.as_ref());
                    self.take(kind, export.span.start);
                }
            }
            _ => {}
        }
    }

    /// An export by its name; `None` stands for a value that is not written here, or is a function.
    fn named(&self, name: &str, value: Option<&'s Expression<'a>>) -> Export {
        if name == "default" || name == "module.exports" {
            return value.map_or(Export::Handler, |value| self.value(value));
        }
        if WEB_EXPORTS.contains(&name) {
            return match value.map(|value| self.value(value)) {
                None | Some(Export::Handler) => Export::Handler,
                Some(_) => Export::Near(format!("`{name}` is not a function")),
            };
        }
        if name == "exports" {
            return Export::Near("assigning to `exports` exports nothing".into());
        }
        let is_near = NEAR_NAMES.iter().any(|near| near.eq_ignore_ascii_case(name));
        if is_near { Export::Near(format!("it exports `{name}`")) } else { Export::Other }
    }

    /// What a default export's value is. What is not written down here counts as a handler: it is known when it runs.
    fn value(&self, value: &'s Expression<'a>) -> Export {
        match unwrapped(value) {
            Expression::ObjectExpression(object) if answers(object) => Export::Handler,
            Expression::ObjectExpression(_) => Export::Near("its default export is an object without `fetch`".into()),
            Expression::ClassExpression(_) => Export::Near("its default export is a class".into()),
            Expression::Identifier(identifier) => match self.declared(&identifier.name) {
                // `const app = app` would never end, and says nothing.
                Some(declared) if !matches!(unwrapped(declared), Expression::Identifier(_)) => self.value(declared),
                _ => Export::Handler,
            },
            literal
                if literal.is_literal()
                    || matches!(literal, Expression::TemplateLiteral(_) | Expression::ArrayExpression(_)) =>
            {
                Export::Near("its default export is not a function".into())
            }
            _ => Export::Handler,
        }
    }

    /// The value of a constant of this module.
    fn declared(&self, name: &str) -> Option<&'s Expression<'a>> {
        self.program.body.iter().find_map(|statement| {
            let declaration = match statement {
                Statement::VariableDeclaration(declaration) => declaration,
                Statement::ExportNamedDeclaration(export) => match &export.declaration {
                    Some(Declaration::VariableDeclaration(declaration)) => declaration,
                    _ => return None,
                },
                _ => return None,
            };
            declaration
                .declarations
                .iter()
                .find(|variable| matches!(&variable.id, BindingPattern::BindingIdentifier(id) if id.name == name))?
                .init
                .as_ref()
        })
    }

    fn take(&mut self, export: Export, offset: u32) {
        match export {
            Export::Handler => self.found.is_function = true,
            Export::Near(found) if self.found.near.is_none() => {
                let before = self.text.get(..offset as usize).unwrap_or_default();
                let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
                self.found.near = Some(NearExport { line, found });
            }
            _ => {}
        }
    }
}

/// Finds what only running code does: listening, and assigning to `module.exports`.
struct Calls<'s, 'a> {
    assigned: Vec<(String, &'s Expression<'a>)>,
    listens: bool,
    /// Whose `serve` it calls.
    serving: Option<FunctionRuntime>,
}

impl<'s, 'a> Calls<'s, 'a> {
    fn read(program: &'s Program<'a>) -> Self {
        let mut listening = Listening { serves: serves(program), found: false };
        listening.visit_program(program);
        let mut serving = Serving { found: None };
        serving.visit_program(program);
        let assigned = program.body.iter().flat_map(|statement| match statement {
            Statement::ExpressionStatement(statement) => assignments(&statement.expression),
            _ => Vec::new(),
        });
        Self { assigned: assigned.collect(), listens: listening.found, serving: serving.found }
    }
}

/// The exports that `exports.GET = module.exports.fetch = …` assigns, with what each gets.
fn assignments<'s, 'a>(expression: &'s Expression<'a>) -> Vec<(String, &'s Expression<'a>)> {
    let Expression::AssignmentExpression(assignment) = expression else { return Vec::new() };
    let mut found = assignments(&assignment.right);
    if let Some(name) = exported_name(&assignment.left) {
        found.push((name, &assignment.right));
    }
    found
}

fn exported_name(target: &AssignmentTarget<'_>) -> Option<String> {
    if let AssignmentTarget::AssignmentTargetIdentifier(identifier) = target {
        return (identifier.name == "exports").then(|| "exports".to_owned());
    }
    let AssignmentTarget::StaticMemberExpression(member) = target else { return None };
    let is_exports = |expression: &Expression<'_>| match expression {
        Expression::Identifier(identifier) => identifier.name == "exports",
        Expression::StaticMemberExpression(member) => {
            member.property.name == "exports"
                && matches!(&member.object, Expression::Identifier(object) if object.name == "module")
        }
        _ => false,
    };
    match &member.object {
        Expression::Identifier(object) if object.name == "module" && member.property.name == "exports" => {
            Some("module.exports".to_owned())
        }
        object if is_exports(object) => Some(member.property.name.to_string()),
        _ => None,
    }
}

/// What a module calls the `serve` of the packages that have one.
fn serves<'s>(program: &'s Program<'_>) -> Vec<&'s str> {
    let imported = program.body.iter().flat_map(|statement| match statement {
        Statement::ImportDeclaration(import) if SERVING_PACKAGES.contains(&&*import.source.value) => {
            let specifiers = import.specifiers.iter().flatten();
            specifiers.filter_map(imported_serve).collect()
        }
        Statement::VariableDeclaration(variables) => variables.declarations.iter().filter_map(required_serve).collect(),
        _ => Vec::new(),
    });
    imported.collect()
}

fn imported_serve<'s>(specifier: &'s ImportDeclarationSpecifier<'_>) -> Option<&'s str> {
    match specifier {
        ImportDeclarationSpecifier::ImportSpecifier(named) if named.imported.name() == "serve" => {
            Some(&named.local.name)
        }
        _ => None,
    }
}

/// `const { serve: start } = require('@hono/node-server')`.
fn required_serve<'s>(variable: &'s VariableDeclarator<'_>) -> Option<&'s str> {
    let (BindingPattern::ObjectPattern(pattern), Some(Expression::CallExpression(call))) =
        (&variable.id, &variable.init)
    else {
        return None;
    };
    let is_required = matches!((&call.callee, call.arguments.as_slice()),
        (Expression::Identifier(name), [Argument::StringLiteral(package)])
            if name.name == "require" && SERVING_PACKAGES.contains(&&*package.value));
    let mut taken = pattern.properties.iter().filter(|property| property.key.is_specific_static_name("serve"));
    taken.find(|_| is_required).and_then(|property| match &property.value {
        BindingPattern::BindingIdentifier(id) => Some(&*id.name),
        _ => None,
    })
}

struct Listening<'s> {
    serves: Vec<&'s str>,
    found: bool,
}

impl<'a> Visit<'a> for Listening<'_> {
    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        self.found |= match &call.callee {
            Expression::StaticMemberExpression(member) => member.property.name == "listen",
            Expression::Identifier(name) => self.serves.contains(&&*name.name),
            _ => false,
        };
        walk::walk_call_expression(self, call);
    }
}

/// Finds a call of `Bun.serve` or `Deno.serve` that loading the module makes, whatever it runs on.
struct Serving {
    found: Option<FunctionRuntime>,
}

impl<'a> Visit<'a> for Serving {
    fn visit_call_expression(&mut self, call: &CallExpression<'a>) {
        if let Expression::StaticMemberExpression(member) = &call.callee
            && let Expression::Identifier(object) = &member.object
            && member.property.name == "serve"
        {
            match &*object.name {
                "Bun" => self.found = Some(FunctionRuntime::Bun),
                "Deno" => self.found = Some(FunctionRuntime::Deno),
                _ => {}
            }
        }
        walk::walk_call_expression(self, call);
    }

    /// Who asks first what it runs on runs on others too.
    fn visit_if_statement(&mut self, choice: &IfStatement<'a>) {
        if is_import_meta_main(&choice.test) {
            walk::walk_if_statement(self, choice);
        }
    }

    fn visit_conditional_expression(&mut self, _: &ConditionalExpression<'a>) {}

    fn visit_logical_expression(&mut self, _: &LogicalExpression<'a>) {}

    fn visit_function(&mut self, _: &Function<'a>, _: ScopeFlags) {}

    fn visit_arrow_function_expression(&mut self, _: &ArrowFunctionExpression<'a>) {}
}

/// `import.meta.main`: whether the module is what was started.
fn is_import_meta_main(test: &Expression<'_>) -> bool {
    matches!(test, Expression::StaticMemberExpression(member)
        if matches!(&member.object, Expression::MetaProperty(_)) && member.property.name == "main")
}

/// Whether an object is one that answers requests: it has `fetch`, a method of HTTP or another default, or may have it.
fn answers(object: &ObjectExpression<'_>) -> bool {
    object.properties.iter().any(|property| match property {
        ObjectPropertyKind::SpreadProperty(_) => true,
        ObjectPropertyKind::ObjectProperty(property) => {
            property.key.static_name().is_some_and(|name| name == "default" || WEB_EXPORTS.contains(&&*name))
        }
    })
}

/// An expression without what TypeScript says about it, and without parentheses.
pub(super) fn unwrapped<'s, 'a>(expression: &'s Expression<'a>) -> &'s Expression<'a> {
    match expression {
        Expression::TSAsExpression(inner) => unwrapped(&inner.expression),
        Expression::TSSatisfiesExpression(inner) => unwrapped(&inner.expression),
        Expression::TSNonNullExpression(inner) => unwrapped(&inner.expression),
        Expression::TSTypeAssertion(inner) => unwrapped(&inner.expression),
        Expression::ParenthesizedExpression(inner) => unwrapped(&inner.expression),
        other => other,
    }
}

#[cfg(test)]
mod tests;
