// Puts the parts together.

import { Catalog } from "./catalog.js";
import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { Defaults } from "./defaults.js";
import { written } from "./dialog.js";
import { takeDrops } from "./drop.js";
import { listen } from "./keys.js";
import { notice } from "./notices.js";
import { Panel } from "./panel.js";
import { Server } from "./server.js";
import { Sidebar } from "./sidebar.js";
import { Store } from "./store.js";
import { Thread } from "./thread.js";
import { Topbar } from "./topbar.js";

const place = (id) => document.getElementById(id);

const askKey = () =>
  written("API key", {
    words: "This server wants a key. It is kept in this browser.",
    accept: "Use this key",
    type: "password",
  });

const server = new Server(askKey);
const store = new Store();
const catalog = new Catalog(server);
const chat = new Chat({ server, store, catalog, defaults: new Defaults() });

const panel = new Panel(place("panel"), chat);
const go = {
  open: (id) => (location.hash = id),
  fresh: () => (location.hash ? (location.hash = "") : route()),
};
const sidebar = new Sidebar(place("sidebar"), chat, go);
new Topbar(place("topbar"), chat, { openSidebar: () => showSidebar(true), openPanel: () => panel.toggle() });
const composer = new Composer(place("dock"), chat, (section) => panel.open(section));
new Thread(place("thread"), chat, (text) => composer.suggest(text));

/** The conversation that the address names, or a new one. */
async function route() {
  showSidebar(false);
  const id = location.hash.slice(1);
  if (chat.tree && id === chat.tree.id) return;
  try {
    if (id && (await chat.open(id))) return;
    if (id) notice("This conversation is not in this browser.", { kind: "warning" });
  } catch (error) {
    notice(`This browser does not keep conversations: ${error?.message ?? error}`, { kind: "warning" });
  }
  if (id) history.replaceState(null, "", location.pathname);
  chat.fresh();
}

function showSidebar(open) {
  const change = document.body.classList.contains("sidebar-open") !== open;
  document.body.classList.toggle("sidebar-open", open);
  place("veil").hidden = !open;
  if (change) (open ? sidebar.field : composer.field).focus();
}

function search() {
  if (matchMedia("(max-width: 860px)").matches) showSidebar(true);
  sidebar.field.focus();
  sidebar.field.select();
}

function stop() {
  if (!chat.running) return false;
  chat.stop();
  return true;
}

function close() {
  if (document.body.classList.contains("sidebar-open")) showSidebar(false);
  else panel.close();
}

listen({ search, fresh: go.fresh, stop, close });
takeDrops((files) => composer.attach(files));
place("veil").addEventListener("click", () => showSidebar(false));
window.addEventListener("hashchange", route);
chat.addEventListener("trouble", ({ detail }) => notice(detail, { kind: "warning" }));
chat.addEventListener("path", () => {
  // A conversation has an address from its first message on.
  if (!chat.tree.empty && location.hash.slice(1) !== chat.tree.id)
    history.replaceState(null, "", `#${chat.tree.id}`);
});
window.addEventListener("focus", () => catalog.refresh()); // models may have been loaded or dropped meanwhile
store.addEventListener("elsewhere", ({ detail }) => chat.changedElsewhere(detail.id));

await catalog.refresh();
if (catalog.error) notice(catalog.error.message, { kind: "warning" });
await Promise.all([route(), catalog.refreshTools()]);
if (!chat.tree.record.model && catalog.models.length) chat.setModel(catalog.models[0].id);
document.body.dataset.ready = "true";
