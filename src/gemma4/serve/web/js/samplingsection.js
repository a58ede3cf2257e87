// How words are drawn. Fields show the server's defaults; only what is changed is sent.

import { element, iconButton } from "./element.js";
import { section } from "./section.js";
import { THINKING } from "./quick.js";

const FIELDS = [
  { name: "temperature", label: "Temperature", min: 0, max: 2, step: 0.05 },
  { name: "top_p", label: "Top p", min: 0, max: 1, step: 0.01 },
  { name: "top_k", label: "Top k", min: 0, max: 200, step: 1 },
  { name: "min_p", label: "Min p", min: 0, max: 1, step: 0.01 },
  { name: "repetition_penalty", label: "Repetition penalty", min: 0.5, max: 2, step: 0.01 },
];
const NUMBERS = [
  { name: "max_tokens", label: "Longest answer", hint: "no limit of yours", min: 1, step: 1 },
  { name: "seed", label: "Seed", hint: "drawn anew each time", min: 0, step: 1 },
];

export function samplingSection(chat) {
  const props = chat.catalog.props(chat.tree.record.model);
  const defaults = props?.default_generation_settings ?? {};
  const parts = FIELDS.map((field) => slider(chat, field, defaults[field.name]));
  parts.push(...NUMBERS.map((field) => number(chat, field)));
  if (props?.thinking !== false) parts.unshift(thinking(chat));
  if (props?.limits?.image_budgets && props.modalities?.vision)
    parts.push(budget(chat, props.limits.image_budgets));
  const words = props
    ? "Fields show the server's defaults; only what you change is sent."
    : "The server's defaults could not be had; what you set is sent.";
  return section("sampling", "Answers", element("p", { class: "hint" }, words), ...parts);
}

function set(chat, name, value) {
  const values = { ...chat.tree.settings.values };
  if (value === null) delete values[name];
  else values[name] = value;
  chat.change({ values });
}

/** A number within its bounds; null for what is none. */
function within(field, text) {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) return null;
  const whole = field.step === 1 ? Math.round(value) : value;
  return Math.min(field.max ?? Infinity, Math.max(field.min, whole));
}

function row(label, input, reset, extra = null) {
  return element("div", { class: "row" }, element("label", { for: input.id }, label), input, reset, extra);
}

function slider(chat, field, standard) {
  const { name, label } = field;
  const bounds = { min: field.min, max: field.max, step: field.step };
  const input = element("input", {
    type: "number",
    id: `set-${name}`,
    class: "number",
    inputmode: "decimal",
    ...bounds,
  });
  const range = element("input", { type: "range", "aria-label": `${label}, slider`, ...bounds });
  const reset = iconButton("retry", `Back to the server's ${label.toLowerCase()}`, () => choose(null), {
    class: "small reset",
  });
  const choose = (value) => {
    set(chat, name, value);
    show();
  };
  const show = () => {
    const value = chat.tree.settings.values[name];
    input.value = value ?? standard ?? "";
    range.value = value ?? standard ?? field.min;
    const part = (Number(range.value) - field.min) / (field.max - field.min);
    range.style.setProperty("--part", `${part * 100}%`);
    reset.disabled = value === undefined;
    holder.classList.toggle("changed", value !== undefined);
  };
  input.addEventListener("change", () => choose(within(field, input.value)));
  range.addEventListener("input", () => choose(Number(range.value)));
  const holder = row(label, input, reset, range);
  show();
  return holder;
}

function number(chat, field) {
  const value = chat.tree.settings.values[field.name];
  const bounds = { min: field.min, step: field.step };
  const input = element("input", {
    type: "number",
    id: `set-${field.name}`,
    class: "number wide",
    placeholder: field.hint,
    value: value ?? "",
    ...bounds,
  });
  const choose = (chosen) => {
    set(chat, field.name, chosen);
    input.value = chosen ?? "";
    reset.disabled = chosen === null;
  };
  const reset = iconButton("retry", `Back to the server's ${field.label.toLowerCase()}`, () => choose(null), {
    class: "small reset",
    disabled: value === undefined,
  });
  input.addEventListener("change", () => choose(within(field, input.value)));
  return row(field.label, input, reset);
}

function choice(id, label, options, chosen, change) {
  const list = element(
    "select",
    { id, class: "field" },
    ...options.map(([value, words]) => element("option", { value, selected: value === chosen }, words)),
  );
  list.addEventListener("change", () => change(list.value));
  return row(label, list, null);
}

const thinking = (chat) =>
  choice("set-thinking", "Thinking", THINKING, chat.tree.settings.thinking, (value) =>
    chat.change({ thinking: value }),
  );

function budget(chat, budgets) {
  const options = [["", "Default"], ...budgets.map((tokens) => [String(tokens), `${tokens} tokens`])];
  const chosen = String(chat.tree.settings.values.image_budget ?? "");
  return choice("set-image_budget", "Picture detail", options, chosen, (value) =>
    set(chat, "image_budget", value ? Number(value) : null),
  );
}
