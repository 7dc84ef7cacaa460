//! Every figure that is measured, by the name it has in the table of promises.

mod deploy;
mod develop;
mod floor;
mod forked;
mod hostile;
mod many_files;
mod memory;
mod neighbour;
mod publish;
mod serve;
mod start;
mod swap;
mod typescript;
mod wake;
mod warm;

use crate::figure::Figure;

/// All figures, in the order of the table.
pub(crate) const ALL: [Figure; 28] = [
    Figure { id: "D1", work: "first deploy of the example, compiler cache empty", measure: deploy::cold },
    Figure { id: "D2", work: "deploy of it again, nothing changed", measure: deploy::unchanged },
    Figure { id: "D3", work: "deploy after one changed line of Go", measure: deploy::one_line },
    Figure { id: "D4", work: "deploy of 10,000 files, nothing changed", measure: many_files::unchanged },
    Figure { id: "D5", work: "first deploy of many files", measure: many_files::first },
    Figure { id: "D6", work: "building TypeScript functions", measure: typescript::first_build },
    Figure { id: "D7", work: "building them again, nothing changed", measure: typescript::build_again },
    Figure { id: "D8", work: "promote until the next request sees it, under load", measure: publish::visible },
    Figure { id: "S1", work: "static file of 1 KB", measure: serve::small_file },
    Figure { id: "S2", work: "static files of 100 KB and 1 MB", measure: serve::large_files },
    Figure { id: "S3", work: "time added to a warm Go function", measure: warm::added },
    Figure { id: "S4", work: "memory of the host at rest", measure: memory::at_rest },
    Figure { id: "S5", work: "memory per further sleeping deployment", measure: memory::per_deployment },
    Figure { id: "S6", work: "start of a host with 10,000 deployments", measure: start::until_ready },
    Figure { id: "W1", work: "first request to a sleeping Go function", measure: wake::sleeping },
    Figure { id: "W2", work: "first request to a sleeping Node function", measure: wake::small_node },
    Figure { id: "W3", work: "the same with a large bundle", measure: wake::large_node },
    Figure { id: "W4", work: "first request to a sleeping Python function", measure: wake::small_python },
    Figure { id: "W5", work: "further instances of a Python function", measure: forked::further_instances },
    Figure { id: "V1", work: "ship dev until the first answer", measure: develop::first_answer },
    Figure { id: "V2", work: "edit of a script until the new answer", measure: develop::edited_script },
    Figure { id: "V3", work: "edit of a Go function until the new answer", measure: develop::edited_function },
    Figure { id: "V4", work: "edit of a page until its reload event", measure: develop::edited_page },
    Figure { id: "V5", work: "memory of ship dev at rest", measure: develop::memory },
    Figure { id: "K2", work: "requests over deploys, rollbacks and upgrades", measure: swap::over_changes },
    Figure { id: "K3", work: "a neighbour while a function does harm", measure: neighbour::under_harm },
    Figure { id: "K4", work: "visitors while others mean no good", measure: hostile::under_attack },
    Figure { id: "N1", work: "memory with many functions, asleep and awake", measure: memory::density },
];

/// Names for several of them.
pub(crate) const GROUPS: [(&str, &[&str]); 4] = [
    ("swap", &["D8", "K2"]),
    ("cold", &["W1", "W2", "W3", "W4", "W5"]),
    ("warm", &["S3"]),
    ("density", &["S4", "S5", "N1"]),
];
