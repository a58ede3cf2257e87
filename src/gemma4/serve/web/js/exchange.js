// Conversations as files: JSON that comes back whole, and Markdown for people.

import { dataUrl } from "./attachments.js";
import { emptyAnswer } from "./answer.js";
import { newId, newSettings } from "./tree.js";

const FORMAT = "gemma4.conversations";
const VERSION = 1;

/** A file of these conversations ({record, nodes} each), media inside. */
export async function toJson(conversations) {
  const written = [];
  for (const { record, nodes } of conversations) {
    written.push({ record, nodes: await Promise.all(nodes.map(withText)) });
  }
  const text = JSON.stringify({ format: FORMAT, version: VERSION, conversations: written }, null, 1);
  return new Blob([text], { type: "application/json" });
}

async function withText(node) {
  if (!node.attachments?.length) return node;
  const written = async ({ blob, pages, ...rest }) => ({
    ...rest,
    ...(blob && { blob: await dataUrl(blob) }),
    ...(pages && { pages: await Promise.all(pages.map(dataUrl)) }),
  });
  return { ...node, attachments: await Promise.all(node.attachments.map(written)) };
}

/**
 * The conversations of a file that `toJson` wrote, under new ids, so that nothing is overwritten.
 * Raises an Error whose message says what is wrong with the file.
 */
export function fromJson(text) {
  let file;
  try {
    file = JSON.parse(text);
  } catch (error) {
    throw new Error(`This file is not JSON: ${error.message}`);
  }
  if (file?.format !== FORMAT)
    throw new Error(`This file does not hold conversations: "format" is not ${FORMAT}.`);
  if (file.version !== VERSION)
    throw new Error(`This file has version ${file.version}; this page reads ${VERSION}.`);
  if (!Array.isArray(file.conversations)) throw new Error(`This file lists no "conversations".`);
  return file.conversations.map(renamed);
}

function renamed({ record, nodes } = {}, index) {
  const usable = record && typeof record.title === "string" && Array.isArray(nodes) && nodes.every(isMessage);
  if (!usable) throw new Error(`Conversation ${index + 1} of this file is damaged.`);
  const ids = new Map(nodes.map((node) => [node.id, newId()]));
  const conversation = newId();
  return {
    record: {
      ...record,
      id: conversation,
      head: ids.get(record.head) ?? null,
      settings: trusted(record.settings),
    },
    nodes: nodes.map((node) => ({
      ...(node.role === "user" ? node : ended(node)),
      id: ids.get(node.id),
      conversation,
      parent: ids.get(node.parent) ?? null,
      ...(node.attachments && { attachments: node.attachments.map(withBytes) }),
    })),
  };
}

const isMessage = (node) =>
  node &&
  ((node.role === "user" && typeof node.text === "string") ||
    (node.role === "assistant" && typeof node.content === "string" && Array.isArray(node.calls)));

// A file may come from anywhere: no tool of it runs before the user allows it here.
const trusted = (settings) => ({ ...newSettings(), ...settings, toolsAllowed: [] });

const ended = (node) => ({
  ...emptyAnswer({}),
  ...node,
  state: "done",
  calls: node.calls.map((call) => (call.result === null ? { ...call, state: "waiting" } : call)),
});

const PICTURE = /^image\/(png|jpeg|webp|gif|bmp)$/;
const TYPES = { image: PICTURE, pdf: PICTURE, audio: /^audio\//, video: /^video\// };

function withBytes({ blob, pages, ...rest }) {
  const type = TYPES[rest.kind];
  const whole =
    rest.kind === "text" ? typeof rest.text === "string" : rest.kind === "pdf" ? Array.isArray(pages) : blob;
  if (!whole) throw new Error("An attachment of this file is damaged.");
  const read = (url) => fromDataUrl(url, type);
  return { ...rest, ...(blob && { blob: read(blob) }), ...(pages && { pages: pages.map(read) }) };
}

function fromDataUrl(url, wanted) {
  const [, type, data] = /^data:([^,]*?);base64,(.*)$/s.exec(url) ?? [];
  if (data === undefined || !wanted?.test(type.split(";")[0]))
    throw new Error("An attachment of this file is damaged.");
  return new Blob([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], { type });
}

/** The messages that are shown, as Markdown. */
export function toMarkdown(tree) {
  const parts = [`# ${tree.record.title}`];
  if (tree.settings.system) parts.push(`**System:** ${tree.settings.system}`);
  for (const node of tree.path()) parts.push(node.role === "user" ? questionText(node) : answerText(node));
  return new Blob([`${parts.join("\n\n")}\n`], { type: "text/markdown" });
}

function questionText(node) {
  const names = (node.attachments ?? []).map(({ name, kind }) => `*Attached: ${name} (${kind})*`);
  return ["## You", ...names, node.text].filter(Boolean).join("\n\n");
}

function answerText(node) {
  const parts = [`## ${node.model ?? "Answer"}`];
  if (node.thought) parts.push(`<details><summary>Thoughts</summary>\n\n${node.thought}\n\n</details>`);
  if (node.content) parts.push(node.content);
  for (const call of node.calls)
    parts.push(`**Tool \`${call.name}\`**\n\n${block(call.arguments)}\n\n${block(call.result ?? "")}`);
  if (node.error) parts.push(`*Error: ${node.error.message}*`);
  return parts.join("\n\n");
}

const block = (text) => `~~~~\n${text}\n~~~~`;

/** Hand a file to the user. */
export function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name.replace(/[\\/:*?"<>|\n]+/g, "-");
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
