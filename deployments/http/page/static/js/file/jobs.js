// Jobs: what is translated in the background.

import { ApiError, request } from "../api.js";
import { announce, card, el, list, notice } from "../dom.js";
import { t } from "../i18n.js";
import { asked, clock, rowButton, tried } from "../shared/parts.js";

const ASK_AGAIN_MS = 2000;
const isOpen = ({ status }) => status === "queued" || status === "running";

export class Jobs {
	/** `onresult` is called with a job and the Response that has its result. */
	constructor(onresult) {
		Object.assign(this, { onresult, isOffered: false, jobs: [] });
		this.list = list();
		this.problem = el("div");
		this.node = card(t("file.jobs"), this.list, this.problem);
		this.node.hidden = true;
	}

	/** List the jobs. It fails where the server has no such thing: then they stay hidden. */
	async load() {
		try {
			this.show((await asked("GET", "/v1/jobs")).data);
		} catch (error) {
			if (!(error instanceof ApiError)) throw error;
		}
	}

	/** Ask again and again while a job is open and the tab is seen. */
	async follow() {
		const isSeen = !document.hidden && this.node.checkVisibility();
		if (isSeen && this.jobs.some(isOpen)) await this.load();
		setTimeout(() => this.follow(), ASK_AGAIN_MS);
	}

	/** Show jobs. Whoever had the focus has it again, and what has ended is announced. */
	show(jobs) {
		const focused = document.activeElement?.id;
		this.list.replaceChildren(...jobs.map((job) => this.row(job)));
		document.getElementById(focused)?.focus();
		const before = new Map(this.jobs.map(({ id, status }) => [id, status]));
		for (const { id, status, filename } of jobs) {
			if (before.has(id) && before.get(id) !== status) announce(`${filename}: ${t(`file.job_${status}`)}`);
		}
		Object.assign(this, { jobs, isOffered: true });
		this.node.hidden = !jobs.length;
	}

	row(job) {
		const { id, status, progress, error, filename } = job;
		const act = (key, method, path, then, kind) => {
			const ask = async () => then(await request(method, `/v1/jobs/${id}${path}`));
			const made = rowButton(t(key), filename, () => tried(this.problem, ask), kind);
			made.id = id + path;
			return made;
		};
		const { done_s: doneS, total_s: totalS } = progress;
		const isKnown = status === "running" && totalS;
		const done = status === "done" && act("file.result", "GET", "/result", (answer) => this.onresult(job, answer));
		const parts = [
			el("strong", { dir: "auto" }, filename),
			el("span", { class: "badge" }, t(`file.job_${status}`)),
			isKnown ? el("span", { class: "hint" }, `${clock(doneS)} / ${clock(totalS)}`) : null,
			done || null,
			act(isOpen(job) ? "shell.cancel" : "shared.delete", "DELETE", "", () => this.load(), "danger"),
			isOpen(job) ? el("progress", { max: "1", value: isKnown ? doneS / totalS : null, "aria-label": filename }) : null,
			error && notice("error", error.message),
		];
		return el("li", { class: "row" }, parts);
	}
}
