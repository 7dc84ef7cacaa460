// What is rehearsed: a handler that takes a Request and gives a Response.

export async function GET(request) {
  const { searchParams } = new URL(request.url);
  return Response.json({ a: searchParams.get("a"), cookie: request.headers.get("cookie") });
}
