//! What the functions of a deployment are told about it. It depends on how the deployment was first published, so it is the same
//! whenever and however often they start: a preview that is promoted later still runs as the preview that was tried.

use ship_core::{DeploymentId, HostLabel, ProjectName, SystemVariables, Target};
use ship_store::{DeploymentRecord, DeploymentSource};

use crate::urls::Urls;

/// Where functions run, by the name that has to stand for a region.
const REGION: &str = "ship1";

/// The environment of a deployment that is recorded.
pub(crate) fn of_record(record: &DeploymentRecord, urls: &Urls) -> Vec<(String, String)> {
    environment(&record.project, &record.own_label, record.target, &record.source, urls)
}

/// The environment of a deployment that is about to be recorded.
pub(crate) fn of_new(
    project: &ProjectName,
    id: &DeploymentId,
    target: Target,
    source: &DeploymentSource,
    urls: &Urls,
) -> Vec<(String, String)> {
    let own_label = HostLabel::deployment(project, id, DeploymentId::SHORT_CHARS);
    environment(project, &own_label, target, source, urls)
}

fn environment(
    project: &ProjectName,
    own_label: &HostLabel,
    target: Target,
    source: &DeploymentSource,
    urls: &Urls,
) -> Vec<(String, String)> {
    let variables = SystemVariables {
        environment: target.as_str(),
        url: Some(&urls.host_of(own_label)),
        production_url: Some(&urls.host_of(&HostLabel::production(project))),
        branch: source.branch.as_ref().map(|branch| branch.as_str()),
        commit: source.commit.as_deref(),
        region: Some(REGION),
    };
    variables.pairs()
}
