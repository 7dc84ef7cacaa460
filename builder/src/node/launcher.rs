//! The program that runs a bundled function.

use minijinja::{Environment, context};
use ship_core::FunctionRuntime;

use super::toolchain::Interpreter;

/// The program, but for what it runs.
const TEMPLATE: &str = include_str!("templates/launcher.mjs.jinja");

/// How a function wants to be called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Calling {
    /// A default export is a web handler.
    pub(crate) is_edge: bool,
    /// Requests and responses have the helpers.
    pub(crate) has_helpers: bool,
    /// It decides whether requests go on: one that it gives no answer to does.
    pub(crate) is_middleware: bool,
}

/// The launcher of the function that is bundled in `entry`, relative to the artifact, for the interpreter that runs it.
pub(crate) fn launcher(entry: &str, calling: Calling, runtime: FunctionRuntime) -> Vec<u8> {
    let Calling { is_edge, has_helpers, is_middleware } = calling;
    let Interpreter { title, oldest, .. } = *Interpreter::of(runtime);
    let needed = Interpreter::of(runtime).needed();
    let values = context! { entry => format!("./{entry}"), is_edge, has_helpers, is_middleware, runtime => runtime.as_str(), title, oldest, needed };
    let text = Environment::new().render_str(TEMPLATE, values).expect("the template of this file renders");
    (text + "\n").into_bytes()
}
