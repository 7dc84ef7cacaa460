// Keeps an open page up to date: the regions marked `data-live` are taken anew from the page's own address, and times go on by the
// host's clock. While the host does not answer the page says so, and goes on by itself when it does again.

const EVERY = 5000;
const AGAIN = 1000;

const banner = document.getElementById("connection");
// How far this machine's clock is from the host's.
let ahead = Date.now() - Date.parse(document.documentElement.dataset.now);

function say(text) {
  if (banner.textContent !== text) banner.textContent = text;
  banner.hidden = text === "";
}

function ago(seconds) {
  if (seconds < 10) return "just now";
  for (const [size, unit] of [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]]) {
    const number = Math.floor(seconds / size);
    if (number >= 1) return `${number} ${unit}${number === 1 ? "" : "s"} ago`;
  }
  return "";
}

function tick() {
  for (const time of document.querySelectorAll("main time[title]")) {
    const seconds = (Date.now() - ahead - Date.parse(time.dateTime)) / 1000;
    // What is yet to come, or long ago, is written out by the host and stays so.
    if (seconds > -60 && seconds < 2592000) time.textContent = ago(seconds);
  }
}

// Whoever has marked a text is not disturbed.
function isMarked(region) {
  const selection = document.getSelection();
  return !selection.isCollapsed && region.contains(selection.anchorNode);
}

// What a region says, but for the times, which go on by themselves: who listens to a page need not hear of them.
function said(region) {
  const copy = region.cloneNode(true);
  for (const time of copy.querySelectorAll("time[title]")) time.textContent = "";
  return copy.innerHTML;
}

// Puts the keyboard back where it was in a region, once that is another: at the same link, or at the region if that link is gone.
// Nothing if there is no other place like it, as in a field that somebody types in.
function wayBack(region) {
  const focused = document.activeElement;
  if (focused === region || !region.contains(focused)) return () => {};
  if (!focused.matches("a[href]")) return undefined;
  const links = `a[href="${CSS.escape(focused.getAttribute("href"))}"]`;
  const place = [...region.querySelectorAll(links)].indexOf(focused);
  return () => {
    const same = region.querySelectorAll(links)[place];
    if (!same) region.tabIndex = -1;
    (same ?? region).focus({ preventScroll: true });
  };
}

function renew(region, fresh) {
  if (isMarked(region) || said(region) === said(fresh)) return;
  const goBack = wayBack(region);
  if (!goBack) return;
  region.replaceChildren(...fresh.childNodes);
  goBack();
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (answer.redirected && new URL(answer.url).pathname === "/login") return location.reload();
  if (!answer.ok) throw new Error(answer.statusText);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  ahead = Date.now() - Date.parse(page.documentElement.dataset.now);
  for (const region of document.querySelectorAll("[data-live]")) {
    const fresh = page.querySelector(`[data-live="${region.dataset.live}"]`);
    if (fresh) renew(region, fresh);
  }
  tick();
}

async function keepUp() {
  let wait = EVERY;
  if (document.visibilityState === "visible") {
    try {
      await refresh();
      say("");
    } catch {
      say("The host does not answer. This page goes on by itself when it does.");
      wait = AGAIN;
    }
  }
  setTimeout(keepUp, wait);
}

// Browsers let pages copy at https and at this machine's own address.
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "Copied";
  });
}

if (document.querySelector("[data-live], [data-follow]")) setTimeout(keepUp, EVERY);
setInterval(tick, 1000);
