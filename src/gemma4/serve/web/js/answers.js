// Asking for answers, and for the tools that they call, until the model has nothing more to ask.

import { emptyAnswer } from "./answer.js";
import { requestBody } from "./request.js";
import { Run } from "./run.js";
import { declared, deny, runCall, settled } from "./toolbox.js";

function stoppable() {
  const controller = new AbortController();
  return { signal: controller.signal, stop: () => controller.abort() };
}

export class Answers {
  /** @param {import("./chat.js").Chat} chat hears what happens, and keeps it */
  constructor(chat) {
    this.chat = chat;
    this.runs = new Map(); // of a conversation's id: what works on it now
  }

  /** A new answer below a message. */
  async ask(tree, parent) {
    const node = tree.add(
      emptyAnswer({ parent: parent.id, model: tree.record.model, asked: tree.settings.format }),
    );
    if (tree.settings.format === "schema") node.schema = tree.settings.schema;
    this.chat.keep(tree, [node]);
    await this.stream(tree, node, false);
  }

  /** Ask the server, and let the answer grow; `goOn` continues one that was cut. */
  async stream(tree, node, goOn) {
    const run = new Run(this.chat.server, node, {
      changed: () => this.chat.tell("node", node),
      keep: () => this.chat.trying(this.chat.store.update(tree.id, {}, [node])),
    });
    this.runs.set(tree.id, run);
    this.chat.tell("path");
    this.chat.tell("run");
    await run.go(() => this.body(tree, node, goOn));
    this.runs.delete(tree.id);
    if (this.chat.catalog.model(node.model)?.loaded === false) this.chat.catalog.refresh();
    await this.chat.keep(tree, [node]);
    this.chat.tell("run");
    if (node.calls.length) await this.proceed(tree, node);
  }

  body(tree, node, goOn) {
    const { record, settings } = tree;
    const tools = this.chat.catalog.takesTools(record.model)
      ? declared(this.chat.catalog.tools, settings)
      : [];
    const path = tree.path(goOn ? node.id : node.parent);
    return requestBody(path, { model: record.model, settings, tools, goOn });
  }

  /** Allow or deny a call. */
  async decide(tree, node, call, allowed) {
    if (call.state !== "waiting") return;
    if (allowed) call.state = "allowed";
    else deny(call);
    await this.proceed(tree, node);
  }

  /** Run what is allowed; when every call has a result, and nobody stopped it, the model goes on. */
  async proceed(tree, node) {
    const always = (call) => call.state === "waiting" && tree.settings.toolsAllowed.includes(call.name);
    const wanted = node.calls.filter((call) => call.state === "allowed" || always(call));
    const stopped = wanted.length > 0 && (await this.runCalls(tree, node, wanted));
    await this.chat.trying(this.chat.store.update(tree.id, {}, [node]));
    this.chat.tell("node", node);
    if (!stopped && settled(node) && !tree.children(node.id).length) await this.ask(tree, node);
  }

  /** One after the other; true when the user stopped them. */
  async runCalls(tree, node, calls) {
    const { signal, stop } = stoppable();
    const run = { node, started: performance.now(), elapsed: node.totalMs ?? 0, stop };
    this.runs.set(tree.id, run);
    this.chat.tell("run");
    for (const call of calls) {
      const running = runCall(this.chat.server, call, signal);
      this.chat.tell("node", node);
      await running;
    }
    if (this.runs.get(tree.id) === run) this.runs.delete(tree.id);
    this.chat.tell("run");
    return signal.aborted;
  }
}
