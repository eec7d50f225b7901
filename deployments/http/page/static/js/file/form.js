// What the File tab is asked for: a file, and what to make of it.

import { check, el, field, line, setOptions, stack } from "../dom.js";
import { number, t } from "../i18n.js";
import { Glossary } from "../shared/glossary.js";
import { setVoices, sourceChoice, targetChoice } from "../shared/parts.js";
import { onState } from "../state.js";

const CHECKS = ["fit", "background", "bilingual", "embed", "as_job"];
const SUBTITLES = ["srt", "vtt", "ttml", "ass"];
const FILM = ["mp4", "mkv", "webm"];
const SPOKEN = ["mp3", "wav", "opus", "flac"];

export class Form {
	/** `onfile` is called when a file was chosen, `onchange` when anything was. */
	constructor({ onfile, onchange }) {
		Object.assign(this, { file: null, onfile, onchange, checks: {}, labels: {} });
		this.source = sourceChoice();
		this.target = targetChoice();
		this.voice = el("select");
		this.format = el("select");
		for (const name of CHECKS) {
			this.checks[name] = el("input");
			this.labels[name] = check(t(`file.${name}`), this.checks[name]);
		}
		this.glossary = new Glossary(() => ({ source: this.source.value, target: this.target.value }));
		const choices = [
			field(t("shared.source"), this.source),
			field(t("shared.target"), this.target),
			field(t("shared.voice"), this.voice),
			field(t("file.result"), this.format),
		];
		const checks = line(...Object.values(this.labels));
		this.node = stack(this.dropZone(), el("div", { class: "grid" }, choices), checks, this.glossary.node);
		this.node.addEventListener("change", () => this.changed());
		onState(() => this.changed());
		this.offerJobs(false);
		this.setFormats();
	}

	dropZone() {
		const input = el("input", { type: "file", onchange: () => this.choose(input.files[0]) });
		input.accept = "audio/*,video/*,.mkv,.caf";
		this.name = el("p", { role: "status" });
		const zone = el("div", { class: "drop" }, field(t("file.choose"), input, t("file.drop")), this.name);
		for (const kind of ["dragover", "dragleave", "drop"]) {
			zone.addEventListener(kind, (event) => {
				event.preventDefault();
				zone.classList.toggle("over", kind === "dragover");
				if (kind === "drop") this.choose(event.dataTransfer.files[0]);
			});
		}
		return zone;
	}

	choose(file) {
		if (!file) return;
		this.file = file;
		this.isFilm = file.type.startsWith("video/");
		this.name.textContent = `${file.name} · ${number(file.size / 2 ** 20, 1)} MiB`;
		this.setFormats();
		this.onfile(file);
	}

	/** Offer the kinds of result that the file can have: a film, or sound alone. */
	setFormats() {
		const formats = [...SUBTITLES, ...(this.isFilm ? FILM : []), ...SPOKEN];
		const named = formats.map((format) => [format, format.toUpperCase()]);
		setOptions(this.format, [["page", t("file.on_page")], ...named]);
		this.changed();
	}

	changed() {
		setVoices(this.voice, this.target.value, true);
		this.labels.embed.hidden = !this.isFilm;
		this.onchange();
	}

	/** Let files go as jobs, or not; `isLong`: this one should. */
	offerJobs(isOffered, isLong = false) {
		this.labels.as_job.hidden = !isOffered;
		this.checks.as_job.checked = isOffered && isLong;
	}

	/** Return fields as pairs. `format`: "page" for sentences as they come, "json" for all at once, or a file's. */
	fields(format) {
		const { fit, background, bilingual, embed } = this.checks;
		const glossary = this.glossary.value();
		const isJson = format === "page" || format === "json";
		const isWritten = SUBTITLES.includes(format);
		const isDubbed = format !== "page" && !isWritten;
		const isFilm = FILM.includes(format);
		const fields = {
			target_language: this.target.value,
			source_language: this.source.value,
			glossary: typeof glossary === "object" ? glossary && JSON.stringify(glossary) : glossary,
			[isJson ? "audio_format" : "response_format"]: isJson ? "mp3" : format,
			stream: format === "page",
			bilingual: (isWritten || (isFilm && embed.checked)) && bilingual.checked,
			voice: !isWritten && this.voice.value,
			fit: isDubbed && (fit.checked || background.checked) && "duration",
			background: isDubbed && background.checked && "duck",
			subtitles: isFilm && embed.checked,
		};
		return Object.entries(fields).flatMap(([name, value]) => (value ? [[name, String(value)]] : []));
	}
}
