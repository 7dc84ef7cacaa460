const form = document.querySelector("#ask");
const answer = document.querySelector("#answer");

/** Asks the function, and shows what it says and how long it took. */
async function ask(name) {
  const started = performance.now();
  const response = await fetch(`/api/hello?name=${encodeURIComponent(name)}`);
  if (!response.ok) throw new Error(`the function answered ${response.status}`);
  const { greeting } = await response.json();
  return `${greeting} (${Math.round(performance.now() - started)} ms)`;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  answer.textContent = "…";
  answer.textContent = await ask(form.elements.name.value).catch((error) => `Sorry: ${error.message}.`);
});
