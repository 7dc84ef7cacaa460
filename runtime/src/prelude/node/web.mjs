// What is rehearsed: a handler that takes a Request and gives a Response.

let count = 0;

export async function GET(request) {
  const { searchParams } = new URL(request.url);
  const answer = { a: searchParams.get("a"), cookie: request.headers.get("cookie") };
  return ++count % 2 ? new Response(JSON.stringify(answer)) : Response.json(answer);
}
