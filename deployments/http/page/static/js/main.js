// The shell of the page: tabs, settings, what the server has. Each tab is a module of its own.

import { onKeyNeeded } from "./api.js";
import { button, el, line, notice } from "./dom.js";
import { addStrings, t } from "./i18n.js";
import { applySettings, askKey, settingsButton } from "./settings.js";
import { onState, refresh } from "./state.js";
import shared from "./strings/shared.js";
import shell from "./strings/shell.js";

// Tabs in their order. Of each there is js/strings/ID.js, and js/tabs/ID.js with `mount(root)`: a tab
// is mounted when it is first shown, and hidden while another one is.
const TABS = ["live", "file", "text", "voices", "models"];
const KINDS = ["asr", "nmt", "tts"]; // of models that a reader would miss

const panels = new Map();
const lacks = el("div");
const brand = el("h1", { class: "brand" }, "Dragoman");
const main = document.getElementById("main");
const top = document.getElementById("top");
const hash = () => location.hash.slice(1);
const tabOf = (id) => document.getElementById(`tab-${id}`);
let shown = null;

async function start() {
	addStrings("shell", shell);
	addStrings("shared", shared);
	applySettings();
	const link = new URLSearchParams(hash());
	const isListener = link.has("listen");
	// Another link may be opened in the same window: what is shown then is made anew.
	addEventListener("hashchange", () => {
		if (isListener || hash().startsWith("listen=")) location.reload();
		else show(hash());
	});
	if (isListener) {
		top.append(brand, ...settingsButton({ withKey: false }));
		(await load("live/listener", "live")).mount(main, link);
		return;
	}
	const skip = button(t("shell.skip"), () => main.focus(), "skip");
	top.append(skip, brand, tabList(), ...settingsButton());
	onState(showLacks);
	await learn();
}

/** Ask what the server has, and show the tab that the address names. */
async function learn() {
	const place = panels.size ? lacks : main;
	if (place === main) main.replaceChildren(el("p", { class: "hint" }, t("shell.asking")));
	onKeyNeeded(askKey);
	try {
		await refresh();
	} catch (error) {
		place.replaceChildren(notice("error", t("shell.not_reached", { why: error.message }), again()));
		return;
	}
	if (place === main) main.replaceChildren(lacks);
	await show(hash());
}

/** Say of which kinds the server has no model now: else half of the page seems to be broken. */
function showLacks({ models }) {
	const missing = KINDS.filter((kind) => !models.some((row) => row.kind === kind));
	const what = missing.map((kind) => t(`shared.kind_${kind}`)).join(", ");
	lacks.replaceChildren(...(what ? [notice("warning", t("shell.lacks", { what }), again())] : []));
}

const again = () => line(button(t("shell.again"), learn));

// ---- tabs ----

function tabList() {
	const list = el("div", { role: "tablist", class: "tabs", "aria-label": t("shell.tabs") });
	list.append(...TABS.map(tabButton));
	list.addEventListener("keydown", (event) => {
		const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
		const ends = { Home: 0, End: TABS.length - 1 };
		const next = step ? (TABS.indexOf(shown) + step + TABS.length) % TABS.length : ends[event.key];
		if (next === undefined) return;
		event.preventDefault();
		location.hash = TABS[next];
		tabOf(TABS[next]).focus();
	});
	return list;
}

function tabButton(id) {
	const attributes = { type: "button", role: "tab", id: `tab-${id}`, tabindex: "-1" };
	return el("button", { ...attributes, onclick: () => (location.hash = id) }, t(`shell.tab_${id}`));
}

async function show(asked) {
	const id = TABS.includes(asked) ? asked : TABS[0];
	if (id === shown) return;
	shown = id;
	for (const other of TABS) {
		tabOf(other).setAttribute("aria-selected", String(other === id));
		tabOf(other).tabIndex = other === id ? 0 : -1;
	}
	document.title = `${t(`shell.tab_${id}`)} · Dragoman`;
	const tab = await load(`tabs/${id}`, id);
	if (id !== shown) return; // another was chosen meanwhile
	for (const [other, panel] of panels) panel.hidden = other !== id;
	if (panels.has(id)) return;
	const panel = el("section", { id: `panel-${id}`, role: "tabpanel", "aria-labelledby": `tab-${id}` });
	panels.set(id, panel);
	main.append(panel);
	tabOf(id).setAttribute("aria-controls", panel.id);
	tab.mount(panel);
}

/** Promise a module whose strings are loaded, too. */
async function load(path, strings) {
	const [module, table] = await Promise.all([import(`./${path}.js`), import(`./strings/${strings}.js`)]);
	addStrings(strings, table.default);
	return module;
}

start();
