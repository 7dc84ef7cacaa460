const $ = (id) => document.getElementById(id);

// The largest sheet of a series fills the table.
const MILLIMETRES_PER_TABLE = 1420;

function show({ name, width, height }) {
  const share = (millimetres) => `${(100 * millimetres) / MILLIMETRES_PER_TABLE}%`;
  Object.assign($("sheet").style, { width: share(width), height: share(height) });
  $("size").textContent = `${name}: ${width} × ${height} mm`;
}

async function first() {
  const answer = await fetch(`api/paper/${$("series").value}0`);
  show(await answer.json());
}

// Each fold is shown as it arrives; the last one closes the stream.
function fold() {
  $("fold").disabled = true;
  const folds = new EventSource(`api/fold/${$("series").value}`);
  folds.onmessage = ({ data }) => show(JSON.parse(data));
  folds.onerror = () => {
    folds.close();
    $("fold").disabled = false;
  };
}

$("series").addEventListener("change", first);
$("fold").addEventListener("click", fold);
first();
