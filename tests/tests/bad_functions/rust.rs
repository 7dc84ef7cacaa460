//! What functions in Rust do, in one deployment, because it takes a while to build.

use ship_tests::TestEnv;

use crate::site::{Bad, Kind, Language, Site};
use crate::{answers, ends, processes, prying, resources};

#[test]
fn in_rust() {
    let environment = TestEnv::new();
    let kinds = [Kind::Bad, Kind::Hasty, Kind::Slow, Kind::Open, Kind::Deaf];
    let mut site = Site::deploy(&environment, &[Language::Rust], &kinds);
    let behaviours: [fn(Bad<'_>); 16] = [
        ends::never_answers,
        ends::never_gives_way,
        ends::tries_to_outlive_its_request,
        ends::throws,
        ends::dies,
        ends::dies_every_second_time,
        ends::never_listens,
        ends::starts_slowly,
        processes::forks_without_end,
        processes::forks_twice,
        resources::floods,
        resources::opens_every_descriptor,
        resources::fills_temporary_files,
        resources::takes_all_memory,
        resources::spins,
        prying::reads_others_files,
    ];
    for behave in behaviours {
        site.each().for_each(behave);
    }
    site.each().for_each(prying::looks_at_processes);
    let sockets = prying::OpenSockets::open();
    site.each().for_each(|bad| prying::connects_to_sockets(bad, &sockets));
    site.each().for_each(|bad| prying::connects_to_the_machine(bad, &sockets));
    processes::ignore_the_request_to_end(&mut site);
}

#[test]
fn by_a_program_in_rust() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment, &[Language::RustProgram], &[Kind::Bad, Kind::Hasty]);
    let behaviours: [fn(Bad<'_>); 4] =
        [ends::dies_in_the_middle, answers::lies, answers::lies_about_its_length, answers::never_reads];
    for behave in behaviours {
        site.each().for_each(behave);
    }
}
