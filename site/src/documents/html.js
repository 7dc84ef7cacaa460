const NAMES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Text as it stands in HTML. */
export function escapeHtml(text) {
  return text.replace(/[&<>"]/g, (sign) => NAMES[sign]);
}

/** Text as it stands in a cell of a table in Markdown. */
export function cell(text) {
  return String(text ?? "").replaceAll("|", "\\|").replaceAll("\n", " ");
}

/** A table in Markdown, nothing where it has no rows. */
export function table(heads, rows) {
  if (rows.length === 0) return "";
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(heads), line(heads.map(() => "---")), ...rows.map(line)].join("\n");
}
