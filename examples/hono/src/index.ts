import { Hono } from "hono";
import { streamSSE } from "hono/streaming";

import { SIZES, sheet, series } from "./paper.ts";

/** How long the page waits between two folds, in milliseconds. */
const FOLD_MS = 250;

const app = new Hono();

/** One sheet: `/api/paper/a4`. A series or size that does not exist is answered with 404. */
app.get("/api/paper/:name{[abc][0-9]+}", (c) => {
  const name = c.req.param("name");
  const found = sheet(series(name), Number(name.slice(1)));
  return found ? c.json(found) : c.json({ error: `there is no paper ${name.toUpperCase()}` }, 404);
});

/** Which sheet something of this size fits on: `POST /api/fit` with `{ "width": 200, "height": 250 }`, in millimetres. */
app.post("/api/fit", async (c) => {
  const { width, height } = await c.req.json<{ width?: number; height?: number }>();
  if (!(Number(width) > 0 && Number(height) > 0)) return c.json({ error: "width and height are millimetres above 0" }, 400);
  const [short, long] = [Number(width), Number(height)].sort((one, other) => one - other);
  const sheets = SIZES.map((size) => sheet("a", size)!).reverse();
  const fitting = sheets.find((candidate) => candidate.width >= short && candidate.height >= long);
  return fitting ? c.json(fitting) : c.json({ error: "no sheet is that large" }, 404);
});

/** A sheet that is folded in half until it is a stamp, one event for each fold. */
app.get("/api/fold/:series{[abc]}", (c) =>
  streamSSE(c, async (stream) => {
    for (const size of SIZES) {
      await stream.writeSSE({ data: JSON.stringify(sheet(series(c.req.param("series")), size)) });
      await stream.sleep(FOLD_MS);
    }
  }),
);

app.notFound((c) => c.json({ error: "there is nothing here" }, 404));

export default app;
