import { Hono } from "hono";

const app = new Hono();

/** Answers with a greeting for ?name=. */
app.get("/api/hello", (c) => c.json({ greeting: `Hello ${c.req.query("name") || "you"}, from Hono` }));

app.notFound((c) => c.json({ error: "there is nothing here" }, 404));

export default app;
