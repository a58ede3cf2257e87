// Markdown to nodes. The parser gives tokens, and each token becomes a node or text: HTML in the text stays
// text, so nothing that a model writes can run, load or style anything.

import { marked } from "../vendor/marked/marked.esm.js";
import { codeBlock } from "./code.js";
import { element, icon } from "./element.js";
import { formula, mathExtensions } from "./math.js";

marked.use({ gfm: true, breaks: false, extensions: mathExtensions });

const SAFE_LINK = /^(https?:|mailto:)/i;
const INLINE_PICTURE = /^data:image\/(png|jpeg|gif|webp);base64,/i;
const PAIRED = /^<(\/?)(sub|sup|kbd|u|mark)>$/i;
const BREAK = /^<br\s*\/?>$/i;

/** Top-level blocks of a text; each has `raw`, by which one that did not change is known. */
export const blocks = (text) => marked.lexer(text).filter((token) => !["space", "def"].includes(token.type));

/** The node of one block, or text of one that has no form of its own. */
export function blockNode(token) {
  const make = BLOCKS[token.type];
  return make ? make(token) : element("p", {}, decode(token.text ?? token.raw));
}

const BLOCKS = {
  heading: (token) => element(`h${Math.min(6, token.depth + 1)}`, {}, ...inline(token.tokens)),
  paragraph: (token) => element("p", {}, ...inline(token.tokens)),
  text: (token) => element("span", {}, ...(token.tokens ? inline(token.tokens) : [decode(token.text)])),
  hr: () => element("hr"),
  code: (token) => codeBlock(token.text, token.lang?.trim().split(/\s/)[0] ?? ""),
  blockquote: (token) => element("blockquote", {}, ...children(token.tokens)),
  list: (token) => element(token.ordered ? "ol" : "ul", listStart(token), ...token.items.map(listItem)),
  table: (token) => tableNode(token),
  html: (token) => element("p", {}, token.text),
  formula: (token) => formula(token.text, true),
};

const INLINE = {
  strong: (token) => element("strong", {}, ...inline(token.tokens)),
  em: (token) => element("em", {}, ...inline(token.tokens)),
  del: (token) => element("del", {}, ...inline(token.tokens)),
  codespan: (token) => element("code", {}, token.text),
  br: () => element("br"),
  link: (token) => linkNode(token.href, token.title, inline(token.tokens)),
  image: (token) => pictureNode(token),
  formula: (token) => formula(token.text, token.display),
  escape: (token) => document.createTextNode(token.text),
  text: (token) =>
    token.tokens ? element("span", {}, ...inline(token.tokens)) : document.createTextNode(decode(token.text)),
};

const children = (tokens) => tokens.filter((token) => token.type !== "space").map(blockNode);

const listStart = (token) => (token.ordered && token.start !== 1 ? { start: token.start } : {});

function listItem(item) {
  const parts = children(item.tokens.filter((token) => token.type !== "checkbox"));
  if (!item.task) return element("li", {}, ...parts);
  const box = element("input", {
    type: "checkbox",
    checked: item.checked,
    disabled: true,
    "aria-label": item.checked ? "done" : "open",
  });
  return element("li", { class: "task" }, box, ...parts);
}

function tableNode(token) {
  const cell = (tag) => (one) =>
    element(tag, { class: one.align && `align-${one.align}` }, ...inline(one.tokens));
  const row = (cells) => element("tr", {}, ...cells.map(cell("td")));
  const head = element("thead", {}, element("tr", {}, ...token.header.map(cell("th"))));
  const table = element("table", {}, head, element("tbody", {}, ...token.rows.map(row)));
  return element("div", { class: "table", tabindex: "0", role: "region", "aria-label": "Table" }, table);
}

/** Inline tokens as nodes. A few harmless tags without attributes, such as <sub>, are taken at their word. */
function inline(tokens = []) {
  const root = document.createDocumentFragment();
  const open = [root];
  for (const token of tokens) {
    const tag = token.type === "html" ? PAIRED.exec(token.text.trim()) : null;
    if (tag && !tag[1]) open.push(open.at(-1).appendChild(element(tag[2].toLowerCase())));
    else if (tag && open.at(-1).localName === tag[2].toLowerCase()) open.pop();
    else open.at(-1).append(inlineNode(token));
  }
  return [...root.childNodes];
}

function inlineNode(token) {
  if (token.type === "html")
    return BREAK.test(token.text.trim()) ? element("br") : document.createTextNode(token.text);
  return INLINE[token.type]?.(token) ?? document.createTextNode(decode(token.text ?? token.raw));
}

function linkNode(href, title, content) {
  if (!SAFE_LINK.test(href)) return element("span", { class: "dead-link", title: href }, ...content);
  return element("a", { href, title, target: "_blank", rel: "noopener noreferrer nofollow" }, ...content);
}

// A picture from elsewhere would tell its host who reads this: it is a link instead.
function pictureNode(token) {
  const words = token.text || "picture";
  if (INLINE_PICTURE.test(token.href))
    return element("img", { src: token.href, alt: words, title: token.title });
  return linkNode(token.href, token.title ?? token.href, [icon("image"), ` ${words}`]);
}

const ENTITY = /&(#\d{1,7}|#x[\da-f]{1,6}|[a-z][a-z\d]{1,31});/gi;

/** Entities as characters: only what looks like one is given to the browser, in a document that is nowhere. */
function decode(text) {
  return text.replace(
    ENTITY,
    (entity) => new DOMParser().parseFromString(entity, "text/html").body.textContent,
  );
}
