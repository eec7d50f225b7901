// The shell of the page: tabs, settings, what the server has. Each tab is a module of its own.

import * as api from "./api.js";
import { el, notice } from "./dom.js";
import { addStrings, t } from "./i18n.js";
import { applySettings, askKey, settingsButton } from "./settings.js";
import * as has from "./state.js";
import shell from "./strings/shell.js";

// Tabs in their order. Of each there is js/tabs/ID.js, js/strings/ID.js and css/ID.css.
//
// A tab's module has `id` and `mount(root, app)`. A tab that has `unmount()`, too, is unmounted when
// another one is shown, and mounted again; one that has not is mounted once and hidden meanwhile.
const TABS = ["live", "file", "text", "voices", "models"];

const app = {
  api,
  t,
  state: has.state,
  refresh: has.refresh, // asks what the server has anew
  onState: has.onState, // calls a function after each refresh
  announce,
};
const shown = { id: null, unmount: null };
const panels = new Map();
const main = document.getElementById("main");
const top = document.getElementById("top");

/** Have screen readers say a text. */
function announce(text) {
  document.getElementById("announcer").textContent = text;
}

async function start() {
  addStrings(shell);
  applySettings();
  const listening = new URLSearchParams(location.hash.slice(1));
  // Another link may be opened in the same window: what is shown then is made anew.
  addEventListener("hashchange", () => {
    if (new URLSearchParams(location.hash.slice(1)).has("listen") || listening.has("listen")) {
      location.reload();
    } else show(location.hash.slice(1));
  });
  if (listening.has("listen")) {
    await loadStyle("live");
    const [{ default: strings }, listener] = await Promise.all([
      import("./strings/live.js"),
      import("./live/listener.js"),
    ]);
    addStrings(strings);
    top.append(brand(), ...settingsButton({ withKey: false }));
    listener.mount(main, app, listening);
    return;
  }
  top.append(skip(), brand(), tabList(), ...settingsButton());
  await learn();
}

function brand() {
  return el("h1", { class: "brand" }, "Dragoman");
}

function skip() {
  return el("button", { type: "button", class: "skip", onclick: () => main.focus() }, t("shell.skip"));
}

/** Ask what the server has, and show the tab that the address names. */
async function learn() {
  main.replaceChildren(el("p", { class: "hint" }, t("shell.asking")));
  api.onKeyNeeded(askKey);
  try {
    await has.refresh();
  } catch (error) {
    const again = el("button", { type: "button", onclick: learn }, t("shell.again"));
    main.replaceChildren(notice("error", t("shell.not_reached", { why: error.message }), again));
    return;
  }
  main.replaceChildren();
  await show(location.hash.slice(1));
}

// ---- tabs ----

function tabList() {
  const list = el("div", { role: "tablist", class: "tabs", "aria-label": t("shell.tabs") });
  list.append(...TABS.map(tabButton));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const here = TABS.indexOf(shown.id);
    const ends = { Home: 0, End: TABS.length - 1 };
    const next = step ? (here + step + TABS.length) % TABS.length : ends[event.key];
    if (next === undefined) return;
    event.preventDefault();
    location.hash = TABS[next];
    document.getElementById(`tab-${TABS[next]}`).focus();
  });
  return list;
}

function tabButton(id) {
  const attributes = { type: "button", role: "tab", id: `tab-${id}`, tabindex: "-1" };
  return el("button", { ...attributes, onclick: () => (location.hash = id) }, t(`shell.tab_${id}`));
}

async function show(asked) {
  const id = TABS.includes(asked) ? asked : TABS[0];
  if (id === shown.id) return;
  shown.unmount?.();
  Object.assign(shown, { id, unmount: null });
  for (const other of TABS) {
    const button = document.getElementById(`tab-${other}`);
    button.setAttribute("aria-selected", String(other === id));
    button.tabIndex = other === id ? 0 : -1;
  }
  for (const panel of panels.values()) panel.hidden = true;
  document.title = `${t(`shell.tab_${id}`)} · Dragoman`;
  const [tab, { default: strings }] = await Promise.all([
    import(`./tabs/${id}.js`),
    import(`./strings/${id}.js`),
    loadStyle(id),
  ]);
  if (id !== shown.id) return; // another was chosen meanwhile
  addStrings(strings);
  open(id, tab);
}

function open(id, tab) {
  let panel = panels.get(id);
  const isNew = !panel || Boolean(tab.unmount);
  if (!panel) {
    panel = el("section", { id: `panel-${id}`, role: "tabpanel", "aria-labelledby": `tab-${id}` });
    panels.set(id, panel);
    main.append(panel);
    document.getElementById(`tab-${id}`).setAttribute("aria-controls", panel.id);
  }
  panel.hidden = false;
  if (isNew) {
    panel.replaceChildren();
    tab.mount(panel, app);
  }
  shown.unmount = tab.unmount ?? null;
}

function loadStyle(id) {
  const href = `page/css/${id}.css`;
  if (document.querySelector(`link[href="${href}"]`)) return null;
  return new Promise((resolve) => {
    document.head.append(el("link", { rel: "stylesheet", href, onload: resolve, onerror: resolve }));
  });
}

start();
