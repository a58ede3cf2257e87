// A part of the settings.

import { element } from "./element.js";

/** A section with a heading; null children are left out. */
export function section(name, title, ...children) {
  const heading = element("h3", { id: `section-${name}` }, title);
  return element("section", { "data-section": name, "aria-labelledby": heading.id }, heading, ...children);
}
