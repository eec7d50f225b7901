// Settings of the page: language, colours, size of text; and the dialog that asks for a key.

import { getKey, setKey } from "./api.js";
import { button, dialog, el, field, notice, setOptions } from "./dom.js";
import { LANGUAGES, language, t } from "./i18n.js";
import { recall, remember } from "./prefs.js";
import { refresh } from "./state.js";

const THEMES = ["auto", "light", "dark"];
const SIZES = ["1", "2", "3"];

export function applySettings() {
	const root = document.documentElement;
	root.lang = language;
	const theme = recall("theme", "auto");
	if (theme === "auto") delete root.dataset.theme;
	else root.dataset.theme = theme;
	root.dataset.size = recall("size", "1");
}

/** Return the button that opens the settings, and their panel. */
export function settingsButton({ withKey = true } = {}) {
	const named = (name, values) => values.map((value) => [value, t(`shell.${name}_${value}`)]);
	const theme = choice("theme", named("theme", THEMES), "auto", applySettings);
	const size = choice("size", named("size", SIZES), "1", applySettings);
	const words = choice("language", Object.entries(LANGUAGES), language, () => location.reload());
	const change = async () => {
		if (await askKey()) refresh().catch((error) => alert(error.message));
	};
	const panel = el(
		"div",
		{ id: "settings", popover: "auto", class: "card stack" },
		field(t("shell.language"), words),
		field(t("shell.theme"), theme),
		field(t("shell.size"), size),
		withKey && button(t("shell.key_change"), change),
	);
	const opener = button(t("shell.settings"), null, "quiet");
	opener.setAttribute("popovertarget", "settings");
	return [opener, panel];
}

function choice(name, rows, fallback, changed) {
	const select = el("select", {
		onchange: () => {
			remember(name, select.value);
			changed();
		},
	});
	setOptions(select, rows, recall(name, fallback));
	return select;
}

/** Ask the reader for a key, and hold it; promise the key, or null where none was given. */
export function askKey(isRefused = false) {
	const input = el("input", { type: "password", autocomplete: "off", spellcheck: "false", required: true });
	let given = null;
	const use = (event) => {
		event.preventDefault();
		given = input.value.trim() || null;
		asking.close();
	};
	const forget = () => {
		setKey(null);
		asking.close();
	};
	const buttons = [
		getKey() && button(t("shell.key_forget"), forget),
		button(t("shell.cancel"), () => asking.close()),
		el("button", { class: "primary" }, t("shell.key_use")),
	];
	const form = el(
		"form",
		{ class: "stack", onsubmit: use },
		isRefused && notice("error", t("shell.key_refused")),
		field(t("shell.key"), input, t("shell.key_hint")),
		el("div", { class: "row end" }, buttons),
	);
	const asking = dialog(t("shell.key_title"), form);
	return new Promise((resolve) => {
		asking.addEventListener("close", () => {
			if (given) setKey(given);
			resolve(given);
		});
	});
}
