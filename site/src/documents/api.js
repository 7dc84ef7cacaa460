// The pages about the control API, made of docs/openapi.json.
import { readFileSync } from "node:fs";

import { docs } from "./folder.js";
import { cell, table } from "./html.js";

const INTRO = `What a client and a host say to each other, over HTTP and in JSON. A host describes itself at \`/v1/openapi.json\`, and this page is made of the same
document: [openapi.json](openapi.json). Requests carry \`Authorization: Bearer TOKEN\`; [who may do what](access.md) has the table of routes and roles. Whatever fails says why
with one of the [error codes](reference/error-codes.md).`;

const read = () => JSON.parse(readFileSync(`${docs}/openapi.json`, "utf8"));

/** All pages about it. */
export function api() {
  return [
    { id: "reference/api", file: "openapi.json", title: "Control API", contents: 2, text: routes(read()) },
    { id: "reference/api-types", file: "openapi.json", title: "Types of the API", contents: 2, text: types(read()) },
  ];
}

function routes({ paths }) {
  const all = Object.entries(paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  return [INTRO, ...[...grouped(all)].flatMap(([name, list]) => [`## ${name}`, ...list.map(route)])].join("\n\n");
}

function grouped(all) {
  const groups = new Map();
  for (const one of all) groups.set(groupOf(one), [...(groups.get(groupOf(one)) ?? []), one]);
  return groups;
}

/** What a route is about: the first word of its path that names a thing, within a project the first behind that. */
function groupOf({ path }) {
  const [, first = "", , third] = path.replace(/^\/v1/, "").split("/");
  const name = first === "projects" && third ? third : first;
  return (name.charAt(0).toUpperCase() + name.slice(1)).replaceAll("-", " ");
}

function route({ path, method, operation }) {
  const access = operation["x-ship-access"];
  const takes = bodyOf(operation.requestBody?.content);
  const answers = Object.entries(operation.responses).filter(([status]) => status.startsWith("2")).map(([status, answer]) => `\`${status}\` ${bodyOf(answer.content) ?? ""}`.trim());
  const failures = Object.keys(operation.responses).filter((status) => !status.startsWith("2"));
  const facts = [
    access && `- **Takes a token** of ${access.role === "admin" ? "an" : "a"} ${access.role}, ${access.of === "host" ? "for all projects" : "for the project"} (\`${access.action}\`)`,
    takes && `- **Body:** ${takes}`,
    `- **Answers:** ${answers.join(", ")}${failures.length > 0 ? `; fails with ${failures.map((status) => `\`${status}\``).join(", ")}` : ""}`,
  ];
  return [`### \`${method.toUpperCase()} ${path}\``, operation.summary ?? "", facts.filter(Boolean).join("\n"), parameters(operation.parameters ?? [])].filter(Boolean).join("\n\n");
}

function parameters(list) {
  const rows = list.map(({ name, in: place, schema, description }) => [`\`${name}\``, place, cell(typeOf(schema)), cell(description)]);
  return table(["Parameter", "In", "Type", "Meaning"], rows);
}

/** The type of a body, by its first content type. */
function bodyOf(content) {
  const [[type, { schema } = {}] = []] = Object.entries(content ?? {});
  if (!type) return undefined;
  return schema && type === "application/json" ? typeOf(schema) : `\`${type}\``;
}

function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return `[${name}](reference/api-types.md#${name.toLowerCase()})`;
  }
  const choices = schema.oneOf ?? schema.anyOf ?? schema.allOf;
  if (choices) return choices.map(typeOf).join(" or ");
  if (schema.enum) return schema.enum.map((one) => `\`${one}\``).join(", ");
  if (schema.type === "array") return `list of ${typeOf(schema.items)}`;
  return [schema.type ?? "any"].flat().join(" or ");
}

function types({ components }) {
  const parts = Object.entries(components.schemas).map(([name, schema]) => {
    const rows = Object.entries(schema.properties ?? {}).map(([key, value]) => [
      `\`${key}\``, cell(typeOf(value)), schema.required?.includes(key) ? "yes" : "", cell(value.description),
    ]);
    const form = rows.length > 0 ? table(["Key", "Type", "Always", "Meaning"], rows) : `One of: ${typeOf(schema)}`;
    return [`## ${name}`, schema.description ?? "", form].filter(Boolean).join("\n\n");
  });
  return ["What the routes of the [control API](reference/api.md) take and answer.", ...parts].join("\n\n");
}
