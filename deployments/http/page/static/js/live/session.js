// One live session on its WebSocket: it is opened, told what to do, given audio, and ended.

import { ApiError, address, request } from "../api.js";
import { RATE_HZ, toBase64 } from "../audio.js";
import { t } from "../i18n.js";

const PATH = "/v1/realtime/translations";
const SECRET_S = 60; // in which the socket must be opened
const WIRE_BYTES_S = (RATE_HZ * 2 * 4) / 3; // of a second of audio in base64
const MAX_UNSENT_S = 30; // of audio that the network has not taken; more is left out
const TOLD = [1008, 1011, 1013]; // codes that an error comes before
const END_S = 60; // for the server to send what is left

/** Return the subprotocols that carry a secret, a token or a key: a page can send no header. */
export const protocols = (secret) => ["realtime", `openai-insecure-api-key.${secret}`];

export class Session {
	/** `on` is told every event of the server, and at last {type: "over", error}; null: all was sent. */
	constructor(on) {
		this.on = on;
		this.sent_s = 0;
		this.dropped_s = 0;
		this.isOpen = this.isClosed = false;
		this.updates = 0;
		this.updated = Promise.resolve();
	}

	/** Open it, and promise what `ask` does. Rejects. */
	async open(asked) {
		const body = { session: { model: "translation" }, expires_after: { seconds: SECRET_S } };
		const made = await request("POST", `${PATH}/client_secrets`, { json: body });
		const { value } = await made.json();
		await this.connect(address(`${PATH}?model=translation`, "ws"), value);
		try {
			return await this.ask(asked);
		} catch (error) {
			this.abort();
			throw error;
		}
	}

	connect(url, secret) {
		return new Promise((resolve, reject) => {
			this.socket = new WebSocket(url, protocols(secret));
			this.socket.onmessage = ({ data }) => {
				const event = JSON.parse(data);
				if (event.type === "session.created") {
					this.isOpen = true;
					resolve();
				}
				this.take(event);
			};
			this.socket.onclose = ({ code }) => {
				if (this.isOpen) this.over(code);
				else whyNotOpened().then(reject);
			};
		});
	}

	take(event) {
		if (event.type === "session.closed") this.isClosed = true;
		if (event.type === "error") {
			this.lastError = event.error;
			if (event.error.event_id && event.error.event_id === this.waiting?.id) {
				this.settle("reject", new ApiError(event.error.message, event.error));
				return;
			}
		}
		if (event.type === "session.updated") this.settle("resolve", event.session);
		this.on(event);
	}

	/**
	 * Ask for something from now on. Promise whether the server, too slow to speak it, only writes.
	 * Rejects with ApiError, and the session goes on as it was.
	 */
	async ask(asked) {
		const { output } = asked.audio;
		try {
			await this.update(asked);
			return false;
		} catch (error) {
			if (error.code !== "overloaded" || output.text_only) throw error;
		}
		Object.assign(output, { text_only: true, voice: null });
		await this.update(asked);
		return true;
	}

	update(asked) {
		const next = () =>
			new Promise((resolve, reject) => {
				this.updates += 1;
				const id = `update_${this.updates}`;
				this.waiting = { id, resolve, reject };
				this.tell({ type: "session.update", event_id: id, session: asked });
			});
		this.updated = this.updated.then(next, next); // its answer does not say which one it is of
		return this.updated;
	}

	settle(how, value) {
		this.waiting?.[how](value);
		this.waiting = null;
	}

	/** Send a frame, unless the network is too far behind. */
	send(frame) {
		const seconds = frame.length / RATE_HZ;
		if (this.unsent_s > MAX_UNSENT_S) {
			this.dropped_s += seconds;
			return;
		}
		this.sent_s += seconds;
		this.tell({ type: "session.input_audio_buffer.append", audio: toBase64(frame) });
	}

	/** Seconds of audio that the network has not taken yet. */
	get unsent_s() {
		return (this.socket?.bufferedAmount || 0) / WIRE_BYTES_S;
	}

	/** End it: what is left is still sent. */
	finish() {
		this.tell({ type: "session.close" });
		this.ending = setTimeout(() => this.socket.close(), 1000 * END_S);
	}

	abort() {
		this.on = () => {};
		this.socket?.close();
	}

	tell(event) {
		if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(event));
	}

	over(code) {
		clearTimeout(this.ending);
		const isTold = TOLD.includes(code) && this.lastError;
		const lost = isTold ? this.lastError.message : t("live.lost", { code });
		const error = this.isClosed && code === 1000 ? null : new ApiError(lost, { code });
		this.settle("reject", error || new ApiError(t("live.lost", { code })));
		this.on({ type: "over", error });
	}
}

/** Say why a socket was refused: a browser does not tell the page. */
async function whyNotOpened() {
	try {
		await request("GET", "/health/ready");
	} catch (error) {
		return new ApiError(error.body?.refusing || error.message);
	}
	return new ApiError(t("live.not_opened"));
}
