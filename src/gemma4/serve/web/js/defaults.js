// What new conversations begin with, kept in this browser.

const MODEL = "gemma4.model";
const SETTINGS = "gemma4.settings";

export class Defaults {
  get model() {
    return localStorage.getItem(MODEL);
  }

  set model(id) {
    localStorage.setItem(MODEL, id);
  }

  /** Settings of a conversation, or null for the server's own. */
  get settings() {
    try {
      return JSON.parse(localStorage.getItem(SETTINGS));
    } catch {
      return null;
    }
  }

  set settings(value) {
    if (value) localStorage.setItem(SETTINGS, JSON.stringify({ ...value, toolsAllowed: [] }));
    else localStorage.removeItem(SETTINGS);
  }
}
