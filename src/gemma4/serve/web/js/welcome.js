// An empty conversation: what this model can do, and a few ways to begin.

import { element, icon } from "./element.js";
import { thousands } from "./words.js";

const SENSES = { vision: "pictures", audio: "sound", video: "video" };

const STARTS = [
  ["thought", "Explain", "Explain how a rainbow forms, step by step."],
  ["edit", "Write", "Write a short, friendly note to my neighbours about Saturday's street party."],
  ["braces", "Program", "Write a Python function that finds the longest word in a text, with a test."],
  ["image", "Look", "Describe the picture that I attach, and read any text in it."],
];

/** @param {(text: string) => void} suggest puts a text into the box */
export function welcome(chat, suggest) {
  const starts = STARTS.map(([picture, label, text]) =>
    element(
      "button",
      { type: "button", class: "start", onclick: () => suggest(text) },
      icon(picture),
      element("strong", {}, label),
      element("span", {}, text),
    ),
  );
  return element(
    "section",
    { class: "welcome" },
    element("div", { class: "welcome-mark" }, icon("mark")),
    element("h1", {}, "What is on your mind?"),
    element("p", { class: "welcome-facts" }, facts(chat)),
    element("div", { class: "starts" }, ...starts),
  );
}

function facts({ catalog, tree }) {
  const { model } = tree.record;
  if (catalog.error && !catalog.models.length) return catalog.error.message;
  if (!model) return "The server has no model yet.";
  const parts = [model];
  const context = catalog.context(model);
  if (context) parts.push(`${thousands(context)} tokens of context`);
  const senses = Object.entries(catalog.props(model)?.modalities ?? {}).filter(
    ([name, has]) => has && SENSES[name],
  );
  if (senses.length) parts.push(`takes ${["text", ...senses.map(([name]) => SENSES[name])].join(", ")}`);
  return parts.join(" · ");
}
