//! Cross-origin rules at work: preflights are answered here, and responses say who may read them.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use ship_core::CorsRule;

use crate::body::EdgeBody;
use crate::protocol::headers::add_vary;

/// Every header that a function sets by itself if it speaks CORS at all.
const ACCESS_CONTROL_PREFIX: &str = "access-control-";

/// A request to a path that a rule is about.
pub(crate) struct CorsVisit<'r> {
    rule: &'r CorsRule,
    /// The origin that may read the response, as it is echoed.
    allowed: Option<HeaderValue>,
}

impl<'r> CorsVisit<'r> {
    /// What the first rule for `path` says to this request. `None` if no rule is about the path.
    pub(crate) fn begin(
        rules: &'r [CorsRule],
        path: &str,
        headers: &HeaderMap,
        is_own: &dyn Fn(&str) -> bool,
    ) -> Option<Self> {
        let rule = rules.iter().find(|rule| rule.matches_path(path))?;
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let origin = origins.next().filter(|_| origins.next().is_none());
        let allowed = origin.filter(|origin| origin.to_str().is_ok_and(|text| rule.allows_origin(text, is_own)));
        let any = HeaderValue::from_static("*");
        let is_any = rule.allows_any_origin() && !rule.allows_credentials();
        let allowed = allowed.map(|origin| if is_any { any } else { origin.clone() });
        Some(Self { rule, allowed })
    }

    /// The answer to a preflight, if the request is one. An origin or method that the rule does not allow gets an answer
    /// without permissions, which browsers take as a no.
    pub(crate) fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response<EdgeBody>> {
        let wanted = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
        if *method != Method::OPTIONS || !headers.contains_key(header::ORIGIN) {
            return None;
        }
        let mut response = Response::new(EdgeBody::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let names = response.headers_mut();
        let varies = HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
        names.insert(header::VARY, varies);
        if self.allows_method(wanted)
            && let Some(origin) = &self.allowed
        {
            self.permit(names, origin);
            self.permit_preflight(names);
        }
        Some(response)
    }

    fn allows_method(&self, wanted: &HeaderValue) -> bool {
        self.rule.methods().iter().any(|method| method == "*" || wanted == method)
    }

    fn permit(&self, headers: &mut HeaderMap, origin: &HeaderValue) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        if self.rule.allows_credentials() {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }

    fn permit_preflight(&self, headers: &mut HeaderMap) {
        set_list(headers, header::ACCESS_CONTROL_ALLOW_METHODS, self.rule.methods());
        set_list(headers, header::ACCESS_CONTROL_ALLOW_HEADERS, self.rule.headers());
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(self.rule.max_age_secs()));
    }

    /// Says in a response who may read it. A function that speaks CORS by itself has said so already; that its answer depends
    /// on the origin is said in any case.
    pub(crate) fn finish(&self, headers: &mut HeaderMap) {
        add_vary(headers, &["Origin"]);
        let speaks_for_itself = headers.keys().any(|name| name.as_str().starts_with(ACCESS_CONTROL_PREFIX));
        if !speaks_for_itself && let Some(origin) = &self.allowed {
            self.permit(headers, origin);
        }
    }
}

fn set_list(headers: &mut HeaderMap, name: HeaderName, values: &[String]) {
    if !values.is_empty() {
        let value = HeaderValue::from_str(&values.join(", "));
        headers.insert(name, value.expect("methods and header names are tokens"));
    }
}

#[cfg(test)]
mod tests {
    use ship_core::Credentials;

    use super::*;

    fn rule(origins: &[&str], credentials: Credentials) -> CorsRule {
        let origins = origins.iter().map(|origin| origin.parse().unwrap()).collect();
        let methods = vec!["GET".to_owned(), "PUT".to_owned()];
        CorsRule::new("/api/(.*)", origins, methods, vec!["content-type".to_owned()], credentials, 7200).unwrap()
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        pairs.iter().map(pair).collect()
    }

    fn text(headers: &HeaderMap) -> String {
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines.join("\n")
    }

    fn preflight(rule: &CorsRule, origin: &str, method: &str) -> String {
        let asked = headers(&[("origin", origin), ("access-control-request-method", method)]);
        let rules = [rule.clone()];
        let visit = CorsVisit::begin(&rules, "/api/x", &asked, &|own| own == "http://own.test").unwrap();
        let response = visit.preflight(&Method::OPTIONS, &asked).unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        text(response.headers())
    }

    const VARY: &str = "vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

    /// An allowed origin is echoed with all that the rule permits; another origin or method gets no permission at all.
    #[test]
    fn preflights() {
        let app = rule(&["https://app.test", "self"], Credentials::Allowed);
        let permitted = |origin: &str| {
            format!(
                "access-control-allow-credentials: true\naccess-control-allow-headers: content-type\n\
                 access-control-allow-methods: GET, PUT\naccess-control-allow-origin: {origin}\n\
                 access-control-max-age: 7200\n{VARY}"
            )
        };
        assert_eq!(preflight(&app, "https://app.test", "PUT"), permitted("https://app.test"));
        assert_eq!(preflight(&app, "http://own.test", "GET"), permitted("http://own.test"));
        assert_eq!(preflight(&app, "https://evil.test", "GET"), VARY);
        assert_eq!(preflight(&app, "null", "GET"), VARY);
        assert_eq!(preflight(&app, "https://app.test", "DELETE"), VARY);
        assert_eq!(preflight(&app, "https://app.test", "get"), VARY);
    }

    /// Every origin is `*`, but never for credentials, and never for `null`.
    #[test]
    fn any_origin() {
        let any = rule(&["*"], Credentials::Omitted);
        assert!(preflight(&any, "https://anyone.test", "GET").contains("access-control-allow-origin: *"));
        assert_eq!(preflight(&any, "null", "GET"), VARY);
    }

    /// An `OPTIONS` request that asks for no permission, and a path without a rule, are not preflights.
    #[test]
    fn no_preflight() {
        let rules = [rule(&["https://app.test"], Credentials::Omitted)];
        let begin = |path: &str, asked: &HeaderMap| CorsVisit::begin(&rules, path, asked, &|_| false).is_some();
        let plain = headers(&[("origin", "https://app.test")]);
        let visit = CorsVisit::begin(&rules, "/api/x", &plain, &|_| false).unwrap();
        assert!(visit.preflight(&Method::OPTIONS, &plain).is_none());
        assert!(!begin("/other", &plain));
    }

    /// `vary` is on every response, the permission only for the allowed, and what a function says itself stays as it is.
    #[test]
    fn responses() {
        let rules = [rule(&["https://app.test"], Credentials::Omitted)];
        let finish = |origin: &str, own: &[(&str, &str)]| {
            let asked = headers(&[("origin", origin)]);
            let visit = CorsVisit::begin(&rules, "/api/x", &asked, &|_| false).unwrap();
            let mut answered = headers(own);
            visit.finish(&mut answered);
            text(&answered)
        };
        assert_eq!(finish("https://app.test", &[]), "access-control-allow-origin: https://app.test\nvary: Origin");
        assert_eq!(finish("https://evil.test", &[("vary", "origin")]), "vary: origin");
        assert_eq!(
            finish("https://app.test", &[("access-control-allow-origin", "https://mine.test"), ("vary", "cookie")]),
            "access-control-allow-origin: https://mine.test\nvary: cookie, Origin"
        );
    }

    /// Two origins in one request are nobody.
    #[test]
    fn two_origins() {
        let rules = [rule(&["https://app.test"], Credentials::Omitted)];
        let mut asked = headers(&[("origin", "https://app.test")]);
        asked.append(header::ORIGIN, HeaderValue::from_static("https://app.test"));
        let visit = CorsVisit::begin(&rules, "/api/x", &asked, &|_| false).unwrap();
        assert!(visit.allowed.is_none());
    }
}
