// The box where one writes.

import { RefusedFile, readFile, refusal } from "./attachments.js";
import { Drafts } from "./drafts.js";
import { element, fill, icon, iconButton } from "./element.js";
import { isEnter } from "./keys.js";
import { chip } from "./media.js";
import { notice } from "./notices.js";
import { formatButton, thinkingButton, toolsButton } from "./quick.js";
import { size } from "./words.js";

export class Composer {
  /** @param {() => void} openPanel shows the settings */
  constructor(node, chat, openPanel) {
    Object.assign(this, { chat, openPanel, attachments: [], reading: 0, drafts: new Drafts() });
    this.field = element("textarea", {
      id: "prompt",
      class: "prompt",
      rows: "1",
      placeholder: "Write a message",
      "aria-label": "Message",
    });
    this.chips = element("ul", { class: "chips", "aria-label": "Attachments", hidden: true });
    this.files = element("input", {
      type: "file",
      multiple: true,
      hidden: true,
      "aria-label": "Files to attach",
    });
    this.quick = element("div", { class: "quick" });
    this.send = iconButton("send", "Send", () => this.submit(), { class: "send" });
    this.stop = iconButton("stop", "Stop", () => chat.stop(), { class: "send stop", hidden: true });
    const attach = iconButton("attach", "Attach files", () => this.files.click());
    const bar = element("div", { class: "bar" }, attach, this.quick, this.send, this.stop);
    this.node = element(
      "form",
      { class: "composer", "aria-label": "Write a message" },
      this.chips,
      this.field,
      this.files,
      bar,
    );
    fill(node, this.node, element("p", { class: "fine" }, "Runs on your server; answers may be wrong."));
    this.listen();
  }

  listen() {
    this.node.addEventListener("submit", (event) => event.preventDefault());
    this.files.addEventListener("change", () =>
      this.attach([...this.files.files]).then(() => (this.files.value = "")),
    );
    this.field.addEventListener("input", () => this.written());
    this.field.addEventListener("keydown", (event) => this.key(event));
    this.field.addEventListener("paste", (event) => this.paste(event));
    this.chat.addEventListener("open", () => this.open());
    for (const event of ["run", "settings"]) this.chat.addEventListener(event, () => this.update());
    this.chat.catalog.addEventListener("change", () => this.chat.tree && this.update());
  }

  open() {
    this.field.value = this.drafts.read(this.draftKey);
    this.attachments = [];
    this.showChips();
    this.fit();
    this.update();
    if (matchMedia("(hover: hover)").matches) this.field.focus(); // not where it would open a keyboard
  }

  /** A new conversation has no place of its own until it is sent. */
  get draftKey() {
    return this.chat.tree.empty ? "new" : this.chat.tree.id;
  }

  get props() {
    return this.chat.catalog.props(this.chat.tree.record.model);
  }

  update() {
    const running = this.chat.running !== null;
    const focused = document.activeElement === this.send || document.activeElement === this.stop;
    this.send.hidden = running;
    this.stop.hidden = !running;
    if (focused) this.field.focus();
    this.send.disabled = this.reading > 0 || (!this.field.value.trim() && !this.attachments.length);
    const sign = JSON.stringify([this.chat.tree.settings, this.chat.catalog.tools, this.props]);
    if (this.sign === sign) return;
    this.sign = sign;
    const buttons = [
      thinkingButton(this.chat),
      formatButton(this.chat, this.openPanel),
      toolsButton(this.chat, this.openPanel),
    ];
    fill(this.quick, ...buttons);
  }

  written() {
    this.drafts.write(this.draftKey, this.field.value);
    this.fit();
    this.update();
  }

  /** Put a text into the box, to be looked at before it is sent. */
  suggest(text) {
    this.field.value = text;
    this.written();
    this.field.focus();
  }

  fit() {
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, window.innerHeight * 0.4)}px`;
  }

  key(event) {
    if (isEnter(event)) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "ArrowUp" && !this.field.value) {
      const edits = document.querySelectorAll(".question .edit:not(:disabled)");
      if (edits.length) event.preventDefault();
      [...edits].at(-1)?.click();
    }
  }

  paste(event) {
    const files = [...event.clipboardData.files];
    if (!files.length) return;
    event.preventDefault();
    this.attach(files);
  }

  /** Read files, and say why one is not taken. */
  async attach(files) {
    const { tree } = this.chat;
    this.reading += 1;
    this.node.classList.add("reading");
    this.update();
    for (const file of files) {
      try {
        const attachment = await readFile(file, this.props);
        if (this.chat.tree !== tree) break;
        this.attachments.push(attachment);
        if (attachment.note) notice(`${attachment.name}: ${attachment.note}`);
      } catch (error) {
        notice(
          error instanceof RefusedFile ? error.message : `${file.name} could not be read: ${error.message}`,
          { kind: "warning" },
        );
      }
      this.showChips();
    }
    this.reading -= 1;
    this.node.classList.toggle("reading", this.reading > 0);
    this.update();
    this.field.focus();
  }

  showChips() {
    this.chips.hidden = !this.attachments.length;
    const remove = (one) => () => {
      this.attachments = this.attachments.filter((other) => other !== one);
      this.showChips();
      this.update();
      this.field.focus();
    };
    fill(
      this.chips,
      this.attachments.map((one) => chip(one, remove(one))),
    );
  }

  submit() {
    const text = this.field.value.trim();
    if (this.chat.running || this.reading || (!text && !this.attachments.length)) return;
    const refused = this.whyNot();
    if (refused) return notice(refused, { kind: "warning" });
    const { attachments } = this;
    this.drafts.write(this.draftKey, "");
    this.field.value = "";
    this.attachments = [];
    this.showChips();
    this.fit();
    this.chat.send(text, attachments);
  }

  /** Why what is in the box cannot be sent to this model; null when it can. */
  whyNot() {
    if (!this.chat.tree.record.model) return "There is no model to ask: the server lists none.";
    for (const one of this.attachments) {
      one.refused = refusal(one.kind, one.name, this.props) !== null;
    }
    this.showChips();
    const first = this.attachments.find((one) => one.refused);
    if (first) return refusal(first.kind, first.name, this.props).replace("was not attached", "was not sent");
    return this.tooLarge();
  }

  tooLarge() {
    const most = this.props?.limits?.max_body_bytes;
    const blobs = this.attachments.flatMap(({ blob, pages }) => pages ?? (blob ? [blob] : []));
    const bytes = blobs.reduce((sum, blob) => sum + Math.ceil(blob.size / 3) * 4, 0);
    if (!most || bytes <= most) return null;
    return `The attachments have ${size(bytes)} as they are sent; the server takes ${size(most)} in one request. Leave some out.`;
  }
}
