// Attachments as one sees them: in a message, and above the box where one writes.

import { element, icon, iconButton } from "./element.js";
import { plural, size } from "./words.js";

const PICTURES = { image: "image", pdf: "file", audio: "sound", video: "film", text: "file" };
const urls = new WeakMap();

/** The address of a blob on this page, the same for as long as the blob is there. */
function address(blob) {
  if (!urls.has(blob)) urls.set(blob, URL.createObjectURL(blob));
  return urls.get(blob);
}

const details = ({ kind, size: bytes, pages, total }) =>
  kind === "pdf" ? plural(total ?? pages.length, "page") : size(bytes);

/** A small card with a way to take it out again. */
export function chip(attachment, remove) {
  const thumb = attachment.pages?.[0] ?? (attachment.kind === "image" ? attachment.blob : null);
  const picture = thumb
    ? element("img", { src: address(thumb), alt: "" })
    : element("span", { class: "chip-icon" }, icon(PICTURES[attachment.kind]));
  const words = element(
    "span",
    { class: "chip-words" },
    element("span", { class: "chip-name" }, attachment.name),
    element("small", {}, details(attachment)),
  );
  return element(
    "li",
    { class: `chip ${attachment.refused ? "refused" : ""}`, title: attachment.note || attachment.name },
    picture,
    words,
    remove && iconButton("close", `Remove ${attachment.name}`, remove, { class: "small" }),
  );
}

/** An attachment inside a message. */
export function medium(attachment) {
  const { kind, name, blob } = attachment;
  if (kind === "image")
    return opened(element("img", { class: "picture", src: address(blob), alt: name }), address(blob), name);
  if (kind === "audio")
    return element(
      "figure",
      { class: "player" },
      element("audio", { controls: true, src: address(blob), "aria-label": name }),
      element("figcaption", {}, name),
    );
  if (kind === "video")
    return element(
      "figure",
      { class: "player" },
      element("video", { controls: true, src: address(blob), "aria-label": name }),
      element("figcaption", {}, name),
    );
  if (kind === "pdf") return pages(attachment);
  return element(
    "details",
    { class: "textfile" },
    element("summary", {}, icon("file"), name, element("small", {}, size(attachment.size))),
    element("pre", { tabindex: "0" }, attachment.text),
  );
}

const opened = (picture, href, name) =>
  element("a", { href, target: "_blank", rel: "noopener", "aria-label": `Open ${name}` }, picture);

function pages({ name, pages: pictures, note }) {
  const strip = pictures.map((page, index) =>
    opened(
      element("img", { src: address(page), alt: `${name}, page ${index + 1}` }),
      address(page),
      `page ${index + 1} of ${name}`,
    ),
  );
  const caption = [icon("file"), `${name} · ${plural(pictures.length, "page")}`];
  return element(
    "figure",
    { class: "pages" },
    element("div", { class: "page-strip" }, ...strip),
    element("figcaption", {}, ...caption, note && element("small", {}, note)),
  );
}
