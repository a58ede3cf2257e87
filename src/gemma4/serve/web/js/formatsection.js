// The form of the answer: text, JSON, or JSON after a schema that one writes here.

import { element, fill, icon } from "./element.js";
import { section } from "./section.js";
import { readSchema } from "./validity.js";

const FORMS = [
  ["text", "Text"],
  ["json", "Any JSON"],
  ["schema", "JSON that fits a schema"],
];

const EXAMPLE = {
  type: "object",
  properties: {
    title: { type: "string" },
    year: { type: "integer" },
    tags: { type: "array", items: { type: "string" } },
  },
  required: ["title", "year", "tags"],
  additionalProperties: false,
};

export function formatSection(chat) {
  const { settings } = chat.tree;
  const form = element(
    "select",
    { id: "set-format", class: "field" },
    ...FORMS.map(([value, words]) =>
      element("option", { value, selected: value === settings.format }, words),
    ),
  );
  const field = element("textarea", {
    class: "field code-field",
    rows: "10",
    spellcheck: "false",
    "aria-label": "JSON schema",
    "aria-describedby": "schema-state",
    value: settings.schema || JSON.stringify(EXAMPLE, null, 2),
  });
  const state = element("p", { id: "schema-state", class: "schema-state", role: "status" });
  const editor = element("div", { class: "schema-editor" }, field, state);
  const choose = () => {
    const format = form.value;
    editor.hidden = format !== "schema";
    const fault = format === "schema" ? faultOf(field.value) : null;
    state.className = `schema-state ${fault ? "invalid" : "valid"}`;
    fill(
      state,
      icon(fault ? "error" : "check"),
      fault ? `${fault} The last schema that could be read is used.` : "This schema can be used.",
    );
    if (!fault) chat.change({ format, schema: format === "schema" ? field.value : settings.schema });
  };
  form.addEventListener("change", choose);
  field.addEventListener("input", choose);
  editor.hidden = settings.format !== "schema";
  if (!editor.hidden) fill(state, icon("check"), "This schema can be used.");
  return section("format", "Form of the answer", form, editor);
}

function faultOf(text) {
  try {
    readSchema(text);
    return null;
  } catch (error) {
    return error.message.split("\n")[0];
  }
}
