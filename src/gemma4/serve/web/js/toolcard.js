// A call of a tool: what the model wants to run, the user's word on it, and what came back.

import { copyButton } from "./copy.js";
import { codeBlock } from "./code.js";
import { element, fill, icon } from "./element.js";
import { duration } from "./words.js";

const STATES = {
  waiting: "Waiting for your permission",
  allowed: "Allowed",
  running: "Running …",
  done: "Done",
  denied: "Not allowed",
  failed: "Failed",
};

/**
 * @param {object} call id, name, arguments (JSON), state, result
 * @param {{known: boolean, ended: boolean, decide: (verdict: string) => void}} how known: the server has such a tool
 */
export function toolCard(call, { known, ended, decide }) {
  const state = element("span", { class: "tool-state" }, words(call));
  const head = element(
    "header",
    {},
    icon("tool"),
    element("strong", { class: "tool-name" }, call.name),
    state,
  );
  const card = element(
    "section",
    { class: `tool ${call.state}`, "aria-label": `Tool ${call.name}` },
    head,
    argumentsOf(call),
  );
  if (call.state === "waiting" && ended) card.append(permission(call, known, decide));
  if (call.result !== null) card.append(resultOf(call));
  return card;
}

const words = (call) =>
  call.state === "done" && call.ms ? `Done in ${duration(call.ms)}` : STATES[call.state];

/** What tells two states of a card apart. */
export const signature = (call) => `${call.name}\n${call.arguments}\n${call.state}\n${call.result}`;

function argumentsOf(call) {
  let args = null;
  try {
    args = JSON.parse(call.arguments || "{}");
  } catch {
    return codeBlock(call.arguments, "");
  }
  const entries = Object.entries(args);
  if (!entries.length) return element("p", { class: "tool-none" }, "No arguments");
  const list = element("dl", { class: "tool-arguments" });
  for (const [name, value] of entries) {
    const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
    list.append(element("dt", {}, name), element("dd", {}, text));
  }
  return list;
}

function permission(call, known, decide) {
  const button = (verdict, label, style) =>
    element("button", { type: "button", class: `button ${style}`, onclick: () => decide(verdict) }, label);
  const buttons = [
    button("once", "Allow", "primary"),
    button("always", "Always allow here", ""),
    button("never", "Deny", ""),
  ];
  if (known) return element("div", { class: "tool-buttons" }, ...buttons);
  const warning = element(
    "p",
    { class: "tool-unknown" },
    icon("warning"),
    `The server has no tool called ${call.name}: it cannot be run.`,
  );
  return fill(
    element("div", { class: "tool-buttons" }),
    warning,
    button("never", "Tell the model", "primary"),
  );
}

function resultOf(call) {
  const head = element(
    "summary",
    {},
    icon("right"),
    call.state === "denied" ? "What the model was told" : "Result",
  );
  const body = element(
    "div",
    { class: "tool-text" },
    element("pre", { tabindex: "0" }, call.result),
    copyButton(() => call.result, "Copy result"),
  );
  return element("details", { class: "tool-result", open: call.state === "failed" }, head, body);
}
