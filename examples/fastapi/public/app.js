const $ = (id) => document.getElementById(id);
const paths = document.querySelectorAll("#moon path");

// The lit part: half a circle on the side of the sun, and half an ellipse that makes it less or more.
function outline(phase) {
  const waxes = phase < 0.5;
  const width = 90 * Math.cos(2 * Math.PI * phase);
  const rim = waxes ? 1 : 0;
  const edge = width > 0 === waxes ? 0 : 1;
  return `M0-90A90 90 0 0 ${rim} 0 90A${Math.abs(width).toFixed(2)} 90 0 0 ${edge} 0-90Z`;
}

function show({ date, phase, lit, name }) {
  for (const path of paths) path.setAttribute("d", outline(phase));
  $("name").textContent = name;
  $("lit").textContent = `${Math.round(lit * 100)} % lit on ${date}`;
}

async function ask(date) {
  const query = `api/moon${date ? `?date=${date}` : ""}`;
  $("wire").textContent = `GET /${query}`;
  $("wire").href = query;
  const answer = await fetch(query);
  if (answer.ok) {
    const moon = await answer.json();
    $("date").value = moon.date;
    show(moon);
  } else {
    $("name").textContent = "No such night";
    $("lit").textContent = (await answer.json()).detail[0].msg;
  }
}

// Each line is shown as it arrives.
async function play() {
  $("play").disabled = true;
  const answer = await fetch(`api/month?date=${$("date").value}`);
  let rest = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    const lines = (rest + piece.value).split("\n");
    rest = lines.pop();
    for (const line of lines) show(JSON.parse(line));
  }
  $("play").disabled = false;
}

$("date").addEventListener("change", () => ask($("date").value));
$("play").addEventListener("click", play);
ask();
