// Figures of the front page, from what the bench has measured.
import { readFileSync } from "node:fs";

import { docs } from "../documents/folder.js";

const SHOWN = [
  { work: "deploy again, nothing changed", title: "to deploy again what has not changed", beside: "" },
  { work: "first request to a sleeping Node function", title: "until a sleeping Node function answers", beside: "bare Node" },
  { work: "host at rest, 100 deployments, after a start", title: "of memory for a host with 100 deployments", beside: "" },
];

/** Each as `{ value, title, beside }`: the median of all samples. */
export function figures() {
  const { rows } = JSON.parse(readFileSync(`${docs}/performance.json`, "utf8"));
  const found = SHOWN.map((figure) => ({ ...figure, row: rows.find((row) => row.work === figure.work) }));
  // What the last run did not measure is not shown.
  return found.filter(({ row }) => row).map(({ row, title, beside }) => ({
    value: shown(median(row.ship), row.unit),
    title,
    beside: beside && `${beside} takes ${shown(median(row.peer_samples), row.unit)}`,
  }));
}

function median(samples) {
  return [...samples].sort((left, right) => left - right)[Math.floor(samples.length / 2)];
}

function shown(value, unit) {
  if (unit === "bytes") return `${(value / 2 ** 20).toPrecision(2)} MiB`;
  return `${(value * 1000).toPrecision(2)} ms`;
}
