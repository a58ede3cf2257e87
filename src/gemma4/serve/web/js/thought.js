// The model's thoughts, folded, with a clock that runs while it thinks.

import { element, icon } from "./element.js";
import { Prose } from "./prose.js";
import { duration } from "./words.js";

export class Thought {
  constructor() {
    this.words = element("span", { class: "thought-words" });
    this.clock = element("span", { class: "thought-clock", role: "timer", "aria-live": "off" });
    this.prose = new Prose();
    const summary = element("summary", {}, icon("thought"), this.words, this.clock, icon("right"));
    this.node = element("details", { class: "thought", hidden: true }, summary, this.prose.node);
    // What nobody sees is not set: the text is rendered when it is opened.
    this.node.addEventListener("toggle", () => this.node.open && this.prose.update(this.text));
    this.text = "";
    this.timer = null;
  }

  /** @param {number|null} since moment (performance.now) at which the thought that still runs began */
  update({ thought, thoughtMs }, since) {
    this.node.hidden = !thought;
    this.text = thought;
    if (this.node.open) this.prose.update(thought);
    this.node.classList.toggle("running", since !== null);
    this.words.textContent = since === null ? `Thought for ${duration(thoughtMs)}` : "Thinking";
    this.run(since, thoughtMs);
  }

  run(since, before) {
    clearInterval(this.timer);
    this.clock.textContent = "";
    if (since === null) return;
    const tick = () => {
      if (!this.node.isConnected) return clearInterval(this.timer);
      this.clock.textContent = duration(before + performance.now() - since);
    };
    tick();
    this.timer = setInterval(tick, 100);
  }
}
