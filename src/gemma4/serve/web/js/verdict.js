// Whether an answer that was to be JSON is, said while it is written.

import { element, fill, icon } from "./element.js";
import { readSchema, validity } from "./validity.js";

const WORDS = { growing: "Valid so far", valid: "Valid", invalid: "Not valid" };
const PICTURES = { growing: "braces", valid: "check", invalid: "error" };

export class Verdict {
  constructor(message) {
    this.message = message;
    this.node = element("div", { class: "verdict", role: "status", hidden: true });
    this.checked = null;
    this.schema = true;
    if (message.asked === "schema") this.schema = schemaOf(message);
  }

  update() {
    const { asked, content, state } = this.message;
    if (!asked || asked === "text" || !content) return;
    const complete = state === "done";
    const sign = `${content.length} ${complete}`;
    if (sign === this.checked) return;
    this.checked = sign;
    const { state: found, faults } = validity(content, this.schema, complete);
    this.node.hidden = false;
    this.node.className = `verdict ${found}`;
    const against = asked === "schema" ? `${WORDS[found]} against the schema` : `${WORDS[found]} JSON`;
    const list = faults.length
      ? element("ul", {}, ...faults.slice(0, 6).map((fault) => element("li", {}, fault)))
      : null;
    fill(this.node, element("p", {}, icon(PICTURES[found]), against), list);
  }
}

function schemaOf(message) {
  try {
    return readSchema(message.schema);
  } catch {
    return true; // the server has already said that it cannot be used
  }
}
