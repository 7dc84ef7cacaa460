//! The figures ship promises, each measured beside what it is compared to, in one run.
//!
//! Nothing in ship knows that it is measured: the real binary runs as it does for everybody, and everything is seen from
//! outside, over the command line, HTTP and `/proc`. What is compared takes turns, so that a slow minute of the machine hits
//! both; a figure is a median with its spread. Load comes from a process of its own (see [`load`]).

#![expect(clippy::cast_precision_loss, reason = "nothing that is counted here comes near 2 to the power of 52")]

mod alternate;
mod attack;
mod commands;
mod figure;
mod figures;
mod load;
mod machine;
mod nginx;
mod npm;
mod samples;
mod talk;
mod visit;

use std::process::ExitCode;

use commands::Arguments;
use figure::Outcome;

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
    let arguments = match Arguments::parse(&arguments) {
        Ok(arguments) => arguments,
        Err(problem) => {
            talk::say(&problem.to_string());
            return ExitCode::from(2);
        }
    };
    if arguments.only_list {
        for figure in &figures::ALL {
            talk::print(&format!("{:<4} {}", figure.id, figure.work));
        }
        return ExitCode::SUCCESS;
    }
    let outcomes = measure(&arguments);
    talk::print(&figure::table(&machine::facts(), &outcomes));
    match arguments.json.map(|path| std::fs::write(path, figure::json(&machine::facts(), &outcomes))) {
        Some(Err(error)) => {
            talk::say(&format!("the figures could not be written: {error}"));
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}

fn measure(arguments: &Arguments) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for figure in figures::ALL.iter().filter(|figure| arguments.wants(figure.id)) {
        talk::say(&format!("measuring {}: {}", figure.id, figure.work));
        outcomes.extend((figure.measure)(arguments.runs).into_iter().map(|row| Outcome { id: figure.id, row }));
    }
    outcomes
}
