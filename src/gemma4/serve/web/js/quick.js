// The small choices below the box: thinking, the form of the answer, tools.

import { element, icon } from "./element.js";
import { menu } from "./menu.js";
import { declared } from "./toolbox.js";
import { plural } from "./words.js";

export const THINKING = [
  ["", "Default", "As the server and the model's template have it"],
  ["none", "Off", "Answer at once"],
  ["low", "Low", "Think briefly"],
  ["medium", "Medium", "Think"],
  ["high", "High", "Think long"],
];

const quick = (picture, label, active, onclick, props = {}) =>
  element(
    "button",
    { type: "button", class: `quick-button ${active ? "active" : ""}`, onclick, ...props },
    icon(picture),
    element("span", {}, label),
  );

export function thinkingButton(chat) {
  const { thinking } = chat.tree.settings;
  if (chat.catalog.props(chat.tree.record.model)?.thinking === false) return null;
  const name = THINKING.find(([value]) => value === thinking)?.[1] ?? thinking;
  const label = thinking ? `Thinking: ${name.toLowerCase()}` : "Thinking";
  const items = () =>
    THINKING.map(([value, words, detail]) => ({
      label: words,
      detail,
      checked: value === thinking,
      action: () => chat.change({ thinking: value }),
    }));
  return menu(
    quick("thought", label, thinking && thinking !== "none", () => {}),
    items,
    { label: "Thinking" },
  );
}

/** Shown while an answer is to be JSON, so that nobody wonders why it is. */
export function formatButton(chat, openPanel) {
  const { format } = chat.tree.settings;
  if (format === "text") return null;
  return quick("braces", format === "json" ? "JSON" : "JSON schema", true, () => openPanel("format"), {
    title: "The form of the answer",
  });
}

export function toolsButton(chat, openPanel) {
  const { tools } = chat.catalog;
  if (!tools.length || !chat.catalog.takesTools(chat.tree.record.model)) return null;
  const on = declared(tools, chat.tree.settings).length;
  return quick("tool", on ? plural(on, "tool") : "Tools off", on > 0, () => openPanel("tools"), {
    title: "Tools that the model may ask for",
  });
}
