// Which pages there are, in which order, and under which names they stand at the side.
import { commands } from "./documents/commands.js";
import { written } from "./documents/written.js";

const groups = {
  Start: ["start"],
  Guides: ["guides/vercel", "guides/netlify", "guides/server", "ci", "guides/monorepo", "guides/security"],
  "Build a site": ["dev", "environment-variables", "caching", "early-hints", "protection", "domains", "logs", "pictures", "server-timing"],
  "Run a host": [
    "install", "dashboard", "tls", "access", "backup", "upgrade", "durability", "limits", "sandbox", "life-cycle", "uploads", "metrics", "opentelemetry",
  ],
  Figures: ["performance", "scale"],
};

// Shorter than the page's own title, where that says more than a list needs.
const labels = {
  access: "Access and tokens",
  backup: "Backup and moving",
  caching: "Caching",
  ci: "Continuous integration",
  dashboard: "Dashboard",
  dev: "ship dev",
  durability: "Durability",
  "life-cycle": "Life of an instance",
  limits: "Limits",
  protection: "Protected previews",
  sandbox: "Isolation",
  tls: "TLS and HTTP/3",
  upgrade: "Upgrades",
  uploads: "Uploads",
  "guides/vercel": "Move from Vercel",
  "guides/netlify": "Move from Netlify",
  "guides/server": "A server with TLS",
  "guides/monorepo": "Monorepos",
  "guides/security": "Security",
  performance: "Speed",
  scale: "Growth",
};

const item = (slug) => (labels[slug] ? { slug, label: labels[slug] } : { slug });

/** Pages that nobody has given a place yet: they stand at the end rather than nowhere. */
function unplaced() {
  const placed = new Set(Object.values(groups).flat());
  return written().map((page) => page.id).filter((id) => !placed.has(id));
}

function reference() {
  const ofCommands = commands().map(({ id, title }) => ({ slug: id, label: title.replaceAll("`", "") }));
  return [
    { label: "Commands", collapsed: true, items: ofCommands },
    { slug: "reference/ship-toml", label: "ship.toml" },
    { slug: "reference/api", label: "Control API" },
    { slug: "reference/api-types", label: "Types of the API" },
    { slug: "reference/error-codes" },
    { slug: "reference/environment" },
    { slug: "reference/exit-codes" },
  ];
}

/** What stands at the side of each page. */
export const sidebar = [
  ...Object.entries(groups).map(([label, slugs]) => ({ label, items: slugs.map(item) })),
  { label: "Reference", items: reference() },
  ...[unplaced()].filter((ids) => ids.length > 0).map((ids) => ({ label: "More", items: ids.map(item) })),
];
