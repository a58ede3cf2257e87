// A conversation is a tree: an edited message or another answer is a sibling, and nothing is overwritten.

/** An id that also works where the page is not a secure context (plain http in a home network). */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const newSettings = () => ({
  system: "",
  values: {},
  thinking: "",
  format: "text",
  schema: "",
  toolsOff: [],
  toolsAllowed: [],
});

export class Tree {
  /**
   * @param {object} record id, title, created, updated, model, settings, head (id of the leaf shown)
   * @param {object[]} nodes messages, each with id and parent (null: the first)
   */
  constructor(record, nodes = []) {
    this.record = record;
    this.stored = nodes.length > 0;
    this.nodes = new Map(nodes.map((node) => [node.id, node]));
  }

  static fresh(model, settings = newSettings()) {
    const now = Date.now();
    return new Tree({ id: newId(), title: "", created: now, updated: now, model, settings, head: null });
  }

  get id() {
    return this.record.id;
  }

  get settings() {
    return this.record.settings;
  }

  get empty() {
    return this.nodes.size === 0;
  }

  children(parent) {
    return [...this.nodes.values()]
      .filter((node) => node.parent === parent)
      .sort((one, other) => one.created - other.created || (one.id < other.id ? -1 : 1));
  }

  siblings(node) {
    return this.children(node.parent);
  }

  /** Messages from the first to `leaf`. */
  path(leaf = this.record.head) {
    const found = [];
    for (let node = this.nodes.get(leaf); node; node = this.nodes.get(node.parent)) found.unshift(node);
    return found;
  }

  /** The leaf below a message that was written last. */
  leafBelow(node) {
    let leaf = node;
    for (let next = this.children(leaf.id); next.length; next = this.children(leaf.id)) leaf = next.at(-1);
    return leaf;
  }

  /** Add a message below `node.parent` and show it. */
  add(node) {
    const complete = { id: newId(), conversation: this.id, created: Date.now(), ...node };
    this.nodes.set(complete.id, complete);
    this.record.head = complete.id;
    return complete;
  }

  /** Show the sibling `step` places beside a message. */
  turn(node, step) {
    const siblings = this.siblings(node);
    const chosen = siblings[siblings.indexOf(node) + step];
    if (chosen) this.record.head = this.leafBelow(chosen).id;
  }
}
