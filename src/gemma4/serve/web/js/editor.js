// A message that is being rewritten in its place.

import { element } from "./element.js";
import { isEnter } from "./keys.js";

/**
 * @param {string} text as it is
 * @param {{accept: string, label: string, done: (text: string|null) => void}} how `done` gets null when nothing changes
 */
export function editor(text, { accept, label, done }) {
  const field = element("textarea", { class: "field", value: text, "aria-label": label, rows: "1" });
  const save = () => (field.value.trim() ? done(field.value) : field.focus());
  const fit = () => {
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight + 2, window.innerHeight * 0.6)}px`;
  };
  field.addEventListener("input", fit);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      event.stopPropagation();
      done(null);
    } else if (isEnter(event)) {
      event.preventDefault();
      save();
    }
  });
  const cancel = element("button", { type: "button", class: "button", onclick: () => done(null) }, "Cancel");
  const send = element("button", { type: "button", class: "button primary", onclick: save }, accept);
  const node = element(
    "div",
    { class: "editor" },
    field,
    element("div", { class: "editor-buttons" }, cancel, send),
  );
  requestAnimationFrame(() => {
    fit();
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  });
  return node;
}
