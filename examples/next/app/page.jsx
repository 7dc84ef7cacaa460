import Image from "next/image";
import Link from "next/link";
import { connection } from "next/server";

import { STARS } from "./stars.js";

export default async function Page() {
  // Made at each request: without a visitor there is no now.
  await connection();
  const now = new Date();
  return (
    <>
      <Image src="/star.png" width={64} height={64} alt="" />
      <h1>Good night</h1>
      <p>
        It is <time dateTime={now.toISOString()}>{now.toUTCString()}</time>.
      </p>
      <ul>
        {Object.keys(STARS).map((name) => (
          <li key={name}>
            <Link href={`/stars/${name}`}>{name}</Link>
          </li>
        ))}
      </ul>
    </>
  );
}
