// Short words at the edge of the page: what was refused, what failed, what was done.

import { element, icon, iconButton } from "./element.js";

const LASTS = 8000;

/** Show words; an error stays until it is closed. */
export function notice(words, { kind = "info", place = document.getElementById("notices") } = {}) {
  const known = [...place.children].find((one) => one.dataset.words === words);
  known?.remove();
  const close = iconButton("close", "Close this notice", () => node.remove(), { class: "small" });
  const node = element(
    "div",
    { class: `notice ${kind}`, "data-words": words },
    icon(kind === "info" ? "info" : "warning"),
    element("span", {}, words),
    close,
  );
  place.append(node);
  if (kind === "info") setTimeout(() => node.remove(), LASTS);
}

/** Words that only a screen reader says. */
export function speak(words) {
  document.getElementById("spoken").textContent = words;
}
