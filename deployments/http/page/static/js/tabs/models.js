// The Models tab: where each model runs and why, what it does now, and who may load or unload it.

import { getKey, request } from "../api.js";
import { announce, button, el, line, notice } from "../dom.js";
import { number, t } from "../i18n.js";
import { delta, figuresOf, states } from "../models/figures.js";
import { askKey } from "../settings.js";
import { refresh } from "../state.js";

const EVERY_MS = 2000;
const KINDS = ["vad", "asr", "nmt", "tts", "speaker", "tensors"];
const BADGES = { unloaded: "warning", loading: "warning", failed: "error" };

export function mount(root) {
	const cards = new Map();
	const place = el("div", { class: "grid models" });
	const trouble = el("div");
	root.append(el("div", { class: "stack" }, el("h2", {}, t("shell.tab_models")), trouble, place));
	let before = new Map();
	let timer = null;

	const look = async () => {
		clearTimeout(timer);
		try {
			if (!document.hidden && !root.hidden) before = await show(cards, place, before, look);
			trouble.replaceChildren();
		} catch (error) {
			trouble.replaceChildren(notice("warning", t("models.stale", { why: error.message })));
		}
		timer = setTimeout(look, EVERY_MS);
	};
	look();
}

/** Ask for figures, and write them into the cards. Return them, to compare the next ones with. */
async function show(cards, place, before, look) {
	const [named, now] = await Promise.all([states(), figuresOf()]);
	const names = Object.keys(named);
	for (const name of names) {
		if (!cards.has(name)) cards.set(name, card(name, look));
		const row = now.get(name);
		cards.get(name).show(named[name], row, row && delta(before.get(name), row));
	}
	const order = (name) => KINDS.indexOf(cards.get(name).kind);
	const wanted = names.sort((one, other) => order(one) - order(other)).map((n) => cards.get(n).node);
	if (wanted.some((node, index) => place.children[index] !== node)) place.replaceChildren(...wanted);
	return now;
}

/** Return a model's card: `show` writes what is new into it, and leaves its buttons alone. */
function card(name, look) {
	const state = el("span", { class: "badge" });
	const kind = el("span", { class: "hint" });
	const facts = el("dl");
	const said = el("div");
	const loading = button("", () => load());
	const head = line(el("h3", {}, name), kind, state);
	const foot = el("div", { class: "row end" }, loading);
	const node = el("article", { class: "card stack model", "aria-label": name }, head, facts, said, foot);
	const made = { node, kind: "", show };
	const rows = new Map();
	let isLoaded = false;

	function show(told, row, lately) {
		const word = told.split(":")[0];
		isLoaded = word === "ready";
		state.textContent = t(`models.state_${word}`);
		state.className = `badge ${BADGES[word] ?? ""}`;
		state.title = told;
		if (!loading.disabled) loading.textContent = t(isLoaded ? "models.unload" : "models.load");
		loading.className = isLoaded ? "" : "primary";
		loading.hidden = word === "loading";
		if (row) {
			made.kind = row.kind;
			kind.textContent = t(`shared.kind_${row.kind}`);
		}
		const shown = row && isLoaded ? factsOf(row, lately) : word === "failed" ? [["why", told]] : [];
		for (const [key, value] of shown) {
			if (!rows.has(key)) {
				rows.set(key, el("dd"));
				facts.append(el("dt", {}, t(`models.${key}`)), rows.get(key));
			}
			const nodes = [value].flat();
			if (nodes.join() !== rows.get(key).dataset.was) {
				rows.get(key).dataset.was = nodes.join();
				rows.get(key).replaceChildren(...nodes);
			}
		}
		if (!shown.length) {
			facts.replaceChildren();
			rows.clear();
		}
	}

	async function load() {
		const does = isLoaded ? "unload" : "load";
		if (isLoaded && !confirm(t("models.unload_asked", { name }))) return;
		loading.disabled = true;
		said.replaceChildren(...(isLoaded ? [] : [el("p", { class: "hint" }, t("models.loading"))]));
		try {
			await request("POST", `/v2/repository/models/${encodeURIComponent(name)}/${does}`);
			said.replaceChildren();
			announce(t(`models.${does}ed`, { name }));
			await refresh();
		} catch (error) {
			said.replaceChildren(refused(error));
		}
		loading.disabled = false;
		look();
	}
	return made;
}

/** Return a refusal as a message; where the key may be the reason, with a way to another one. */
function refused(error) {
	if (error.status !== 403 || !getKey()) return notice("error", error.message);
	return notice("error", error.message, button(t("models.other_key"), () => askKey()));
}

function factsOf(row, lately) {
	const { device, statistics } = row;
	const memory = row.replica_reports.reduce((sum, each) => sum + each.device.memory_bytes, 0);
	const { precision, threads } = device;
	const name = device.gpu_name || device.actual.toUpperCase();
	const lag = row.live_lag_p95_s;
	return [
		["device", t("models.device_value", { device: name, precision, threads })],
		["why", device.reason],
		["busy", [meter(lately.busy), ` ${number(100 * lately.busy)} %`]],
		["queue", t("models.queue_value", { waiting: row.waiting, ms: number(lately.queue_ms, 1) })],
		["batch", t("models.batch_value", {
			now: lately.batch_size ? number(lately.batch_size, 1) : "–",
			all: number(statistics.mean_batch_size, 1),
		})],
		["items", t("models.items_value", {
			items: number(statistics.items),
			batches: number(statistics.batches),
			errors: number(statistics.item_errors + statistics.failures),
		})],
		["lag", lag === null ? t("models.lag_none") : t("models.lag_value", { seconds: number(lag, 1) })],
		["memory", t("models.memory_value", { mb: number(memory / 2 ** 20), replicas: row.replicas })],
		["engine", row.engine],
		["weights", row.weights],
		["licence", row.commercial_use === false ? t("models.unfree", row) : row.licence],
		...(row.sends_to ? [["sends_to", row.sends_to]] : []),
	];
}

function meter(value) {
	return el("meter", { min: 0, max: 1, high: 0.8, value, "aria-label": t("models.busy") });
}
