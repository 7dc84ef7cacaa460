export async function POST(request) {
  return Response.json({ said: await request.json(), at: request.url });
}

export function GET(request) {
  return Response.redirect(new URL("/stars/vega", request.url), 302);
}
