//! From a project folder to a build output: static files, function artifacts, routes.
