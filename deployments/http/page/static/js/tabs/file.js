// The File tab: recordings and films are translated.

import { address, getKey } from "../api.js";
import { announce, button, card, download, el, line, stack } from "../dom.js";
import { codePart } from "../file/code.js";
import { Form } from "../file/form.js";
import { Jobs } from "../file/jobs.js";
import { Player } from "../file/player.js";
import { Result } from "../file/result.js";
import { send } from "../file/send.js";
import { number, t } from "../i18n.js";
import { clock, tried } from "../shared/parts.js";

const PATH = "/v1/speech/translations";
const LONG_S = 600; // what one request may hold, unless the server is configured otherwise
const ENDINGS = { "x-subrip": "srt", "ttml+xml": "ttml", "x-ssa": "ass", mpeg: "mp3", "x-matroska": "mkv" };

export function mount(root) {
	root.append(new FileTab().node);
}

class FileTab {
	constructor() {
		this.player = new Player((lengthS) => this.learn(lengthS));
		this.result = new Result(this.player);
		this.jobs = new Jobs((job, answer) => this.showJob(job, answer));
		this.code = codePart(() => this.asked());
		this.form = new Form({ onfile: (file) => this.take(file), onchange: () => this.code.write() });
		this.begin = button(t("shared.translate"), () => this.start(), "primary");
		this.end = button(t("shared.stop"), () => this.stopper.abort());
		this.bar = el("progress", { max: "1", "aria-label": t("shared.translate") });
		this.stage = el("p");
		this.problem = el("div");
		const asking = card(null, this.form.node, line(this.begin, this.end, this.stage), this.bar, this.problem, this.code.node);
		this.node = stack(asking, this.player.node, this.result.node, this.jobs.node);
		this.busy(false);
		this.jobs.load().then(() => this.learn(null));
		this.jobs.follow();
	}

	/** Take the file that was chosen: what is shown of another one goes. */
	take(file) {
		this.stopper?.abort();
		this.learn(null);
		this.player.load(file, this.form.isFilm);
		this.result.begin(null);
		this.tell("");
	}

	learn(lengthS) {
		this.lengthS = lengthS;
		this.form.offerJobs(this.jobs.isOffered, lengthS > LONG_S);
	}

	/** Translate as chosen; it can be stopped, and why it failed is said in place. */
	async start() {
		const { signal } = (this.stopper = new AbortController());
		this.busy(true);
		await tried(this.problem, async () => {
			if (!this.form.file) throw new Error(t("file.first"));
			if (!this.form.file.size) throw new Error(t("file.empty"));
			await this.translate(this.form.file, this.form.format.value, signal);
		});
		if (signal.aborted || this.problem.firstChild) this.tell(signal.aborted ? t("file.stopped") : "");
		this.busy(false);
	}

	async translate(file, format, signal) {
		if (this.form.checks.as_job.checked) return this.addJob(file, format, signal);
		try {
			if (format === "page") await this.onPage(file, signal);
			else await this.intoFile(file, format, signal);
		} catch (error) {
			if (error.code !== "too_large" || !this.jobs.isOffered) throw error;
			await this.addJob(file, format, signal);
		}
	}

	async onPage(file, signal) {
		if (!this.player.media) this.player.load(file, this.form.isFilm); // another job's result was shown
		this.result.begin(this.form.target.value);
		await this.post(PATH, file, "page", { signal, onEvent: (event) => this.hear(event) });
		this.tell(t("file.done", { count: this.result.sentences.length }));
	}

	hear(event) {
		if (event.type !== "speech.translation.sentence") return this.result.finish(event);
		this.result.add(event);
		const { lengthS } = this;
		const values = { done: clock(event.end_s), total: lengthS ? clock(lengthS) : "?" };
		this.tell(t("file.speaking", values), lengthS ? event.end_s / lengthS : 0);
	}

	async intoFile(file, format, signal) {
		const name = this.named(file.name, format);
		this.save(await this.post(PATH, file, format, { signal }), name);
	}

	/** Hand a file to the reader; an empty one where nothing was said is none. */
	save(blob, name) {
		if (blob.size) download(blob, name);
		this.tell(blob.size ? t("file.made", { name }) : t("file.done", { count: 0 }));
	}

	async addJob(file, format, signal) {
		await this.post("/v1/jobs", file, format === "page" ? "json" : format, { signal });
		this.tell(t("file.job_added", { name: file.name }));
		await this.jobs.load();
	}

	post(path, file, format, more) {
		const onSent = (part) => {
			if (part < 1) this.tell(t("file.sending", { percent: number(100 * part) }), part);
			else this.tell(t("file.hearing"));
		};
		onSent(0);
		return send(path, file, this.form.fields(format), { onSent, ...more });
	}

	busy(isBusy) {
		this.end.hidden = this.bar.hidden = !isBusy;
		this.begin.disabled = isBusy;
	}

	/** Say how far it is. A part, 0 to 1, changes often; screen readers are told what has none. */
	tell(text, part = null) {
		this.stage.textContent = text;
		if (part === null) {
			this.bar.removeAttribute("value");
			announce(text);
		} else this.bar.value = part;
	}

	named(name, ending) {
		return `${name.replace(/\.[^.]*$/, "")}.${this.form.target.value}.${ending}`;
	}

	/** Show the result of a job: a translation in JSON on this page, else as a file. */
	async showJob(job, answer) {
		const type = (answer.headers.get("content-type") ?? "").replace(/;.*/, "").replace(/.*\//, "");
		if (type !== "json" || job.kind !== "translation") {
			this.save(await answer.blob(), this.named(job.filename, ENDINGS[type] ?? type));
			return;
		}
		if (this.form.file?.name !== job.filename) this.player.load(null);
		this.result.show(await answer.json());
		this.result.node.querySelector("h2").focus();
	}

	asked() {
		const { file, format } = this.form;
		const fields = this.form.fields(format.value);
		return { url: address(PATH).href, name: file?.name ?? "talk.mp4", fields, hasKey: getKey() !== null };
	}
}
