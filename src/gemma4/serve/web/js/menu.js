// A button with a menu below it: arrows move, Escape and a press elsewhere close it, and the focus comes back.

import { element, fill } from "./element.js";

let openMenu = null;

export function closeMenus() {
  openMenu?.();
}

/**
 * @param {HTMLElement} button opens and closes
 * @param {() => object[]} items made when it opens: {label, detail, icon, checked, danger, action}, or {heading}; or nodes
 * @param {{side?: "left"|"right", label: string, role?: string}} options
 */
export function menu(button, items, { side = "left", label, role = "menu" }) {
  const list = element("div", {
    class: `menu ${side}`,
    role,
    "aria-label": label,
    tabindex: "-1",
    hidden: true,
  });
  const holder = element("div", { class: "menu-holder" }, button, list);
  button.setAttribute("aria-haspopup", role);
  button.setAttribute("aria-expanded", "false");
  const close = (refocus = true) => {
    if (openMenu !== close) return;
    openMenu = null;
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
    if (refocus) button.focus();
  };
  const outside = (event) => !holder.contains(event.target) && close(false);
  const open = () => {
    closeMenus();
    openMenu = close;
    fill(
      list,
      items().map((item) => (item instanceof Node ? item : entry(item, close))),
    );
    list.hidden = false;
    keepInside(list, holder);
    button.setAttribute("aria-expanded", "true");
    document.addEventListener("pointerdown", outside, true);
    (list.querySelector("[aria-checked=true]") ?? list.querySelector("button") ?? list).focus();
  };
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    if (openMenu === close) close();
    else open();
  });
  list.addEventListener("keydown", (event) => move(event, list, close));
  return holder;
}

function entry(item, close) {
  if (item.heading) return element("div", { class: "menu-heading", role: "presentation" }, item.heading);
  const act = () => {
    close();
    item.action();
  };
  const chosen = item.checked !== undefined;
  return element(
    "button",
    {
      type: "button",
      class: item.danger ? "menu-item danger" : "menu-item",
      role: chosen ? "menuitemradio" : "menuitem",
      "aria-checked": chosen ? String(item.checked) : null,
      onclick: act,
    },
    item.icon ?? null,
    element(
      "span",
      { class: "menu-words" },
      element("span", {}, item.label),
      item.detail && element("small", {}, item.detail),
    ),
  );
}

function move(event, list, close) {
  const entries = [...list.querySelectorAll("button")];
  const place = entries.indexOf(document.activeElement);
  const goals = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: entries.length - 1 };
  if (event.key in goals && entries.length) entries.at(goals[event.key] % entries.length).focus();
  else if (event.key === "Escape") close();
  else if (event.key === "Tab") return close(false);
  else return;
  event.preventDefault();
  event.stopPropagation();
}

// A menu opens downwards unless there is more room above.
function keepInside(list, holder) {
  const place = holder.getBoundingClientRect();
  const below = window.innerHeight - place.bottom - 12;
  const upwards = list.offsetHeight > below && place.top > below;
  list.classList.toggle("above", upwards);
  list.style.maxHeight = `${Math.max(160, (upwards ? place.top : below) - 12)}px`;
}
