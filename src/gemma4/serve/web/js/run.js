// One request for one answer: it streams into a node, and is kept while it grows.

import { addChunk, closeThought } from "./answer.js";
import { ServerError } from "./server.js";
import { events } from "./stream.js";

const KEEP_EVERY = 1000; // milliseconds between two writes of a growing answer

export class Run {
  /**
   * @param {import("./server.js").Server} server
   * @param {object} node the answer that grows
   * @param {{changed: (node: object) => void, keep: (node: object) => Promise<void>}} hooks
   */
  constructor(server, node, { changed, keep }) {
    Object.assign(this, { server, node, changed, keep });
    this.controller = new AbortController();
    this.started = performance.now();
    this.timer = null;
  }

  get elapsed() {
    return performance.now() - this.started;
  }

  stop() {
    this.controller.abort();
  }

  /** Ask, and fold the stream. Never raises: what went wrong is in the node. */
  async go(makeBody) {
    const { node } = this;
    Object.assign(node, {
      state: "streaming",
      error: null,
      finish: null,
      usage: null,
      timings: null,
      firstMs: null,
      pieces: 0,
    });
    this.changed(node);
    try {
      const body = await makeBody();
      const { signal } = this.controller;
      const response = await this.server.request("v1/chat/completions", { body, signal });
      for await (const chunk of events(response)) this.take(chunk);
    } catch (error) {
      this.fail(error);
    }
    clearTimeout(this.timer);
    closeThought(node, this.elapsed);
    node.totalMs = this.elapsed;
    node.state = "done";
    await this.keep(node);
    this.changed(node);
  }

  take(chunk) {
    addChunk(this.node, chunk, this.elapsed);
    this.changed(this.node);
    this.timer ??= setTimeout(() => {
      this.timer = null;
      this.keep(this.node);
    }, KEEP_EVERY);
  }

  fail(error) {
    const { node } = this;
    if (error instanceof ServerError && error.kind === "aborted") node.finish = "stopped";
    else node.error = { message: error.message, kind: error.kind ?? "page", code: error.code ?? null };
    // A call that was cut has no end: it is not run.
    if (node.finish !== "tool_calls") node.calls = [];
  }
}
