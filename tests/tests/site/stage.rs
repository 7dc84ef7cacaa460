//! The site, deployed by ship from a copy of its sources, once for all stories here.

use ship_tests::{TestEnv, TestHost, TestProject, workspace_root};

/// A copy of the site and of the documents that it is made of, beside each other as in the repository.
pub(crate) fn copy(environment: &TestEnv) -> TestProject {
    let _ = environment.project("docs").copied_from(&workspace_root().join("docs"));
    environment.project("site").copied_from(&workspace_root().join("site"))
}

/// Deploys it, and gives its URL.
#[track_caller]
pub(crate) fn deploy(host: &TestHost<'_>, site: &TestProject) -> String {
    host.ship(["deploy", "--quiet"]).within(site.folder()).run().success().url()
}
