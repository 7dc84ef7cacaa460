import "./style.css";

// Each path is a view that only this script knows: the host answers all of them with index.html.
const views = {
  "/": async () => `<h1>${import.meta.env.VITE_TITLE}</h1><p>Built for ${import.meta.env.VITE_VERCEL_ENV ?? "here"}.</p>`,
  "/greet/:name": async (name) => {
    const answer = await fetch(`/api/greet?name=${encodeURIComponent(name)}`);
    return `<h1>${(await answer.json()).greeting}</h1>`;
  },
};

async function show() {
  const [, greet, name] = location.pathname.split("/");
  const view = greet === "greet" && name ? views["/greet/:name"](decodeURIComponent(name)) : views["/"]();
  const links = `<nav><a href="/">Start</a> <a href="/greet/Ada">Greet Ada</a></nav>`;
  document.querySelector("#app").innerHTML = links + (await view);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  show();
});
addEventListener("popstate", show);
show();
