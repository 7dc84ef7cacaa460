//! What functions are made of.

use axum::Json;
use ship_api::{CompositionView, ErrorBody, ErrorCode};
use ship_core::FunctionName;

use super::extract::Query;
use super::guard::Named;
use super::{ApiError, State};
use crate::blocking::blocking;
use crate::composition::composition_view;

/// Which function is meant.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FunctionQuery {
    /// Its name.
    #[param(value_type = String, example = "api/date")]
    function: FunctionName,
}

/// What a function of a deployment is made of: how many bytes of it are whose. One is looked into at a time.
#[utoipa::path(get, path = "/v1/deployments/{reference}/composition", params(("reference" = String, Path), FunctionQuery),
    responses((status = 200, body = CompositionView), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody)))]
pub(super) async fn composition(
    axum::extract::State(control): State,
    Named(record): Named,
    Query(FunctionQuery { function: wanted }): Query<FunctionQuery>,
) -> Result<Json<CompositionView>, ApiError> {
    let _turn = control.composing.lock().await;
    let store = control.store.clone();
    let view = blocking(move || {
        let manifest = store.deployments().manifest(&record.id)?;
        let function = manifest.functions().iter().find(|function| function.name == wanted).ok_or_else(|| {
            let id = record.id.short();
            ApiError::new(ErrorCode::NotFound, format!("the deployment `{id}` has no function `{wanted}`"))
        })?;
        let composition = store.functions().composition(function)?;
        Ok::<_, ApiError>(composition_view(function, composition))
    });
    Ok(Json(view.await?))
}
