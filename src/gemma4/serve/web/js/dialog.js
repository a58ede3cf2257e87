// Questions to the user. The browser's own dialog keeps the focus inside and answers to Escape.

import { element } from "./element.js";

function ask({ title, words, field, accept, danger }) {
  return new Promise((resolve) => {
    const button = element(
      "button",
      { type: "submit", class: danger ? "button danger" : "button primary", value: "yes" },
      accept,
    );
    const cancel = element(
      "button",
      { type: "button", class: "button", onclick: () => dialog.close("") },
      "Cancel",
    );
    const form = element(
      "form",
      { method: "dialog", onsubmit: (event) => (event.preventDefault(), dialog.close("yes")) },
      element("h2", {}, title),
      words && element("p", {}, words),
      field,
      element("div", { class: "dialog-buttons" }, cancel, button),
    );
    const dialog = element("dialog", { class: "dialog", "aria-label": title }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
    (field ?? button).focus();
    field?.select();
  });
}

/** True when the user agrees. */
export const confirmed = (title, words, accept) => ask({ title, words, accept, danger: true });

/** What the user wrote, or null. */
export async function written(
  title,
  { words = "", value = "", accept = "Save", type = "text", label = title },
) {
  const field = element("input", {
    type,
    class: "field",
    value,
    "aria-label": label,
    autocomplete: "off",
    spellcheck: "false",
  });
  return (await ask({ title, words, field, accept })) ? field.value.trim() : null;
}
