// The conversation that is open, and what one can do with it. Views listen to its events:
// "open" another conversation, "path" other messages, "node" one message grew, "run" started or ended,
// "settings", "trouble" (detail: words for the user).

import { emptyAnswer } from "./answer.js";
import { Answers } from "./answers.js";
import { Tabs } from "./tabs.js";
import { underWay } from "./toolbox.js";
import { newSettings, Tree } from "./tree.js";
import { firstLine } from "./words.js";

export class Chat extends EventTarget {
  constructor({ server, store, catalog, defaults }) {
    super();
    Object.assign(this, { server, store, catalog, defaults });
    this.answers = new Answers(this);
    this.runs = this.answers.runs;
    this.trees = new Map(); // as this tab has them: an answer may grow while another conversation is open
    this.tree = null;
    this.tabs = new Tabs((id) => this.runs.has(id));
  }

  fresh() {
    const { models } = this.catalog;
    const wanted = this.defaults.model;
    const model = wanted && (!models.length || this.catalog.model(wanted)) ? wanted : (models[0]?.id ?? null);
    this.show(Tree.fresh(model, { ...newSettings(), ...this.defaults.settings }));
  }

  /** Open a stored conversation; false when it is not there (any more). */
  async open(id) {
    const known = this.trees.get(id);
    if (known) {
      this.show(known);
      return true;
    }
    const found = await this.store.read(id);
    if (found)
      this.show(
        new Tree({ ...found.record, settings: { ...newSettings(), ...found.record.settings } }, found.nodes),
      );
    return found !== null;
  }

  /** Another tab wrote to a conversation: what this tab knows of it is old, unless it writes itself. */
  async changedElsewhere(id) {
    if (this.runs.has(id)) return;
    this.trees.delete(id);
    if (this.tree.id !== id || this.tree.empty) return;
    if (await this.open(id)) return;
    this.tell("trouble", "This conversation was deleted in another tab.");
    this.fresh();
  }

  /** A conversation that is to be deleted: nothing more is written to it. */
  forget(id) {
    this.runs.get(id)?.stop();
    this.trees.delete(id);
  }

  show(tree) {
    this.tree = tree;
    this.trees.set(tree.id, tree);
    this.endInterrupted(tree);
    this.catalog.learn(tree.record.model);
    this.tell("open");
  }

  /** An answer that was being written, or a tool that ran, and that no tab works on now, was interrupted. */
  async endInterrupted(tree) {
    const open = [...tree.nodes.values()].filter(
      (node) => node.state === "streaming" || node.calls?.some(underWay),
    );
    if (!open.length || this.runs.has(tree.id) || (await this.tabs.writtenElsewhere(tree.id))) return;
    for (const node of open) {
      node.state = "done";
      node.finish ??= "interrupted";
      for (const call of node.calls.filter(underWay)) call.state = "waiting";
    }
    if (this.tree === tree) this.tell("path");
  }

  setModel(id) {
    this.tree.record.model = id;
    this.defaults.model = id;
    this.catalog.learn(id);
    this.keepRecord({ model: id });
    this.tell("settings");
  }

  change(settings) {
    Object.assign(this.tree.settings, settings);
    this.keepRecord({ settings: this.tree.settings });
    this.tell("settings");
  }

  get running() {
    return this.runs.get(this.tree.id) ?? null;
  }

  stop() {
    this.running?.stop();
  }

  async send(text, attachments = []) {
    await this.answers.ask(this.tree, this.addQuestion(this.tree.record.head, text, attachments));
  }

  /** Another version of a question, beside it. */
  async edit(node, text) {
    await this.answers.ask(this.tree, this.addQuestion(node.parent, text, node.attachments ?? []));
  }

  addQuestion(parent, text, attachments) {
    const { tree } = this;
    const node = tree.add({ role: "user", parent, text, attachments });
    tree.record.title ||= firstLine(text) || attachments[0]?.name || "Untitled";
    this.keep(tree, [node]);
    return node;
  }

  /** Another answer beside this one; an answer of which nothing came makes room. */
  async regenerate(node) {
    const { tree } = this;
    const parent = tree.nodes.get(node.parent);
    if (!node.content && !node.thought && !node.calls.length) {
      tree.nodes.delete(node.id);
      this.trying(this.store.removeNode(node));
    }
    await this.answers.ask(tree, parent);
  }

  /** Go on where an answer was cut. */
  async goOn(node) {
    await this.answers.stream(this.tree, node, true);
  }

  /** The user's own version of an answer, beside it. */
  async rewrite(node, content) {
    const fields = { content, finish: "edited", state: "done", parent: node.parent, model: node.model };
    const edited = this.tree.add(emptyAnswer(fields));
    await this.keep(this.tree, [edited]);
    this.tell("path");
  }

  /** The user's word on a call: "once", "always" (in this conversation) or "never". */
  async decide(node, call, verdict) {
    if (verdict === "always") this.change({ toolsAllowed: [...this.tree.settings.toolsAllowed, call.name] });
    await this.answers.decide(this.tree, node, call, verdict !== "never");
  }

  turn(node, step) {
    this.tree.turn(node, step);
    this.keepRecord({ head: this.tree.record.head });
    this.tell("path");
  }

  async keep(tree, nodes) {
    const { record } = tree;
    record.updated = Date.now();
    if (tree.stored)
      return this.trying(this.store.update(tree.id, { updated: record.updated, head: record.head }, nodes));
    tree.stored = true;
    await this.trying(this.store.create(record, nodes));
  }

  keepRecord(changes) {
    if (this.tree.stored) this.trying(this.store.update(this.tree.id, changes));
  }

  /** What cannot be kept is said, and the conversation goes on. */
  async trying(promise) {
    try {
      await promise;
    } catch (error) {
      this.tell("trouble", `This browser could not keep the conversation: ${error?.message ?? error}`);
    }
  }

  tell(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
