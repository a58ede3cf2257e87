// Which of the server's tools the model may ask for, and which it may use without asking each time.

import { element, icon } from "./element.js";
import { section } from "./section.js";

export function toolsSection(chat) {
  const { tools, toolError } = chat.catalog;
  const { model } = chat.tree.record;
  if (toolError)
    return section(
      "tools",
      "Tools",
      element("p", { class: "hint" }, `The server's tools could not be had: ${toolError.message}`),
    );
  if (!tools.length)
    return section(
      "tools",
      "Tools",
      element(
        "p",
        { class: "hint" },
        "The server has none. Start it with --tools FILE or --mcp to give the model some.",
      ),
    );
  if (!chat.catalog.takesTools(model))
    return section("tools", "Tools", element("p", { class: "hint" }, `${model} does not call tools.`));
  return section(
    "tools",
    "Tools",
    element("p", { class: "hint" }, "You are asked before a tool runs."),
    ...tools.map((tool) => entry(chat, tool.function)),
  );
}

function entry(chat, { name, description }) {
  const { settings } = chat.tree;
  const box = element("input", { type: "checkbox", checked: !settings.toolsOff.includes(name) });
  box.addEventListener("change", () => {
    const others = chat.tree.settings.toolsOff.filter((one) => one !== name);
    chat.change({ toolsOff: box.checked ? others : [...others, name] });
  });
  const label = element(
    "label",
    { class: "tool-entry" },
    box,
    element("span", {}, element("strong", {}, name), description && element("small", {}, description)),
  );
  if (!settings.toolsAllowed.includes(name)) return label;
  const revoke = element("button", { type: "button", class: "button small", onclick: () => {
    chat.change({ toolsAllowed: chat.tree.settings.toolsAllowed.filter((one) => one !== name) });
    revoke.replaceWith(element("small", {}, "You will be asked again."));
  } }, icon("close"), "Runs without asking: ask again"); // prettier-ignore
  return element("div", {}, label, revoke);
}
