//! From what the store and the runtime know to what the API says.

use ship_api::{
    AliasMoveView, CertificateView, ChangeCounts, CronView, DeploymentView, InstanceView, ListedView, PublishedView,
};
use ship_core::{Cron, HostLabel, Target};
use ship_store::{Alias, AliasKind, AliasMove, DeploymentRecord, DeploymentSummary, Published};

use crate::tls::NameReport;
use crate::urls::Urls;

pub(super) fn instance(instance: ship_runtime::InstanceView) -> InstanceView {
    InstanceView {
        project: None,
        deployment: instance.deployment,
        function: instance.function,
        pid: instance.pid,
        state: instance.state.as_str().to_owned(),
        in_flight: instance.in_flight,
    }
}

pub(super) fn certificate((name, report): (String, NameReport)) -> CertificateView {
    let NameReport { expires_at, next_at, error } = report;
    CertificateView { name, expires_at, next_at, error }
}

pub(super) fn cron(cron: &Cron) -> CronView {
    CronView { path: cron.path().to_owned(), schedule: cron.schedule().to_owned() }
}

fn deployment(record: &DeploymentRecord) -> DeploymentView {
    DeploymentView {
        id: record.id,
        project: record.project.clone(),
        target: record.target,
        branch: record.source.branch.clone(),
        commit: record.source.commit.clone(),
        published_by: record.published_by.clone(),
        author: record.author.clone(),
        subject: record.subject.clone(),
        created_at: record.created_at,
    }
}

/// A deployment as it was just published: branch and commit are those of this publish, and it is a production deployment if
/// production leads to it now.
pub(super) fn published(published: &Published, options: &ship_api::PublishOptions, urls: &Urls) -> PublishedView {
    let mut view = deployment(&published.record);
    view.branch.clone_from(&options.branch);
    view.commit.clone_from(&options.commit);
    // Of this publish whoever asks knows it.
    view.published_by = None;
    view.author = None;
    view.subject = None;
    view.target = if published.production_label.is_some() { Target::Production } else { Target::Preview };
    let aliases = published.branch_label.iter().chain(&published.production_label).map(|label| urls.of(label));
    PublishedView {
        deployment: view,
        url: urls.of(&published.own_label),
        aliases: aliases.collect(),
        changed: !published.moves.is_empty(),
        first_of_project: published.first_of_project,
    }
}

/// A deployment in a list.
pub(super) fn listed(summary: &DeploymentSummary, changes: Option<ChangeCounts>, urls: &Urls) -> ListedView {
    let production = HostLabel::production(&summary.record.project);
    ListedView {
        deployment: deployment(&summary.record),
        url: urls.of(&summary.record.own_label),
        aliases: others(&summary.record.own_label, &summary.labels, urls),
        is_production: summary.labels.contains(&production),
        size_bytes: summary.record.size_bytes,
        changes,
    }
}

/// The parts of a deployment's own page.
pub(super) fn inspected(
    record: &DeploymentRecord,
    aliases: &[Alias],
    urls: &Urls,
) -> (DeploymentView, Vec<String>, bool) {
    let leading: Vec<&Alias> = aliases.iter().filter(|alias| alias.deployment == record.id).collect();
    let labels: Vec<HostLabel> = leading.iter().map(|alias| alias.label.clone()).collect();
    let is_production = leading.iter().any(|alias| alias.kind == AliasKind::Production);
    (deployment(record), others(&record.own_label, &labels, urls), is_production)
}

fn others(own: &HostLabel, labels: &[HostLabel], urls: &Urls) -> Vec<String> {
    labels.iter().filter(|label| *label != own).map(|label| urls.of(label)).collect()
}

pub(super) fn alias_move(moved: &AliasMove, urls: &Urls) -> AliasMoveView {
    AliasMoveView { url: urls.of(&moved.label), from: moved.from, to: moved.to, at: moved.at }
}
