const encoder = new TextEncoder();

/** From three to nothing, each number as it is due: `/countdown?ms=100` waits so long between two. */
export function GET(request) {
  const wait = Math.min(Number(request.nextUrl.searchParams.get("ms")) || 1000, 10_000);
  async function* numbers() {
    for (const number of [3, 2, 1]) {
      yield encoder.encode(`${number}\n`);
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
  return new Response(ReadableStream.from(numbers()), { headers: { "content-type": "text/plain" } });
}
