// Follows a log: each event of the stream is rows as the host wrote them, with everything of strangers escaped there.

const MOST = 500;

const log = document.getElementById("log");
const following = document.getElementById("following");
const pause = document.getElementById("pause");

function say(text) {
  following.textContent = text;
}

function show(rows) {
  document.getElementById("nothing")?.remove();
  log.insertAdjacentHTML("beforeend", rows);
  while (log.children.length > MOST) log.firstElementChild.remove();
}

if (log) {
  const held = [];
  const follow = new URL(log.dataset.follow, location.href);
  let stream;
  const receive = ({ data, lastEventId }) => {
    if (lastEventId) follow.searchParams.set("after", lastEventId);
    if (pause.ariaPressed === "true") {
      held.push(data);
      if (held.length > MOST) held.shift();
      pause.textContent = `Go on (${held.length} new)`;
    } else {
      show(data);
    }
  };
  const open = () => {
    stream?.close();
    stream = new EventSource(follow);
    stream.onopen = () => say("New records appear as they are written.");
    // The browser asks again by itself, from the last record it has seen.
    stream.onerror = () => say(stream.readyState === EventSource.CLOSED
      ? "The log is not followed any more: load the page again."
      : "The host does not answer. New records appear when it does again.");
    stream.onmessage = receive;
  };
  if (!document.hidden) open();
  // A browser opens six connections to a host, and each page that follows a log keeps one: a seventh page would wait for ever.
  document.addEventListener("visibilitychange", () => (document.hidden ? stream?.close() : open()));
  pause.hidden = false;
  pause.addEventListener("click", () => {
    const isPaused = pause.ariaPressed !== "true";
    pause.ariaPressed = String(isPaused);
    pause.textContent = isPaused ? "Go on" : "Pause";
    if (!isPaused) held.splice(0).forEach(show);
  });
  addEventListener("pagehide", () => stream?.close());
}
