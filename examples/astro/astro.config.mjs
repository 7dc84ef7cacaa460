import vercel from "@astrojs/vercel";
import { defineConfig } from "astro/config";

// Pages are made when they are asked for, unless they say `prerender`. The adapter writes .vercel/output, which ship deploys.
export default defineConfig({ output: "server", adapter: vercel() });
