// Builds every node of the page. Nothing here, or anywhere in these files, parses HTML from a string:
// what a model says can only become text.

const SPRITE = new URL("../icons.svg", import.meta.url).pathname;
const PROPERTIES = new Set([
  "value",
  "checked",
  "disabled",
  "hidden",
  "open",
  "textContent",
  "selected",
  "muted",
]);

/**
 * A node with properties and children.
 * @param {string} tag
 * @param {Record<string, unknown>} [props] `class`, `onclick`-like listeners, properties, else attributes;
 *   null, undefined and false leave an attribute out.
 * @param {...(Node|string|null|undefined|false)} children
 */
export function element(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) set(node, name, value);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function set(node, name, value) {
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (name === "class") node.className = value ?? "";
  else if (PROPERTIES.has(name)) node[name] = value;
  else if (value === true) node.setAttribute(name, "");
  else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
}

/** A picture of the sprite, hidden from readers of the screen: its button has the words. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `${SPRITE}#${name}`);
  svg.append(use);
  return svg;
}

/** A button that is only a picture; `label` is its name for those who cannot see it, and its tooltip. */
export function iconButton(name, label, onclick, props = {}) {
  return element(
    "button",
    {
      type: "button",
      ...props,
      class: `icon-button ${props.class ?? ""}`,
      "aria-label": label,
      title: props.title ?? label,
      onclick,
    },
    icon(name),
  );
}

/** Replace all children, keeping nothing of before. */
export function fill(node, ...children) {
  node.replaceChildren(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return node;
}
