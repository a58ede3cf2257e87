// A conversation as the body of a request. Only what the user changed is sent: all else is the server's.

import { partsOf } from "./attachments.js";

export const UNANSWERED = "The user went on without answering whether this tool may run.";

/**
 * The body of /v1/chat/completions.
 * @param {object[]} path messages from the first to the last that the model is to see
 * @param {object} options
 * @param {object} options.settings of the conversation
 * @param {object[]} options.tools declarations to send; may be empty
 * @param {boolean} options.goOn the last message is an answer that was cut, to be continued
 */
export async function requestBody(path, { model, settings, tools, goOn }) {
  const messages = settings.system.trim() ? [{ role: "system", content: settings.system }] : [];
  const lastQuestion = path.findLastIndex((node) => node.role === "user");
  for (const [index, node] of path.entries()) {
    messages.push(...(node.role === "user" ? [await question(node)] : answer(node, index > lastQuestion)));
  }
  const body = { model, messages, stream: true, stream_options: { include_usage: true }, ...settings.values };
  if (settings.thinking) body.reasoning_effort = settings.thinking;
  if (tools.length) body.tools = tools;
  if (settings.format !== "text") body.response_format = responseFormat(settings);
  if (goOn) body.continue_final_message = true;
  return body;
}

async function question(node) {
  if (!node.attachments?.length) return { role: "user", content: node.text };
  const parts = (await Promise.all(node.attachments.map(partsOf))).flat();
  return { role: "user", content: node.text ? [...parts, { type: "text", text: node.text }] : parts };
}

// Thoughts go back only inside the turn that they belong to: the model goes on after its own calls.
function answer(node, current) {
  if (!node.content && !node.calls.length) return [];
  const message = { role: "assistant", content: node.content || null };
  if (current && node.thought) message.reasoning_content = node.thought;
  if (!node.calls.length) return [message];
  message.tool_calls = node.calls.map((call) => ({
    id: call.id,
    type: "function",
    function: { name: call.name, arguments: call.arguments || "{}" },
  }));
  return [message, ...node.calls.map(toolResult)];
}

const toolResult = (call) => ({
  role: "tool",
  tool_call_id: call.id,
  name: call.name,
  content: call.result ?? UNANSWERED,
});

function responseFormat({ format, schema }) {
  if (format === "json") return { type: "json_object" };
  return { type: "json_schema", json_schema: { name: "answer", schema: JSON.parse(schema), strict: true } };
}
