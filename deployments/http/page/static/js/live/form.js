// What a live session is asked for: sound, languages, voice and delay, as the reader chooses them.

import { el, field, setOptions } from "../dom.js";
import { language, languageName, namedLanguages, t } from "../i18n.js";
import { recall, remember } from "../prefs.js";
import { Glossary } from "../shared/glossary.js";
import { voiceRows } from "../shared/parts.js";
import { heard, onState, speaksInTime, targets } from "../state.js";

const DELAYS = ["minimal", "low", "medium", "high", "xhigh"];
const TEXT_ONLY = "#text"; // no voice has such an id

export class Form {
	/** `changed` is called when the reader has chosen something else. */
	constructor(changed) {
		this.sound = el("select");
		const select = (name) => el("select", { onchange: ({ target }) => this.choose(name, target.value, changed) });
		this.from = select("from");
		this.to = select("to");
		this.voice = select("voice");
		this.delay = select("delay");
		this.glossary = new Glossary(null, changed);
		this.note = el("span");
		this.node = el(
			"details",
			{ open: true },
			el("summary", {}, t("live.choices")),
			el(
				"div",
				{ class: "grid" },
				field(t("live.sound"), this.sound),
				field(t("live.from"), this.from),
				field(t("live.to"), this.to, t("live.to_hint")),
				field(t("shared.voice"), this.voice, this.note),
				field(t("live.delay"), this.delay, t("live.delay_hint")),
				this.glossary.node,
			),
		);
		onState(() => this.show());
	}

	choose(name, value, changed) {
		remember(`live.${name}`, value);
		if (name === "to") this.showVoices();
		if (name === "voice") this.wanted = value;
		changed();
	}

	/** Offer what the server has now. */
	show() {
		const sounds = [["microphone", t("live.microphone")]];
		if (navigator.mediaDevices?.getDisplayMedia) sounds.push(["tab", t("live.tab")]);
		setOptions(this.sound, sounds);
		const chosen = (select, name, fallback) => select.value || recall(`live.${name}`, fallback);
		const any = [["", t("live.as_heard")]];
		setOptions(this.from, [...any, ...namedLanguages(heard())], chosen(this.from, "from", ""));
		const known = namedLanguages(targets());
		const marked = known.map(([code, name]) => [code, speaksInTime(code) ? `${name} ♪` : name]);
		setOptions(this.to, marked, chosen(this.to, "to", usualTarget()));
		const delays = DELAYS.map((delay) => [delay, t(`live.delay_${delay}`)]);
		setOptions(this.delay, delays, chosen(this.delay, "delay", "medium"));
		this.showVoices();
	}

	/** Offer the voices of the language; where they are too slow here, text alone is suggested. */
	showVoices() {
		const target = this.to.value;
		const rows = [...voiceRows(target, true), [TEXT_ONLY, t("live.text_only")]];
		this.wanted ??= recall("live.voice");
		const isSlow = rows.length > 1 && !speaksInTime(target);
		const suggested = isSlow ? TEXT_ONLY : rows[0][0];
		setOptions(this.voice, rows, rows.some(([id]) => id === this.wanted) ? this.wanted : suggested);
		this.note.textContent = isSlow ? t("live.slow", { language: languageName(target) }) : "";
	}

	/** Make room for the texts on a narrow screen, or show everything again. */
	fold(isFolded) {
		this.node.open = !(isFolded && matchMedia("(max-width: 46rem)").matches);
	}

	get selects() {
		return [this.from, this.to, this.delay, this.glossary.select, this.voice];
	}

	/** What is chosen, to be compared and to be chosen again. */
	get choices() {
		return JSON.stringify(this.selects.map((select) => select.value));
	}

	set choices(before) {
		JSON.parse(before).forEach((value, n) => {
			this.selects[n].value = value;
			if (this.selects[n] === this.to) this.showVoices();
		});
	}

	get target() {
		return this.to.value;
	}

	session(name) {
		const isSilent = this.voice.value === TEXT_ONLY;
		return {
			audio: {
				input: { transcription: {}, language: this.from.value || null, delay: this.delay.value },
				output: { language: this.to.value, voice: (!isSilent && this.voice.value) || null, text_only: isSilent },
			},
			glossary: this.glossary.value(),
			dragoman: { events: true, name },
		};
	}
}

/** Return the language to suggest: the reader's; for English, which most speak here, one that is spoken. */
function usualTarget() {
	const others = targets().filter((code) => code !== "en");
	return [language, ...others.filter(speaksInTime), "pt", ...others].find((code) => others.includes(code));
}
