//! The program that runs a module of an output.

use minijinja::{Environment, context};

/// The program, but for what it runs.
const TEMPLATE: &str = include_str!("templates/launcher.mjs.jinja");

/// How a function wants to be called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Calling {
    /// A default export is a web handler.
    pub(super) is_edge: bool,
    /// Requests and responses have the helpers.
    pub(super) has_helpers: bool,
}

/// The launcher of the module `entry`, relative to the artifact.
pub(super) fn launcher(entry: &str, calling: Calling) -> Vec<u8> {
    let environment = Environment::new();
    let Calling { is_edge, has_helpers } = calling;
    let text = environment.render_str(TEMPLATE, context! { entry => format!("./{entry}"), is_edge, has_helpers });
    text.expect("the template of this file renders").into_bytes()
}
