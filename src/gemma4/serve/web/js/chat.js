// The conversation that is open, and what one can do with it. Views listen to its events:
// "open" another conversation, "path" other messages, "node" one message grew, "run" started or ended,
// "settings", "trouble" (detail: words for the user).

import { emptyAnswer } from "./answer.js";
import { requestBody } from "./request.js";
import { Run } from "./run.js";
import { Tabs } from "./tabs.js";
import { declared, deny, runCall, settled } from "./toolbox.js";
import { newSettings, Tree } from "./tree.js";
import { firstLine } from "./words.js";

const underWay = (call) => call.state === "running" || call.state === "allowed";

function stoppable() {
  const controller = new AbortController();
  return { signal: controller.signal, stop: () => controller.abort() };
}

export class Chat extends EventTarget {
  constructor({ server, store, catalog, defaults }) {
    super();
    Object.assign(this, { server, store, catalog, defaults });
    this.runs = new Map();
    this.trees = new Map(); // as this tab has them: an answer may grow while another conversation is open
    this.tree = null;
    this.tabs = new Tabs((id) => this.runs.has(id));
  }

  // ── which conversation ────────────────────────────────────────────────────────────────────────

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
    if (found) this.show(new Tree({ ...found.record, settings: { ...newSettings(), ...found.record.settings } }, found.nodes));
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
    const open = [...tree.nodes.values()].filter((node) => node.state === "streaming" || node.calls?.some(underWay));
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

  // ── what one does ─────────────────────────────────────────────────────────────────────────────

  get running() {
    return this.runs.get(this.tree.id) ?? null;
  }

  stop() {
    this.running?.stop();
  }

  async send(text, attachments = []) {
    await this.ask(this.tree, this.addQuestion(this.tree.record.head, text, attachments));
  }

  /** Another version of a question, beside it. */
  async edit(node, text) {
    await this.ask(this.tree, this.addQuestion(node.parent, text, node.attachments ?? []));
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
    await this.ask(tree, parent);
  }

  /** Go on where an answer was cut. */
  async goOn(node) {
    await this.answer(this.tree, node, true);
  }

  /** The user's own version of an answer, beside it. */
  async rewrite(node, content) {
    const fields = { content, finish: "edited", state: "done", parent: node.parent, model: node.model };
    const edited = this.tree.add(emptyAnswer(fields));
    await this.keep(this.tree, [edited]);
    this.tell("path");
  }

  turn(node, step) {
    this.tree.turn(node, step);
    this.keepRecord({ head: this.tree.record.head });
    this.tell("path");
  }

  // ── answers ───────────────────────────────────────────────────────────────────────────────────

  async ask(tree, parent) {
    const node = tree.add(emptyAnswer({ parent: parent.id, model: tree.record.model, asked: tree.settings.format }));
    if (tree.settings.format === "schema") node.schema = tree.settings.schema;
    this.keep(tree, [node]);
    await this.answer(tree, node, false);
  }

  async answer(tree, node, goOn) {
    const run = new Run(this.server, node, {
      changed: () => this.tell("node", node),
      keep: () => this.trying(this.store.update(tree.id, {}, [node])),
    });
    this.runs.set(tree.id, run);
    this.tell("path");
    this.tell("run");
    await run.go(() => this.body(tree, node, goOn));
    this.runs.delete(tree.id);
    if (this.catalog.model(node.model)?.loaded === false) this.catalog.refresh();
    await this.keep(tree, [node]);
    this.tell("run");
    if (node.calls.length) await this.proceed(tree, node);
  }

  body(tree, node, goOn) {
    const { record, settings } = tree;
    const tools = this.catalog.takesTools(record.model) ? declared(this.catalog.tools, settings) : [];
    const path = tree.path(goOn ? node.id : node.parent);
    return requestBody(path, { model: record.model, settings, tools, goOn });
  }

  // ── calls of tools ────────────────────────────────────────────────────────────────────────────

  /** @param {"once"|"always"|"never"} verdict */
  async decide(node, call, verdict) {
    const { tree } = this;
    if (call.state !== "waiting") return;
    if (verdict === "always") this.change({ toolsAllowed: [...tree.settings.toolsAllowed, call.name] });
    if (verdict === "never") deny(call);
    else call.state = "allowed";
    await this.proceed(tree, node);
  }

  /** Run what is allowed; when every call has a result, and nobody stopped it, the model goes on. */
  async proceed(tree, node) {
    const always = (call) => call.state === "waiting" && tree.settings.toolsAllowed.includes(call.name);
    const wanted = node.calls.filter((call) => call.state === "allowed" || always(call));
    const stopped = wanted.length > 0 && (await this.runCalls(tree, node, wanted));
    await this.trying(this.store.update(tree.id, {}, [node]));
    this.tell("node", node);
    if (!stopped && settled(node) && !tree.children(node.id).length) await this.ask(tree, node);
  }

  /** One after the other; true when the user stopped them. */
  async runCalls(tree, node, calls) {
    const { signal, stop } = stoppable();
    const run = { node, started: performance.now(), elapsed: node.totalMs ?? 0, stop };
    this.runs.set(tree.id, run);
    this.tell("run");
    for (const call of calls) {
      const running = runCall(this.server, call, signal);
      this.tell("node", node);
      await running;
    }
    if (this.runs.get(tree.id) === run) this.runs.delete(tree.id);
    this.tell("run");
    return signal.aborted;
  }

  // ── keeping ───────────────────────────────────────────────────────────────────────────────────

  async keep(tree, nodes) {
    const { record } = tree;
    record.updated = Date.now();
    if (tree.stored) return this.trying(this.store.update(tree.id, { updated: record.updated, head: record.head }, nodes));
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
