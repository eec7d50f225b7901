// Sound in and out: what a microphone or a tab plays as 16-bit frames, and such frames to the ear.

import { t } from "./i18n.js";

export const RATE_HZ = 24000; // of frames: one channel, 16 bits
const LEAD_S = 0.08; // between the coming of a first piece and its sound: the next ones come meanwhile
const HEARING = { echoCancellation: true, noiseSuppression: false, autoGainControl: true };
const MAX_QUEUED_S = 120; // of sound that waits to be played; more is left out

/** Hand on what a stream hears: `onFrame(Int16Array, peak)`, ten times a second. */
export class Capture {
	constructor(onFrame, onEnd = () => {}) {
		this.onFrame = onFrame;
		this.onEnd = onEnd;
	}

	async start(stream) {
		this.stream = stream;
		this.context = new AudioContext();
		await this.context.audioWorklet.addModule(new URL("./worklets/capture.js", import.meta.url));
		const source = this.context.createMediaStreamSource(stream);
		this.node = new AudioWorkletNode(this.context, "capture", {
			processorOptions: { rate_hz: RATE_HZ },
		});
		this.node.port.onmessage = ({ data }) => this.onFrame(data.frame, data.peak);
		source.connect(this.node).connect(this.context.destination); // the node itself is silent
		for (const track of stream.getAudioTracks()) track.addEventListener("ended", this.onEnd);
		await this.context.resume();
	}

	stop() {
		if (this.node) this.node.port.onmessage = null;
		release(this.stream);
		this.context?.close();
		this.context = this.stream = this.node = null;
	}

	/** Go on after the system has held all sound: a call, or a locked screen. */
	resume() {
		this.context?.resume();
	}
}

/** Promise the stream of a microphone. Rejects in words for the reader. */
export const microphone = () =>
	given((devices) => devices.getUserMedia({ audio: HEARING }));

/** Promise a stream of what a tab or the screen plays. Rejects in words for the reader. */
export const sharedSound = () =>
	given((devices) => devices.getDisplayMedia({ video: { frameRate: 1 }, audio: true }));

const REFUSED = ["NotAllowedError", "NotFoundError", "NotReadableError"];

async function given(ask) {
	if (!navigator.mediaDevices) throw new Error(t("shared.needs_https"));
	let stream;
	try {
		stream = await ask(navigator.mediaDevices);
	} catch (error) {
		throw new Error(REFUSED.includes(error.name) ? t(`shared.${error.name}`) : error.message);
	}
	if (stream.getAudioTracks().length) return stream;
	release(stream);
	throw new Error(t("shared.no_sound"));
}

export function release(stream) {
	for (const track of stream?.getTracks() ?? []) track.stop();
}

/** Play pieces one behind the other, without a gap. */
export class Player {
	constructor() {
		this.until = 0; // on the context's clock: where what is queued ends
		this.playing = new Set();
	}

	/** Be allowed to play: call it while the reader presses something. */
	async open() {
		this.context ??= new AudioContext({ sampleRate: RATE_HZ });
		await this.context.resume();
	}

	resume() {
		this.context?.resume();
	}

	/** Queue a piece; return the seconds until it sounds, or null where it is left out. */
	play(samples) {
		const { context } = this;
		if (!context || this.queued_s > MAX_QUEUED_S) return null;
		const buffer = context.createBuffer(1, samples.length, RATE_HZ);
		buffer.copyToChannel(Float32Array.from(samples, (value) => value / 32768), 0);
		const source = new AudioBufferSourceNode(context, { buffer });
		source.connect(context.destination);
		const earliest = Math.max(context.currentTime + LEAD_S, this.until);
		const start = Math.round(earliest * RATE_HZ) / RATE_HZ; // between two samples there is no start
		source.start(start);
		this.until = start + buffer.duration;
		this.playing.add(source);
		source.onended = () => this.playing.delete(source);
		return start - context.currentTime;
	}

	get queued_s() {
		return this.context ? Math.max(0, this.until - this.context.currentTime) : 0;
	}

	/** Be silent at once, and forget what is queued. */
	stop() {
		for (const source of this.playing) source.stop();
		this.playing.clear();
		this.until = 0;
	}

	close() {
		this.stop();
		this.context?.close();
		this.context = null;
	}
}

/** Return samples as the text that JSON holds them in. */
export function toBase64(samples) {
	const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
	let text = "";
	for (let at = 0; at < bytes.length; at += 8192) {
		text += String.fromCharCode(...bytes.subarray(at, at + 8192));
	}
	return btoa(text);
}

export const bytesOf = (base64) => Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));

export function fromBase64(text) {
	const bytes = bytesOf(text);
	return new Int16Array(bytes.buffer, 0, bytes.length >> 1);
}

/** Return parts (samples or blobs of samples) of so many bytes as a WAV file. */
export function wav(parts, bytes, rate_hz = RATE_HZ) {
	const [RIFF, WAVE, FMT, DATA] = [0x46464952, 0x45564157, 0x20746d66, 0x61746164];
	const format = [16, 0x10001, rate_hz, 2 * rate_hz, 0x100002]; // PCM, one channel, 16 bits
	const head = Uint32Array.of(RIFF, 36 + bytes, WAVE, FMT, ...format, DATA, bytes);
	return new Blob([head, ...parts], { type: "audio/wav" });
}
