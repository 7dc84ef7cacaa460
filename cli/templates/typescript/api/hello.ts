/** Answers at /api/hello, the path of this file, with a greeting for ?name=. */
export function GET(request: Request): Response {
  const name = new URL(request.url).searchParams.get("name") || "you";
  return Response.json({ greeting: `Hello ${name}, from TypeScript` });
}
