//! The server: listeners, control API, tokens, the map from host names to deployments.
