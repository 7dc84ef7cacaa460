import { useState } from "react";

/** Asks the function for a greeting. */
async function greet(name) {
  const response = await fetch(`/api/hello?name=${encodeURIComponent(name)}`);
  if (!response.ok) throw new Error(`the function answered ${response.status}`);
  return (await response.json()).greeting;
}

export default function App({ title }) {
  const [name, setName] = useState("Ada");
  const [answer, setAnswer] = useState("");

  async function ask(event) {
    event.preventDefault();
    setAnswer("…");
    setAnswer(await greet(name).catch((error) => `Sorry: ${error.message}.`));
  }

  return (
    <main>
      <h1>{title}</h1>
      <p>
        This page is <code>src/App.jsx</code>. The button asks <code>api/hello.ts</code>, a function that sleeps until somebody calls.
      </p>
      <form onSubmit={ask}>
        <label htmlFor="name">Your name</label>
        <input id="name" value={name} maxLength={60} autoComplete="given-name" onChange={(event) => setName(event.target.value)} />
        <button type="submit">Say hello</button>
      </form>
      <output htmlFor="name" role="status">{answer}</output>
    </main>
  );
}
