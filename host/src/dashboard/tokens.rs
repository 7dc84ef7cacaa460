//! Tokens: which there are, made and shown once, removed.

use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use minijinja::context;
use ship_api::{CreateTokenRequest, CreatedToken, ProjectList, RemovedToken, TokenList, TokenView};
use ship_core::{Lifetime, ProjectName, Role, TokenId, TokenName};

use super::address::Path;
use super::failure::Failure;
use super::forms::{Agreed, Posted, filled};
use super::seat::Seat;
use super::templates::data;

/// The tokens that whoever looks may know of.
pub(super) async fn list(seat: Seat) -> Result<Response, Failure> {
    page(&seat, None).await
}

async fn page(seat: &Seat, created: Option<&CreatedToken>) -> Result<Response, Failure> {
    let tokens: TokenList = seat.get("/v1/tokens").await?;
    let projects: ProjectList = seat.get("/v1/projects").await?;
    let values = context! { tokens => data(&tokens.tokens), projects => data(&projects.projects) };
    Ok(seat.page("tokens.html", context! { created => data(&created), ..values }))
}

/// What the form for a token sends.
#[derive(serde::Deserialize)]
pub(super) struct NewToken {
    name: TokenName,
    role: Role,
    #[serde(default, deserialize_with = "filled")]
    project: Option<ProjectName>,
    #[serde(default, deserialize_with = "filled")]
    expires: Option<Lifetime>,
}

/// Makes a token. The page that answers is the only place where it ever stands.
pub(super) async fn create(Posted { seat, form }: Posted<NewToken>) -> Result<Response, Failure> {
    let NewToken { name, role, project, expires } = form;
    let request = CreateTokenRequest { name, role, project, expires };
    let created: CreatedToken = seat.send(Method::POST, "/v1/tokens", &request).await?;
    page(&seat, Some(&created)).await
}

/// Asks whether a token is to be removed.
pub(super) async fn confirm_removal(seat: Seat, Path(id): Path<TokenId>) -> Result<Response, Failure> {
    let tokens: TokenList = seat.get("/v1/tokens").await?;
    let token = tokens.tokens.iter().find(|token| token.id == id);
    let is_admin = |token: &&TokenView| token.role == Role::Admin && token.project.is_none();
    let is_last = token.as_ref().is_some_and(is_admin) && tokens.tokens.iter().filter(is_admin).count() == 1;
    let is_own = seat.is_of(&id);
    Ok(seat.page("remove_token.html", context! { token => data(&token), id => id.to_string(), is_own, is_last }))
}

/// Removes a token.
pub(super) async fn remove(
    Path(id): Path<TokenId>,
    Posted { seat, form: Agreed {} }: Posted<Agreed>,
) -> Result<Response, Failure> {
    let _: RemovedToken = seat.send(Method::DELETE, &format!("/v1/tokens/{id}"), &()).await?;
    Ok(Redirect::to("/tokens").into_response())
}
