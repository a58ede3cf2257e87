// What an answer cost, and what was really done for it: the server's own words.

import { speed } from "./answer.js";
import { element } from "./element.js";
import { count, duration, plural } from "./words.js";

/** One line: speed, time to the first token, tokens. */
export function statistics(node, elapsed) {
  const parts = [];
  const rate = speed(node, elapsed);
  if (rate) parts.push(`${rate.estimated ? "≈ " : ""}${rate.value.toFixed(1)} tokens/s`);
  if (node.firstMs !== null) parts.push(`first after ${duration(node.firstMs)}`);
  if (node.usage) parts.push(plural(node.usage.completion_tokens, "token"));
  return parts.join(" · ");
}

/** Everything that is known, as names and values. */
export function reportList(node) {
  const rows = [
    ["Model", node.model],
    ...usageRows(node),
    ...timingRows(node),
    ["Ended because", node.report?.finish_detail ?? node.finish],
    ...Object.entries(node.report ?? {})
      .filter(([name]) => !["warnings", "media", "finish_detail"].includes(name))
      .map(([name, value]) => [words(name), plain(value)]),
    ...(node.report?.media ?? []).map((medium, index) => [`Medium ${index + 1}`, mediumWords(medium)]),
  ];
  const list = element("dl", { class: "report" });
  for (const [name, value] of rows) {
    if (value !== null && value !== undefined && value !== "")
      list.append(element("dt", {}, name), element("dd", {}, String(value)));
  }
  return list;
}

function usageRows({ usage }) {
  if (!usage) return [];
  const cached = usage.prompt_tokens_details?.cached_tokens;
  const thought = usage.completion_tokens_details?.reasoning_tokens;
  return [
    ["Prompt", plural(usage.prompt_tokens, "token") + (cached ? `, ${count(cached)} known from before` : "")],
    [
      "Answer",
      plural(usage.completion_tokens, "token") + (thought ? `, ${count(thought)} of them thoughts` : ""),
    ],
  ];
}

function timingRows({ timings, firstMs, totalMs }) {
  const rows = [];
  if (timings?.prompt_per_second) rows.push(["Reading", `${timings.prompt_per_second.toFixed(1)} tokens/s`]);
  if (timings?.predicted_per_second)
    rows.push(["Writing", `${timings.predicted_per_second.toFixed(1)} tokens/s`]);
  if (firstMs !== null) rows.push(["First token", `after ${duration(firstMs)}`]);
  if (totalMs) rows.push(["Whole answer", duration(totalMs)]);
  return rows;
}

const words = (name) => name[0].toUpperCase() + name.slice(1).replaceAll("_", " ");

function plain(value) {
  if (value === null || typeof value !== "object") return value;
  const list = Array.isArray(value)
    ? value.map(plain)
    : Object.entries(value).map(([name, one]) => `${name} ${plain(one)}`);
  return list.join(", ");
}

function mediumWords({ kind, soft_tokens: tokens, reduced, remark }) {
  const parts = [kind, tokens !== undefined && plural(tokens, "token"), reduced && "reduced", remark];
  return parts.filter(Boolean).join(", ");
}

/** What the server warns of, and media that were reduced, in words. */
export function warnings({ report }) {
  const reduced = (report?.media ?? []).filter((medium) => medium.reduced);
  const words = reduced.map(
    ({ kind, original, used, remark }) =>
      remark || `The ${kind} was reduced from ${plain(original)} to ${plain(used)}.`,
  );
  return [...new Set([...(report?.warnings ?? []), ...words])];
}
