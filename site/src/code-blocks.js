// How blocks of code look: on the paper of the page, what is printed quieter than what is typed.
const PAPER = { light: "#ffffff", dark: "#0e1725" };
const EDGE = { light: "#e2ded4", dark: "#243247" };
const PRINTED = { light: "#5a6375", dark: "#9fb2cc" };
const PROMPT = { light: "#0d4fa8", dark: "#86b9ff" };

/** Blocks can be scrolled with the keyboard from the start. Where there is nothing to scroll, Expressive Code's own script takes that back. */
const focusable = {
  name: "focusable",
  hooks: { postprocessRenderedBlock: ({ renderData }) => makeFocusable(renderData.blockAst) },
};

function makeFocusable(node) {
  if (node.tagName === "pre") node.properties.tabIndex = 0;
  for (const child of node.children ?? []) makeFocusable(child);
}

/** The options of Expressive Code. */
export const codeBlocks = {
  plugins: [focusable],
  themes: ["github-dark-default", "github-light-default"],
  defaultProps: { overridesByLang: { "sh,console,text": { frame: "none" } } },
  styleOverrides: {
    borderRadius: "0.75rem",
    borderColor: ({ theme }) => EDGE[theme.type],
    codeBackground: ({ theme }) => PAPER[theme.type],
    codeFontSize: "0.84rem",
    frames: {
      shadowColor: "transparent",
      editorBackground: ({ theme }) => PAPER[theme.type],
      editorTabBarBackground: ({ theme }) => PAPER[theme.type],
      editorActiveTabBackground: ({ theme }) => PAPER[theme.type],
      editorActiveTabIndicatorTopColor: "transparent",
      editorActiveTabIndicatorBottomColor: ({ theme }) => PROMPT[theme.type],
    },
  },
  customizeTheme(theme) {
    const color = (scope, foreground) => ({ scope: [scope], settings: { foreground } });
    theme.settings.push(
      color("meta.output.shell-session", PRINTED[theme.type]),
      color("punctuation.separator.prompt.shell-session", PROMPT[theme.type]),
    );
    return theme;
  },
};
