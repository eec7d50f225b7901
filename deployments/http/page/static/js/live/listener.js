// The listener's page: follows one live session by a token, in a language of the listener's choice.

import { address, request } from "../api.js";
import { Player, fromBase64 } from "../audio.js";
import { card, check, el, field, notice, setOptions, stack } from "../dom.js";
import { language, languageName, namedLanguages, t } from "../i18n.js";
import { recall, remember } from "../prefs.js";
import { stayAwake } from "./awake.js";
import { Pane, write } from "./pane.js";
import { protocols } from "./session.js";

const PAUSES_S = [1, 2, 4, 8, 15]; // before a lost connection is tried again
const OURS = 4000; // the code with which this page closes a connection for another one

export function mount(root, link) {
	new Listener(link.get("listen"), link.get("name")).mount(root);
}

/** Close a connection; one that is not open yet is closed when it is. */
function leave(socket) {
	if (socket?.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close(OURS);
	else socket?.close(OURS);
}

class Listener {
	constructor(token, name) {
		Object.assign(this, { token, name });
		this.tries = 0;
		this.player = new Player();
		this.said = new Pane(t("live.original"), { isTold: false });
		this.translated = new Pane(t("shared.col_translation"), { isTold: true });
	}

	async mount(root) {
		this.status = el("p", { class: "status", role: "status" }, t("live.state_starting"));
		this.select = el("select", { onchange: () => this.choose() });
		this.hear = el("input", { onchange: () => this.choose() });
		this.shows = el("input", { onchange: () => this.arrange() });
		this.trouble = el("div");
		const choices = [
			field(t("shared.language"), this.select),
			check(t("live.hear"), this.hear),
			check(t("live.show_original"), this.shows),
		];
		const bar = el("div", { class: "card row" }, choices, this.status);
		const panes = el("div", { class: "panes large" }, this.translated.node, this.said.node);
		root.append(el("div", { class: "stack listener" }, bar, this.trouble, panes));
		document.title = `${t("live.listening")} · Dragoman`;
		this.shows.checked = recall("listener.shows") === "yes";
		try {
			await this.learn();
		} catch (error) {
			this.end(error.status === 401 ? t("live.link_over") : error.message);
			return;
		}
		stayAwake(() => this.seen());
		this.arrange();
		this.connect();
	}

	/** Ask which languages there are, and choose one: the last one, or that of the page. */
	async learn() {
		const answer = await request("GET", "/v1/realtime/languages", { headers: this.bearer });
		const { data } = await answer.json();
		this.spoken = new Set(data.filter((row) => row.in_time).map((row) => row.language));
		const codes = data.map((row) => row.language);
		setOptions(this.select, [["", t("live.as_said")], ...namedLanguages(codes)]);
		const wanted = recall("listener.language", language);
		this.select.value = codes.includes(wanted) ? wanted : "";
	}

	get bearer() {
		return { authorization: `Bearer ${this.token}` };
	}

	get target() {
		return this.select.value;
	}

	async choose() {
		remember("listener.language", this.target);
		if (this.hear.checked) await this.player.open();
		this.player.stop();
		this.tries = 0;
		this.arrange();
		this.connect();
	}

	/** Show the panes that there is text for. */
	arrange() {
		remember("listener.shows", this.shows.checked ? "yes" : "no");
		this.hear.disabled = !this.spoken?.has(this.target);
		this.translated.node.hidden = !this.target;
		this.said.node.hidden = Boolean(this.target) && !this.shows.checked;
		this.said.log.setAttribute("aria-live", this.target ? "off" : "polite");
		const hidden = this.translated.node.hidden || this.said.node.hidden;
		this.said.node.parentNode.classList.toggle("one", hidden);
	}

	// ---- the connection ----

	connect() {
		clearTimeout(this.timer);
		this.timer = null;
		this.trouble.replaceChildren();
		leave(this.socket);
		const url = address("/v1/realtime/translations", "ws");
		url.searchParams.set("follow", this.name);
		url.searchParams.set("dragoman_events", "true");
		if (this.target) url.searchParams.set("language", this.target);
		const isHeard = this.hear.checked && !this.hear.disabled;
		if (!isHeard) url.searchParams.set("text_only", "true");
		const socket = new WebSocket(url, protocols(this.token));
		this.socket = socket;
		let isOver = false;
		let isOpen = false;
		socket.onopen = () => (isOpen = true);
		socket.onmessage = ({ data }) => {
			if (socket !== this.socket) return; // of the language before
			const event = JSON.parse(data);
			isOver ||= event.type === "session.closed";
			this.take(event);
		};
		socket.onclose = () => {
			if (socket !== this.socket) return;
			if (isOver) this.end(t("live.session_over"));
			else this.tryAgain(isHeard && !isOpen);
		};
	}

	/** `isRefused`: the server did not open what was to be heard, and may open what is read. */
	async tryAgain(isRefused) {
		this.say(t("live.trying_again"));
		this.endParagraphs();
		const { why, isReached } = await this.state();
		if (why) {
			this.end(why);
			return;
		}
		if (isRefused && isReached) {
			this.hear.checked = false;
			this.connect();
			const told = t("live.written_alone", { language: languageName(this.target) });
			this.trouble.replaceChildren(notice("warning", told));
			return;
		}
		const pause_s = PAUSES_S[Math.min(this.tries, PAUSES_S.length - 1)];
		this.tries += 1;
		this.timer = setTimeout(() => this.connect(), 1000 * pause_s * (0.75 + Math.random() / 2));
	}

	/** The page is seen again: sound goes on, and a lost connection is tried at once. */
	seen() {
		this.player.resume();
		if (this.timer) this.connect();
	}

	/** Ask how the session is, and why nothing more will come: a browser does not tell why a socket closed. */
	async state() {
		const stop = new AbortController();
		try {
			const path = `/v1/realtime/follow?name=${encodeURIComponent(this.name)}`;
			await request("GET", path, { headers: this.bearer, signal: stop.signal });
			return { isReached: true };
		} catch ({ status, message }) {
			const known = { 401: t("live.link_over"), 404: t("live.session_over") };
			return { why: known[status] ?? ([400, 403, 422].includes(status) ? message : null) };
		} finally {
			stop.abort(); // of the answer, which goes on as long as the session
		}
	}

	end(text) {
		this.endParagraphs();
		this.say(text);
		this.trouble.replaceChildren(notice("info", text));
	}

	say(text) {
		this.status.textContent = text;
	}

	endParagraphs() {
		this.said.end();
		this.translated.end();
	}

	// ---- what comes ----

	take(event) {
		const { type } = event;
		write(event, this.said, this.translated, this.target);
		if (type === "session.created") {
			this.tries = 0;
			this.say(t("live.following"));
		} else if (type === "session.output_audio.delta") this.player.play(fromBase64(event.delta));
		else if (type === "error") this.trouble.replaceChildren(notice("error", event.error.message));
	}
}
