// Four badges: how late the newest audio, text, translation and speech are, seen from the speaker.

import { el } from "../dom.js";
import { number, t } from "../i18n.js";

const STAGES = ["received", "recognised", "translated", "spoken"];
const LATE_S = 5;

export class Lags {
	constructor() {
		this.values = Object.fromEntries(STAGES.map((stage) => [stage, el("b", {}, "–")]));
		const badge = (stage) =>
			el("span", { class: "badge" }, `${t(`live.lag_${stage}`)} `, this.values[stage]);
		this.node = el("div", { class: "row", role: "group", "aria-label": t("live.lags") }, STAGES.map(badge));
	}

	show(stage, seconds) {
		const value = this.values[stage];
		value.textContent = seconds === null ? "–" : `${number(Math.max(0, seconds), 1)} s`;
		value.parentNode.classList.toggle("warning", seconds > LATE_S);
	}

	clear() {
		for (const stage of STAGES) this.show(stage, null);
	}
}
