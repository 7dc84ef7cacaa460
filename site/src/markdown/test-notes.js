// Comments are for those who read a page's source: what a test does before a block runs.

/** Takes comments out of a page. */
export function withoutTestNotes() {
  return (tree) => {
    tree.children = tree.children.filter((node) => !(node.type === "html" && node.value.startsWith("<!--")));
  };
}
