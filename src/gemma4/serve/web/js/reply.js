// One answer: thoughts, text or JSON, calls, errors, and what can be done with it.

import { closeMenus } from "./menu.js";
import { codeBlock } from "./code.js";
import { copyButton } from "./copy.js";
import { editor } from "./editor.js";
import { element, fill, icon } from "./element.js";
import { Prose } from "./prose.js";
import { replyActions } from "./replyactions.js";
import { warnings } from "./report.js";
import { Thought } from "./thought.js";
import { signature, toolCard } from "./toolcard.js";
import { Verdict } from "./verdict.js";

const CUT = {
  stopped: "You stopped this answer.",
  interrupted: "This answer was interrupted when the page was closed.",
  length: "The answer reached its limit of tokens.",
  content_filter: "The answer was withheld.",
};

export class Reply {
  constructor(chat, node) {
    Object.assign(this, { chat, message: node, cards: [] });
    this.thought = new Thought();
    this.prose = new Prose();
    this.verdict = new Verdict(node);
    this.waiting = element("div", { class: "waiting", role: "status" });
    this.body = element("div", { class: "answer-body" }, this.prose.node);
    this.calls = element("div", { class: "tools" });
    this.notes = element("div", { class: "notes" });
    this.actions = element("div", { class: "actions" });
    this.node = element(
      "article",
      { class: "reply", "aria-label": "Answer", "data-id": node.id },
      this.thought.node, this.waiting, this.body, this.verdict.node, this.calls, this.notes, this.actions,
    ); // prettier-ignore
  }

  /** The run that writes this answer now, or null. */
  get run() {
    const run = this.chat.running;
    return run?.node === this.message ? run : null;
  }

  update() {
    const { message, run } = this;
    this.node.setAttribute("aria-busy", String(message.state === "streaming"));
    this.thought.update(message, this.thinkingSince(run));
    this.showWaiting(run);
    this.showBody();
    this.verdict.update();
    this.showCalls();
    this.showNotes();
    this.node.classList.toggle("step", message.calls.length > 0);
    fill(this.actions, replyActions(this));
  }

  thinkingSince(run) {
    const from = this.message.thoughtFrom;
    return run && from !== undefined ? run.started + from : null;
  }

  showWaiting(run) {
    const idle = run && !this.message.thought && !this.message.content && !this.message.calls.length;
    this.waiting.hidden = !idle;
    if (!idle) return;
    const loaded = this.chat.catalog.model(this.message.model)?.loaded;
    const words = loaded === false ? `Loading ${this.message.model} …` : "";
    if (this.waiting.dataset.words === words) return;
    this.waiting.dataset.words = words;
    fill(
      this.waiting,
      element(
        "span",
        { class: "dots", "aria-label": words ? null : "Waiting for the answer" },
        element("i"),
        element("i"),
        element("i"),
      ),
      words,
    );
  }

  showBody() {
    const { content, asked } = this.message;
    if (this.editing) return;
    this.body.hidden = !content;
    if (!asked || asked === "text") return this.prose.update(content);
    if (this.prose.text !== content) fill(this.body, codeBlock(content, "json"));
    this.prose.text = content;
  }

  showCalls() {
    const { catalog } = this.chat;
    const ended = this.message.state === "done";
    this.message.calls.forEach((call, index) => {
      const known = catalog.tools.some((tool) => tool.function.name === call.name);
      const sign = `${signature(call)}\n${ended}\n${known}`;
      if (this.cards[index]?.sign === sign) return;
      const decide = (verdict) => this.chat.decide(this.message, call, verdict);
      const node = toolCard(call, { known, ended, decide });
      if (this.cards[index]) this.cards[index].node.replaceWith(node);
      else this.calls.append(node);
      this.cards[index] = { sign, node };
    });
    for (const card of this.cards.splice(this.message.calls.length)) card.node.remove();
  }

  showNotes() {
    const { error, finish } = this.message;
    const notes = warnings(this.message).map((words) => ["warning", words]);
    if (CUT[finish] && !error) notes.push(["info", CUT[finish]]);
    if (error) notes.push(["error", error.message]);
    const sign = JSON.stringify(notes);
    if (this.notes.dataset.sign === sign) return;
    this.notes.dataset.sign = sign;
    fill(
      this.notes,
      notes.map(([kind, words]) =>
        element(
          "p",
          { class: `note ${kind}`, role: kind === "error" ? "alert" : null },
          icon(kind),
          element("span", {}, words),
        ),
      ),
    );
  }

  edit() {
    closeMenus();
    this.editing = true;
    const done = (text) => {
      this.editing = false;
      fill(this.body, this.prose.node);
      this.prose.text = null;
      if (text !== null && text !== this.message.content) this.chat.rewrite(this.message, text);
      else this.update();
    };
    fill(
      this.body,
      editor(this.message.content, { accept: "Keep as a version", label: "Edit answer", done }),
    );
  }
}
