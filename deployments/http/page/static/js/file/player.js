// The source: its player, and its waveform with spans of speech.

import { el, stack } from "../dom.js";
import { t } from "../i18n.js";
import { clock } from "../shared/parts.js";

const MAX_DECODED_BYTES = 64 * 2 ** 20; // of larger or longer files the spans are drawn alone
const MAX_DECODED_S = 1200;
const RATE_HZ = 8000; // the lowest that all browsers decode to: 38 MB for 20 minutes
const COLUMNS = 800;

export class Player {
	/** `onlength` is called with the file's seconds. */
	constructor(onlength) {
		Object.assign(this, { onlength, spans: [] });
		this.canvas = el("canvas", { class: "wave", role: "img" });
		this.place = el("div");
		this.node = stack(this.place, this.canvas);
		this.node.hidden = true;
		new ResizeObserver(() => this.draw()).observe(this.canvas);
	}

	/** Take another file; null: none. */
	load(file, isFilm) {
		this.pause();
		URL.revokeObjectURL(this.media?.src);
		Object.assign(this, { media: null, peaks: null, spans: [] });
		this.node.hidden = !file;
		if (!file) return;
		this.media = el(isFilm ? "video" : "audio", {
			src: URL.createObjectURL(file),
			controls: true,
			playsinline: true,
			"aria-label": t("file.source"),
			onloadedmetadata: ({ target }) => this.learn(file, target),
			ontimeupdate: () => this.draw(),
			onerror: () => this.place.replaceChildren(),
		});
		this.place.replaceChildren(this.media);
		this.draw();
	}

	async learn(file, media) {
		this.onlength(media.duration);
		const peaks = await peaksOf(file, media.duration);
		if (media !== this.media) return; // another file was chosen meanwhile
		this.peaks = peaks;
		this.draw();
	}

	get canPlay() {
		return Boolean(this.media) && !this.media.error;
	}

	play(startS, endS) {
		return playSpan(this.media, startS, endS);
	}

	pause() {
		this.media?.pause();
	}

	show(spans) {
		this.spans = spans;
		this.draw();
	}

	draw() {
		const { canvas, spans, peaks, media } = this;
		const lengthS = (Number.isFinite(media?.duration) ? media.duration : spans.at(-1)?.end_s) ?? 0;
		canvas.ariaLabel = t("file.wave", { length: clock(lengthS), count: spans.length });
		const { clientWidth: width, clientHeight: height } = canvas;
		const scale = window.devicePixelRatio;
		Object.assign(canvas, { width: width * scale, height: height * scale });
		if (!width || !lengthS) return;
		const context = canvas.getContext("2d");
		const style = getComputedStyle(canvas);
		context.scale(scale, scale);
		const paint = (colour, from, to, tall = height) => {
			context.fillStyle = style[colour];
			context.fillRect(from, (height - tall) / 2, Math.max(1, to - from), tall);
		};
		const x = (seconds) => (seconds / lengthS) * width;
		for (const { start_s: start, end_s: end } of spans) paint("textDecorationColor", x(start), x(end));
		const step = width / COLUMNS;
		peaks?.forEach((peak, n) => paint("color", n * step, (n + 0.8) * step, Math.max(1, peak * height)));
		const at = x(media?.currentTime ?? 0);
		paint("outlineColor", at, at + 2);
	}
}

/** Play a span, and stop at its end unless the reader has gone elsewhere. */
export async function playSpan(media, startS, endS) {
	media.currentTime = startS;
	await media.play();
	const watch = () => {
		if (media.currentTime >= endS) media.pause();
		if (!media.paused && media.currentTime >= startS - 1) requestAnimationFrame(watch);
	};
	watch();
}

/** Return the loudest sample of each column, 0 to 1; null: too long, or unreadable here. */
async function peaksOf(file, lengthS) {
	if (file.size > MAX_DECODED_BYTES || !(lengthS <= MAX_DECODED_S)) return null;
	try {
		const context = new OfflineAudioContext(1, 1, RATE_HZ);
		const samples = (await context.decodeAudioData(await file.arrayBuffer())).getChannelData(0);
		const peaks = new Float32Array(COLUMNS);
		samples.forEach((sample, at) => {
			const column = Math.floor((at * COLUMNS) / samples.length);
			peaks[column] = Math.max(peaks[column], Math.abs(sample));
		});
		return peaks;
	} catch {
		return null;
	}
}
