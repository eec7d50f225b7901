// The Live tab: speech in, both texts side by side as they settle, and the translation's speech out.

import { Capture, Player, fromBase64, microphone, release, sharedSound } from "../audio.js";
import { button, card, check, download, el, field, line, notice, setOptions, stack } from "../dom.js";
import { languageName, t } from "../i18n.js";
import { stayAwake } from "../live/awake.js";
import { Form } from "../live/form.js";
import { Lags } from "../live/lags.js";
import { Pane, write } from "../live/pane.js";
import { MAX_AUDIO_S, MAX_SENTENCES, Recording, Texts, srt, txt, vtt } from "../live/record.js";
import { Session } from "../live/session.js";
import { share } from "../live/share.js";

const LAGS = {
	"session.input_transcript.delta": "recognised",
	"session.output_transcript.delta": "translated",
};

export function mount(root) {
	new LiveTab().mount(root);
}

class LiveTab {
	constructor() {
		this.texts = new Texts();
		this.recording = new Recording();
		this.player = new Player();
		this.session = this.capture = null;
		this.state = "idle"; // then "starting", "live" and "ending"
	}

	mount(root) {
		this.form = new Form(() => this.change());
		this.lags = new Lags();
		this.said = new Pane(t("live.original"), { isTold: false });
		this.translated = new Pane(t("shared.col_translation"), { isTold: true });
		this.button = button("", () => this.press());
		this.sharing = button(t("live.share"), () => share(this.name));
		this.meter = el("meter", { min: 0, max: 1, high: 0.95, value: 0, "aria-label": t("live.level") });
		this.loud = el("input", { checked: true, onchange: () => this.loud.checked || this.player.stop() });
		this.status = el("span", { class: "hint", role: "status" });
		this.trouble = stack();
		const buttons = line(this.button, this.sharing, check(t("live.play"), this.loud), this.meter, this.status);
		const panes = el("div", { class: "panes live" }, this.said.node, this.translated.node);
		root.append(stack(card(null, this.form.node, buttons, this.lags.node), this.trouble, panes, this.exports()));
		if (!navigator.mediaDevices) this.fail({ message: t("shared.needs_https") });
		this.enter("idle");
		addEventListener("beforeunload", (event) => this.state !== "idle" && event.preventDefault());
	}

	enter(state) {
		this.state = state;
		const isOn = state === "live";
		this.button.textContent = t({ live: "shared.stop", starting: "shell.cancel" }[state] ?? `live.button_${state}`);
		this.button.disabled = state === "ending" || !navigator.mediaDevices;
		this.button.classList.toggle("primary", state === "idle");
		this.button.classList.toggle("danger", isOn);
		this.sharing.disabled = !isOn;
		this.form.sound.disabled = state !== "idle";
		this.form.fold(state !== "idle");
		this.status.textContent = t(`live.state_${state}`);
		if (state === "idle") {
			this.meter.value = 0;
			this.lags.clear();
		}
	}

	press() {
		if (this.state === "idle") this.start();
		else if (this.state === "live") this.stop();
		else this.giveUp();
	}

	// ---- a session ----

	async start() {
		this.enter("starting");
		this.trouble.replaceChildren();
		this.texts.goOn();
		const session = new Session((event) => this.take(session, event));
		this.session = session;
		this.name = `page-${crypto.getRandomValues(new Uint32Array(2)).join("-")}`;
		const capture = new Capture(
			(frame, peak) => this.hear(frame, peak),
			() => this.stop(t("live.sound_ended")),
		);
		this.capture = capture;
		const isCurrent = () => this.session === session && this.state === "starting";
		try {
			await this.player.open();
			const stream = await (this.form.sound.value === "tab" ? sharedSound() : microphone());
			if (!isCurrent()) return release(stream);
			this.stream = stream;
			const { choices } = this.form;
			const isWritten = await session.open(this.form.session(this.name));
			if (!isCurrent()) return;
			this.taken(choices, isWritten);
			await capture.start(stream);
			this.letSleep = stayAwake(() => {
				capture.resume();
				this.player.resume();
			});
			this.enter("live");
			this.change(); // what was chosen meanwhile
		} catch (error) {
			if (this.session === session) this.over(error);
		}
	}

	hear(frame, peak) {
		this.meter.value = peak;
		this.lags.show("received", this.session.unsent_s); // of the frames before this one
		this.session.send(frame);
		if (this.session.dropped_s && !this.hasDropped) {
			this.hasDropped = true;
			this.warn(t("live.too_slow"));
		}
	}

	/** Tell a session that runs what was chosen; what it refuses is not chosen any more. */
	async change() {
		const { choices } = this.form;
		if (this.state !== "live" || choices === this.choices) return;
		try {
			this.taken(choices, await this.session.ask(this.form.session(this.name)));
		} catch (error) {
			if (this.form.choices === choices) this.form.choices = this.choices;
			this.fail(error);
		}
	}

	/** The server does what was chosen; `isWritten`: but for the speech. */
	taken(choices, isWritten) {
		this.choices = choices;
		this.trouble.replaceChildren();
		if (isWritten) this.warn(t("live.written_alone", { language: languageName(this.form.target) }));
	}

	stop(why) {
		if (this.state !== "live") return;
		this.capture.stop();
		this.enter("ending");
		this.session.finish();
		if (why) this.warn(why);
	}

	giveUp() {
		this.session.abort();
		this.player.stop();
		this.over(null);
	}

	over(error) {
		this.capture.stop();
		release(this.stream);
		this.stream = null;
		this.letSleep?.();
		this.said.end();
		this.translated.end();
		this.session = null;
		this.hasDropped = false;
		if (error) this.fail(error);
		this.enter("idle");
	}

	fail(error) {
		this.trouble.replaceChildren(notice("error", error.message));
	}

	warn(text) {
		this.trouble.replaceChildren(notice("warning", text));
	}

	// ---- what comes ----

	take(session, event) {
		if (session !== this.session) return;
		const late_s = () => session.sent_s - event.elapsed_ms / 1000;
		const { type } = event;
		write(event, this.said, this.translated, this.form.target, this.form.from.value);
		if (type in LAGS) this.lags.show(LAGS[type], late_s());
		else if (type === "session.output_transcript.done") {
			this.texts.add(event);
			this.showExports();
		} else if (type === "session.output_audio.delta") this.speak(fromBase64(event.delta), late_s());
		else if (type === "dragoman.notice") this.warn(event.message);
		else if (type === "error") this.fail(event.error);
		else if (type === "over") this.over(event.error);
	}

	speak(samples, late_s) {
		this.recording.add(samples);
		const starts_s = this.loud.checked ? this.player.play(samples) : null;
		if (starts_s !== null) this.lags.show("spoken", late_s + starts_s);
	}

	// ---- files ----

	exports() {
		const which = el("select");
		setOptions(which, ["translation", "original", "both"].map((key) => [key, t(`live.text_${key}`)]));
		const texts = { txt, srt, vtt };
		const text = (kind) => {
			const made = texts[kind](this.texts.sentences, which.value);
			download(new Blob([made], { type: "text/plain;charset=utf-8" }), `dragoman.${kind}`);
		};
		this.textButtons = Object.keys(texts).map((kind) => button(kind.toUpperCase(), () => text(kind)));
		this.wavButton = button("WAV", () => download(this.recording.wav(), "dragoman.wav"));
		const clear = button(t("live.clear"), () => this.clear(), "quiet");
		this.showExports();
		const row = line(field(t("live.which"), which), this.textButtons, this.wavButton, clear);
		const bound = { minutes: MAX_AUDIO_S / 60, sentences: MAX_SENTENCES };
		const title = el("h2", { class: "small" }, t("live.export"));
		return card(null, title, row, el("p", { class: "hint" }, t("live.bound", bound)));
	}

	showExports() {
		for (const each of this.textButtons) each.disabled = !this.texts.sentences.length;
		this.wavButton.disabled = !this.recording.seconds;
	}

	clear() {
		this.texts = new Texts();
		this.recording = new Recording();
		this.said.clear();
		this.translated.clear();
		this.showExports();
	}
}
