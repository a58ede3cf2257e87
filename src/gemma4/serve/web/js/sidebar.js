// The list of conversations.

import { confirmed, written } from "./dialog.js";
import { element, fill, icon, iconButton } from "./element.js";
import { download, fromJson, toJson, toMarkdown } from "./exchange.js";
import { menu } from "./menu.js";
import { notice } from "./notices.js";
import { themeItems } from "./themes.js";
import { Tree } from "./tree.js";
import { age, plural } from "./words.js";

export class Sidebar {
  /** @param {{open: (id: string) => void, fresh: () => void}} go */
  constructor(node, chat, go) {
    Object.assign(this, { node, chat, store: chat.store, go });
    this.field = element("input", {
      type: "search",
      class: "search-field",
      placeholder: "Search",
      "aria-label": "Search conversations",
    });
    this.field.addEventListener("input", () => this.refresh());
    this.field.addEventListener(
      "keydown",
      (event) => event.key === "Escape" && this.field.value && this.clear(event),
    );
    this.list = element("div", { class: "conversations" });
    this.files = element("input", {
      type: "file",
      accept: ".json,application/json",
      hidden: true,
      "aria-label": "File of conversations",
    });
    this.files.addEventListener("change", () => this.import());
    const fresh = element(
      "button",
      { type: "button", class: "new-button", onclick: () => go.fresh() },
      icon("compose"),
      "New conversation",
    );
    const more = iconButton("more", "More", () => {}, { class: "more-button" });
    const brand = element(
      "div",
      { class: "brand" },
      icon("mark"),
      element("span", {}, "gemma4"),
      menu(more, () => this.items(), { label: "More", side: "right" }),
    );
    fill(
      node,
      brand,
      fresh,
      element("label", { class: "search" }, icon("search"), this.field),
      this.list,
      this.files,
    );
    for (const event of ["here", "elsewhere"]) this.store.addEventListener(event, () => this.soon());
    chat.addEventListener("open", () => this.refresh());
    chat.addEventListener("run", () => this.soon());
  }

  clear(event) {
    event.stopPropagation();
    this.field.value = "";
    this.refresh();
  }

  soon() {
    this.timer ??= setTimeout(() => this.refresh(), 150);
  }

  async refresh() {
    clearTimeout(this.timer);
    this.timer = null;
    const words = this.field.value.trim();
    try {
      const [records, found] = await Promise.all([
        this.store.list(),
        words ? this.store.search(words) : null,
      ]);
      if (words === this.field.value.trim())
        this.show(
          records.filter((record) => !found || found.has(record.id)),
          words,
        );
    } catch (error) {
      notice(`This browser does not keep conversations: ${error?.message ?? error}`, { kind: "warning" });
    }
  }

  show(records, words) {
    // Made anew only when something can be seen of it: a menu that is open, and the focus, stay.
    const sign = JSON.stringify([
      words,
      records.map((record) => [
        record.id,
        record.title,
        age(record.updated),
        this.isOpen(record),
        this.isRunning(record),
      ]),
    ]);
    if (sign === this.sign) return;
    if (this.list.querySelector(".menu:not([hidden])")) return this.soon(); // not under somebody's hand
    this.sign = sign;
    const groups = new Map();
    for (const record of records) {
      const name = age(record.updated);
      groups.set(name, [...(groups.get(name) ?? []), record]);
    }
    const lists = [...groups].map(([name, ones]) =>
      element(
        "section",
        { "aria-label": name },
        element("h2", {}, name),
        element("ul", {}, ...ones.map((record) => this.entry(record))),
      ),
    );
    const none = words
      ? `Nothing holds “${words}”.`
      : "Your conversations will be here. They stay in this browser.";
    fill(this.list, lists.length ? lists : element("p", { class: "none" }, none));
  }

  isOpen = (record) => this.chat.tree?.id === record.id;

  isRunning = (record) => this.chat.runs.has(record.id);

  entry(record) {
    const current = this.isOpen(record);
    const open = element(
      "button",
      {
        type: "button",
        class: "conversation",
        "aria-current": current ? "true" : null,
        title: record.title,
        onclick: () => this.go.open(record.id),
      },
      this.isRunning(record) && element("span", { class: "pulse", role: "img", "aria-label": "Answering" }),
      element("span", { class: "title" }, record.title),
    );
    const more = iconButton("more", `More about ${record.title}`, () => {}, {
      class: "small",
      title: "More",
    });
    return element(
      "li",
      { class: current ? "current" : "" },
      open,
      menu(more, () => this.entryItems(record), { label: record.title, side: "right" }),
    );
  }

  entryItems(record) {
    return [
      { label: "Rename", icon: icon("edit"), action: () => this.rename(record) },
      { label: "Export as Markdown", icon: icon("download"), action: () => this.exportMarkdown(record) },
      {
        label: "Export as JSON",
        icon: icon("download"),
        action: () => this.exportJson([record], record.title),
      },
      { label: "Delete", icon: icon("trash"), danger: true, action: () => this.delete(record) },
    ];
  }

  items() {
    return [
      { label: "Import conversations", icon: icon("upload"), action: () => this.files.click() },
      {
        label: "Export all",
        icon: icon("download"),
        action: async () => this.exportJson(await this.store.list(), "conversations"),
      },
      { heading: "Appearance" },
      ...themeItems(),
    ];
  }

  async rename(record) {
    const title = await written("Rename conversation", { value: record.title, label: "Title" });
    if (!title) return;
    const shown = this.chat.trees.get(record.id);
    if (shown) shown.record.title = title;
    await this.store.update(record.id, { title });
  }

  async delete(record) {
    if (!(await confirmed("Delete this conversation?", `“${record.title}” will be gone for good.`, "Delete")))
      return;
    this.chat.forget(record.id);
    await this.store.remove(record.id);
    if (this.chat.tree.id === record.id) this.go.fresh();
  }

  async exportMarkdown(record) {
    const { record: whole, nodes } = await this.store.read(record.id);
    download(toMarkdown(new Tree(whole, nodes)), `${record.title}.md`);
  }

  async exportJson(records, name) {
    const all = await Promise.all(records.map(({ id }) => this.store.read(id)));
    download(await toJson(all), `${name}.json`);
  }

  async import() {
    const [file] = this.files.files;
    try {
      const found = fromJson(await file.text());
      for (const { record, nodes } of found) await this.store.create(record, nodes);
      notice(`${plural(found.length, "conversation")} imported.`);
    } catch (error) {
      notice(`${file.name} was not imported. ${error.message}`, { kind: "warning" });
    }
    this.files.value = "";
  }
}
