// A block of code: its language, a button that copies it, colours. highlight.js is loaded with the first block.

import { copyButton } from "./copy.js";
import { element } from "./element.js";

const LONGEST = 30_000; // characters that are coloured; more would be slow, and is shown plain

let library = null;

const load = () =>
  (library ??= import("../vendor/highlight.js/highlight.min.js").then(({ default: hljs }) => {
    hljs.configure({ __emitter: NodeEmitter });
    return hljs;
  }));

/** highlight.js says what is a keyword, a string and so on; this makes nodes of it, where its own makes HTML. */
class NodeEmitter {
  constructor() {
    this.root = document.createDocumentFragment();
    this.open = [this.root];
  }

  addText(text) {
    if (text) this.open.at(-1).append(text);
  }

  startScope(scope) {
    const names = scope
      .split(".")
      .map((part, depth) => (depth ? `${part}${"_".repeat(depth)}` : `hljs-${part}`));
    this.open.push(this.open.at(-1).appendChild(element("span", { class: names.join(" ") })));
  }

  endScope() {
    this.open.pop();
  }

  openNode(scope) {
    this.startScope(scope);
  }

  closeNode() {
    this.endScope();
  }

  __addSublanguage(emitter) {
    this.open.at(-1).append(emitter.root);
  }

  finalize() {}

  toHTML() {
    return "";
  }
}

/** A figure with the code; `language` is as written behind the fence, and may be empty. */
export function codeBlock(text, language) {
  const code = element("code", {}, text);
  const head = element(
    "figcaption",
    {},
    element("span", { class: "language" }, language || "text"),
    copyButton(() => text, "Copy code"),
  );
  colour(code, text, language);
  return element("figure", { class: "code" }, head, element("pre", { tabindex: "0" }, code));
}

function colour(code, text, language) {
  if (!language || text.length > LONGEST) return;
  load().then(
    (hljs) => {
      if (!hljs.getLanguage(language)) return;
      code.replaceChildren(hljs.highlight(text, { language, ignoreIllegals: true })._emitter.root);
    },
    () => {}, // without colours the code is still there
  );
}
