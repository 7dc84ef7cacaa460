// Tables may be wider than a phone: each stands in a region that scrolls by itself, also with the keyboard.

/** Puts every table into such a region. */
export function wideTables() {
  return (tree) => wrap(tree, { tables: 0 });
}

function wrap(node, count) {
  node.children = node.children?.map((child) => {
    if (child.tagName === "table") return region(child, ++count.tables);
    wrap(child, count);
    return child;
  });
}

function region(table, number) {
  withoutEmptyHeads(table);
  const properties = { className: ["wide-table"], tabIndex: 0, role: "region", ariaLabel: `Table ${number}` };
  return { type: "element", tagName: "div", properties, children: [table] };
}

/** A head without a word is no head to those who hear a table. */
function withoutEmptyHeads(node) {
  if (node.tagName === "th" && node.children.length === 0) node.tagName = "td";
  node.children?.forEach(withoutEmptyHeads);
}
