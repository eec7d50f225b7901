// Change the sample rate of a stream: each output sample is a windowed sinc over the input.

const CROSSINGS = 16; // of the sinc on either side; more of them cut off more steeply
const PASSED = 0.94; // of the lower of both bands

export class Resampler {
	constructor(from_hz, to_hz) {
		const common = divisor(from_hz, to_hz);
		this.steps = to_hz / common; // an input sample is so many steps long
		this.step = from_hz / common; // from an output sample to the next
		const cutoff = PASSED * Math.min(1, to_hz / from_hz);
		const half = Math.ceil(CROSSINGS / cutoff);
		this.taps = 2 * half;
		this.rows = Array.from({ length: this.steps }, (_, n) => kernel(half, cutoff, n / this.steps));
		this.rest = new Float32Array(half - 1); // silence before the first sample
		this.at = 0; // steps into `rest` at which the next window begins
	}

	/** Take samples, and return those of the new rate that they suffice for. */
	push(samples) {
		const data = new Float32Array(this.rest.length + samples.length);
		data.set(this.rest);
		data.set(samples, this.rest.length);
		const made = [];
		for (; Math.floor(this.at / this.steps) + this.taps <= data.length; this.at += this.step) {
			const start = Math.floor(this.at / this.steps);
			const row = this.rows[this.at % this.steps];
			let sum = 0;
			for (let tap = 0; tap < this.taps; tap += 1) sum += row[tap] * data[start + tap];
			made.push(sum);
		}
		const used = Math.floor(this.at / this.steps);
		this.rest = data.slice(used);
		this.at -= used * this.steps;
		return Float32Array.from(made);
	}
}

function kernel(half, cutoff, fraction) {
	const row = new Float32Array(2 * half);
	for (let tap = 0; tap < row.length; tap += 1) {
		const x = tap - (half - 1) - fraction;
		const sinc = x === 0 ? 1 : Math.sin(Math.PI * cutoff * x) / (Math.PI * cutoff * x);
		row[tap] = sinc * (0.5 + 0.5 * Math.cos((Math.PI * x) / half));
	}
	const sum = row.reduce((total, value) => total + value, 0);
	return row.map((value) => value / sum);
}

const divisor = (one, other) => (other ? divisor(other, one % other) : one);
