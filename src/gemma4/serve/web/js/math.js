// Formulas: $…$, $$…$$, \(…\), \[…\]. KaTeX is loaded when the first one comes.

import { element } from "./element.js";

const FOLDER = new URL("../vendor/katex/", import.meta.url);
const BLOCK = /^(?:\$\$([\s\S]+?)\$\$|\\\[([\s\S]+?)\\\])[ \t]*(?:\n|$)/;
const DISPLAY = /^(?:\$\$([^$]+?)\$\$|\\\[([\s\S]+?)\\\])/;
// A dollar opens a formula only before a letter-like sign and closes one only where no digit follows: "$5 and $6" is money.
const INLINE = /^(?:\$(?![\s$])((?:\\.|[^\\$`\n])*?(?:\\.|[^\\$`\s]))\$(?!\d)|\\\(([\s\S]+?)\\\))/;

/** What the Markdown parser has to know. */
export const mathExtensions = [
  {
    name: "formula",
    level: "block",
    start: (text) => text.match(/^ {0,3}(\$\$|\\\[)/m)?.index,
    tokenizer(text) {
      const found = BLOCK.exec(text);
      return found ? { type: "formula", raw: found[0], text: (found[1] ?? found[2]).trim() } : undefined;
    },
  },
  {
    name: "formula",
    level: "inline",
    start: (text) => text.match(/\$|\\\(|\\\[/)?.index,
    tokenizer(text) {
      const display = DISPLAY.exec(text);
      const found = display ?? INLINE.exec(text);
      if (!found) return undefined;
      return {
        type: "formula",
        raw: found[0],
        text: (found[1] ?? found[2]).trim(),
        display: display !== null,
      };
    },
  },
];

let library = null;

function load() {
  if (!library) {
    document.head.append(
      element("link", { rel: "stylesheet", href: new URL("katex.min.css", FOLDER).pathname }),
    );
    library = import("../vendor/katex/katex.min.js").then(() => globalThis.katex);
  }
  return library;
}

/** A formula; until KaTeX is there, and where it does not understand it, its source. */
export function formula(source, display) {
  const node = element(
    display ? "div" : "span",
    { class: display ? "formula display" : "formula" },
    element("code", {}, source),
  );
  load().then(
    (katex) => set(katex, node, source, display),
    (error) => (node.title = `KaTeX could not be loaded: ${error.message}`),
  );
  return node;
}

function set(katex, node, source, displayMode) {
  const place = element("span");
  try {
    katex.render(source, place, {
      displayMode,
      throwOnError: true,
      trust: false,
      strict: "ignore",
      maxExpand: 500,
      maxSize: 30,
    });
    node.replaceChildren(place);
  } catch (error) {
    node.classList.add("unreadable");
    node.title = error.message;
  }
}
