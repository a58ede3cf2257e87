// A text in Markdown that may still be growing: only the blocks that changed are made anew.

import { element } from "./element.js";
import { blockNode, blocks } from "./markdown.js";

export class Prose {
  constructor() {
    this.node = element("div", { class: "prose" });
    this.shown = [];
    this.text = null;
  }

  /** Show `text`; blocks at the start that are as before keep their nodes, and what is selected in them. */
  update(text) {
    if (text === this.text) return;
    this.text = text;
    const tokens = blocks(text);
    let same = 0;
    while (same < this.shown.length && same < tokens.length && this.shown[same] === tokens[same].raw)
      same += 1;
    while (this.node.childNodes.length > same) this.node.lastChild.remove();
    this.node.append(...tokens.slice(same).map(blockNode));
    this.shown = tokens.map((token) => token.raw);
  }
}
