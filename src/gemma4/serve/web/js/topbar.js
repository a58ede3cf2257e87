// Above the messages: which model, how full its context is, the way to the settings.

import { contextTokens } from "./answer.js";
import { element, fill, icon, iconButton } from "./element.js";
import { menu } from "./menu.js";
import { count, thousands } from "./words.js";

const SENSES = {
  vision: ["image", "Sees pictures"],
  audio: ["sound", "Hears sound"],
  video: ["film", "Watches video"],
  tools: ["tool", "Calls tools"],
  thinking: ["thought", "Thinks"],
};
const CIRCLE = 2 * Math.PI * 9;

export class Topbar {
  constructor(node, chat, { openSidebar, openPanel }) {
    Object.assign(this, { node, chat });
    this.name = element("span", { class: "model-name" });
    this.state = element("span", { class: "model-state" });
    const button = element(
      "button",
      { type: "button", class: "model-button", "aria-label": "Model" },
      this.state,
      this.name,
      icon("down"),
    );
    button.addEventListener("click", () => chat.catalog.refresh(), { capture: true });
    this.gauge = element("div", { class: "gauge", role: "img", hidden: true });
    const open = iconButton("menu", "Conversations", openSidebar, {
      class: "sidebar-button",
      "aria-controls": "sidebar",
    });
    const settings = iconButton("sliders", "Settings", () => openPanel(), {
      class: "panel-button",
      "aria-controls": "panel",
    });
    fill(
      node,
      open,
      menu(button, () => this.items(), { label: "Models" }),
      element("span", { class: "gap" }),
      this.gauge,
      settings,
    );
    for (const event of ["open", "path", "run", "settings", "node"])
      chat.addEventListener(event, () => this.update());
    chat.catalog.addEventListener("change", () => chat.tree && this.update());
  }

  update() {
    const { model } = this.chat.tree.record;
    const known = this.chat.catalog.model(model);
    const loading = known?.loaded === false && this.chat.running?.node.firstMs === null;
    this.name.textContent = model ?? "No model";
    const [style, words] = stateOf(known, loading);
    this.state.className = `model-state ${style}`;
    this.state.title = words;
    this.showGauge(model);
  }

  showGauge(model) {
    const context = this.chat.catalog.context(model);
    const last = this.chat.tree.path().findLast((node) => node.usage);
    const used = contextTokens(last);
    this.gauge.hidden = !used || !context;
    if (this.gauge.hidden) return;
    const share = Math.min(1, used / context);
    const { prompt_tokens: prompt, completion_tokens: written } = last.usage;
    const words = `${count(used)} of ${count(context)} tokens of context used: ${count(prompt)} read, ${count(written)} written`;
    const sign = `${used}/${context}`;
    if (this.gauge.dataset.sign === sign) return;
    this.gauge.dataset.sign = sign;
    this.gauge.className = `gauge ${share > 0.9 ? "full" : share > 0.75 ? "high" : ""}`;
    this.gauge.setAttribute("aria-label", words);
    this.gauge.title = words;
    fill(this.gauge, ring(share), element("span", {}, `${thousands(used)} / ${thousands(context)}`));
  }

  items() {
    const { catalog, tree } = this.chat;
    if (!catalog.models.length) return [{ heading: catalog.error?.message ?? "The server lists no models." }];
    return catalog.models
      .map((model) => ({
        label: model.id,
        detail: [
          model.context_length && `${thousands(model.context_length)} context`,
          stateOf(model, false)[1],
        ]
          .filter(Boolean)
          .join(" · "),
        icon: element("span", { class: `model-state ${stateOf(model, false)[0]}` }),
        checked: model.id === tree.record.model,
        action: () => this.chat.setModel(model.id),
      }))
      .concat(this.senses(tree.record.model));
  }

  /** What the chosen model can do, as a last line. */
  senses(id) {
    const has = this.chat.catalog.model(id)?.capabilities ?? [];
    const pictures = has
      .filter((name) => SENSES[name])
      .map((name) => element("span", { class: "sense" }, icon(SENSES[name][0]), SENSES[name][1]));
    return pictures.length ? [element("div", { class: "senses" }, ...pictures)] : [];
  }
}

function stateOf(model, loading) {
  if (!model) return ["missing", "The server does not list this model"];
  if (loading) return ["loading", "Loading"];
  if (model.loaded === undefined) return ["", ""];
  return model.loaded ? ["loaded", "Loaded"] : ["idle", "Loads when asked"];
}

function ring(share) {
  const make = (name, attributes) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const svg = make("svg", { viewBox: "0 0 24 24", class: "ring", "aria-hidden": "true" });
  const circle = { cx: 12, cy: 12, r: 9, fill: "none", "stroke-width": 3.5 };
  const used = make("circle", {
    ...circle,
    class: "ring-used",
    "stroke-dasharray": `${CIRCLE * share} ${CIRCLE}`,
    transform: "rotate(-90 12 12)",
  });
  svg.append(make("circle", { ...circle, class: "ring-all" }), used);
  return svg;
}
