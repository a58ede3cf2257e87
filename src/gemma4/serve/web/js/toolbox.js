// Runs the calls that the user allowed.

/** The declarations that go with a request: the server's, less those switched off. */
export const declared = (tools, settings) =>
  tools.filter((tool) => !settings.toolsOff.includes(tool.function.name));

/** Whether a call was begun and has not ended. */
export const underWay = (call) => call.state === "running" || call.state === "allowed";

/** True when every call has a result to send back. */
export const settled = (node) => node.calls.length > 0 && node.calls.every((call) => call.result !== null);

export function deny(call) {
  call.state = "denied";
  call.result = "The user did not allow this call.";
}

/** Run one call on the server; the result, or the reason why there is none, goes back to the model. */
export async function runCall(server, call, signal) {
  call.state = "running";
  const started = performance.now();
  try {
    const args = JSON.parse(call.arguments || "{}");
    const content = await server.callTool(call.name, args, signal);
    call.result = typeof content === "string" ? content : JSON.stringify(content);
    call.state = "done";
  } catch (error) {
    call.state = "failed";
    call.result =
      error.kind === "aborted" ? "The user stopped this tool." : `The tool failed: ${error.message}`;
  }
  call.ms = performance.now() - started;
}
