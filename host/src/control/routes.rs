//! How routes come into the control API: only together with what they do and to what, so that none is ever open by oversight.

use std::sync::Arc;

use axum::Router;
use axum::routing::MethodRouter;
use ship_core::Action;
use utoipa::openapi::OpenApi;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::Control;
use super::guard::guard;

/// Under which name the description of a route says who may use it.
const ACCESS: &str = "x-ship-access";

/// What a route does something to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Of {
    /// The host.
    Host,
    /// The project that `{project}` in the path names.
    Project,
    /// The deployment that `{reference}` in the path names.
    Deployment,
    /// What of its kind is the actor's own.
    Own,
}

impl Of {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Project => "project",
            Self::Deployment => "deployment",
            Self::Own => "own",
        }
    }
}

/// What is decided about a request before its route sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rule {
    pub(super) action: Action,
    pub(super) of: Of,
}

type Routed = UtoipaMethodRouter<Arc<Control>>;

/// The routes of the control API. A route can be added with what it does, or as one that is open to everybody; there is no third way.
pub(super) struct Routes {
    guarded: Vec<(Rule, Routed)>,
    open: Vec<Routed>,
}

impl Routes {
    pub(super) const fn new() -> Self {
        Self { guarded: Vec::new(), open: Vec::new() }
    }

    /// Adds a route for those who may do `action` to what it is about.
    pub(super) fn on(mut self, action: Action, of: Of, route: Routed) -> Self {
        let (schemas, mut paths, methods) = route;
        let access = serde_json::json!({ "action": action.as_str(), "role": action.least_role(), "of": of.as_str() });
        paths.paths.values_mut().for_each(|item| describe(item, &access));
        self.guarded.push((Rule { action, of }, (schemas, paths, methods)));
        self
    }

    /// Adds a route that takes no token.
    pub(super) fn open(mut self, route: Routed) -> Self {
        let (schemas, mut paths, methods) = route;
        for item in paths.paths.values_mut() {
            describe(item, &serde_json::json!({ "of": "everybody" }));
            operations(item).for_each(|operation| operation.security = Some(Vec::new()));
        }
        self.open.push((schemas, paths, methods));
        self
    }

    /// The document that describes them, added to `base`.
    pub(super) fn describe(self, base: OpenApi) -> OpenApi {
        let all = self.guarded.into_iter().map(|(_, route)| route).chain(self.open);
        all.fold(OpenApiRouter::with_openapi(base), OpenApiRouter::routes).into_openapi()
    }

    /// The guarded ones and the open ones, as they are served.
    pub(super) fn into_routers(self, control: &Arc<Control>) -> (Router<Arc<Control>>, Router<Arc<Control>>) {
        let guarded = self.guarded.into_iter().map(|(rule, (schemas, paths, methods))| {
            let layer = axum::middleware::from_fn_with_state((Arc::clone(control), rule), guard);
            let methods: MethodRouter<Arc<Control>> = methods.route_layer(layer);
            (schemas, paths, methods)
        });
        let router = |routes: &mut dyn Iterator<Item = Routed>| {
            Router::from(routes.fold(OpenApiRouter::new(), OpenApiRouter::routes))
        };
        (router(&mut guarded.into_iter()), router(&mut self.open.into_iter()))
    }
}

fn describe(item: &mut PathItem, access: &serde_json::Value) {
    operations(item).for_each(|operation| add(operation, access));
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

fn add(operation: &mut Operation, access: &serde_json::Value) {
    let extensions = Extensions::builder().add(ACCESS, access.clone()).build();
    operation.extensions.get_or_insert_default().merge(extensions);
}
