// Server-sent events of a response, as objects.

import { ServerError } from "./server.js";

const LOST = "The connection was lost before the answer was complete.";

/**
 * Yields the JSON of each `data:` until `[DONE]`; raises ServerError for an error in the stream, for a stream
 * that ends without `[DONE]`, and when the user stopped it.
 * @param {Response} response
 */
export async function* events(response) {
  for await (const data of payloads(response)) {
    if (data === "[DONE]") return;
    let value;
    try {
      value = JSON.parse(data);
    } catch {
      throw new ServerError(`The server sent what is not JSON: ${data.slice(0, 120)}`);
    }
    if (value.error) throw ServerError.from(value.error.status ?? 200, data);
    yield value;
  }
  throw new ServerError(LOST, { kind: "connection" });
}

async function* payloads(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await next(reader);
      if (done) return;
      const lines = (rest + value).split(/\r?\n/);
      rest = lines.pop();
      for (const line of lines) if (line.startsWith("data:")) yield line.slice(5).trim();
    }
  } finally {
    reader.cancel().catch(() => {}); // it may be over already
  }
}

async function next(reader) {
  try {
    return await reader.read();
  } catch (error) {
    if (error.name === "AbortError") throw new ServerError("Stopped.", { kind: "aborted" });
    throw new ServerError(LOST, { kind: "connection" });
  }
}
