// Record a voice, or take a file: a button, a meter, and the recording to hear.

import { Capture, RATE_HZ, microphone, wav } from "../audio.js";
import { button, el, field, line, stack } from "../dom.js";
import { number, t } from "../i18n.js";
import { setSource, tried } from "../shared/parts.js";

const MAX_S = 60;

export class Recorder {
	/** `label` says what is recorded; `takesFiles`: it may come from one. */
	constructor(label, takesFiles = false) {
		Object.assign(this, { recording: null, capture: null });
		this.button = button(t("voices.record"), () => this.toggle());
		this.meter = el("meter", { hidden: true, "aria-label": t("voices.record") });
		this.time = el("span", { class: "hint" });
		this.audio = el("audio", { controls: true, hidden: true, "aria-label": label });
		this.problem = el("div");
		const file = el("input", { type: "file", accept: "audio/*,video/*", onchange: () => this.take(file.files[0]) });
		const choice = takesFiles ? field(t("voices.file"), file) : null;
		this.node = stack(line(this.button, this.meter, this.time), choice, this.audio, this.problem);
	}

	toggle() {
		if (this.capture) return this.stop();
		return tried(this.problem, async () => {
			const stream = await microphone();
			this.frames = [];
			this.capture = new Capture((...heard) => this.hear(...heard), () => this.stop());
			await this.capture.start(stream);
			this.show(true);
		});
	}

	hear(frame, peak) {
		this.frames.push(frame);
		const seconds = this.frames.length / 10;
		this.meter.value = peak;
		this.time.textContent = `${number(seconds)} s`;
		if (seconds >= MAX_S) this.stop();
	}

	stop() {
		this.release();
		const bytes = this.frames.reduce((sum, frame) => sum + frame.byteLength, 0);
		this.take(new File([wav(this.frames, bytes, RATE_HZ)], "recording.wav"));
	}

	release() {
		this.capture?.stop();
		this.capture = null;
		this.show(false);
	}

	take(file) {
		if (!file) return;
		this.recording = file;
		setSource(this.audio, file);
		this.audio.hidden = false;
	}

	show(isRunning) {
		this.meter.hidden = !isRunning;
		this.button.textContent = t(isRunning ? "voices.record_stop" : "voices.record");
	}
}
