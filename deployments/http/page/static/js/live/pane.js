// A pane of captions: text that is settled, and behind it words that may still change.

import { el, setLanguage } from "../dom.js";

const MAX_PARAGRAPHS = 200; // in the page; older ones are in what is exported
const MAX_CHARS = 1000; // of a paragraph whose end nobody tells

export class Pane {
	/** `isTold`: whether screen readers say what is new. */
	constructor(title, { isTold }) {
		const heading = el("h2", { id: `pane-${++made}`, class: "small" }, title);
		this.heading = heading;
		this.log = el("div", {
			class: "captions",
			role: "log",
			tabindex: "0",
			"aria-labelledby": heading.id,
			"aria-live": isTold ? "polite" : "off",
		});
		this.node = el("section", { class: "pane card" }, heading, this.log);
		this.coming = el("span", { class: "partial", "aria-hidden": "true" });
		this.open = null;
	}

	/** Add words that stay. They bring their own spaces. */
	add(text, language) {
		this.keepAtEnd(() => {
			if (this.open && this.open.lang !== language && this.open.textContent) this.end();
			const paragraph = this.paragraph(language);
			paragraph.insertBefore(document.createTextNode(text), this.coming);
			this.coming.textContent = "";
			if (paragraph.textContent.length > MAX_CHARS) this.end();
		});
	}

	/** Show words that may still change; each text replaces the one before. */
	partial(text, language) {
		this.keepAtEnd(() => {
			if (text) this.paragraph(this.open?.lang || language);
			this.coming.textContent = text;
		});
	}

	end() {
		this.coming.remove();
		this.coming.textContent = "";
		if (this.open && !this.open.textContent) this.open.remove();
		this.open = null;
	}

	clear() {
		this.end();
		this.log.replaceChildren();
	}

	paragraph(language) {
		if (!this.open) {
			this.open = el("p", {}, this.coming);
			setLanguage(this.open, language);
			this.log.append(this.open);
			while (this.log.children.length > MAX_PARAGRAPHS) this.log.firstChild.remove();
		}
		return this.open;
	}

	/** Change something, and stay at the end if the reader has not gone back. */
	keepAtEnd(change) {
		const { log } = this;
		const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
		change();
		if (isAtEnd) log.scrollTop = log.scrollHeight;
	}
}

let made = 0;

/** Write what an event tells into the panes of both texts, whose languages it may not name. */
export function write({ type, delta, text, language }, said, translated, target, source = "") {
	if (type === "session.input_transcript.delta") said.add(delta, language);
	else if (type === "session.input_transcript.partial") said.partial(text, source);
	else if (type === "session.input_transcript.done") said.end();
	else if (type === "session.output_transcript.delta") translated.add(delta, language || target);
	else if (type === "session.output_transcript.done") translated.end();
}
