// The Live tab: speech in, both texts side by side as they settle, and the translation's speech out.

import { Capture, Player, fromBase64, microphone, sharedSound } from "../audio.js";
import { check, download, el, field, notice, setOptions } from "../dom.js";
import { t } from "../i18n.js";
import { stayAwake } from "../live/awake.js";
import { Form } from "../live/form.js";
import { Lags } from "../live/lags.js";
import { Pane } from "../live/pane.js";
import { MAX_AUDIO_S, MAX_SENTENCES, Recording, Texts, srt, txt, vtt } from "../live/record.js";
import { Session } from "../live/session.js";
import { share } from "../live/share.js";

export const id = "live";

export function mount(root, app) {
  new LiveTab(app).mount(root);
}

class LiveTab {
  constructor(app) {
    this.app = app;
    this.texts = new Texts();
    this.recording = new Recording();
    this.player = new Player();
    this.session = this.capture = null;
    this.state = "idle"; // then "starting", "live" and "ending"
  }

  mount(root) {
    this.form = new Form(this.app, () => this.change());
    this.lags = new Lags();
    this.said = new Pane(t("live.original"), { isTold: false });
    this.translated = new Pane(t("live.translation"), { isTold: true });
    this.button = el("button", { type: "button", class: "primary", onclick: () => this.press() });
    this.sharing = el(
      "button",
      { type: "button", onclick: () => share(this.name, this.app) },
      t("live.share"),
    );
    this.meter = el("meter", { min: 0, max: 1, high: 0.95, value: 0, "aria-label": t("live.level") });
    this.loud = el("input", { checked: true, onchange: () => this.loud.checked || this.player.stop() });
    this.status = el("span", { class: "hint", role: "status" });
    this.trouble = el("div", { class: "stack" });
    root.append(
      el(
        "div",
        { class: "stack" },
        el(
          "div",
          { class: "card stack" },
          this.form.node,
          el(
            "div",
            { class: "row" },
            this.button,
            this.sharing,
            check(t("live.play"), this.loud),
            this.meter,
            this.status,
          ),
          this.lags.node,
        ),
        this.trouble,
        el("div", { class: "panes live" }, this.said.node, this.translated.node),
        this.exports(),
      ),
    );
    if (!navigator.mediaDevices) this.fail({ message: t("live.needs_https") });
    this.enter("idle");
    addEventListener("beforeunload", (event) => this.state !== "idle" && event.preventDefault());
  }

  enter(state) {
    this.state = state;
    const isOn = state === "live";
    this.button.textContent = t(isOn ? "live.stop" : `live.button_${state}`);
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
      () => this.stop(),
    );
    this.capture = capture;
    const isCurrent = () => this.session === session && this.state === "starting";
    try {
      await this.player.open();
      const stream = await this.stream();
      if (!isCurrent()) {
        for (const track of stream.getTracks()) track.stop();
        return;
      }
      this.stream_ = stream;
      await session.open(this.form.session(this.name));
      if (!isCurrent()) return;
      if (session.isSilent) this.trouble.append(notice("warning", t("live.written_alone")));
      await capture.start(stream);
      this.letSleep = stayAwake();
      this.enter("live");
    } catch (error) {
      if (this.session === session) this.over(error);
    }
  }

  async stream() {
    const isTab = this.form.sound.value === "tab";
    let stream;
    try {
      stream = await (isTab ? sharedSound() : microphone());
    } catch (error) {
      const known = ["NotAllowedError", "NotFoundError"].includes(error.name);
      throw new Error(known ? t(`live.${error.name}`) : error.message);
    }
    if (stream.getAudioTracks().length) return stream;
    for (const track of stream.getTracks()) track.stop();
    throw new Error(t("live.no_sound_shared"));
  }

  hear(frame, peak) {
    this.meter.value = peak;
    this.lags.show("received", this.session.unsent_s); // of the frames before this one
    this.session.send(frame);
    if (this.session.dropped_s && !this.hasDropped) {
      this.hasDropped = true;
      this.trouble.replaceChildren(notice("warning", t("live.too_slow")));
    }
  }

  /** Tell a session that runs what was chosen. */
  async change() {
    if (this.state !== "live") return;
    try {
      await this.session.update(this.form.session(this.name));
    } catch (error) {
      this.fail(error);
    }
  }

  stop() {
    if (this.state !== "live") return;
    this.capture.stop();
    this.enter("ending");
    this.session.finish();
  }

  giveUp() {
    this.session.abort();
    this.player.stop();
    this.over(null);
  }

  over(error) {
    this.capture.stop();
    for (const track of this.stream_?.getTracks() || []) track.stop();
    this.stream_ = null;
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

  // ---- what comes ----

  take(session, event) {
    if (session !== this.session) return;
    const late_s = () => session.sent_s - event.elapsed_ms / 1000;
    const { type } = event;
    if (type === "session.input_transcript.delta") {
      this.said.add(event.delta, event.language);
      this.lags.show("recognised", late_s());
    } else if (type === "session.input_transcript.partial") {
      this.said.partial(event.text, this.form.from.value);
    } else if (type === "session.input_transcript.done") {
      this.said.end();
    } else if (type === "session.output_transcript.delta") {
      this.translated.add(event.delta, event.language || this.form.target);
      this.lags.show("translated", late_s());
    } else if (type === "session.output_transcript.done") {
      this.translated.end();
      this.texts.add(event);
      this.showExports();
    } else if (type === "session.output_audio.delta") {
      this.speak(fromBase64(event.delta), late_s());
    } else if (type === "dragoman.notice") {
      this.trouble.replaceChildren(notice("warning", event.message));
    } else if (type === "error") this.fail(event.error);
    else if (type === "over") this.over(event.error);
  }

  speak(samples, late_s) {
    this.recording.add(samples);
    const starts_s = this.loud.checked ? this.player.play(samples) : null;
    if (starts_s !== null) this.lags.show("spoken", late_s + starts_s);
  }

  // ---- files ----

  exports() {
    const which = el("select", {});
    setOptions(which, ["translation", "original", "both"].map((key) => [key, t(`live.text_${key}`)]));
    const texts = { txt, srt, vtt };
    const text = (kind) => {
      const made = texts[kind](this.texts.sentences, which.value);
      download(new Blob([made], { type: "text/plain;charset=utf-8" }), `dragoman.${kind}`);
    };
    const button = (kind, save) => el("button", { type: "button", onclick: save }, kind.toUpperCase());
    this.textButtons = Object.keys(texts).map((kind) => button(kind, () => text(kind)));
    this.wavButton = button("wav", () => download(this.recording.wav(), "dragoman.wav"));
    this.bound = el("p", { class: "hint" });
    const clear = el("button", { type: "button", class: "quiet", onclick: () => this.clear() }, t("live.clear"));
    this.showExports();
    return el(
      "div",
      { class: "card stack" },
      el("h2", { class: "small" }, t("live.export")),
      el("div", { class: "row bottom" }, field(t("live.which"), which), this.textButtons, this.wavButton, clear),
      this.bound,
    );
  }

  showExports() {
    for (const button of this.textButtons) button.disabled = this.texts.isEmpty;
    this.wavButton.disabled = !this.recording.seconds;
    const minutes = MAX_AUDIO_S / 60;
    this.bound.textContent = t("live.bound", { minutes, sentences: MAX_SENTENCES });
  }

  clear() {
    this.texts = new Texts();
    this.recording = new Recording();
    this.said.clear();
    this.translated.clear();
    this.showExports();
  }
}
