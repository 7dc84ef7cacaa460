//! The presets of frameworks as data: how each is recognised, what builds it, and where the result stands.
//!
//! The table is that of `@vercel/frameworks`, in its order. Frameworks without a frontend build (servers in Python, Go or
//! Node) are not in it: their entry points are found where functions are.

/// What ship knows of a framework.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct Preset {
    /// Its name in configuration.
    pub(crate) slug: &'static str,
    /// Its name as people write it.
    pub(crate) name: &'static str,
    /// One of these must hold.
    pub(crate) some: &'static [Detector],
    /// All of these must hold.
    pub(crate) every: &'static [Detector],
    /// Presets that do not count where this one matches.
    pub(crate) supersedes: &'static [&'static str],
    /// What builds it if `package.json` has no script for that: a program and its arguments.
    pub(crate) build: Option<&'static str>,
    /// Where the result may stand, the first that exists.
    pub(crate) outputs: &'static [&'static str],
    /// Whether unknown paths lead to its start page, and which page that is.
    pub(crate) fallback: Fallback,
    /// How long browsers keep what stands below a path: a pattern and a value of `cache-control`.
    pub(crate) cache: &'static [(&'static str, &'static str)],
    /// How variables begin that its client code may see.
    pub(crate) env_prefix: Option<&'static str>,
    /// Which environment file goes before which.
    pub(crate) env_order: EnvOrder,
    /// The servers that it may leave, the first that is there. That of Next.js is found by other means.
    pub(crate) servers: &'static [ServerLayout],
}

/// One sign of a framework.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum Detector {
    /// `package.json` depends on it.
    Package(&'static str),
    /// A file is there.
    Path(&'static str),
    /// A file is there and holds this text.
    Content(&'static str, &'static str),
}

/// Whether unknown paths lead to a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fallback {
    /// Always: the framework makes sites of one page.
    Page(&'static str),
    /// If the result is a single page, since the framework makes both kinds of sites.
    IfSinglePage,
}

/// The order of environment files, the later before the earlier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum EnvOrder {
    /// `.env`, `.env.local`, `.env.<target>`, `.env.<target>.local`: Vite and what is built on it.
    #[default]
    TargetOverLocal,
    /// `.env`, `.env.<target>`, `.env.local`, `.env.<target>.local`: Next.js and Create React App.
    LocalOverTarget,
}

use Detector::{Content, Package, Path};

use super::server::ServerLayout;
use super::server::layouts::{ASTRO, NITRO, REACT_ROUTER, REMIX, SVELTEKIT, TANSTACK};

const YEAR: &str = "public, max-age=31536000, immutable";
const SHARED_YEAR: &str = "s-maxage=31536000, immutable";
const INDEX: Fallback = Fallback::Page("/index.html");

const NONE: Preset = Preset {
    slug: "",
    name: "",
    some: &[],
    every: &[],
    supersedes: &[],
    build: None,
    outputs: &[],
    fallback: Fallback::IfSinglePage,
    cache: &[],
    env_prefix: None,
    env_order: EnvOrder::TargetOverLocal,
    servers: &[],
};

/// All presets, in the order in which the first that matches wins.
pub(crate) static PRESETS: &[Preset] = &[
    Preset {
        slug: "nextjs",
        name: "Next.js",
        every: &[Package("next")],
        build: Some("next build"),
        outputs: &["out"],
        env_prefix: Some("NEXT_PUBLIC_"),
        env_order: EnvOrder::LocalOverTarget,
        cache: &[("(?:/.*)?/_next/static/(.+)", YEAR)],
        ..NONE
    },
    Preset {
        slug: "gatsby",
        name: "Gatsby",
        every: &[Package("gatsby")],
        build: Some("gatsby build"),
        outputs: &["public"],
        env_prefix: Some("GATSBY_"),
        env_order: EnvOrder::LocalOverTarget,
        ..NONE
    },
    Preset {
        slug: "remix",
        name: "Remix",
        some: &[Package("@remix-run/dev"), Path("remix.config.js"), Path("remix.config.mjs")],
        supersedes: &["hydrogen", "vite"],
        build: Some("remix build"),
        outputs: &["build/client", "public"],
        cache: &[("/assets/(.*)", YEAR)],
        servers: &[REMIX],
        ..NONE
    },
    Preset {
        slug: "react-router",
        name: "React Router",
        some: &[
            Content("vite.config.js", "@react-router/dev/vite"),
            Content("vite.config.ts", "@react-router/dev/vite"),
            Path("react-router.config.js"),
            Path("react-router.config.ts"),
        ],
        supersedes: &["hydrogen", "vite"],
        build: Some("react-router build"),
        outputs: &["build/client", "build"],
        cache: &[("/assets/(.*)", YEAR)],
        servers: &[REACT_ROUTER],
        ..NONE
    },
    Preset {
        slug: "astro",
        name: "Astro",
        every: &[Package("astro")],
        build: Some("astro build"),
        outputs: &["dist"],
        cache: &[("/_astro/(.*)", YEAR), ("/assets/(.*)", YEAR)],
        env_prefix: Some("PUBLIC_"),
        servers: &[ASTRO],
        ..NONE
    },
    Preset {
        slug: "hexo",
        name: "Hexo",
        every: &[Package("hexo")],
        build: Some("hexo generate"),
        outputs: &["public"],
        ..NONE
    },
    Preset {
        slug: "eleventy",
        name: "Eleventy",
        every: &[Package("@11ty/eleventy")],
        build: Some("eleventy"),
        outputs: &["_site"],
        ..NONE
    },
    Preset {
        slug: "docusaurus-2",
        name: "Docusaurus",
        every: &[Package("@docusaurus/core")],
        build: Some("docusaurus build"),
        outputs: &["build"],
        cache: &[(r"/assets/.+\.[0-9a-f]{8}\.(css|js)", YEAR)],
        ..NONE
    },
    Preset {
        slug: "preact",
        name: "Preact",
        every: &[Package("preact-cli")],
        build: Some("preact build"),
        outputs: &["build"],
        fallback: INDEX,
        ..NONE
    },
    Preset {
        slug: "solidstart-1",
        name: "SolidStart",
        every: &[Package("solid-js"), Package("@solidjs/start")],
        build: Some("vinxi build"),
        outputs: &[".output/public"],
        servers: &[NITRO],
        ..NONE
    },
    Preset {
        slug: "dojo",
        name: "Dojo",
        every: &[Package("@dojo/cli")],
        build: Some("dojo build"),
        outputs: &["output/dist"],
        fallback: INDEX,
        ..NONE
    },
    Preset {
        slug: "ember",
        name: "Ember.js",
        some: &[Package("ember-source"), Package("ember-cli")],
        build: Some("ember build"),
        outputs: &["dist"],
        fallback: INDEX,
        ..NONE
    },
    Preset {
        slug: "vue",
        name: "Vue CLI",
        every: &[Package("@vue/cli-service")],
        build: Some("vue-cli-service build"),
        outputs: &["dist"],
        fallback: INDEX,
        cache: &[(r"/[^/]*/.*\.[0-9a-f]{8}\.(css|js)", YEAR)],
        env_prefix: Some("VUE_APP_"),
        env_order: EnvOrder::TargetOverLocal,
        ..NONE
    },
    Preset {
        slug: "ionic-angular",
        name: "Ionic Angular",
        every: &[Package("@ionic/angular")],
        build: Some("ng build"),
        outputs: &["www"],
        fallback: INDEX,
        ..NONE
    },
    Preset {
        slug: "angular",
        name: "Angular",
        every: &[Package("@angular/cli")],
        build: Some("ng build"),
        outputs: &["dist"],
        fallback: INDEX,
        ..NONE
    },
    Preset {
        slug: "polymer",
        name: "Polymer",
        every: &[Package("polymer-cli")],
        build: Some("polymer build"),
        outputs: &["build/default", "build"],
        fallback: INDEX,
        ..NONE
    },
    Preset {
        slug: "svelte",
        name: "Svelte",
        every: &[Package("svelte"), Package("sirv-cli")],
        build: Some("rollup -c"),
        outputs: &["public"],
        fallback: INDEX,
        ..NONE
    },
    Preset {
        slug: "sveltekit-1",
        name: "SvelteKit",
        every: &[Package("@sveltejs/kit")],
        supersedes: &["vite"],
        build: Some("vite build"),
        outputs: &["build", "public"],
        cache: &[("/_app/immutable/(.*)", YEAR)],
        env_prefix: Some("PUBLIC_"),
        servers: &[SVELTEKIT],
        ..NONE
    },
    Preset {
        slug: "ionic-react",
        name: "Ionic React",
        every: &[Package("@ionic/react")],
        build: Some("react-scripts build"),
        outputs: &["build", "dist"],
        fallback: INDEX,
        cache: &[("/static/(.*)", SHARED_YEAR)],
        ..NONE
    },
    Preset {
        slug: "create-react-app",
        name: "Create React App",
        some: &[Package("react-scripts"), Package("react-dev-utils")],
        build: Some("react-scripts build"),
        outputs: &["build"],
        fallback: INDEX,
        cache: &[("/static/(.*)", SHARED_YEAR)],
        env_prefix: Some("REACT_APP_"),
        env_order: EnvOrder::LocalOverTarget,
        ..NONE
    },
    Preset {
        slug: "gridsome",
        name: "Gridsome",
        every: &[Package("gridsome")],
        build: Some("gridsome build"),
        outputs: &["dist"],
        ..NONE
    },
    Preset {
        slug: "umijs",
        name: "UmiJS",
        every: &[Package("umi")],
        build: Some("umi build"),
        outputs: &["dist"],
        fallback: INDEX,
        ..NONE
    },
    Preset {
        slug: "stencil",
        name: "Stencil",
        every: &[Package("@stencil/core")],
        build: Some("stencil build"),
        outputs: &["www"],
        fallback: INDEX,
        cache: &[("/build/p-(.*)", YEAR)],
        ..NONE
    },
    Preset {
        slug: "nuxtjs",
        name: "Nuxt",
        some: &[Package("nuxt"), Package("nuxt3"), Package("nuxt-edge"), Package("nuxt-nightly")],
        supersedes: &["nitro"],
        build: Some("nuxt build"),
        outputs: &[".output/public", "dist"],
        fallback: Fallback::Page("/200.html"),
        cache: &[("/_nuxt/(.*)", YEAR)],
        env_prefix: Some("NUXT_ENV_"),
        servers: &[NITRO],
        ..NONE
    },
    Preset {
        slug: "redwoodjs",
        name: "RedwoodJS",
        every: &[Package("@redwoodjs/core")],
        build: Some("rw build web"),
        outputs: &["web/dist"],
        env_prefix: Some("REDWOOD_ENV_"),
        ..NONE
    },
    Preset {
        slug: "hugo",
        name: "Hugo",
        some: &[
            Content("config.yaml", "baseURL"),
            Content("config.toml", "baseURL"),
            Content("config.json", "baseURL"),
            Content("hugo.toml", "baseURL"),
            Content("hugo.yaml", "baseURL"),
        ],
        build: Some("hugo --gc"),
        outputs: &["public"],
        ..NONE
    },
    Preset {
        slug: "jekyll",
        name: "Jekyll",
        every: &[Path("_config.yml")],
        build: Some("jekyll build"),
        outputs: &["_site"],
        ..NONE
    },
    Preset {
        slug: "middleman",
        name: "Middleman",
        every: &[Path("config.rb")],
        build: Some("bundle exec middleman build"),
        outputs: &["build"],
        ..NONE
    },
    Preset {
        slug: "zola",
        name: "Zola",
        every: &[Content("config.toml", "base_url")],
        build: Some("zola build"),
        outputs: &["public"],
        ..NONE
    },
    Preset {
        slug: "hydrogen",
        name: "Hydrogen",
        some: &[Package("@shopify/hydrogen"), Path("hydrogen.config.js"), Path("hydrogen.config.ts")],
        build: Some("shopify hydrogen build"),
        outputs: &["dist/client", "dist"],
        ..NONE
    },
    Preset {
        slug: "tanstack-start",
        name: "TanStack Start",
        some: &[Package("@tanstack/react-start"), Package("@tanstack/solid-start")],
        supersedes: &["vite", "nitro"],
        build: Some("vite build"),
        outputs: &["dist/client", "dist"],
        cache: &[("/assets/(.*)", YEAR)],
        env_prefix: Some("VITE_"),
        servers: &[NITRO, TANSTACK],
        ..NONE
    },
    Preset {
        slug: "vite",
        name: "Vite",
        every: &[Package("vite")],
        supersedes: &["ionic-react"],
        build: Some("vite build"),
        outputs: &["dist"],
        env_prefix: Some("VITE_"),
        ..NONE
    },
    Preset {
        slug: "vitepress",
        name: "VitePress",
        every: &[Package("vitepress")],
        build: Some("vitepress build docs"),
        outputs: &["docs/.vitepress/dist", ".vitepress/dist"],
        ..NONE
    },
    Preset {
        slug: "vuepress",
        name: "VuePress",
        every: &[Package("vuepress")],
        build: Some("vuepress build src"),
        outputs: &["src/.vuepress/dist", "docs/.vuepress/dist"],
        ..NONE
    },
    Preset {
        slug: "parcel",
        name: "Parcel",
        every: &[Package("parcel")],
        build: Some("parcel build"),
        outputs: &["dist"],
        cache: &[(r"/[^/]+\.[0-9a-f]{8}\.(css|js|png|jpg|webp|avif|svg)", YEAR)],
        ..NONE
    },
    Preset {
        slug: "sanity-v3",
        name: "Sanity",
        every: &[Package("sanity")],
        some: &[
            Path("sanity.config.js"),
            Path("sanity.config.jsx"),
            Path("sanity.config.ts"),
            Path("sanity.config.tsx"),
        ],
        supersedes: &["vite"],
        build: Some("sanity build"),
        outputs: &["dist"],
        fallback: INDEX,
        env_prefix: Some("SANITY_STUDIO_"),
        ..NONE
    },
    Preset {
        slug: "nitro",
        name: "Nitro",
        some: &[Package("nitropack"), Package("nitro")],
        supersedes: &["vite"],
        build: Some("nitro build"),
        outputs: &[".output/public", "dist"],
        servers: &[NITRO],
        ..NONE
    },
    Preset {
        slug: "storybook",
        name: "Storybook",
        every: &[Package("storybook")],
        build: Some("storybook build"),
        outputs: &["storybook-static"],
        ..NONE
    },
];

/// What a project is that looks like none of them: its own script builds it, into the folder it names or `public`.
pub(crate) static OTHER: Preset = Preset { slug: "other", name: "", outputs: &["public", "dist", "."], ..NONE };

/// The preset with this name.
pub(crate) fn by_slug(slug: &str) -> Option<&'static Preset> {
    PRESETS.iter().find(|preset| preset.slug == slug)
}
