// What the File tab is asked for: the file, languages, voice, glossary, and the kind of result.

import { check, el, field } from "../dom.js";
import { number, t } from "../i18n.js";
import { Glossary } from "../shared/glossary.js";
import { setVoices, sourceChoice, stack, targetChoice } from "../shared/parts.js";
import { FILM, SPOKEN, SUBTITLES } from "./request.js";

const CHECKS = ["fit", "background", "bilingual", "embed", "as_job"];

export class Form {
  /** `onfile` is called when a file was chosen, `onchange` when anything was. */
  constructor(app, { onfile, onchange }) {
    Object.assign(this, { file: null, onfile, onchange });
    const changed = () => this.changed();
    this.source = sourceChoice();
    this.target = targetChoice();
    this.voice = el("select");
    this.format = el("select");
    this.checks = Object.fromEntries(CHECKS.map((name) => [name, el("input")]));
    this.labels = Object.fromEntries(CHECKS.map((name) => [name, check(t(`file.${name}`), this.checks[name])]));
    this.glossary = new Glossary(() => ({ source: this.source.value, target: this.target.value }));
    const choices = el(
      "div",
      { class: "grid" },
      field(t("shared.source"), this.source),
      field(t("shared.target"), this.target),
      field(t("shared.voice"), this.voice),
      field(t("file.result"), this.format),
    );
    const checks = el("div", { class: "row" }, Object.values(this.labels));
    this.node = stack(this.dropZone(), choices, checks, this.glossary.node);
    this.node.addEventListener("change", changed);
    app.onState(changed);
    this.offerJobs(false);
    this.setFormats();
  }

  dropZone() {
    this.input = el("input", { type: "file", accept: "audio/*,video/*,.mkv,.w64,.caf,.amr", onchange: () => this.choose(this.input.files[0]) });
    this.name = el("p", { role: "status" });
    const zone = el("div", { class: "drop" }, field(t("file.choose"), this.input, t("file.drop")), this.name);
    const on = (kind, isOver, act = () => {}) =>
      zone.addEventListener(kind, (event) => {
        event.preventDefault();
        zone.classList.toggle("over", isOver);
        act(event);
      });
    on("dragover", true);
    on("dragleave", false);
    on("drop", false, (event) => this.choose(event.dataTransfer.files[0]));
    return zone;
  }

  choose(file) {
    if (!file) return;
    this.file = file;
    this.isFilm = file.type.startsWith("video/");
    this.name.textContent = `${file.name} · ${number(file.size / 2 ** 20, 1)} MiB`;
    this.setFormats();
    this.onfile(file);
  }

  /** Offer the kinds of result that the file can have: a film, or sound alone. */
  setFormats() {
    const chosen = this.format.value;
    const group = (label, formats) =>
      el("optgroup", { label: t(label) }, formats.map((value) => el("option", { value }, value.toUpperCase())));
    this.format.replaceChildren(
      el("option", { value: "page" }, t("file.on_page")),
      group("file.subtitles", SUBTITLES),
      group("file.dubbed", this.isFilm ? [...FILM, ...SPOKEN] : SPOKEN),
    );
    this.format.value = chosen;
    this.format.value ||= "page";
    this.changed();
  }

  changed() {
    setVoices(this.voice, this.target.value, true);
    this.labels.embed.hidden = !this.isFilm;
    this.onchange();
  }

  /** Let files go as jobs, or not; `isLong`: this one should. */
  offerJobs(isOffered, isLong = false) {
    this.labels.as_job.hidden = !isOffered;
    this.checks.as_job.checked = isOffered && isLong;
  }

  /** Return what was chosen. Throws Error: the glossary is incomplete. */
  chosen() {
    const { source, target, voice, checks, glossary } = this;
    const isOn = (name) => checks[name].checked;
    return {
      source: source.value,
      target: target.value,
      voice: voice.value,
      glossary: glossary.value(),
      fit: isOn("fit"),
      background: isOn("background"),
      bilingual: isOn("bilingual"),
      embed: isOn("embed"),
    };
  }
}
