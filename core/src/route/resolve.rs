//! The decision: which asset, function, redirect or error answers a request.

use super::effort::{Effort, Spent};
use super::pattern::PatternExhausted;
use super::pause::{Heading, Pause};
use super::query::Query;
use super::substitution::Groups;
use super::table::{Phase, Route, RouteTable};
use crate::path::{FunctionName, UrlPath};
use crate::site_index::{Found, SiteIndex};

/// What of a request routing looks at.
#[derive(Clone, Copy)]
pub struct RouteRequest<'r> {
    /// The method, in upper case.
    pub method: &'r str,
    /// The host name, in lower case and without a port.
    pub host: &'r str,
    /// The normalised path.
    pub path: &'r UrlPath,
    /// The query as it was sent, without the `?`.
    pub query: Option<&'r str>,
    /// The value of a request header by its lower-case name.
    pub header: &'r dyn Fn(&str) -> Option<String>,
}

/// What answers, and what the routes on the way add to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolution {
    /// What answers.
    pub outcome: Outcome,
    /// Response headers, names in lower case, a later value in place of an earlier one.
    pub headers: Vec<(String, String)>,
}

/// What answers a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// An asset or a function of the deployment.
    Found {
        /// Which.
        found: Found,
        /// The query it is asked with: the parameters that routes made of path segments, then those that were sent.
        query: Option<String>,
        /// The status, where a route sets one; otherwise the answer's own.
        status: Option<u16>,
    },
    /// Another address, by a redirect.
    Redirect {
        /// The 3xx status.
        status: u16,
        /// The value of `location`.
        location: String,
    },
    /// A URL of another host whose answer is passed on.
    External {
        /// The URL with its query.
        url: String,
        /// The status, where a route sets one; otherwise the answer's own.
        status: Option<u16>,
    },
    /// Only a status, without a page for it.
    Status(u16),
    /// A function that decides whether the request goes on, and how: see [`resume`].
    Middleware {
        /// Which.
        function: FunctionName,
        /// Where the request goes on.
        pause: Box<Pause>,
    },
    /// Nothing, and no page for that.
    NotFound,
    /// A pattern took more steps than allowed, or all that was tried together did.
    Exhausted {
        /// The pattern at which that was found.
        pattern: String,
    },
}

/// Decides what answers `request`, by the phases of the Build Output API v3.
///
/// The phases: `null` routes, then what stands at the path (`filesystem`), then the `filesystem` routes, then `miss`, then
/// `rewrite`, then an error. A route with `check` goes on with the routes behind it while its destination does not exist.
/// When something is found the `hit` routes add headers; when nothing is, or a route says so with a status, the `error`
/// routes may name a page for it.
///
/// A route that sets a status and leads to another host keeps both: the answer is the other host's, with that status.
pub fn resolve(table: &RouteTable, index: &SiteIndex, request: &RouteRequest<'_>) -> Resolution {
    let walk = Walk {
        table,
        index,
        request,
        path: request.path.as_str().to_owned(),
        query: Query::default(),
        headers: Vec::new(),
        status: None,
        effort: Effort::OF_A_REQUEST,
        asked: Vec::new(),
    };
    walk.resolve_from(0)
}

/// Goes on with a request after a middleware has let it pass, with the routes behind the one that named the middleware.
/// `request` is the request as the middleware has changed it.
pub fn resume(
    table: &RouteTable,
    index: &SiteIndex,
    request: &RouteRequest<'_>,
    pause: Pause,
    heading: Heading,
) -> Resolution {
    let Pause { next, path, query, headers, status, effort, asked } = pause;
    let (path, query) = match heading {
        Heading::AsBefore => (path, query),
        Heading::Rewritten => (request.path.as_str().to_owned(), Query::default()),
    };
    Walk { table, index, request, path, query, headers, status, effort, asked }.resolve_from(next)
}

/// What a header counts beside its name and value, as HTTP/2 counts it (RFC 9113, section 6.5.2).
const HEADER_BYTES: usize = 32;

/// One walk through the phases: the request as the routes have changed it so far.
struct Walk<'w> {
    table: &'w RouteTable,
    index: &'w SiteIndex,
    request: &'w RouteRequest<'w>,
    path: String,
    query: Query,
    headers: Vec<(String, String)>,
    status: Option<u16>,
    effort: Effort,
    asked: Vec<FunctionName>,
}

/// Why a walk ends before its last phase.
enum Stop {
    Outcome(Outcome),
    Exhausted(String),
    /// A middleware is asked before the route with this number is tried.
    Middleware(FunctionName, usize),
}

/// What a phase came to.
enum Passed {
    Found(Found),
    Nothing,
}

/// The end of a walk that takes too much, at this route.
fn spent_at(route: &Route) -> impl Fn(Spent) -> Stop {
    |Spent| Stop::Exhausted(route.src.as_str().to_owned())
}

impl Walk<'_> {
    fn resolve_from(mut self, first: usize) -> Resolution {
        let outcome = match self.run(first) {
            Ok(outcome) | Err(Stop::Outcome(outcome)) => outcome,
            Err(Stop::Exhausted(pattern)) => Outcome::Exhausted { pattern },
            Err(Stop::Middleware(function, next)) => {
                let Self { path, query, headers, status, effort, mut asked, .. } = self;
                asked.push(function.clone());
                let pause = Box::new(Pause { next, path, query, headers, status, effort, asked });
                return Resolution { outcome: Outcome::Middleware { function, pause }, headers: Vec::new() };
            }
        };
        Resolution { outcome, headers: self.headers }
    }

    fn run(&mut self, first: usize) -> Result<Outcome, Stop> {
        if let Passed::Found(found) = self.phase_from(Phase::Null, first)? {
            return self.hit(found);
        }
        if let Some(found) = self.index.find(&self.path) {
            return self.hit(found);
        }
        if let Passed::Found(found) = self.phase(Phase::Filesystem)? {
            return self.hit(found);
        }
        if let Some(found) = self.index.find(&self.path) {
            return self.hit(found);
        }
        match self.miss_and_rewrite()? {
            Passed::Found(found) => self.hit(found),
            Passed::Nothing => self.error(self.status.filter(|status| *status >= 400).unwrap_or(404)),
        }
    }

    /// Tries the routes of one phase in order.
    fn phase(&mut self, phase: Phase) -> Result<Passed, Stop> {
        self.phase_from(phase, 0)
    }

    fn phase_from(&mut self, phase: Phase, first: usize) -> Result<Passed, Stop> {
        for (number, route) in self.table.phase(phase).iter().enumerate().skip(first) {
            let Some(groups) = self.matches(route)? else { continue };
            self.add_headers(route, &groups)?;
            if let Some(function) = &route.middleware {
                if self.asked.contains(function) {
                    continue;
                }
                return Err(Stop::Middleware(function.clone(), number + 1));
            }
            if route.continues {
                self.status = route.status.or(self.status);
                if let (Some(dest), true) = (&route.dest, route.check) {
                    let path = groups.fill_path(&mut self.effort, dest).map_err(spent_at(route))?;
                    if let Some(found) = self.index.find(&path) {
                        return Ok(Passed::Found(found));
                    }
                } else if let Some(dest) = &route.dest {
                    self.go_to(route, dest, &groups)?;
                }
                continue;
            }
            self.stop_for_status(route, &groups)?;
            let Some(dest) = &route.dest else { return Ok(Passed::Nothing) };
            self.go_to(route, dest, &groups)?;
            if !route.check {
                return Ok(self.index.find(&self.path).map_or(Passed::Nothing, Passed::Found));
            }
            if let Some(found) = self.index.find(&self.path) {
                return Ok(Passed::Found(found));
            }
            if matches!(phase, Phase::Null | Phase::Filesystem)
                && let Passed::Found(found) = self.miss_and_rewrite()?
            {
                return Ok(Passed::Found(found));
            }
        }
        Ok(Passed::Nothing)
    }

    fn miss_and_rewrite(&mut self) -> Result<Passed, Stop> {
        let path = self.path.clone();
        if let Passed::Found(found) = self.phase(Phase::Miss)? {
            return Ok(Passed::Found(found));
        }
        self.path = path;
        self.phase(Phase::Rewrite)
    }

    /// The groups of a route that is about this request.
    fn matches(&mut self, route: &Route) -> Result<Option<Groups>, Stop> {
        self.effort.try_route().map_err(spent_at(route))?;
        let method = self.request.method;
        if !route.methods.is_empty() && !route.methods.iter().any(|name| name.eq_ignore_ascii_case(method)) {
            return Ok(None);
        }
        if !route.src.may_match(&self.path) {
            return Ok(None);
        }
        let conditions = route.has.iter().chain(&route.missing).filter(|condition| condition.is_hard()).count();
        let hard_patterns = conditions + usize::from(route.src.is_hard());
        self.effort.try_hard_patterns(hard_patterns).map_err(spent_at(route))?;
        let mut groups = Groups::default();
        let exhausted = |_: PatternExhausted| Stop::Exhausted(route.src.as_str().to_owned());
        if !groups.capture(&route.src, &self.path).map_err(exhausted)? {
            return Ok(None);
        }
        for condition in &route.has {
            if !condition.holds(self.request, &mut groups).map_err(exhausted)? {
                return Ok(None);
            }
        }
        for condition in &route.missing {
            if condition.holds(self.request, &mut Groups::default()).map_err(exhausted)? {
                return Ok(None);
            }
        }
        Ok(Some(groups))
    }

    fn add_headers(&mut self, route: &Route, groups: &Groups) -> Result<(), Stop> {
        for (name, value) in &route.headers {
            let name = name.to_ascii_lowercase();
            if name == "location" {
                continue;
            }
            self.effort.write(name.len() + HEADER_BYTES).map_err(spent_at(route))?;
            let value = groups.fill_header(&mut self.effort, value).map_err(spent_at(route))?;
            self.headers.retain(|(known, _)| *known != name);
            self.headers.push((name, value));
        }
        Ok(())
    }

    /// A route with a status answers by itself: a redirect if it has a `location`, otherwise the status without more.
    fn stop_for_status(&mut self, route: &Route, groups: &Groups) -> Result<(), Stop> {
        let Some(status) = route.status else { return Ok(()) };
        let location = route.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
        if let (300..400, Some((_, template))) = (status, location) {
            // What was caught must not lead to a host that the route does not name: then there is nothing at this path.
            let filled = groups.fill_location(&mut self.effort, template).map_err(spent_at(route))?;
            let Some(filled) = filled else { return Err(Stop::Outcome(Outcome::NotFound)) };
            let location = self.query.appended_to(&filled, self.request.query);
            return Err(Stop::Outcome(Outcome::Redirect { status, location }));
        }
        self.status = Some(status);
        if route.dest.is_none() {
            let outcome = if status >= 400 { self.error(status)? } else { Outcome::Status(status) };
            return Err(Stop::Outcome(outcome));
        }
        Ok(())
    }

    /// Takes a destination: another path here, or another host, which ends the walk.
    fn go_to(&mut self, route: &Route, dest: &str, groups: &Groups) -> Result<(), Stop> {
        let (path, query) = dest.split_once('?').map_or((dest, None), |(path, query)| (path, Some(query)));
        if let Some(query) = query {
            self.query.add(&groups.fill_query(&mut self.effort, query).map_err(spent_at(route))?);
        }
        if path.starts_with("http://") || path.starts_with("https://") {
            // What was caught must not turn the host into another one: then there is nothing at this path.
            let filled = groups.fill_url(&mut self.effort, path).map_err(spent_at(route))?;
            let Some(filled) = filled else { return Err(Stop::Outcome(Outcome::NotFound)) };
            let url = self.query.appended_to(&filled, self.request.query);
            return Err(Stop::Outcome(Outcome::External { url, status: self.status }));
        }
        let filled = groups.fill_path(&mut self.effort, path).map_err(spent_at(route))?;
        self.path = if filled.starts_with('/') { filled } else { format!("/{filled}") };
        Ok(())
    }

    /// Something was found: the `hit` routes add headers to it.
    fn hit(&mut self, found: Found) -> Result<Outcome, Stop> {
        for route in self.table.phase(Phase::Hit) {
            if let Some(groups) = self.matches(route)? {
                self.add_headers(route, &groups)?;
            }
        }
        Ok(Outcome::Found { found, query: self.query.merged(self.request.query), status: self.status })
    }

    /// An error: the first `error` route that is about the status and the path names the page.
    fn error(&mut self, status: u16) -> Result<Outcome, Stop> {
        for route in self.table.phase(Phase::Error) {
            if route.status.is_some_and(|wanted| wanted != status) {
                continue;
            }
            let Some(groups) = self.matches(route)? else { continue };
            self.add_headers(route, &groups)?;
            let Some(dest) = &route.dest else { continue };
            let page = groups.fill_path(&mut self.effort, dest).map_err(spent_at(route))?;
            if let Some(found) = self.index.find(&page) {
                return Ok(Outcome::Found { found, query: None, status: Some(status) });
            }
        }
        Ok(if status == 404 { Outcome::NotFound } else { Outcome::Status(status) })
    }
}

#[cfg(test)]
mod tests;
