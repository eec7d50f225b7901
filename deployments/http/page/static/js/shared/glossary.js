// A glossary for a request: one that the server keeps, or terms that are typed here.

import { button, el, field, line, setOptions, stack } from "../dom.js";
import { t } from "../i18n.js";
import { onState } from "../state.js";
import { asked } from "./parts.js";

const COLUMNS = ["term", "translation", "sound"];

/** A choice of a glossary; it is hidden where there is none to choose. */
export class Glossary {
	/** `languages` returns the request's source and target, if known; without it no terms are typed. */
	constructor(languages = null, onchange = () => {}) {
		this.languages = languages;
		this.select = el("select", { onchange: () => this.show(), oninput: onchange });
		this.body = el("tbody");
		const heads = [...COLUMNS, "case"].map((name) => el("th", { scope: "col" }, t(`shared.col_${name}`)));
		const table = el("table", {}, el("thead", {}, el("tr", {}, heads)), this.body);
		const add = button(t("shared.add"), () => this.add().focus());
		this.typed = stack(el("div", { class: "scrolls" }, table), line(add));
		this.node = stack(field(t("shared.glossary"), this.select), this.typed);
		this.node.hidden = true;
		this.add();
		onState(() => this.load()); // another key has others
	}

	async load() {
		let kept = [];
		try {
			kept = (await asked("GET", "/v1/glossaries")).data;
		} catch (error) {
			if (error.code !== "nothing_kept") return; // this server knows no glossaries
		}
		const rows = kept.map(({ id, name }) => [id, name]);
		const typed = this.languages ? [["typed", t("shared.typed")]] : [];
		setOptions(this.select, [["", t("shared.none")], ...typed, ...rows]);
		this.node.hidden = this.select.options.length === 1;
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
