import { notFound } from "next/navigation";
import { connection } from "next/server";

import { STARS, leftIn } from "../../stars.js";

export default async function Star({ params }) {
  await connection();
  const { name } = await params;
  if (!Object.hasOwn(STARS, name)) notFound();
  return (
    <h1>
      The light of {name} that you see tonight left in {leftIn(name)}.
    </h1>
  );
}
