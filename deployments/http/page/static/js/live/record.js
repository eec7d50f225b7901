// What a live session said, kept as data in bounded memory, and as files: txt, srt, vtt, wav.

import { RATE_HZ, wav } from "../audio.js";

export const MAX_SENTENCES = 10_000; // some twelve hours of speech
export const MAX_AUDIO_S = 20 * 60;
const PART_S = 30; // of speech that is packed into one blob, which the browser may put on disk
const LINE_CHARS = 42;
const CUE_CHARS = 2 * LINE_CHARS;
const MIN_CUE_MS = 800;

/** Sentences with their times, the oldest dropped beyond a bound. */
export class Texts {
	constructor() {
		this.sentences = [];
		this.offset_ms = 0; // of a session behind another one
	}

	add({ source_text, text, start_ms, end_ms }) {
		const [start, end] = [start_ms, end_ms].map((ms) => ms + this.offset_ms);
		this.sentences.push({ source_text, text, start_ms: start, end_ms: end });
		if (this.sentences.length > MAX_SENTENCES) this.sentences.shift();
	}

	/** Let the times of the next session go on behind the last sentence. */
	goOn() {
		this.offset_ms = this.sentences.at(-1)?.end_ms ?? 0;
	}
}

/** Speech that came, the oldest dropped beyond a bound. */
export class Recording {
	constructor() {
		this.blobs = []; // {blob, samples}
		this.parts = [];
		this.samples = 0; // of `parts`
	}

	add(samples) {
		this.parts.push(samples);
		this.samples += samples.length;
		if (this.samples < PART_S * RATE_HZ) return;
		this.blobs.push({ blob: new Blob(this.parts), samples: this.samples });
		this.parts = [];
		this.samples = 0;
		while (this.seconds > MAX_AUDIO_S) this.blobs.shift();
	}

	get seconds() {
		return this.blobs.reduce((sum, each) => sum + each.samples, this.samples) / RATE_HZ;
	}

	wav() {
		const parts = [...this.blobs.map(({ blob }) => blob), ...this.parts];
		return wav(parts, 2 * Math.round(this.seconds * RATE_HZ));
	}
}

/** Which texts of a sentence a file has, by the reader's choice. */
const TEXTS = {
	translation: (each) => [each.text],
	original: (each) => [each.source_text],
	both: (each) => [each.source_text, each.text],
};

export function txt(sentences, which) {
	const gap = which === "both" ? "\n\n" : "\n";
	return sentences.map((each) => TEXTS[which](each).join("\n")).join(gap) + "\n";
}

export const srt = (sentences, which) =>
	cues(sentences, which).map((cue, n) => `${n + 1}\n${shown(cue, ",")}`).join("\n");

export function vtt(sentences, which) {
	const escaped = (cue) => shown(cue, ".", (line) => line.replace(/&/g, "&amp;").replace(/</g, "&lt;"));
	return ["WEBVTT\n", ...cues(sentences, which).map(escaped)].join("\n");
}

const shown = (cue, mark, write = String) =>
	`${time(cue.start_ms, mark)} --> ${time(cue.end_ms, mark)}\n${cue.lines.map((line) => write(line)).join("\n")}\n`;

/** Return cues of at most two lines of each text; a long sentence is several, each with its share. */
function cues(sentences, which) {
	return sentences.flatMap((each, n) => {
		const next_ms = sentences[n + 1]?.start_ms ?? Infinity;
		const end_ms = Math.max(each.end_ms, Math.min(each.start_ms + MIN_CUE_MS, next_ms));
		const texts = TEXTS[which](each);
		const count = Math.max(1, ...texts.map((text) => Math.ceil(text.length / CUE_CHARS)));
		const cut = texts.map((text) => divided(text, count));
		const part_ms = (end_ms - each.start_ms) / count;
		return Array.from({ length: count }, (_, part) => ({
			start_ms: each.start_ms + part * part_ms,
			end_ms: each.start_ms + (part + 1) * part_ms,
			lines: cut.flatMap((parts) => lines(parts[part])),
		}));
	});
}

const lines = (text) => divided(text, text.length > LINE_CHARS ? 2 : 1).filter(Boolean);

/** Divide a text between words, or between letters where it has no spaces, into equal parts. */
function divided(text, count) {
	const words = text.includes(" ") ? text.split(/(?<= )/) : [...text];
	const parts = Array.from({ length: count }, () => "");
	let chars = 0;
	for (const word of words) {
		const middle = chars + word.length / 2;
		parts[Math.min(count - 1, Math.floor((count * middle) / text.length))] += word;
		chars += word.length;
	}
	return parts.map((part) => part.trim());
}

function time(ms, mark) {
	const at = Math.max(0, Math.round(ms));
	const two = (value) => String(Math.floor(value)).padStart(2, "0");
	const rest = String(at % 1000).padStart(3, "0");
	return `${two(at / 3_600_000)}:${two((at / 60_000) % 60)}:${two((at / 1000) % 60)}${mark}${rest}`;
}
