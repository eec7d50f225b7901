// The Text tab: texts are translated.

import { button, card, el, field, line, setLanguage, stack } from "../dom.js";
import { languageName, number, t } from "../i18n.js";
import { Glossary } from "../shared/glossary.js";
import * as parts from "../shared/parts.js";
import { onState } from "../state.js";

const PAUSE_MS = 500; // of typing, before the server is asked for the language

export function mount(root) {
	root.append(new TextTab().node);
}

class TextTab {
	constructor() {
		const turn = () => parts.setVoices(this.voice, this.target.value);
		this.rows = [];
		this.source = parts.sourceChoice(() => this.typed());
		this.target = parts.targetChoice(() => turn());
		this.voice = el("select");
		this.input = el("textarea", { rows: "8", dir: "auto", oninput: () => this.typed() });
		this.input.onkeydown = ({ key, ctrlKey }) => key === "Enter" && ctrlKey && this.translate();
		this.detected = el("div", { role: "status" });
		this.output = el("div", { class: "output", role: "group", "aria-live": "polite", "aria-label": t("shared.col_translation") });
		this.problem = el("div");
		this.audio = el("audio", { controls: true, hidden: true, "aria-label": t("shared.col_translation") });
		const copy = button(t("shared.copy"), () => parts.copyText(this.text, this.output));
		this.after = line(copy, field(t("shared.voice"), this.voice), button(t("text.listen"), () => this.speak()));
		this.glossary = new Glossary(() => ({ source: this.language, target: this.target.value }));
		const source = field(t("text.source"), this.input);
		const go = button(t("shared.translate"), () => this.translate(), "primary");
		const buttons = line(go, button(t("text.swap"), () => this.swap()));
		const left = card(null, field(t("shared.source"), this.source), source, this.detected, buttons);
		const right = card(null, field(t("shared.target"), this.target), this.output, this.after, this.audio);
		this.glossary.node.classList.add("card");
		this.node = stack(el("div", { class: "panes" }, left, right), this.problem, this.glossary.node);
		onState(turn);
		this.show([]);
	}

	/** Return the source's language as chosen or detected; undefined: it is not known. */
	get language() {
		return this.source.value || this.found;
	}

	/** The text or its language is another one: detect it once nothing is typed for a moment. */
	typed() {
		clearTimeout(this.timer);
		this.found = undefined;
		this.detected.replaceChildren();
		if (this.source.value || !this.input.value.trim()) return;
		this.timer = setTimeout(() => parts.tried(this.problem, () => this.detect()), PAUSE_MS);
	}

	async detect() {
		clearTimeout(this.timer);
		const text = this.input.value;
		const [{ language, probability, warnings }] = (await parts.asked("POST", "/v1/text/detections", { json: { text } })).detections;
		if (this.input.value !== text || this.source.value) return; // it is another one by now
		this.found = language ?? "";
		const values = { language: language && languageName(language), percent: number(100 * probability) };
		const told = language && el("p", {}, t("text.detected", values));
		this.detected.replaceChildren(told ?? "", parts.warningList(warnings) ?? "");
	}

	async translate() {
		this.stopper?.abort();
		const { signal } = (this.stopper = new AbortController());
		this.show([]);
		if (!this.input.value.trim()) return;
		await parts.tried(this.problem, async () => {
			if (this.language === undefined) await this.detect();
			this.show(await this.translated(signal));
		});
	}

	/** Promise a row for each line; null for empty ones. */
	async translated(signal) {
		const lines = this.input.value.split("\n");
		const json = {
			text: lines.filter((text) => text.trim()),
			target_language: this.target.value,
			source_language: this.language || undefined,
			glossary: this.glossary.value() ?? undefined,
		};
		const { translations } = await parts.asked("POST", "/v1/text/translations", { json, signal });
		return lines.map((text) => (text.trim() ? translations.shift() : null));
	}

	show(rows) {
		Object.assign(this, { rows, shown: this.target.value });
		parts.setVoices(this.voice, this.shown);
		this.audio.pause();
		this.audio.hidden = true;
		this.output.replaceChildren(...rows.map(shownRow));
		setLanguage(this.output, this.shown);
		this.after.hidden = !rows.length;
	}

	get text() {
		return this.rows.map((row) => row?.text ?? "").join("\n");
	}

	/** Exchange the languages, and go on from the translation. */
	swap() {
		const { language } = this;
		const has = (select, value) => [...select.options].some((each) => each.value === value);
		if (has(this.source, this.target.value)) this.source.value = this.target.value;
		if (has(this.target, language)) this.target.value = language;
		if (this.rows.length) this.input.value = this.text;
		this.show([]);
		this.typed();
		this.input.focus();
	}

	speak() {
		return parts.tried(this.problem, async () => {
			const voice = this.voice.value ? { voice: this.voice.value } : { language: this.shown };
			parts.setSource(this.audio, await parts.spoken({ input: this.text, ...voice }));
			this.audio.hidden = false;
			await this.audio.play();
		});
	}
}

function shownRow(row) {
	if (!row) return el("br");
	const { text, warnings } = row;
	return el("div", { class: warnings?.length ? "unsure" : null }, el("p", {}, text), parts.warningList(warnings));
}
