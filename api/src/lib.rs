//! The control API: wire types, error codes and the typed client.
