// The website and the documentation. What is said stands in ../docs (here: docs/); this folder only gives it a form.
import starlight from "@astrojs/starlight";
import { defineConfig, passthroughImageService } from "astro/config";

import { codeBlocks } from "./src/code-blocks.js";
import { sidebar } from "./src/contents.js";
import { links } from "./src/markdown/links.js";
import { withoutTestNotes } from "./src/markdown/test-notes.js";
import { wideTables } from "./src/markdown/wide-tables.js";

export default defineConfig({
  image: { service: passthroughImageService() },
  // Options begin with two hyphens, and stay so.
  markdown: { smartypants: false, remarkPlugins: [withoutTestNotes, links], rehypePlugins: [wideTables] },
  integrations: [
    starlight({
      title: "ship",
      description: "A folder becomes a live site, on a machine that is yours.",
      favicon: "/favicon.svg",
      logo: { src: "./src/flag.svg", alt: "" },
      customCss: ["./src/styles/theme.css", "./src/styles/reading.css"],
      disable404Route: true,
      components: {
        Hero: "./src/components/Hero.astro",
        Search: "./src/components/Search.astro",
        SocialIcons: "./src/components/HeaderLinks.astro",
      },
      sidebar,
      tableOfContents: { minHeadingLevel: 2, maxHeadingLevel: 3 },
      expressiveCode: codeBlocks,
    }),
  ],
});
