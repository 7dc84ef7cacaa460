// The page about `ship.toml`, made of docs/ship.schema.json.
import { readFileSync } from "node:fs";

import { docs } from "./folder.js";
import { cell, table } from "./html.js";

const INTRO = `Every key of \`ship.toml\`, from the schema that editors complete it by: [ship.schema.json](ship.schema.json). All of it is optional. An unknown
key, or a value of another type, is an error with its line and column.`;

/** The page. */
export function shipToml() {
  const schema = JSON.parse(readFileSync(`${docs}/ship.schema.json`, "utf8"));
  const own = Object.entries(schema.properties).filter(([, value]) => !target(schema, value));
  const parts = Object.entries(schema.properties).flatMap(([key, value]) => section(schema, key, value));
  const text = [INTRO, "## Keys of the project", keys(Object.fromEntries(own)), ...parts].join("\n\n");
  return { id: "reference/ship-toml", file: "ship.schema.json", title: "ship.toml", text };
}

/** The definition that a value is, or is a list or table of. */
function target(schema, value) {
  const reference = value.$ref ?? value.items?.$ref ?? value.additionalProperties?.$ref;
  return reference && schema.definitions[reference.split("/").at(-1)];
}

const FORMS = { array: (key) => `[[${key}]]`, object: (key) => `[${key}."GLOB"]`, undefined: (key) => `[${key}]` };

function section(schema, key, value) {
  const definition = target(schema, value);
  if (!definition) return [];
  const heading = `## \`${FORMS[value.type](key)}\``;
  return [heading, value.description ?? "", keys(definition.properties, definition.required)].filter(Boolean);
}

function keys(properties, required = []) {
  const rows = Object.entries(properties).map(([key, value]) => [
    `\`${key}\``,
    cell(typeOf(value)),
    value.default === undefined ? (required.includes(key) ? "*required*" : "") : `\`${JSON.stringify(value.default)}\``,
    cell([value.description, range(value)].filter(Boolean).join(" ")),
  ]);
  return table(["Key", "Type", "Default", "Meaning"], rows);
}

function typeOf(value) {
  if (value.enum) return value.enum.map((one) => `\`"${one}"\``).join(", ");
  if (value.type === "array") return `list of ${value.items?.type ? `${value.items.type}s` : (value.items?.$ref?.split("/").at(-1) ?? "values")}`;
  return [value.type ?? value.$ref?.split("/").at(-1) ?? "table"].flat().join(" or ");
}

function range({ minimum, maximum }) {
  if (minimum === undefined || maximum === undefined) return "";
  return `From ${minimum} to ${maximum.toLocaleString("en")}.`;
}
