//! The query of a request, as routes change it.

use std::collections::HashSet;

/// The parameters that routes add to a request.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Query {
    added: String,
}

impl Query {
    pub(super) fn add(&mut self, parameters: &str) {
        if !self.added.is_empty() && !parameters.is_empty() {
            self.added.push('&');
        }
        self.added.push_str(parameters);
    }

    /// What routes added, then what was sent and was not set by a route.
    pub(super) fn merged(&self, sent: Option<&str>) -> Option<String> {
        if self.added.is_empty() {
            return sent.map(str::to_owned);
        }
        let key = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        let taken: HashSet<String> = self.added.split('&').map(key).collect();
        let mut merged = self.added.clone();
        for pair in sent.unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !taken.contains(&key(pair))) {
            merged.push('&');
            merged.push_str(pair);
        }
        Some(merged)
    }

    pub(super) fn appended_to(&self, url: &str, sent: Option<&str>) -> String {
        match self.merged(sent).filter(|query| !query.is_empty()) {
            None => url.to_owned(),
            Some(query) => format!("{url}{}{query}", if url.contains('?') { '&' } else { '?' }),
        }
    }
}
