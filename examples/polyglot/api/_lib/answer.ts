/** What every function of this site answers with. */
export interface Answer {
  language: string
  version: string
  answer: unknown
}

/** An answer as JSON. */
export function answer(body: Answer): Response {
  return Response.json(body)
}
