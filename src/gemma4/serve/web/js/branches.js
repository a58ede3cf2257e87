// Arrows between the versions of a message, where there are several.

import { element, iconButton } from "./element.js";

/** @param {(step: number) => void} turn */
export function branches(index, total, turn) {
  if (total < 2) return null;
  return element(
    "span",
    { class: "branches", role: "group", "aria-label": "Versions" },
    iconButton("left", "Version before", () => turn(-1), { disabled: index === 0, class: "small" }),
    element("span", { class: "branch-place" }, `${index + 1} / ${total}`),
    iconButton("right", "Version after", () => turn(1), { disabled: index === total - 1, class: "small" }),
  );
}
