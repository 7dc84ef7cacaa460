import { NextResponse } from "next/server";

/** Runs before everything else at the paths that it names, files of `public/` included. */
export function proxy(request) {
  if (request.nextUrl.pathname === "/chart.txt" && request.cookies.get("astronomer") === undefined) {
    return new NextResponse("for astronomers only\n", { status: 403 });
  }
  if (request.nextUrl.pathname.startsWith("/planets/")) {
    return NextResponse.redirect(new URL("/stars/sirius", request.url));
  }
  return NextResponse.next();
}

export const config = { matcher: ["/planets/:path*", "/chart.txt"] };
