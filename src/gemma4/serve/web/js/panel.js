// Settings of the conversation. Each section is a part of its own; all are made anew when something changes.

import { element, fill, iconButton } from "./element.js";
import { formatSection } from "./formatsection.js";
import { samplingSection } from "./samplingsection.js";
import { keysSection, serverSection, startSection } from "./serversection.js";
import { systemSection } from "./systemsection.js";
import { toolsSection } from "./toolssection.js";

export class Panel {
  constructor(node, chat) {
    Object.assign(this, { node, chat });
    this.body = element("div", { class: "panel-body" });
    const close = iconButton("close", "Close settings", () => this.close());
    fill(node, element("header", {}, element("h2", {}, "Settings"), close), this.body);
    chat.addEventListener("open", () => this.show());
    chat.catalog.addEventListener("change", () => this.show());
  }

  get isOpen() {
    return !this.node.hidden;
  }

  /** @param {string} [section] to bring into view */
  open(section) {
    this.opener = document.activeElement;
    this.node.hidden = false;
    document.body.classList.add("panel-open");
    this.show();
    const place = section && this.body.querySelector(`[data-section=${section}]`);
    place?.scrollIntoView({ block: "start" });
    (place?.querySelector("select, input, textarea, button") ?? this.node.querySelector("button")).focus();
  }

  close() {
    if (!this.isOpen) return;
    this.node.hidden = true;
    document.body.classList.remove("panel-open");
    if (this.opener?.isConnected) this.opener.focus();
  }

  toggle() {
    if (this.isOpen) this.close();
    else this.open();
  }

  show() {
    // Not while someone writes in it: a change of the catalogue would take the field from under their hands.
    if (
      !this.isOpen ||
      !this.chat.tree ||
      (this.body.contains(document.activeElement) && this.shown === this.chat.tree)
    )
      return;
    this.shown = this.chat.tree;
    const { chat } = this;
    const sections = [
      systemSection,
      samplingSection,
      formatSection,
      toolsSection,
      startSection,
      serverSection,
      keysSection,
    ];
    fill(
      this.body,
      sections.map((section) => section(chat)),
    );
  }
}
