// The row below an answer.

import { branches } from "./branches.js";
import { copyButton } from "./copy.js";
import { element, icon, iconButton } from "./element.js";
import { menu } from "./menu.js";
import { reportList, statistics } from "./report.js";

const GOES_ON = new Set(["length", "stopped", "interrupted", "edited"]);

/** Nodes of the row; only figures while the answer is being written. */
export function replyActions(reply) {
  const { chat, message } = reply;
  const figures = element(
    "span",
    { class: "figures" },
    statistics(message, reply.run?.elapsed ?? message.totalMs ?? 0),
  );
  if (reply.run) return [figures];
  const all = chat.tree.siblings(message);
  const arrows = branches(all.indexOf(message), all.length, (step) => chat.turn(message, step));
  if (chat.running || message.calls.length) return [arrows, figures].filter(Boolean);
  const last = chat.tree.record.head === message.id;
  const goesOn = last && message.content && (GOES_ON.has(message.finish) || message.error);
  return [
    arrows,
    message.content && copyButton(() => message.content, "Copy answer"),
    message.error
      ? element(
          "button",
          { type: "button", class: "button retry", onclick: () => chat.regenerate(message) },
          icon("retry"),
          "Try again",
        )
      : iconButton("retry", "Another answer", () => chat.regenerate(message)),
    goesOn &&
      element(
        "button",
        { type: "button", class: "button go-on", onclick: () => chat.goOn(message) },
        icon("continue"),
        "Continue",
      ),
    message.content && iconButton("edit", "Edit answer", () => reply.edit()),
    message.finish !== "edited" && details(message),
    figures,
  ].filter(Boolean);
}

const details = (message) =>
  menu(
    iconButton("info", "What was done", () => {}),
    () => [reportList(message)],
    { label: "What was done", role: "dialog" },
  );
