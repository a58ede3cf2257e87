// Copying text, also where the page is not a secure context and the clipboard's own interface is missing.

import { element, icon, iconButton } from "./element.js";

export async function copy(text) {
  if (navigator.clipboard && window.isSecureContext) return navigator.clipboard.writeText(text);
  const field = element("textarea", { class: "unseen", value: text });
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  if (!copied) throw new Error("This browser does not let the page copy.");
}

/** A button that copies what `text()` gives, and says so for a moment. */
export function copyButton(text, label = "Copy") {
  const button = iconButton("copy", label, async () => {
    let word = "Copied";
    try {
      await copy(text());
    } catch (error) {
      word = error.message;
    }
    button.replaceChildren(
      icon(word === "Copied" ? "check" : "error"),
      element("span", { class: "said", role: "status" }, word),
    );
    setTimeout(() => button.replaceChildren(icon("copy")), 1600);
  });
  button.classList.add("copy");
  return button;
}
