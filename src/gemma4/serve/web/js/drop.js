// Files dragged over the page, wherever they are let go.

import { element, icon } from "./element.js";

/** @param {(files: File[]) => void} take */
export function takeDrops(take) {
  const veil = element(
    "div",
    { class: "drop-veil", hidden: true },
    element("div", {}, icon("attach"), "Drop files to attach them"),
  );
  document.body.append(veil);
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  let depth = 0;
  const show = (change) => {
    depth = Math.max(0, depth + change);
    veil.hidden = depth === 0;
  };
  window.addEventListener("dragenter", (event) => hasFiles(event) && show(1));
  window.addEventListener("dragleave", (event) => hasFiles(event) && show(-1));
  window.addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  window.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    show(-depth);
    take([...event.dataTransfer.files]);
  });
}
