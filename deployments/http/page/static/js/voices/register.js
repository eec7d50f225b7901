// Make a voice: name it, read a consent aloud, give a sample.

import { formOf } from "../api.js";
import { button, el, field, line, setLanguage, setOptions } from "../dom.js";
import { language as pageLanguage, namedLanguages, t } from "../i18n.js";
import { asked, tried } from "../shared/parts.js";
import { Recorder } from "./recorder.js";

export class Registration {
	/** `texts` are to be read aloud; `ondone` is called with the voice's name, or null: given up. */
	constructor(texts, ondone) {
		Object.assign(this, { texts, ondone, consent: null });
		this.name = el("input", { required: true, maxlength: "100", autocomplete: "off" });
		this.language = el("select", { onchange: () => this.showText() });
		setOptions(this.language, namedLanguages(texts.map(({ language }) => language)), pageLanguage);
		this.text = el("blockquote");
		this.reading = new Recorder(t("voices.consent"));
		this.sample = new Recorder(t("voices.sample"), true);
		this.problem = el("div");
		this.make = el("button", { class: "primary" }, t("voices.make"));
		const step = (name, ...children) => {
			const hint = el("p", { class: "hint" }, t(`voices.${name}_hint`));
			return el("fieldset", { class: "stack" }, el("legend", {}, t(`voices.${name}`)), hint, children);
		};
		const language = field(t("shared.language"), this.language);
		this.node = el(
			"form",
			{ class: "stack", onsubmit: (event) => this.submit(event) },
			field(t("voices.name"), this.name),
			step("consent", language, this.text, this.reading.node),
			step("sample", this.sample.node),
			this.problem,
			line(this.make, button(t("shell.cancel"), () => this.leave(null))),
		);
		this.showText();
	}

	showText() {
		const { text, language } = this.texts.find((row) => row.language === this.language.value);
		this.text.textContent = text;
		setLanguage(this.text, language);
	}

	async submit(event) {
		event.preventDefault();
		this.make.disabled = true;
		await tried(this.problem, () => this.send(this.name.value, this.reading.recording, this.sample.recording));
		this.make.disabled = false;
	}

	/** Send the consent, unless the server has taken it before, and then the sample. */
	async send(name, recording, sample) {
		if (!recording || !sample) throw new Error(t("voices.missing"));
		if (this.consent?.of !== recording) {
			const { id } = await sent("/v1/audio/voice_consents", { name, language: this.language.value, recording });
			this.consent = { id, of: recording };
		}
		await sent("/v1/audio/voices", { name, consent: this.consent.id, audio_sample: sample });
		this.leave(name);
	}

	leave(name) {
		this.reading.release();
		this.sample.release();
		this.ondone(name);
	}
}

const sent = (path, fields) => asked("POST", path, { form: formOf(Object.entries(fields)) });
