// Whether a text is JSON that fits a schema: when it is complete, and while it is being written.

import { Validator } from "../vendor/json-schema/validator.js";

// What a beginning may still come to fulfil is no fault of it.
const LATER = new Set([
  "required", "minItems", "minLength", "minProperties", "contains", "minContains", "dependentRequired", "oneOf", "anyOf", "allOf", "if", "not",
]); // prettier-ignore

/** Reads a schema; raises an Error whose message says what is wrong with it. */
export function readSchema(text) {
  let schema;
  try {
    schema = JSON.parse(text);
  } catch (error) {
    throw new Error(`Not JSON: ${error.message}`);
  }
  if (typeof schema !== "object" || schema === null || Array.isArray(schema))
    throw new Error("A schema is an object in braces.");
  new Validator(schema, "2020-12").validate(null); // unknown references show here
  return schema;
}

/**
 * @param {string} text the answer, or as much of it as there is
 * @param {object|boolean} schema `true` takes any JSON
 * @param {boolean} complete whether more may come
 * @returns {{state: "growing"|"valid"|"invalid", faults: string[]}}
 */
export function validity(text, schema, complete) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return complete
      ? { state: "invalid", faults: [`Not complete JSON: ${error.message}`] }
      : beginning(text, schema);
  }
  const faults = check(value, schema);
  return { state: faults.length ? "invalid" : "valid", faults };
}

function beginning(text, schema) {
  if (/^\s*[^\s{["\-\dtfn]/.test(text))
    return { state: "invalid", faults: ["Not JSON: it begins with other text."] };
  const closed = close(text);
  if (closed === null) return { state: "growing", faults: [] };
  let value;
  try {
    value = JSON.parse(closed);
  } catch (error) {
    return { state: "invalid", faults: [`Not JSON: ${error.message}`] };
  }
  const faults = check(value, schema, LATER);
  return { state: faults.length ? "invalid" : "growing", faults };
}

function check(value, schema, ignored = new Set()) {
  const { errors } = new Validator(schema, "2020-12", false).validate(value);
  // The errors of a keyword's parts come with the error of the keyword: the parts say more.
  const leaves = errors.filter(
    ({ keyword }) => !["properties", "items", "prefixItems", "$ref"].includes(keyword),
  );
  const heeded = leaves.filter(
    ({ keyword, instanceLocation }) =>
      !ignored.has(keyword) && !inOpenChoice(errors, ignored, instanceLocation),
  );
  return heeded.map(
    ({ instanceLocation, error }) => `${instanceLocation.replace(/^#/, "") || "/"}: ${error}`,
  );
}

// Which branch of a choice a beginning will take is not known yet.
const inOpenChoice = (errors, ignored, place) =>
  ignored.size > 0 &&
  errors.some(({ keyword, instanceLocation }) => /Of$/.test(keyword) && place.startsWith(instanceLocation));

/**
 * The longest part of a beginning that ends behind a whole value, with everything open closed; null when there is none.
 * A value that is being written, or a name whose value has not come, is left out.
 */
function close(text) {
  const open = [];
  let safe = null;
  let inString = false;
  const mark = (end) => (safe = text.slice(0, end) + [...open].reverse().join(""));
  for (let place = 0; place < text.length; place += 1) {
    const letter = text[place];
    if (inString) {
      if (letter === "\\") place += 1;
      else if (letter === '"') inString = false;
    } else if (letter === '"') inString = true;
    else if (letter === "{" || letter === "[") {
      open.push(letter === "{" ? "}" : "]");
      mark(place + 1);
    } else if (letter === "}" || letter === "]") {
      if (open.pop() !== letter) return text; // wrong brackets: JSON.parse says so
      mark(place + 1);
    } else if (letter === ",") mark(place);
  }
  return safe;
}
