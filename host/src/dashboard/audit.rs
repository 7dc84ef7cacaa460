//! The audit log, as a page.

use axum::response::Response;
use minijinja::context;
use ship_api::AuditList;

use super::address::Query;
use super::failure::Failure;
use super::seat::Seat;
use super::templates::data;

/// How many entries stand on the page.
const SHOWN: usize = 80;

/// Which of them.
#[derive(Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct AuditFilters {
    project: String,
    since: String,
}

/// What was done, and what nobody was let do, newest first.
pub(super) async fn list(seat: Seat, Query(filters): Query<AuditFilters>) -> Result<Response, Failure> {
    let fields = [("project", filters.project.trim()), ("since", filters.since.trim())];
    let wanted: Vec<(&str, &str)> = fields.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let wanted = serde_urlencoded::to_string(wanted).unwrap_or_default();
    let list: AuditList = seat.get(&format!("/v1/audit?limit={SHOWN}&{wanted}")).await?;
    Ok(seat.page("audit.html", context! { entries => data(&list.entries), filters => data(&filters), shown => SHOWN }))
}
