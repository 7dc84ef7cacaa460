//! Every figure that is measured, by the name it has in the table of promises.

mod burst;
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
mod stories;
mod swap;
mod typescript;
mod wake;
mod warm;

use crate::figure::Figure;
use crate::peer::Peer::{self, Caddy, Esbuild, H2o, Netlify, Nginx, Vercel, Vite, Wrangler, ZipItAndShipIt};

/// Who serves files and what stands behind them.
const SERVERS: &[Peer] = &[Nginx, Caddy, H2o];

/// All figures, in the order of the table.
pub(crate) const ALL: [Figure; 31] = [
    Figure {
        id: "D1",
        work: "first deploy of the example, compiler cache empty",
        peers: &[ZipItAndShipIt, Vercel],
        measure: deploy::cold,
    },
    Figure { id: "D2", work: "deploy of it again, nothing changed", peers: &[], measure: deploy::unchanged },
    Figure {
        id: "D3",
        work: "deploy after one changed line of Go",
        peers: &[ZipItAndShipIt, Vercel],
        measure: deploy::one_line,
    },
    Figure { id: "D4", work: "deploy of 10,000 files, nothing changed", peers: &[], measure: many_files::unchanged },
    Figure { id: "D5", work: "first deploy of many files", peers: &[], measure: many_files::first },
    Figure {
        id: "D6",
        work: "building TypeScript functions",
        peers: &[Esbuild, ZipItAndShipIt, Vercel],
        measure: typescript::first_build,
    },
    Figure { id: "D7", work: "building them again, nothing changed", peers: &[], measure: typescript::build_again },
    Figure {
        id: "D8",
        work: "promote until the next request sees it, under load",
        peers: &[],
        measure: publish::visible,
    },
    Figure { id: "S1", work: "static file of 1 KB", peers: SERVERS, measure: serve::small_file },
    Figure {
        id: "S2",
        work: "static files of 100 KB and 1 MB, also compressed",
        peers: SERVERS,
        measure: serve::large_files,
    },
    Figure { id: "S3", work: "time added to a warm Go function", peers: SERVERS, measure: warm::added },
    Figure { id: "S4", work: "memory of the host at rest", peers: &[], measure: memory::at_rest },
    Figure { id: "S5", work: "memory per further sleeping deployment", peers: &[], measure: memory::per_deployment },
    Figure { id: "S6", work: "start of a host with 10,000 deployments", peers: &[], measure: start::until_ready },
    Figure { id: "W1", work: "first request to a sleeping Go function", peers: &[], measure: wake::sleeping },
    Figure { id: "W2", work: "first request to a sleeping Node function", peers: &[], measure: wake::small_node },
    Figure { id: "W3", work: "the same with a large bundle", peers: &[], measure: wake::large_node },
    Figure { id: "W4", work: "first request to a sleeping Python function", peers: &[], measure: wake::small_python },
    Figure { id: "W5", work: "further instances of a Python function", peers: &[], measure: forked::further_instances },
    Figure { id: "W6", work: "1,000 requests at once on a sleeping function", peers: &[], measure: burst::at_once },
    Figure {
        id: "V1",
        work: "ship dev until the first answer",
        peers: &[Vite, Vercel, Netlify, Wrangler],
        measure: develop::first_answer,
    },
    Figure {
        id: "V2",
        work: "edit of a script until the new answer",
        peers: &[Vercel, Netlify, Wrangler],
        measure: develop::edited_script,
    },
    Figure {
        id: "V3",
        work: "edit of a Go function until the new answer",
        peers: &[],
        measure: develop::edited_function,
    },
    Figure { id: "V4", work: "edit of a page until its reload event", peers: &[Vite], measure: develop::edited_page },
    Figure {
        id: "V5",
        work: "memory of ship dev at rest",
        peers: &[Vite, Vercel, Netlify, Wrangler],
        measure: develop::memory,
    },
    Figure { id: "K1", work: "deployments after random kills", peers: &[], measure: stories::killed },
    Figure { id: "K2", work: "requests over deploys, rollbacks and upgrades", peers: &[], measure: swap::over_changes },
    Figure { id: "K3", work: "a neighbour while a function does harm", peers: &[], measure: neighbour::under_harm },
    Figure { id: "K4", work: "visitors while others mean no good", peers: &[], measure: hostile::under_attack },
    Figure {
        id: "K5",
        work: "routes and roles in the authorisation test",
        peers: &[],
        measure: stories::routes_and_roles,
    },
    Figure { id: "N1", work: "memory with many functions, asleep and awake", peers: &[], measure: memory::density },
];

/// Names for several of them.
pub(crate) const GROUPS: [(&str, &[&str]); 4] = [
    ("swap", &["D8", "K2"]),
    ("cold", &["W1", "W2", "W3", "W4", "W5"]),
    ("warm", &["S3"]),
    ("density", &["S4", "S5", "N1"]),
];
