// Conversations in IndexedDB. A message is a record of its own, so two tabs that write to the same
// conversation both keep what they wrote: it becomes two branches.

const NAME = "gemma4";
const VERSION = 1;

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const finished = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
    transaction.onerror = () => reject(transaction.error);
  });

async function open() {
  const request = indexedDB.open(NAME, VERSION);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("conversations", { keyPath: "id" });
    request.result.createObjectStore("nodes", { keyPath: "id" }).createIndex("conversation", "conversation");
  };
  return done(request);
}

export class Store extends EventTarget {
  constructor() {
    super();
    this.database = open();
    this.database.catch(() => {}); // whoever wants to read or write hears of it
    this.channel = new BroadcastChannel(NAME);
    this.channel.onmessage = ({ data }) => this.dispatchEvent(new CustomEvent("elsewhere", { detail: data }));
  }

  /** Run `work(conversations, nodes)` in one transaction. */
  async within(mode, work) {
    const transaction = (await this.database).transaction(["conversations", "nodes"], mode);
    const end = finished(transaction);
    const result = await work(transaction.objectStore("conversations"), transaction.objectStore("nodes"));
    await end;
    return result;
  }

  /** Records of all conversations, the latest first. */
  async list() {
    const records = await this.within("readonly", (conversations) => done(conversations.getAll()));
    return records.sort((one, other) => other.updated - one.updated);
  }

  /** One record with its messages, or null. */
  read(id) {
    return this.within("readonly", async (conversations, nodes) => {
      const record = await done(conversations.get(id));
      return record ? { record, nodes: await done(nodes.index("conversation").getAll(id)) } : null;
    });
  }

  /** Write a new conversation. */
  async create(record, nodes) {
    await this.within("readwrite", async (conversations, all) => {
      conversations.put(record);
      for (const node of nodes) all.put(node);
    });
    this.tell(record.id);
  }

  /** Change a record as it is now, whoever wrote it last, and add messages; nothing when it was deleted meanwhile. */
  async update(id, changes, nodes = []) {
    await this.within("readwrite", async (conversations, all) => {
      const record = await done(conversations.get(id));
      if (!record) return;
      conversations.put({ ...record, ...changes });
      for (const node of nodes) all.put(node);
    });
    this.tell(id);
  }

  async removeNode(node) {
    await this.within("readwrite", async (_conversations, nodes) => nodes.delete(node.id));
    this.tell(node.conversation);
  }

  async remove(id) {
    await this.within("readwrite", async (conversations, nodes) => {
      conversations.delete(id);
      for (const key of await done(nodes.index("conversation").getAllKeys(id))) nodes.delete(key);
    });
    this.tell(id);
  }

  /** Ids of conversations whose title or messages contain all words. */
  search(words) {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    return this.within("readonly", async (conversations, nodes) => {
      const texts = new Map();
      for (const record of await done(conversations.getAll())) texts.set(record.id, [record.title]);
      for (const node of await done(nodes.getAll()))
        texts.get(node.conversation)?.push(node.text ?? node.content);
      const holds = ([, parts]) => wanted.every((word) => parts.join("\n").toLowerCase().includes(word));
      return new Set([...texts].filter(holds).map(([id]) => id));
    });
  }

  tell(id) {
    this.channel.postMessage({ id });
    this.dispatchEvent(new CustomEvent("here", { detail: { id } }));
  }
}
