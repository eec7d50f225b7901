// On the audio thread: make one channel of 16-bit samples of what is heard, in frames.

import { Resampler } from "../resampler.js";

const FRAME_S = 0.1;

class CaptureProcessor extends AudioWorkletProcessor {
	constructor({ processorOptions }) {
		super();
		this.resampler = new Resampler(sampleRate, processorOptions.rate_hz);
		this.frame = new Int16Array(FRAME_S * processorOptions.rate_hz);
		this.filled = 0;
		this.peak = 0;
	}

	process([channels]) {
		if (!channels.length) return true; // nothing is connected now
		for (const sample of this.resampler.push(mixed(channels))) this.add(sample);
		return true;
	}

	add(sample) {
		const bounded = Math.max(-1, Math.min(1, sample));
		this.peak = Math.max(this.peak, Math.abs(bounded));
		this.frame[this.filled] = Math.round(bounded * 32767);
		this.filled += 1;
		if (this.filled < this.frame.length) return;
		const frame = this.frame;
		this.frame = new Int16Array(frame.length);
		this.port.postMessage({ frame, peak: this.peak }, [frame.buffer]);
		this.filled = this.peak = 0;
	}
}

function mixed(channels) {
	if (channels.length === 1) return channels[0];
	return channels[0].map((_, at) => channels.reduce((sum, each) => sum + each[at], 0) / channels.length);
}

registerProcessor("capture", CaptureProcessor);
