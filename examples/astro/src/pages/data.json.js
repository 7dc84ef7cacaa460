export const GET = ({ url }) => Response.json({ query: Object.fromEntries(url.searchParams) });
