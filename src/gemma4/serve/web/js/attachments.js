// Files become attachments: what they are, whether the model takes them, and how they are sent.

import { pagesOf } from "./pdf.js";
import { plural, size } from "./words.js";

const IMAGES = new Set(["image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp"]);
const TEXT_LIMIT = 2_000_000;
const SENSES = {
  image: { modality: "vision", cannot: "does not see pictures" },
  pdf: { modality: "vision", cannot: "does not see pictures, which is how the pages of a PDF are sent" },
  audio: { modality: "audio", cannot: "does not hear sound" },
  video: { modality: "video", cannot: "does not watch video" },
};

/** A file that is not taken; the message says why. */
export class RefusedFile extends Error {}

/** What a file is: image, audio, video, pdf, or text (which is then read as such). */
export function kindOf(file) {
  if (file.type === "application/pdf" || /\.pdf$/i.test(file.name)) return "pdf";
  if (file.type === "image/svg+xml") return "text";
  const kind = file.type.split("/")[0];
  return ["image", "audio", "video"].includes(kind) ? kind : "text";
}

/** Why this model does not take that kind, in words; null when it does. */
export function refusal(kind, name, props) {
  const sense = SENSES[kind];
  if (!sense || !props?.modalities || props.modalities[sense.modality]) return null;
  return `${props.model} ${sense.cannot}: ${name} was not attached. Choose another model, or leave it out.`;
}

/**
 * Read one file.
 * @returns {Promise<object>} kind, name, size, note, and `blob`, `pages` (of a PDF) or `text`
 */
export async function readFile(file, props) {
  const kind = kindOf(file);
  const refused = refusal(kind, file.name, props);
  if (refused) throw new RefusedFile(refused);
  const attachment = { kind, name: file.name || `${kind} from the clipboard`, size: file.size, note: "" };
  if (kind === "pdf") return readPdf(attachment, file);
  if (kind === "text") return { ...attachment, text: await readText(file) };
  return { ...attachment, blob: kind === "image" ? await readImage(file) : file };
}

async function readPdf(attachment, file) {
  try {
    const { pages, total } = await pagesOf(file);
    const note = pages.length < total ? `The first ${pages.length} of ${total} pages are sent.` : "";
    return { ...attachment, pages, total, note };
  } catch (error) {
    throw new RefusedFile(`${file.name} cannot be read as a PDF: ${error.message}`);
  }
}

async function readText(file) {
  if (file.size > TEXT_LIMIT) {
    throw new RefusedFile(`${file.name} has ${size(file.size)}; a text file may have ${size(TEXT_LIMIT)}.`);
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
    if (!text.includes("\0")) return text;
  } catch {
    // falls through to the refusal
  }
  const type = file.type ? ` (${file.type})` : "";
  throw new RefusedFile(`${file.name}${type} is neither a picture, sound, video, PDF nor text in UTF-8.`);
}

/** A picture as the server reads it: as it is, or as PNG where the browser knows the format and others may not. */
async function readImage(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new RefusedFile(`${file.name} (${file.type}) is not a picture that this browser can read.`);
  }
  if (IMAGES.has(file.type)) return file;
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

/** The bytes as a data URL. */
export function dataUrl(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}

/** Parts of a message's content for one attachment. */
export async function partsOf(attachment) {
  if (attachment.kind === "text") return [{ type: "text", text: quoted(attachment.name, attachment.text) }];
  if (attachment.kind === "pdf") {
    const title = { type: "text", text: `${attachment.name}, ${plural(attachment.pages.length, "page")}:` };
    return [title, ...(await Promise.all(attachment.pages.map(picture)))];
  }
  if (attachment.kind === "image") return [await picture(attachment.blob)];
  const url = await dataUrl(attachment.blob);
  if (attachment.kind === "video") return [{ type: "video_url", video_url: { url } }];
  return [
    {
      type: "input_audio",
      input_audio: { data: url.slice(url.indexOf(",") + 1), format: format(attachment) },
    },
  ];
}

const picture = async (blob) => ({ type: "image_url", image_url: { url: await dataUrl(blob) } });

const NAMES = {
  mpeg: "mp3",
  "x-wav": "wav",
  wave: "wav",
  "vnd.wave": "wav",
  "x-flac": "flac",
  mp4: "m4a",
  "x-m4a": "m4a",
};

function format({ name, blob }) {
  const subtype = blob.type.split("/")[1]?.split(";")[0];
  return (subtype && (NAMES[subtype] ?? subtype)) || name.split(".").at(-1).toLowerCase();
}

// The fence is longer than any in the text, so that the text cannot end it.
function quoted(name, text) {
  const longest = Math.max(2, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${name}:\n${fence}\n${text}\n${fence}`;
}
