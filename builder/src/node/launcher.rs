//! The program that runs a bundled function.

use minijinja::{Environment, context};
use serde::Serialize;
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
    let launched = Launched { entry: &format!("./{entry}"), is_edge, is_middleware, helpers: helpers.name() };
    let launched = serde_json::to_string(&launched).expect("names and flags are JSON");
    let LauncherText { before, module, after } = LauncherText::of(runtime);
    [before, &launched, ";\n", &module, after].concat().into_bytes()
}

/// What is launched, as the launcher takes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Launched<'a> {
    entry: &'a str,
    is_edge: bool,
    is_middleware: bool,
    helpers: &'a str,
}

/// The parts of every launcher of a runtime that this version of the builder writes. Between `before` and `module` stands what is
/// launched, as JSON, and `";\n"`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LauncherText {
    /// The beginning.
    pub before: &'static str,
    /// A module by itself. Its `launch` takes what is launched and the URL of the artifact.
    pub module: String,
    /// The end, which launches.
    pub after: &'static str,
}

impl LauncherText {
    /// The launcher's text for the interpreter that runs it.
    pub fn of(runtime: FunctionRuntime) -> Self {
        Self {
            before: "const launched = ",
            module: module(runtime),
            after: "\nawait launch(launched, new URL(\".\", import.meta.url).href);\n",
        }
    }
}

fn module(runtime: FunctionRuntime) -> String {
    let Interpreter { title, oldest, .. } = *Interpreter::of(runtime);
    let needed = Interpreter::of(runtime).needed();
    let values = context! { runtime => runtime.as_str(), title, oldest, needed };
    Environment::new().render_str(TEMPLATE, values).expect("the template of this file renders") + "\n"
}
