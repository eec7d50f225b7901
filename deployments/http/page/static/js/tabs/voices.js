// The Voices tab: the reader's own, and those of the server.

import { request } from "../api.js";
import { announce, button, card, el, field, line, list, notice, setOptions, stack } from "../dom.js";
import { languageName, language as pageLanguage, namedLanguages, t } from "../i18n.js";
import { asked, play, rowButton, spoken, tried } from "../shared/parts.js";
import { refresh } from "../state.js";
import { Registration } from "../voices/register.js";

const VOICES = "/v1/audio/voices";
const SAID = { en: "Good day. This is how I sound.", pt: "Bom dia. É assim que eu soo." };

export function mount(root) {
	const tab = new VoicesTab();
	root.append(tab.node);
	tab.load();
}

class VoicesTab {
	constructor() {
		this.problem = el("div");
		this.own = list();
		this.why = el("div");
		this.add = button(t("voices.add"), () => this.register(), "primary");
		this.add.hidden = true;
		this.form = el("div");
		this.language = el("select", { onchange: () => this.showServed() });
		this.served = list();
		const served = card(t("voices.served"), field(t("shared.language"), this.language), this.served);
		const own = card(t("voices.own"), this.own, this.why, line(this.add), this.form);
		this.node = stack(this.problem, own, served);
	}

	load() {
		return tried(this.problem, async () => {
			const { data, cloning, cloning_missing: missing } = await asked("GET", VOICES);
			this.voices = data.filter((voice) => voice.kind !== "own" && !voice.alias_of);
			const languages = namedLanguages(this.voices.map(({ language }) => language));
			setOptions(this.language, languages, this.language.value || pageLanguage);
			this.showServed();
			const own = data.filter(({ kind }) => kind === "own");
			this.own.replaceChildren(...own.map((voice) => this.ownRow(voice, cloning?.languages ?? [])));
			await this.offer(missing);
		});
	}

	/** Offer to make a voice unless that is not possible here: `why`. */
	async offer(why) {
		try {
			this.texts = (await asked("GET", "/v1/audio/consent_texts")).data;
		} catch (error) {
			why ??= error.message;
		}
		this.why.replaceChildren(...(why ? [notice("info", why)] : []));
		this.add.hidden = Boolean(why) || this.form.hasChildNodes();
	}

	ownRow({ id: voice, name }, languages) {
		const path = `${VOICES}/${voice}`;
		const language = languages.includes(pageLanguage) ? pageLanguage : languages[0];
		const hear = async () => play(await (await request("GET", `${path}/sample`)).blob());
		const sample = this.button("voices.hear_sample", name, hear);
		return row(name, sample, language ? this.speaking(voice, name, language) : null, this.removing(path, name));
	}

	showServed() {
		const rows = this.voices.filter(({ language }) => language === this.language.value);
		const made = ({ id: voice, name, language }) => row(name, this.speaking(voice, name, language));
		this.served.replaceChildren(...rows.map(made));
	}

	button(key, name, act, kind) {
		return rowButton(t(key), name, () => tried(this.problem, act), kind);
	}

	/** Return a button that lets a voice say something; without a sentence, its language's own name. */
	speaking(voice, name, language) {
		const input = SAID[language] ?? languageName(language, language);
		return this.button("voices.hear", name, async () => play(await spoken({ input, voice, language })));
	}

	removing(path, name) {
		const act = async () => {
			if (!confirm(t("voices.really", { name }))) return;
			await request("DELETE", path);
			await this.renew(name);
		};
		return this.button("shared.delete", name, act, "danger");
	}

	register() {
		this.add.hidden = true;
		const registration = new Registration(this.texts, (name) => this.registered(name));
		this.form.replaceChildren(registration.node);
		registration.name.focus();
	}

	registered(name) {
		this.form.replaceChildren();
		this.add.hidden = false;
		this.add.focus();
		return name && this.renew(name);
	}

	/** Say what was done, and list anew, here and in the other tabs. */
	renew(name) {
		announce(t("voices.done", { name }));
		return Promise.all([this.load(), refresh()]);
	}
}

const row = (name, ...controls) => el("li", { class: "row" }, el("strong", { dir: "auto" }, name), controls);
