// A glossary for a request: one that the server keeps, or terms that are typed here.

import { request } from "../api.js";
import { el, field, setOptions } from "../dom.js";
import { t } from "../i18n.js";
import { button, line, stack } from "./parts.js";

const COLUMNS = ["term", "translation", "sound"];

/** A choice of a glossary; it is hidden where the server knows none. */
export class Glossary {
  /** `languages` returns the source and the target of the request; either may be unknown. */
  constructor(languages) {
    this.languages = languages;
    this.select = el("select", { onchange: () => this.show() });
    this.body = el("tbody");
    const heads = [...COLUMNS, "case"].map((name) => el("th", { scope: "col" }, t(`shared.col_${name}`)));
    const table = el("table", {}, el("thead", {}, el("tr", {}, heads)), this.body);
    const add = button(t("shared.add"), () => this.add().focus());
    this.typed = stack(el("div", { class: "scrolls" }, table), line(add));
    this.node = stack(field(t("shared.glossary"), this.select), this.typed);
    this.node.hidden = true;
    this.add();
    this.load();
  }

  async load() {
    let kept = [];
    try {
      kept = (await (await request("GET", "/v1/glossaries")).json()).data;
    } catch (error) {
      if (error.code !== "nothing_kept") return; // this server knows no glossaries
    }
    const rows = kept.map(({ id, name }) => [id, name]);
    setOptions(this.select, [["", t("shared.none")], ["typed", t("shared.typed")], ...rows]);
    this.node.hidden = false;
    this.show();
  }

  show() {
    this.typed.hidden = this.select.value !== "typed";
  }

  /** Return what goes with a request: an id, an object, or null. */
  value() {
    const { value } = this.select;
    if (value !== "typed") return value || null;
    const { source, target } = this.languages();
    const rows = [...this.body.rows].map((row) => [...row.querySelectorAll("input")]);
    const filled = rows.filter(([term]) => term.value.trim());
    const inTarget = (text) => (text ? { [target]: text } : {});
    const terms = filled.map(([term, translation, sound, exact]) => ({
      term: term.value.trim(),
      language: source,
      translations: inTarget(translation.value.trim() || term.value.trim()), // else kept as it is
      sounds: inTarget(sound.value.trim()),
      case_sensitive: exact.checked,
    }));
    return terms.length ? { name: value, terms } : null;
  }

  /** Add an empty row, and return its first input. */
  add() {
    const number = this.body.rows.length + 1;
    const cell = (name, type) => {
      const label = `${t(`shared.col_${name}`)} ${number}`;
      return el("input", { type, dir: "auto", maxlength: "200", "aria-label": label });
    };
    const cells = [...COLUMNS.map((name) => cell(name)), cell("case", "checkbox")];
    this.body.append(el("tr", {}, cells.map((each) => el("td", {}, each))));
    return cells[0];
  }
}
