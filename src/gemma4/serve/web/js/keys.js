// What the keyboard does everywhere on the page.

import { closeMenus } from "./menu.js";

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);

export const SHORTCUTS = [
  ["Enter", "send"],
  ["Shift Enter", "new line"],
  ["Esc", "stop the answer"],
  ["↑", "in an empty box: change your last message"],
  [`${MAC ? "⌘" : "Ctrl"} K`, "search conversations"],
  [`${MAC ? "⌘" : "Ctrl"} Shift O`, "new conversation"],
];

/** Enter that sends: not with Shift, and not while an input method composes a word. */
export const isEnter = (event) =>
  event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229;

/** @param {{search: () => void, fresh: () => void, stop: () => boolean, close: () => void}} acts */
export function listen({ search, fresh, stop, close }) {
  document.addEventListener("keydown", (event) => {
    const command = MAC ? event.metaKey : event.ctrlKey;
    if (command && event.key.toLowerCase() === "k") search();
    else if (command && event.shiftKey && event.key.toLowerCase() === "o") fresh();
    else if (event.key === "Escape" && !document.querySelector("dialog[open]")) {
      closeMenus();
      if (!stop()) close();
      return;
    } else return;
    event.preventDefault();
  });
}
