// The server: what it says of the model, the key to it. And what new conversations begin with.

import { element } from "./element.js";
import { notice } from "./notices.js";
import { section } from "./section.js";
import { SHORTCUTS } from "./keys.js";
import { count, size } from "./words.js";

export function startSection(chat) {
  const keep = () => {
    chat.defaults.settings = chat.tree.settings;
    notice("New conversations begin with these settings.");
  };
  const reset = () => {
    chat.defaults.settings = null;
    notice("New conversations begin with the server's settings.");
  };
  return section(
    "start",
    "New conversations",
    element("div", { class: "button-row" },
      element("button", { type: "button", class: "button", onclick: keep }, "Begin with these settings"),
      element("button", { type: "button", class: "button", onclick: reset }, "Begin with the server's")),
  ); // prettier-ignore
}

export function serverSection(chat) {
  const { catalog, server, tree } = chat;
  const props = catalog.props(tree.record.model);
  const list = element("dl", { class: "report" });
  const rows = [
    ["Model", tree.record.model],
    ["Context", props?.n_ctx && `${count(props.n_ctx)} tokens`],
    ["Template", props?.template],
    ["Largest request", props?.limits?.max_body_bytes && size(props.limits.max_body_bytes)],
  ];
  for (const [name, value] of rows)
    if (value) list.append(element("dt", {}, name), element("dd", {}, String(value)));
  const notes = (props?.notes ?? []).map((note) => element("p", { class: "hint" }, note));
  const error = catalog.error && element("p", { class: "hint bad", role: "alert" }, catalog.error.message);
  const key = element("input", {
    type: "password",
    id: "set-key",
    class: "field",
    value: server.key,
    placeholder: "none",
    autocomplete: "off",
  });
  key.addEventListener("change", () => {
    server.key = key.value.trim();
    catalog.refresh();
  });
  const keyRow = element("div", { class: "row" }, element("label", { for: key.id }, "API key"), key);
  return section(
    "server",
    "Server",
    error,
    list,
    ...notes,
    keyRow,
    element("p", { class: "hint" }, "The key is kept in this browser and sent to this server only."),
  );
}

export function keysSection() {
  const list = element("dl", { class: "report keys" });
  for (const [keys, what] of SHORTCUTS) {
    list.append(
      element("dt", {}, ...keys.split(" ").map((key) => element("kbd", {}, key))),
      element("dd", {}, what),
    );
  }
  return section("keys", "Keyboard", list);
}
