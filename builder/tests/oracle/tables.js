// Reads configurations; writes the routes that Vercel makes of each, or null where it refuses it. Only what the model of the
// Build Output API knows is kept. The routes that Vercel makes itself are case sensitive, those written by hand are not.
const { getTransformedRoutes } = require('@vercel/routing-utils');
const files = JSON.parse(require('fs').readFileSync(0, 'utf8'));

process.stdout.write(JSON.stringify(files.map((file) => {
  const written = (file.routes ?? []).map((route) => JSON.stringify(route.src));
  const { routes, error } = getTransformedRoutes(file);
  if (error) return null;
  const own = (src) => written.some((text) => [src, src.slice(1), src.slice(1, -1), src.slice(0, -1)].includes(JSON.parse(text)));
  return (routes ?? []).map((route) => (route.handle || own(route.src) ? route : { ...route, caseSensitive: true }));
})));
