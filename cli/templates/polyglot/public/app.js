const form = document.querySelector("#ask");

/** Asks a function, and shows what it says and how long it took. */
async function ask(path, name) {
  const started = performance.now();
  const response = await fetch(`${path}?name=${encodeURIComponent(name)}`);
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  const { greeting } = await response.json();
  return `${greeting} (${Math.round(performance.now() - started)} ms)`;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  for (const answer of document.querySelectorAll("[data-function]")) {
    answer.textContent = "…";
    ask(answer.dataset.function, form.elements.name.value)
      .catch((error) => `Sorry: ${error.message}.`)
      .then((text) => (answer.textContent = text));
  }
});
