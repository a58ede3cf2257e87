// What is written and not yet sent, kept for each conversation.

const PREFIX = "gemma4.draft.";

export class Drafts {
  read(key) {
    return localStorage.getItem(PREFIX + key) ?? "";
  }

  write(key, text) {
    if (text) localStorage.setItem(PREFIX + key, text);
    else localStorage.removeItem(PREFIX + key);
  }
}
