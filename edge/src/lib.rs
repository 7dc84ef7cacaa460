//! One visitor request to one response, for one deployment.
