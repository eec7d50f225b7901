// Parts that several tabs are made of.

import { request } from "../api.js";
import { announce, button, el, notice, setOptions } from "../dom.js";
import { namedLanguages, t } from "../i18n.js";
import { recall, remember } from "../prefs.js";
import { clones, onState, ownVoices, sources, targets, voicesOf } from "../state.js";

/** Return one of many buttons of a text; screen readers hear what it is about. */
export function rowButton(text, about, onclick, kind) {
	const made = button(text, onclick, kind);
	made.ariaLabel = `${text}: ${about}`;
	return made;
}

/** Do something; what goes wrong is said in `place`, unless it was stopped. */
export async function tried(place, act) {
	place.replaceChildren();
	try {
		await act();
	} catch (error) {
		if (error.name !== "AbortError") place.replaceChildren(notice("error", error.message));
	}
}

/** Return a select of languages to translate from, with detection first. */
export function sourceChoice(onchange) {
	const select = el("select", { onchange });
	onState(() => setOptions(select, [["", t("shared.detect")], ...namedLanguages(sources())]));
	return select;
}

/** Return a select of languages to translate into, which remembers the last choice. */
export function targetChoice(onchange) {
	const select = el("select", { onchange });
	select.addEventListener("change", () => remember("target", select.value));
	onState(() => setOptions(select, namedLanguages(targets()), select.value || recall("target", "pt")));
	return select;
}

/** Return options of the voices of a language; `withSource`: of who speaks in a recording, too. */
export function voiceRows(language, withSource = false) {
	const own = clones(language) ? ownVoices() : [];
	const voices = [...own, ...voicesOf(language)].map(({ id, name }) => [id, name ?? id]);
	if (withSource && clones(language)) voices.unshift(["source", t("shared.speaker")]);
	return voices.length ? [["", t("shared.first")], ...voices] : [];
}

export function setVoices(select, language, withSource) {
	const rows = voiceRows(language, withSource);
	setOptions(select, rows.length ? rows : [["", t("shared.none")]]);
}

/** Return a list of warnings; null: there are none. A rare one is in the server's words. */
export function warningList(warnings) {
	if (!warnings?.length) return null;
	const row = ({ code, message }) => {
		const text = t(`shared.warn_${code}`);
		return el("li", {}, text.startsWith("shared.") ? message : text);
	};
	return el("ul", { class: "warnings" }, warnings.map(row));
}

/** Copy a text, or select the element that shows it where the page may not; return what is said of it. */
export async function copyText(text, element) {
	let told = t("shared.copied");
	try {
		await navigator.clipboard.writeText(text);
	} catch {
		if (element.select) element.select();
		else getSelection().selectAllChildren(element);
		told = t("shared.selected");
	}
	announce(told);
	return told;
}

/** Ask the server, and return its answer's JSON. Throws ApiError. */
export const asked = async (...what) => (await request(...what)).json();

export async function spoken(fields) {
	const json = { ...fields, response_format: "mp3" };
	return (await request("POST", "/v1/audio/speech", { json })).blob();
}

/** Let a media element play a file; the one that it had is let go of. */
export function setSource(media, blob) {
	URL.revokeObjectURL(media.src);
	media.src = URL.createObjectURL(blob);
}

const player = new Audio();

/** Play a file, instead of what plays now. */
export function play(blob) {
	setSource(player, blob);
	return player.play();
}

export const stopSound = () => player.pause();

/** Return seconds as 1:05 or 1:02:05. */
export function clock(seconds) {
	const parts = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map(Math.floor);
	return parts.slice(parts[0] ? 0 : 1).map((part, n) => (n ? `${part}`.padStart(2, "0") : part)).join(":");
}
