//! The program that runs a bundled function.

use minijinja::{Environment, context};
use ship_core::FunctionRuntime;

use super::toolchain::Interpreter;

/// The program, but for what it runs.
const TEMPLATE: &str = include_str!("templates/launcher.mjs.jinja");

/// What requests and responses have beyond what Node gives them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Helpers {
    /// All of the helpers.
    #[default]
    All,
    /// All but `body`: the handler reads the body itself.
    NoBody,
    /// Nothing.
    None,
}

impl Helpers {
    /// What the launcher calls it.
    fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::NoBody => "no body",
            Self::None => "none",
        }
    }
}

/// How a function wants to be called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Calling {
    /// A default export is a web handler.
    pub(crate) is_edge: bool,
    /// What requests and responses have.
    pub(crate) helpers: Helpers,
    /// It decides whether requests go on: one that it gives no answer to does.
    pub(crate) is_middleware: bool,
}

/// The launcher of the function that is bundled in `entry`, relative to the artifact, for the interpreter that runs it.
pub(crate) fn launcher(entry: &str, calling: Calling, runtime: FunctionRuntime) -> Vec<u8> {
    let Calling { is_edge, helpers, is_middleware } = calling;
    let Interpreter { title, oldest, .. } = *Interpreter::of(runtime);
    let needed = Interpreter::of(runtime).needed();
    let values = context! { entry => format!("./{entry}"), is_edge, helpers => helpers.name(), is_middleware, runtime => runtime.as_str(), title, oldest, needed };
    let text = Environment::new().render_str(TEMPLATE, values).expect("the template of this file renders");
    (text + "\n").into_bytes()
}
