//! The figures ship promises, each measured beside what it is compared to, in one run.
//!
//! Nothing in ship knows that it is measured: the real binary runs as it does for everybody, and everything is seen from
//! outside, over the command line, HTTP and `/proc`. What is compared takes turns, so that a slow minute of the machine hits
//! all; a figure is a median with its spread. Load comes from a process of its own (see [`load`]).
//!
//! A [`figures`] module says what is measured and against whom, [`turns`] lets them take turns, [`record`] is what was found,
//! and [`table`] and [`page`] show it. [`growth`] does the same for costs that grow.

#![expect(clippy::cast_precision_loss, reason = "nothing that is counted here comes near 2 to the power of 52")]

mod attack;
mod bench;
mod commands;
mod contest;
mod figure;
mod figures;
mod growth;
mod load;
mod machine;
mod page;
mod peer;
mod published;
mod record;
mod run;
mod samples;
mod table;
mod talk;
mod turns;
mod visit;

use std::process::ExitCode;

use commands::Arguments;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // The measuring process starts itself again, so that what it measures with is not in its own way.
    if let [command, order] = arguments.as_slice() {
        match command.as_str() {
            load::COMMAND => return load::main(order),
            attack::COMMAND => return attack::main(order),
            visit::COMMAND => return visit::main(order),
            _ => {}
        }
    }
    if let [command, rest @ ..] = arguments.as_slice()
        && command == page::COMMAND
    {
        return page::main(rest);
    }
    match Arguments::parse(&arguments) {
        Ok(arguments) if arguments.only_list => {
            talk::print(&run::list());
            ExitCode::SUCCESS
        }
        Ok(arguments) => run::main(&arguments),
        Err(problem) => {
            talk::say(&problem.to_string());
            ExitCode::from(2)
        }
    }
}
