// A translation by sentences.

import { bytesOf } from "../audio.js";
import { card, el, line, setLanguage } from "../dom.js";
import { number, t } from "../i18n.js";
import { clock, play, rowButton, spoken, stopSound, tried, warningList } from "../shared/parts.js";
import { playSpan } from "./player.js";

export class Result {
	constructor(player) {
		this.player = player;
		this.list = el("ol", { class: "rows" });
		this.about = el("div");
		this.track = el("div");
		this.problem = el("div");
		this.node = card(t("file.sentences"), this.about, this.track, this.problem, this.list);
		this.begin(null);
	}

	/** Forget what is shown. What comes is in this language; null: nothing comes. */
	begin(target) {
		this.stop();
		URL.revokeObjectURL(this.whole?.src);
		Object.assign(this, { target, sentences: [], whole: null });
		for (const part of [this.list, this.about, this.track, this.problem]) part.replaceChildren();
		this.player.show([]);
		this.node.hidden = !target;
	}

	add({ audio, ...sentence }) {
		sentence.spoken = blobOf(audio);
		this.sentences.push(sentence);
		this.list.append(this.row(sentence));
		this.player.show(this.sentences);
	}

	show(answer) {
		this.begin(answer.translation.language);
		for (const sentence of answer.segments) this.add(sentence);
		this.finish(answer);
		const track = blobOf(answer.audio);
		if (!track) return;
		const src = URL.createObjectURL(track);
		this.whole = el("audio", { src, controls: true, "aria-label": t("shared.col_translation") });
		this.track.replaceChildren(this.whole);
	}

	finish({ speakers, voice_similarity, warnings }) {
		const told = (speakers ?? [{ voice_similarity }]).map(speakerText);
		this.about.append(...told.map((text) => el("p", {}, text)), warningList(warnings) ?? "");
	}

	row(sentence) {
		const { text, translation, language, speaker, warnings, start_s: start, end_s: end } = sentence;
		const said = el("p", { class: "said" }, text);
		const translated = el("p", {}, translation);
		setLanguage(said, language);
		setLanguage(translated, this.target);
		const from = clock(start);
		const source = this.player.canPlay
			? rowButton(`▶ ${from}`, text, () => this.hear(() => this.player.play(start, end)), "quiet")
			: el("span", { class: "hint" }, from);
		const hear = () => this.hear(() => this.hearSpoken(sentence));
		const target = rowButton(`▶ ${this.target}`, translation, hear, "quiet");
		const name = speaker && el("span", { class: "badge" }, t("file.speaker", { name: speaker }));
		return el(
			"li",
			{ class: warnings?.length ? "unsure" : null },
			line(source, target, name),
			el("div", { class: "grid texts" }, said, translated),
			warningList(warnings),
		);
	}

	hear(act) {
		this.stop();
		return tried(this.problem, act);
	}

	async hearSpoken(sentence) {
		const { placed, translation } = sentence;
		if (placed && this.whole) return playSpan(this.whole, placed.start, placed.end);
		sentence.spoken ??= await spoken({ input: translation, language: this.target });
		return play(sentence.spoken);
	}

	stop() {
		this.player.pause();
		this.whole?.pause();
		stopSound();
	}
}

function speakerText({ speaker, seconds, voice_similarity: alike }) {
	const parts = [
		speaker && t("file.speaker", { name: speaker }),
		seconds && `${number(seconds, 1)} s`,
		typeof alike === "number" && t("file.alike", { similarity: number(alike, 2) }),
	];
	return parts.filter(Boolean).join(" · ");
}

/** Return the file that stands in JSON as base64; null: there is none. It is MP3, as asked for. */
const blobOf = (audio) => audio && new Blob([bytesOf(audio.data)], { type: "audio/mpeg" });
