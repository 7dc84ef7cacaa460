//! The servers of frameworks as data: where each stands, and what makes a handler of it.

use super::{ServerKind, ServerLayout};

/// What Nitro makes for Node: with the packages that it needs, and listening by itself. Nuxt and others are
/// built on it.
pub(crate) const NITRO: ServerLayout = ServerLayout {
    folder: ".output",
    entry: "server/index.mjs",
    statics: "public",
    pages: None,
    kind: ServerKind::Complete,
};

/// What a build of React Router 7 exports is data for a handler.
pub(crate) const REACT_ROUTER: ServerLayout = ServerLayout {
    folder: "build",
    entry: "server/index.js",
    statics: "client",
    pages: None,
    kind: ServerKind::Module(
        r#"import { createRequestHandler } from "react-router";
import * as build from "./{entry}";
const answer = createRequestHandler(build, "production");
export default { fetch: (request) => answer(request) };
"#,
    ),
};

/// The same of Remix 2, before it was called React Router.
pub(crate) const REMIX: ServerLayout = ServerLayout {
    folder: "build",
    entry: "server/index.js",
    statics: "client",
    pages: None,
    kind: ServerKind::Module(
        r#"import { createRequestHandler, installGlobals } from "@remix-run/node";
import * as build from "./{entry}";
installGlobals({ nativeFetch: true });
const answer = createRequestHandler(build, "production");
export default { fetch: (request) => answer(request) };
"#,
    ),
};

/// What `@astrojs/node` leaves.
pub(crate) const ASTRO: ServerLayout = ServerLayout {
    folder: "dist",
    entry: "server/entry.mjs",
    statics: "client",
    pages: None,
    kind: ServerKind::Module(
        r#"process.env.ASTRO_NODE_AUTOSTART = "disabled";
const { handler } = await import("./{entry}");
export default handler;
"#,
    ),
};

/// What `@sveltejs/adapter-node` leaves.
pub(crate) const SVELTEKIT: ServerLayout = ServerLayout {
    folder: "build",
    entry: "handler.js",
    statics: "client",
    pages: Some("prerendered"),
    kind: ServerKind::Module(
        r#"process.env.PROTOCOL_HEADER ??= "x-forwarded-proto";
const { handler } = await import("./{entry}");
export default handler;
"#,
    ),
};

/// What `@tanstack/react-start` leaves by itself: a module that has `fetch`.
pub(crate) const TANSTACK: ServerLayout = ServerLayout {
    folder: "dist",
    entry: "server/server.js",
    statics: "client",
    pages: None,
    kind: ServerKind::Module("export { default } from \"./{entry}\";\n"),
};
