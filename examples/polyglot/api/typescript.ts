import { answer } from './_lib/answer'

/** Answers with ?word= read backwards. */
export function GET(request: Request): Response {
  const word = new URL(request.url).searchParams.get('word') ?? ''
  return answer({ language: 'TypeScript', version: process.version, answer: [...word].reverse().join('') })
}
