// What is rehearsed: a handler that takes a request and a response of Node's, with the helpers.

export default function handler(request, response) {
  const { query, cookies } = request;
  response.status(200).json({ query, cookies });
}
