// What the user said: media, text, and a way to say it otherwise.

import { branches } from "./branches.js";
import { copyButton } from "./copy.js";
import { editor } from "./editor.js";
import { element, fill, iconButton } from "./element.js";
import { medium } from "./media.js";

export class Question {
  constructor(chat, node) {
    Object.assign(this, { chat, message: node });
    this.bubble = element("div", { class: "bubble" });
    this.actions = element("div", { class: "actions" });
    const media = (node.attachments ?? []).map(medium);
    this.node = element(
      "article",
      { class: "question", "aria-label": "You", "data-id": node.id },
      media.length ? element("div", { class: "media" }, ...media) : null,
      this.bubble,
      this.actions,
    );
    this.show();
  }

  show() {
    this.node.classList.remove("editing");
    this.bubble.hidden = !this.message.text;
    fill(this.bubble, this.message.text);
  }

  update() {
    const { chat, message } = this;
    const all = chat.tree.siblings(message);
    const idle = !chat.running;
    fill(
      this.actions,
      branches(all.indexOf(message), all.length, idle ? (step) => chat.turn(message, step) : () => {}),
      copyButton(() => message.text, "Copy message"),
      iconButton("edit", "Edit message", () => this.edit(), { disabled: !idle, class: "edit" }),
    );
  }

  edit() {
    const done = (text) => {
      this.show();
      if (text !== null && text !== this.message.text) this.chat.edit(this.message, text);
    };
    this.node.classList.add("editing");
    this.bubble.hidden = false;
    fill(this.bubble, editor(this.message.text, { accept: "Send", label: "Edit message", done }));
  }
}
