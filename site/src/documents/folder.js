import { realpathSync } from "node:fs";

/** The folder of the documents. `docs` in the site's folder is a link that leads there. */
export const docs = realpathSync("docs");
