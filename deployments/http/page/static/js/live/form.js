// What a live session is asked for: sound, languages, voice and delay, as the reader chooses them.

import { el, field, setOptions } from "../dom.js";
import { language, namedLanguages, t } from "../i18n.js";
import { recall, remember } from "../prefs.js";
import { clones, heard, ownVoices, targets, voicesOf } from "../state.js";

const DELAYS = ["minimal", "low", "medium", "high", "xhigh"];
const SOURCE_VOICE = "source";
const TEXT_ONLY = "#text"; // no voice has such an id

export class Form {
  /** `changed` is called when the reader has chosen something else. */
  constructor(app, changed) {
    this.sound = el("select", {});
    this.from = this.choice("from", changed);
    this.to = this.choice("to", changed);
    this.voice = this.choice("voice", changed);
    this.delay = this.choice("delay", changed);
    this.to.addEventListener("change", () => this.showVoices());
    this.node = el(
      "details",
      { open: true },
      el("summary", {}, t("live.choices")),
      el(
        "div",
        { class: "grid" },
        field(t("live.sound"), this.sound),
        field(t("live.from"), this.from),
        field(t("live.to"), this.to),
        field(t("live.voice"), this.voice),
        field(t("live.delay"), this.delay, t("live.delay_hint")),
      ),
    );
    this.show();
    app.onState(() => this.show());
  }

  choice(name, changed) {
    const select = el("select", {});
    select.addEventListener("change", () => {
      remember(`live.${name}`, select.value);
      changed();
    });
    return select;
  }

  /** Offer what the server has now. */
  show() {
    const sounds = [["microphone", t("live.microphone")]];
    if (navigator.mediaDevices?.getDisplayMedia) sounds.push(["tab", t("live.tab")]);
    setOptions(this.sound, sounds);
    const chosen = (select, name, fallback) => select.value || recall(`live.${name}`, fallback);
    const any = [["", t("live.as_heard")]];
    setOptions(this.from, [...any, ...namedLanguages(heard())], chosen(this.from, "from", ""));
    const known = targets();
    const usual = known.includes(language) && language !== "en" ? language : known.find((c) => c !== "en");
    setOptions(this.to, namedLanguages(known), chosen(this.to, "to", usual));
    const delays = DELAYS.map((delay) => [delay, t(`live.delay_${delay}`)]);
    setOptions(this.delay, delays, chosen(this.delay, "delay", "medium"));
    this.showVoices();
  }

  showVoices() {
    const target = this.to.value;
    const fixed = voicesOf(target);
    const cloned = clones(target) ? this.cloned() : [];
    const rows = [
      ...(fixed.length ? [["", t("live.first_voice")]] : []),
      ...fixed.map((row) => [row.id, row.name || row.id]),
      ...cloned,
      [TEXT_ONLY, t("live.text_only")],
    ];
    setOptions(this.voice, rows, this.voice.value || recall("live.voice", ""));
  }

  /** Return the voices that a cloning model speaks in: the speaker's, and those kept here. */
  cloned() {
    const own = ownVoices().map((row) => [row.id, row.name]);
    return [[SOURCE_VOICE, t("live.own_voice")], ...own];
  }

  /** Make room for the texts on a narrow screen, or show everything again. */
  fold(isFolded) {
    this.node.open = !(isFolded && matchMedia("(max-width: 46rem)").matches);
  }

  get target() {
    return this.to.value;
  }

  /** Return the session object. */
  session(name) {
    const isSilent = this.voice.value === TEXT_ONLY;
    return {
      audio: {
        input: {
          transcription: {},
          language: this.from.value || null,
          delay: this.delay.value,
        },
        output: {
          language: this.to.value,
          voice: isSilent ? null : this.voice.value || null,
          text_only: isSilent,
        },
      },
      dragoman: { events: true, name },
    };
  }
}
