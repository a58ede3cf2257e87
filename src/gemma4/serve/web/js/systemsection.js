// What the model is told before everything else.

import { element } from "./element.js";
import { section } from "./section.js";

export function systemSection(chat) {
  const field = element("textarea", {
    class: "field",
    rows: "4",
    value: chat.tree.settings.system,
    placeholder: "For example: Answer briefly, in plain words.",
    "aria-label": "System prompt",
  });
  field.addEventListener("input", () => chat.change({ system: field.value }));
  return section("system", "System prompt", field);
}
