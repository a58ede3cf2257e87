// What the server has: models, what each takes, and tools.

export class Catalog extends EventTarget {
  constructor(server) {
    super();
    this.server = server;
    this.models = [];
    this.tools = [];
    this.facts = new Map();
    this.error = null;
    this.toolError = null;
  }

  /** Ask again. An error is kept, to be shown, and does not rise. */
  async refresh() {
    try {
      this.models = await this.server.models();
      this.error = null;
    } catch (error) {
      this.error = error;
    }
    this.changed();
  }

  async refreshTools() {
    try {
      this.tools = await this.server.tools();
      this.toolError = null;
    } catch (error) {
      this.toolError = error;
    }
    this.changed();
  }

  model(id) {
    return this.models.find((model) => model.id === id) ?? null;
  }

  /** What /props says of a model, when it has been asked; null before, and when it could not be had. */
  props(id) {
    return this.facts.get(id) ?? null;
  }

  /** Ask /props of a model, once it is wanted. */
  async learn(id) {
    if (!id || this.facts.has(id)) return;
    this.facts.set(id, null);
    try {
      this.facts.set(id, await this.server.props(id));
    } catch (error) {
      this.facts.delete(id);
      this.error = error;
    }
    this.changed();
  }

  /** The context of a model in tokens; null when nobody says. */
  context(id) {
    return this.props(id)?.n_ctx ?? this.model(id)?.context_length ?? null;
  }

  /** Whether a model takes tools; true where nothing is known, for the server says so itself. */
  takesTools(id) {
    return this.props(id)?.tools ?? this.model(id)?.capabilities?.includes("tools") ?? true;
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }
}
