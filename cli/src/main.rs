//! `ship`: one command takes a folder to a live URL.
//!
//! This crate is the program: the command line, the settings, the output, the dev server. It is the only one that knows a
//! terminal and an environment; what a command does it leaves to the other crates, and it speaks to a host only through
//! the control API.

mod accounts;
mod args;
mod building;
mod commands;
mod completion;
mod connection;
mod dev;
mod diagnostics;
mod embedded;
mod error;
mod home;
mod identity;
mod kept_variables;
mod namespaces;
mod output;
mod pictures;
mod place;
mod project;
mod releases;
mod settings;
mod source;
mod tries;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::settings::Surroundings;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    if words.first().is_some_and(|name| name == ship_runtime::NURSERY_NAME) {
        ship_runtime::nursery();
        return ExitCode::SUCCESS;
    }
    if words.first().is_some_and(|name| name == commands::host::KEEPER_NAME) {
        return ExitCode::from(commands::host::keep(&words));
    }
    ship_runtime::resolve_names_alone();
    let surroundings = Surroundings::of_process(words.clone());
    if completion::answer(&words, &surroundings) {
        return ExitCode::SUCCESS;
    }
    let code = match args::parse(words.iter().cloned()) {
        Ok(arguments) => commands::run(arguments, surroundings),
        Err(error) => args::report(&error, &words, surroundings.environment()),
    };
    ExitCode::from(code)
}
