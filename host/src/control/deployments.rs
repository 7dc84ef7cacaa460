//! Deployments: published, listed, inspected, removed.

use std::sync::Arc;

use axum::Json;
use http::StatusCode;
use ship_api::{
    DeploymentDetail, DeploymentList, DeploymentReference, ErrorBody, ErrorCode, ErrorDetail, FunctionView,
    PublishOptions, PublishRequest, PublishedView, RemovedView, StaticView,
};
use ship_core::{DeploymentId, FunctionLimits, HostLabel, Manifest, NetworkAccess, ProjectName, ProjectScope};
use ship_runtime::{ControlGroupVersion, Isolation};
use ship_store::{DeploymentQuery, DeploymentRecord, Store};

use super::extract::{Body, Path, Query};
use super::guard::{Named, Noted};
use super::{ApiError, Control, State, blobs, views};
use crate::access::Actor;
use crate::blocking::blocking;
use crate::domains::Destination;

/// How many deployments one answer lists at the most.
const LISTED: usize = 1_000;

/// How many deployments an answer lists unless it is asked for more.
const LISTED_BY_DEFAULT: usize = 20;

/// How many deployments an answer lists at the most that says how much each has changed.
const COMPARED: usize = 50;

/// Publishes a deployment whose blobs are on the host.
#[utoipa::path(post, path = "/v1/projects/{project}/deployments", params(("project" = String, Path)),
    request_body = PublishRequest,
    responses((status = 201, body = PublishedView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody), (status = 429, body = ErrorBody)))]
pub(super) async fn publish(
    axum::extract::State(control): State,
    actor: Actor,
    Noted(note): Noted,
    Path(project): Path<ProjectName>,
    Body(request): Body<PublishRequest>,
) -> Result<(StatusCode, Json<PublishedView>), ApiError> {
    let PublishRequest { manifest, publish: options } = request;
    let manifest = if actor.projects().only().is_some() {
        let (store, project) = (control.store.clone(), project.clone());
        blocking(move || blobs::own::check(&store, &project, &manifest).map(|()| manifest)).await?
    } else {
        manifest
    };
    let published = control.publisher.publish(project, manifest, options.clone(), note).await;
    let published = published.map_err(|error| error.seen_by(&actor))?;
    let view = views::published(&published, &options, &control.urls);
    Ok((StatusCode::CREATED, Json(view)))
}

/// Publishes a deployment that the host has, under other names or for another target.
#[utoipa::path(post, path = "/v1/projects/{project}/deployments/{id}/publish",
    params(("project" = String, Path), ("id" = String, Path)), request_body = PublishOptions,
    responses((status = 200, body = PublishedView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(super) async fn publish_known(
    axum::extract::State(control): State,
    actor: Actor,
    Noted(note): Noted,
    Path((project, id)): Path<(ProjectName, DeploymentId)>,
    Body(options): Body<PublishOptions>,
) -> Result<Json<PublishedView>, ApiError> {
    let published = control.publisher.republish(project, id, options.clone(), note).await;
    match published.map_err(|error| error.seen_by(&actor))? {
        Some(published) => Ok(Json(views::published(&published, &options, &control.urls))),
        None => Err(ApiError::new(ErrorCode::NotFound, format!("the host has no deployment `{id}`"))),
    }
}

/// Which deployments are listed.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// Only those of one project.
    #[param(value_type = Option<String>)]
    project: Option<ProjectName>,
    /// Only those that were published before this one, by its whole id: the next page behind a list that ends with it.
    #[param(value_type = Option<String>)]
    older_than: Option<DeploymentId>,
    /// Only those with this text in the id, the label, the branch, the commit or the name of the token that published it.
    text: Option<String>,
    /// How many at the most.
    limit: Option<usize>,
    /// Whether it is said of each how much it changed. That reads manifests, so at most 50 are listed.
    #[serde(default)]
    changes: bool,
}

/// Whose deployments somebody sees who asks for those of a project, or of any.
enum Visible {
    Nothing,
    All,
    Of(ProjectName),
}

/// A project that is not the actor's has no deployments, as one that does not exist.
fn visible(actor: &Actor, asked: Option<ProjectName>) -> Visible {
    match (asked, actor.projects()) {
        (None, ProjectScope::All) => Visible::All,
        (None, ProjectScope::One(own)) => Visible::Of(own.clone()),
        (Some(project), scope) if scope.holds(&project) => Visible::Of(project),
        (Some(_), _) => Visible::Nothing,
    }
}

/// The newest deployments, newest first.
#[utoipa::path(get, path = "/v1/deployments", params(ListQuery),
    responses((status = 200, body = DeploymentList), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody)))]
pub(super) async fn list(
    axum::extract::State(control): State,
    actor: Actor,
    Query(query): Query<ListQuery>,
) -> Result<Json<DeploymentList>, ApiError> {
    let ListQuery { project, older_than, text, limit, changes } = query;
    let limit = limit.unwrap_or(LISTED_BY_DEFAULT).min(if changes { COMPARED } else { LISTED });
    let project = match visible(&actor, project) {
        Visible::Nothing => return Ok(Json(DeploymentList { deployments: Vec::new() })),
        Visible::All => None,
        Visible::Of(project) => Some(project),
    };
    let wanted = DeploymentQuery { project, older_than, text: text.filter(|text| !text.is_empty()), limit };
    let (store, comparisons) = (control.store.clone(), Arc::clone(&control.comparisons));
    let summaries = blocking(move || {
        let changes_of = |record: &DeploymentRecord| changes.then(|| comparisons.counts(&store, record)).flatten();
        let found = store.deployments().search(&wanted)?.into_iter();
        Ok::<_, ApiError>(found.map(|summary| (changes_of(&summary.record), summary)).collect::<Vec<_>>())
    });
    let listed = summaries.await?;
    let deployments = listed.iter().map(|(changes, summary)| views::listed(summary, *changes, &control.urls)).collect();
    Ok(Json(DeploymentList { deployments }))
}

/// One deployment with what it holds. It is named by its id, the beginning of its id, or the first label of its URL.
#[utoipa::path(get, path = "/v1/deployments/{reference}", params(("reference" = String, Path)),
    responses((status = 200, body = DeploymentDetail), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(super) async fn inspect(
    axum::extract::State(control): State,
    Named(record): Named,
) -> Result<Json<DeploymentDetail>, ApiError> {
    let store = control.store.clone();
    let (record, manifest, aliases) = blocking(move || {
        let manifest = store.deployments().manifest(&record.id)?;
        let aliases = store.deployments().aliases_to(&record.id)?;
        Ok::<_, ApiError>((record, manifest, aliases))
    })
    .await?;
    let (deployment, alias_urls, is_production) = views::inspected(&record, &aliases, &control.urls);
    let files = manifest.assets().len() as u64;
    let bytes = manifest.assets().iter().map(|asset| asset.size_bytes).sum();
    let isolation = if manifest.functions().is_empty() { None } else { control.runtime.isolation().await.ok() };
    Ok(Json(DeploymentDetail {
        deployment,
        url: control.urls.of(&record.own_label),
        aliases: alias_urls,
        is_production,
        functions: functions(&control, &record, &manifest, isolation),
        r#static: StaticView { files, bytes },
        routes: manifest.routes().clone(),
        hard_patterns: manifest.routes().hard_patterns().into_iter().map(str::to_owned).collect(),
        crons: manifest.crons().iter().map(views::cron).collect(),
    }))
}

fn functions(
    control: &Control,
    record: &DeploymentRecord,
    manifest: &Manifest,
    isolation: Option<Isolation>,
) -> Vec<FunctionView> {
    let running = control.runtime.instances();
    let groups = control.runtime.control_groups();
    let view = |function: &ship_core::Function| FunctionView {
        name: function.name.clone(),
        route: function.name.route(),
        runtime: function.runtime,
        digest: function.digest,
        size_bytes: function.size_bytes,
        isolation: isolation.map(|isolation| isolation.as_str().to_owned()),
        limits: function.limits.into(),
        limits_not_held: not_held(&function.limits, isolation, groups),
        warm: function.warm.iter().map(Into::into).collect(),
        instances: running
            .iter()
            .filter(|instance| instance.deployment == record.id && instance.function == function.name)
            .cloned()
            .map(views::instance)
            .collect(),
    };
    manifest.functions().iter().map(view).collect()
}

/// The limits of a function that bound nothing here, by their names.
fn not_held(limits: &FunctionLimits, isolation: Option<Isolation>, groups: Option<ControlGroupVersion>) -> Vec<String> {
    let has_no_sandbox = isolation == Some(Isolation::Process);
    let has_no_quota = matches!(groups, None | Some(ControlGroupVersion::TwoWithoutCpu));
    let all = [
        ("cpu", limits.cpu_thousandths.is_some() && has_no_quota),
        // In a sandbox they are counted for its user.
        ("max_processes", has_no_sandbox && groups.is_none()),
        ("network", has_no_sandbox && limits.network != NetworkAccess::All),
        ("tmp_mb", has_no_sandbox),
    ];
    all.into_iter().filter(|(_, is_not_held)| *is_not_held).map(|(name, _)| name.to_owned()).collect()
}

/// Removes a deployment. What production leads to is not removed.
#[utoipa::path(delete, path = "/v1/deployments/{reference}", params(("reference" = String, Path)),
    responses((status = 200, body = RemovedView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody)))]
pub(super) async fn remove(
    axum::extract::State(control): State,
    Named(record): Named,
    Noted(note): Noted,
) -> Result<Json<RemovedView>, ApiError> {
    control.publisher.remove(&record.project, record.id, note).await?;
    Ok(Json(RemovedView { project: record.project, deployments: vec![record.id] }))
}

/// The deployment of these projects that a reference means. One of another project is not there, whatever it is asked for by.
pub(super) async fn find(
    control: &Control,
    projects: &ProjectScope,
    reference: String,
) -> Result<DeploymentRecord, ApiError> {
    let parsed: DeploymentReference =
        reference.parse().map_err(|error| ApiError::new(ErrorCode::BadRequest, format!("{error}")))?;
    let (store, projects) = (control.store.clone(), projects.clone());
    let label = label_meant(control, &projects, &parsed)?;
    blocking(move || find_in(&store, &projects, &parsed, label.as_ref())).await
}

/// The label of this host that a reference means, if it can be one. A URL of another host means nothing here, however alike its
/// first label is: what `ship rm` is given would otherwise be removed on the wrong one. A domain of another project is as one that nobody has.
fn label_meant(
    control: &Control,
    projects: &ProjectScope,
    reference: &DeploymentReference,
) -> Result<Option<HostLabel>, ApiError> {
    let urls = &control.urls;
    match reference.domain() {
        None => Ok(reference.as_label()),
        Some(domain) if domain == urls.domain() => Ok(reference.as_label()),
        Some(_) => match urls.domains().destination(&reference.to_string()) {
            Some(Destination::Production(project)) if projects.holds(&project) => {
                Ok(Some(HostLabel::production(&project)))
            }
            _ => {
                let message =
                    format!("`{reference}` is no URL of this host, whose sites stand below `{}`", urls.domain());
                let detail = ErrorDetail::new(ErrorCode::NotFound, message);
                Err(detail.with_hint("`--host` asks another host").into())
            }
        },
    }
}

fn find_in(
    store: &Store,
    projects: &ProjectScope,
    reference: &DeploymentReference,
    label: Option<&HostLabel>,
) -> Result<DeploymentRecord, ApiError> {
    let only = projects.only();
    let by_id = reference.as_id_prefix().map(|prefix| store.deployments().find(&prefix, only));
    let by_id = by_id.transpose()?.unwrap_or_default();
    match <[DeploymentRecord; 1]>::try_from(by_id) {
        Ok([record]) => return Ok(record),
        Err(several) if several.is_empty() => {}
        Err(several) => {
            let ids: Vec<String> = several.iter().map(|record| record.id.to_string()).collect();
            let message = format!("`{reference}` is the beginning of several ids");
            let detail = ErrorDetail::new(ErrorCode::AmbiguousReference, message);
            return Err(detail.with_hint(format!("it may be {}", ids.join(", "))).into());
        }
    }
    let alias = label.map(|label| store.deployments().alias(label)).transpose()?.flatten();
    let alias = alias.filter(|alias| projects.holds(&alias.project));
    let record = alias.map(|alias| store.deployments().get(&alias.deployment)).transpose()?.flatten();
    record.ok_or_else(|| {
        ErrorDetail::new(ErrorCode::NotFound, format!("the host has no deployment `{reference}`"))
            .with_hint("`ship ls` shows what is deployed")
            .into()
    })
}
