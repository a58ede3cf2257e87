// An answer grows by chunks. The node is plain data: it is what the browser keeps.

/** An answer of which nothing came yet. */
export function emptyAnswer(fields) {
  return {
    role: "assistant",
    thought: "",
    thoughtMs: 0,
    content: "",
    calls: [],
    finish: null,
    error: null,
    usage: null,
    timings: null,
    report: null,
    firstMs: null,
    pieces: 0,
    state: "streaming",
    ...fields,
  };
}

/**
 * Add one chunk of /v1/chat/completions to an answer.
 * @param {object} node as made by emptyAnswer; changed
 * @param {object} chunk one `data:` of the stream
 * @param {number} elapsed milliseconds since the request
 */
export function addChunk(node, chunk, elapsed) {
  if (chunk.usage) node.usage = chunk.usage;
  if (chunk.timings) node.timings = chunk.timings;
  if (chunk.gemma4) node.report = { ...node.report, ...chunk.gemma4 };
  if (chunk.model) node.model = chunk.model;
  const choice = chunk.choices?.[0];
  if (!choice) return;
  addDelta(node, choice.delta ?? {}, elapsed);
  if (choice.finish_reason) node.finish = choice.finish_reason;
}

function addDelta(node, delta, elapsed) {
  const thought = delta.reasoning_content ?? "";
  const content = delta.content ?? "";
  const calls = delta.tool_calls ?? [];
  if (!thought && !content && !calls.length) return;
  node.firstMs ??= elapsed;
  node.pieces += 1;
  if (thought) {
    node.thoughtFrom ??= elapsed;
    node.thought += thought;
  }
  if (node.thoughtFrom !== undefined && (content || calls.length)) closeThought(node, elapsed);
  node.content += content;
  for (const call of calls) addCall(node, call);
}

/** The thought's clock stops; kept is how long it ran. */
export function closeThought(node, elapsed) {
  if (node.thoughtFrom === undefined) return;
  node.thoughtMs += elapsed - node.thoughtFrom;
  delete node.thoughtFrom;
}

// Calls come whole from this server, but in pieces from others that speak the same protocol.
function addCall(node, delta) {
  const index = delta.index ?? node.calls.length;
  const call = (node.calls[index] ??= { id: "", name: "", arguments: "", state: "waiting", result: null });
  if (delta.id) call.id = delta.id;
  if (delta.function?.name) call.name = delta.function.name;
  if (delta.function?.arguments) call.arguments += delta.function.arguments;
}

/** Tokens per second: the server's measure, or while streaming an estimate from the pieces that came. */
export function speed(node, elapsed) {
  if (node.timings?.predicted_per_second)
    return { value: node.timings.predicted_per_second, estimated: false };
  const passed = (elapsed - (node.firstMs ?? elapsed)) / 1000;
  return passed > 0.5 && node.pieces > 2 ? { value: node.pieces / passed, estimated: true } : null;
}

/** Prompt and answer of the last step, as tokens of the context. */
export function contextTokens(node) {
  return node?.usage ? node.usage.prompt_tokens + node.usage.completion_tokens : 0;
}
