// Files that stand beside the documents and that pages lead to: plots, the schema, the description of the API, the bench's figures.
import { readFileSync, readdirSync } from "node:fs";

import { docs } from "../documents/folder.js";

const TYPES = { svg: "image/svg+xml", json: "application/json" };
const typeOf = (file) => TYPES[file.split(".").at(-1)];

export function getStaticPaths() {
  const files = readdirSync(docs, { recursive: true }).map(String);
  return files.filter(typeOf).map((file) => ({ params: { file } }));
}

export function GET({ params }) {
  return new Response(readFileSync(`${docs}/${params.file}`), { headers: { "content-type": typeOf(params.file) } });
}
