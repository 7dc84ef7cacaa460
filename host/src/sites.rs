//! Answering visitors: the host name decides the deployment, the edge does the rest.

use std::sync::Arc;

use http::{HeaderValue, Request, Response, Version};
use ship_core::{HostLabel, PlatformError};
use ship_edge::{
    Announcement, Answer, Edge, EdgeBody, EndOfSending, PlainRequest, Prompt, Scheme, Visitor, VisitorBody, host_label,
    host_name, request_authority,
};

use crate::cookies;
use crate::domains::Destination;
use crate::site_map::SiteMap;
use crate::urls::Urls;

/// What browsers are told of a site that has TLS: for a year, it is never asked for in the clear.
const ALWAYS_SECURE: &str = "max-age=31536000";

/// What answers at the sites listener.
pub(crate) struct Sites {
    pub(crate) edge: Arc<Edge>,
    pub(crate) map: SiteMap,
    pub(crate) urls: Urls,
    pub(crate) promise: SecurityPromise,
    /// What visitors over TCP are told of HTTP/3, where it is spoken.
    pub(crate) alternative: Option<HeaderValue>,
}

/// Whether browsers are told that a site is never to be asked for in the clear again (HSTS, RFC 6797).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SecurityPromise {
    /// They are, unless the site says something of its own. Its neighbours are not spoken for.
    Given,
    /// They are not: below `localhost` the promise would hold for every other program that this machine serves under the name.
    NotGiven,
}

impl SecurityPromise {
    pub(crate) fn below(domain: &str) -> Self {
        if domain == "localhost" || domain.ends_with(".localhost") { Self::NotGiven } else { Self::Given }
    }
}

impl Sites {
    /// Whether a host name is one that this host answers for, whether or not something is deployed there.
    pub(crate) fn is_own(&self, authority: &str) -> bool {
        let is_custom = || host_name(authority).is_some_and(|name| self.urls.domains().has(&name));
        host_label(authority, self.urls.domain()).is_some() || is_custom()
    }

    /// What is said in every answer.
    fn announcement(&self, scheme: Scheme, version: Version) -> Announcement {
        if scheme != Scheme::Https {
            return Announcement::default();
        }
        let is_promised = self.promise == SecurityPromise::Given;
        Announcement {
            promise: is_promised.then(|| HeaderValue::from_static(ALWAYS_SECURE)),
            // Who comes over HTTP/3 knows.
            alternative: self.alternative.clone().filter(|_| version != Version::HTTP_3),
        }
    }

    async fn named(&self, request: Request<VisitorBody>, visitor: Visitor) -> Response<EdgeBody> {
        let Some(authority) = request_authority(request.uri(), request.headers()) else {
            return self.edge.platform_error(PlatformError::MalformedRequest, &request);
        };
        if let Some(label) = host_label(authority, self.urls.domain()) {
            let mut response = self.site(&label, request, visitor).await;
            cookies::keep_own(response.headers_mut(), self.urls.domain());
            return response;
        }
        match host_name(authority).and_then(|name| self.urls.domains().destination(&name)) {
            Some(Destination::Production(project)) => {
                self.site(&HostLabel::production(&project), request, visitor).await
            }
            Some(Destination::Redirect(name)) => {
                let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
                self.edge.redirect(&format!("{}{target}", self.urls.of_name(name.as_str())), &request)
            }
            None => self.edge.not_found_site(&request),
        }
    }

    async fn site(&self, label: &HostLabel, request: Request<VisitorBody>, visitor: Visitor) -> Response<EdgeBody> {
        match self.map.site(label).await {
            Some(Ok(site)) => self.edge.respond(&site, request, &visitor).await,
            Some(Err(error)) => {
                tracing::error!(%label, %error, "a deployment cannot be read");
                self.edge.platform_error(PlatformError::Internal, &request)
            }
            None => self.edge.not_found_site(&request),
        }
    }
}

impl Answer for Sites {
    const END_OF_SENDING: EndOfSending = EndOfSending::PerhapsOnlyThat;

    async fn answer(&self, request: Request<VisitorBody>, visitor: Visitor) -> Response<EdgeBody> {
        let version = request.version();
        let mut response = self.named(request, visitor).await;
        self.announcement(visitor.scheme, version).make(response.headers_mut());
        response
    }

    fn answer_at_once(&self, request: &PlainRequest<'_>, visitor: Visitor) -> Option<Prompt> {
        let label = host_label(request.authority(), self.urls.domain()).or_else(|| {
            match host_name(request.authority()).and_then(|name| self.urls.domains().destination(&name))? {
                Destination::Production(project) => Some(HostLabel::production(&project)),
                Destination::Redirect(_) => None,
            }
        });
        let prompt = self.edge.respond_at_once(self.map.site_at_once(&label?)?, request, visitor)?;
        Some(prompt.announcing(self.announcement(visitor.scheme, Version::HTTP_11)))
    }
}
