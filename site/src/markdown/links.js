// Links between documents, as they work in the repository, become links between pages of the site.
import { dirname, relative, resolve } from "node:path";

import { docs } from "../documents/folder.js";
import { written } from "../documents/written.js";

/** Documents that are not a page of their own. */
const PAGES = { "cli.md": "/reference/commands/ship/" };

/** Rewrites every relative link of a page. What leads to sources stays as text: the site has no sources. */
export function links() {
  return (tree, file) => visit(tree, (node) => rewrite(node, dirname(file.path)));
}

function visit(node, change) {
  for (const child of node.children ?? []) visit(child, change);
  if (node.type === "link" || node.type === "image" || node.type === "definition") change(node);
}

function rewrite(node, folder) {
  const [path, anchor] = node.url.split("#");
  if (path === "" || path.startsWith("/") || /^[a-z]+:/.test(path)) return;
  // Pages that are made name what they mean from the folder of the documents.
  const isMade = relative(docs, folder).startsWith("reference");
  const target = relative(docs, resolve(isMade ? docs : folder, path));
  if (target.startsWith("..")) return Object.assign(node, { type: "emphasis", url: undefined });
  node.url = address(target) + (anchor ? `#${anchor}` : "");
  nameByTitle(node, target);
}

/** A link that is called by the name of a file is called by the page's title. */
function nameByTitle(node, target) {
  const [text] = node.children ?? [];
  const page = text?.value?.endsWith(".md") && written().find(({ file }) => file === target);
  if (page) node.children = [{ type: "text", value: page.title.replaceAll("`", "") }];
}

/** Where a document of the folder stands on the site. */
function address(target) {
  if (PAGES[target]) return PAGES[target];
  return target.endsWith(".md") ? `/${target.slice(0, -".md".length)}/` : `/${target}`;
}
