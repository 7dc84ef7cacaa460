// The page's two questions. Each asks a function beside the page and shows its answer as it arrives.

const $ = (id) => document.getElementById(id);

/** An element with a class and children; text is always text, never markup. */
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

/** A problem worth telling, with the functions' own error where there is one. */
class Refusal extends Error {
  constructor(message, error = {}) {
    super(message);
    this.error = error;
  }
}

/** Asks `path` and reports on the small line below the answer what went over the wire. */
async function ask(path, wire, signal) {
  const [link, figures] = wire.children;
  link.href = path;
  link.textContent = `GET /${decodeURI(path)}`;
  figures.textContent = "";
  const begun = performance.now();
  let response, body;
  try {
    response = await fetch(path, { signal, headers: { accept: "application/json" } });
    body = await response.json().catch(() => ({}));
  } catch (cause) {
    if (signal.aborted) throw cause;
    throw new Refusal("Nobody answered. Is the site still running?");
  }
  figures.textContent = `${response.status} · ${Math.max(1, Math.round(performance.now() - begun))} ms`;
  if (!response.ok) throw new Refusal(`The function stumbled (${response.status}). Please try again.`, body.error);
  return body;
}

/** One question: pressing again while it is being answered starts it anew. */
function question({ answer, wire, path, show, refuse }) {
  const box = $(answer);
  const card = box.closest(".card");
  let running = new AbortController();
  return async () => {
    running.abort();
    running = new AbortController();
    const { signal } = running;
    card.classList.add("asking");
    try {
      const content = show(await ask(path(), $(wire), signal));
      if (!signal.aborted) reveal(box, content);
    } catch (problem) {
      if (!signal.aborted) reveal(box, refuse(problem));
    } finally {
      if (!signal.aborted) card.classList.remove("asking");
    }
  };
}

/** A bar from 0 to 1: a stretch of it, and where on it we are. */
function bar(kind, low, high, now) {
  const bar = make("div", `bar ${kind}`, make("i", ""), make("b", ""));
  const bounded = (share) => Math.min(Math.max(share, 0), 1);
  for (const [name, share] of Object.entries({ low, high, now })) bar.style.setProperty(`--${name}`, bounded(share));
  return bar;
}

/** Names and values, two by two. */
function facts(entries) {
  return make("dl", "facts", ...Object.entries(entries).map(([name, value]) => make("div", "", make("dt", "", name), make("dd", "", value))));
}

function reveal(box, content) {
  box.closest(".card").classList.add("answered");
  box.replaceChildren(make("div", "arrival", ...content));
}

const apology = (problem) => [make("p", "sorry", problem.message)];

// The date

/** Turns the hands forwards, never back through the whole day. */
function turnHands(now) {
  const clock = $("clock");
  const turns = {
    hour: (now.getHours() % 12) / 12 + now.getMinutes() / 720,
    minute: now.getMinutes() / 60 + now.getSeconds() / 3600,
    second: now.getSeconds() / 60,
  };
  for (const [hand, turn] of Object.entries(turns)) {
    const before = Number(clock.style.getPropertyValue(`--${hand}`)) || 0;
    const whole = Math.floor(before) + (turn < before % 1 ? 1 : 0);
    clock.style.setProperty(`--${hand}`, whole + turn);
  }
  const hour = now.getHours();
  clock.dataset.light = hour < 6 || hour >= 21 ? "night" : hour < 9 ? "dawn" : hour < 18 ? "day" : "dusk";
}

function showDate({ now }) {
  const moment = new Date(now);
  turnHands(moment);
  const format = (options) => new Intl.DateTimeFormat(undefined, options).format(moment);
  const time = make("time", "value", format({ timeStyle: "medium" }));
  time.dateTime = moment.toISOString();
  const day = (moment.getHours() * 60 + moment.getMinutes()) / 1440;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone.replaceAll("_", " ");
  return [
    time,
    make("p", "line", format({ dateStyle: "full" })),
    bar("day", 0, day, day),
    facts({ "Day gone": `${Math.floor(day * 100)} %`, "Time zone": zone, "Milliseconds": String(now) }),
  ];
}

$("date-button").addEventListener("click", question({
  answer: "date-answer", wire: "date-wire", path: () => "api/date", show: showDate, refuse: apology,
}));

// The weather

const city = $("city");
const wanted = () => city.value.trim() || city.placeholder;
const degrees = (celsius) => `${celsius.toFixed(0).replace("-0", "0").replace("-", "−")}°`;

function showWeather(weather) {
  $("sky").dataset.condition = weather.condition;
  const share = (celsius) => (celsius + 20) / 65;
  return [
    make("p", "value", degrees(weather.temperature_c)),
    make("p", "line", `${weather.summary} in ${weather.city}, ${weather.country}`),
    bar("heat", share(weather.low_c), share(weather.high_c), share(weather.temperature_c)),
    facts({
      "Low": degrees(weather.low_c), "High": degrees(weather.high_c),
      "Humidity": `${weather.humidity_percent} %`, "Wind": `${weather.wind_kmh} km/h`,
    }),
  ];
}

/** An unknown city is answered with some that are known, those with the same first letter first. */
function refuseWeather(problem) {
  delete $("sky").dataset.condition;
  if (problem.error?.code !== "unknown_city") return apology(problem);
  const initial = wanted().slice(0, 1).toUpperCase();
  const cities = problem.error.cities ?? [];
  const [near, far] = [true, false].map((same) => cities.filter((name) => name.startsWith(initial) === same));
  const chips = [...near, ...far].slice(0, 6).map((name) => {
    const chip = make("button", "chip", name);
    chip.type = "button";
    chip.addEventListener("click", () => {
      city.value = name;
      $("weather-button").focus();
      askWeather();
    });
    return chip;
  });
  return [make("p", "sorry", `“${wanted()}” is not on our map yet. Perhaps one of these?`), make("p", "chips", ...chips)];
}

const askWeather = question({
  answer: "weather-answer", wire: "weather-wire", show: showWeather, refuse: refuseWeather,
  path: () => `api/weather?city=${encodeURIComponent(wanted())}`,
});

$("weather-form").addEventListener("submit", (event) => {
  event.preventDefault();
  askWeather();
});
// A filled field offers only itself as a suggestion: selecting it on entry makes the next city one keystroke away.
city.addEventListener("focus", () => city.select());
