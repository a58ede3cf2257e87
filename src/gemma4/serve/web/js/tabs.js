// Other tabs of the same page: does one of them write to a conversation now?

const PATIENCE = 400; // milliseconds that another tab has to answer

export class Tabs {
  /** @param {(id: string) => boolean} writes whether this tab writes to a conversation */
  constructor(writes) {
    this.channel = new BroadcastChannel("gemma4.tabs");
    this.waiting = new Map();
    this.channel.onmessage = ({ data }) => {
      if (data.asked && writes(data.asked)) this.channel.postMessage({ yes: data.asked });
      if (data.yes) this.waiting.get(data.yes)?.(true);
    };
  }

  /** True when another tab says that it writes to the conversation; false when none does in time. */
  async writtenElsewhere(id) {
    const answer = new Promise((resolve) => {
      this.waiting.set(id, resolve);
      setTimeout(() => resolve(false), PATIENCE);
    });
    this.channel.postMessage({ asked: id });
    const found = await answer;
    this.waiting.delete(id);
    return found;
  }
}
