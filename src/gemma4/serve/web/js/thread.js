// The messages that are shown. It follows a growing answer unless the reader has scrolled up.

import { element, fill, iconButton } from "./element.js";
import { speak } from "./notices.js";
import { Question } from "./question.js";
import { Reply } from "./reply.js";
import { welcome } from "./welcome.js";

const NEAR = 80; // pixels from the end that still count as being there
const PAINT_EVERY = 60; // milliseconds between two renderings of a growing answer

export class Thread {
  constructor(node, chat, suggest) {
    Object.assign(this, { node, chat, suggest, views: new Map(), wanted: new Set(), follows: true });
    this.list = element("div", { class: "messages" });
    this.toEnd = iconButton("arrowdown", "To the end", () => this.scroll(true), {
      class: "to-end",
      hidden: true,
    });
    fill(node, this.list, this.toEnd);
    node.addEventListener("scroll", () => this.noticeScroll(), { passive: true });
    chat.addEventListener("open", () => this.open());
    chat.addEventListener("path", () => this.showPath());
    chat.addEventListener("run", () => this.runChanged());
    chat.addEventListener("node", ({ detail }) => this.want(detail));
    chat.addEventListener("settings", () => chat.tree.empty && this.updateAll()); // the welcome names the model
    chat.catalog.addEventListener("change", () => this.chat.tree && this.updateAll());
  }

  open() {
    this.views.clear();
    this.list.replaceChildren();
    this.follows = true;
    this.showPath();
    this.scroll(true);
  }

  showPath() {
    const path = this.chat.tree.path();
    const nodes = path.map((message) => this.view(message).node);
    if (this.chat.tree.empty) nodes.push(welcome(this.chat, this.suggest));
    // Only what differs is moved: a node that is taken out and put back loses its focus and its scrolling.
    for (const old of [...this.list.children]) if (!nodes.includes(old)) old.remove();
    nodes.forEach(
      (node, index) =>
        this.list.children[index] !== node && this.list.insertBefore(node, this.list.children[index] ?? null),
    );
    this.updateAll();
    this.scroll(this.chat.running !== null);
  }

  view(message) {
    if (!this.views.has(message.id)) {
      this.views.set(
        message.id,
        message.role === "user" ? new Question(this.chat, message) : new Reply(this.chat, message),
      );
    }
    return this.views.get(message.id);
  }

  updateAll() {
    for (const message of this.chat.tree.path()) this.view(message).update();
    if (this.chat.tree.empty) fill(this.list, welcome(this.chat, this.suggest));
  }

  runChanged() {
    this.updateAll();
    const last = this.chat.tree.path().at(-1);
    if (this.chat.running) speak("The answer begins.");
    else if (last?.role === "assistant")
      speak(last.error ? `Error: ${last.error.message}` : "The answer is complete.");
  }

  /** Render a message soon: many pieces that come together are rendered once. */
  want(message) {
    if (message.conversation !== this.chat.tree.id) return;
    this.wanted.add(message);
    this.painting ??= setTimeout(() => requestAnimationFrame(() => this.paint()), PAINT_EVERY);
  }

  paint() {
    this.painting = null;
    for (const message of this.wanted) this.views.get(message.id)?.update();
    this.wanted.clear();
    this.scroll(false);
  }

  noticeScroll() {
    const { scrollHeight, scrollTop, clientHeight } = this.node;
    const left = scrollHeight - scrollTop - clientHeight;
    this.follows = left < NEAR;
    this.toEnd.hidden = left < clientHeight * 0.5;
  }

  /** To the end, when the reader is there already or `always`. */
  scroll(always) {
    if (always) this.follows = true;
    if (this.follows) this.node.scrollTop = this.node.scrollHeight;
  }
}
