/** Stars, and how long their light has been on its way, in years. */
export const STARS = { sirius: 8.6, vega: 25, arcturus: 37, polaris: 433 };

/** The year in which the light left that arrives now. */
export function leftIn(name, now = new Date()) {
  return Math.floor(now.getUTCFullYear() - STARS[name]);
}
