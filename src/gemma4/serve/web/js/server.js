// The server's HTTP interface, and its errors in words.

const ROOT = new URL(".", document.baseURI);
const KEY = "gemma4.key";

/** What went wrong between the page and the server. `kind`: "server", "connection" or "aborted". */
export class ServerError extends Error {
  constructor(message, { kind = "server", status = 0, code = null, param = null } = {}) {
    super(message);
    Object.assign(this, { kind, status, code, param });
  }

  /** From the body of an error answer: OpenAI's form, or whatever came. */
  static from(status, text) {
    let error = null;
    try {
      error = JSON.parse(text).error;
    } catch {
      // not JSON: a proxy, or another server; its first words are shown
    }
    if (typeof error === "string") return new ServerError(error, { status });
    if (error?.message)
      return new ServerError(error.message, { status, code: error.code, param: error.param });
    const words = text.trim().slice(0, 300) || "no reason was given";
    return new ServerError(`The server answered ${status}: ${words}`, { status });
  }
}

export class Server {
  /** @param {() => Promise<string|null>} askKey asks the user for an API key; null when they decline */
  constructor(askKey) {
    this.askKey = askKey;
    this.asking = null;
  }

  get key() {
    return localStorage.getItem(KEY) ?? "";
  }

  set key(value) {
    if (value) localStorage.setItem(KEY, value);
    else localStorage.removeItem(KEY);
  }

  /** The response to a request; raises ServerError. A 401 asks for a key and tries again. */
  async request(path, { body, signal } = {}) {
    const tried = this.key;
    const response = await this.send(path, body, signal);
    if (response.ok) return response;
    const error = ServerError.from(response.status, await response.text());
    if (response.status !== 401 || !(await this.renewKey(tried))) throw error;
    return this.request(path, { body, signal });
  }

  async send(path, body, signal) {
    const headers = {};
    if (this.key) headers.Authorization = `Bearer ${this.key}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const init = { method: body === undefined ? "GET" : "POST", headers, signal, cache: "no-store" };
    if (body !== undefined) init.body = JSON.stringify(body);
    try {
      return await fetch(new URL(path, ROOT), init);
    } catch (error) {
      if (error.name === "AbortError") throw new ServerError("Stopped.", { kind: "aborted" });
      throw new ServerError("The server cannot be reached. Is gemma4 serve still running?", {
        kind: "connection",
      });
    }
  }

  /** True when there is another key to try than the refused one. Several refusals ask once. */
  async renewKey(refused) {
    if (this.key !== refused) return true;
    this.asking ??= this.askKey().finally(() => (this.asking = null));
    const key = await this.asking;
    if (key === null) return false;
    this.key = key;
    return true;
  }

  json = async (path, options) => (await this.request(path, options)).json();

  models = async () => (await this.json("v1/models")).data;

  props = (model) => this.json(`props?model=${encodeURIComponent(model)}`);

  /** Declarations of the tools that this server runs; none where it has no such address. */
  async tools() {
    try {
      return (await this.json("tools")).tools;
    } catch (error) {
      if (error.status === 404) return [];
      throw error;
    }
  }

  callTool = async (name, args, signal) =>
    (await this.json("tools/call", { body: { name, arguments: args }, signal })).content;
}
