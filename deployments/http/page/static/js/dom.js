// Make elements: text goes in as text, never as markup.

/** Return an element. Attributes that begin with "on" are listeners; what is null or false is left out. */
export function el(tag, attributes = {}, ...children) {
	const made = document.createElement(tag);
	for (const [name, value] of Object.entries(attributes)) {
		if (value === null || value === undefined || value === false) continue;
		if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
		else if (name === "value") made.value = value;
		else made.setAttribute(name, value === true ? "" : value);
	}
	made.append(...children.flat(Infinity).filter(Boolean));
	return made;
}

/** Have screen readers say a text. */
export const announce = (text) => (document.getElementById("announcer").textContent = text);

export const button = (text, onclick, kind = null) => el("button", { type: "button", class: kind, onclick }, text);
export const stack = (...children) => el("div", { class: "stack" }, children);
export const line = (...children) => el("div", { class: "row" }, children);
export const list = () => el("ul", { class: "rows" });
export const card = (title, ...children) =>
	el("section", { class: "card stack" }, title && el("h2", { tabindex: "-1" }, title), children);

/** Return a labelled control: the label above it, a hint below it. */
export function field(label, control, hint = null) {
	control.id ||= `c${++made}`;
	const below = hint && el("small", { id: `${control.id}-hint`, class: "hint" }, hint);
	if (below) control.setAttribute("aria-describedby", below.id);
	return el("div", { class: "field" }, el("label", { for: control.id }, label), control, below);
}

export function check(label, control) {
	control.type = "checkbox";
	control.id ||= `c${++made}`;
	return el("label", { class: "check", for: control.id }, control, label);
}

/** Put options, as [value, text] pairs, into a select; what was chosen stays, where it can. */
export function setOptions(select, rows, chosen = select.value) {
	select.replaceChildren(...rows.map(([value, text]) => el("option", { value }, text)));
	if (rows.some(([value]) => value === chosen)) select.value = chosen;
}

/** Return a dialog with a title; it is shown, and gone once it is closed. */
export function dialog(title, ...children) {
	const heading = el("h2", { id: "dialog-title" }, title);
	const attributes = { class: "card", "aria-labelledby": heading.id };
	const made = el("dialog", { ...attributes, onclose: () => made.remove() }, heading, children);
	document.body.append(made);
	made.showModal();
	return made;
}

/** Return a message in place: `kind` is "info", "warning" or "error". */
export function notice(kind, text, ...more) {
	const role = kind === "error" ? "alert" : "status";
	return el("div", { class: `notice ${kind}`, role }, el("p", {}, text), ...more);
}

/** Hand a file to the browser's downloads. */
export function download(blob, filename) {
	const url = URL.createObjectURL(blob);
	el("a", { href: url, download: filename }).click();
	setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

const RIGHT_TO_LEFT = new Set("ar arc dv fa ha-arab he iw ks ku ckb nqo ps sd syr ug ur yi".split(" "));

/** Return the direction in which a language is written. */
export function direction(language) {
	return RIGHT_TO_LEFT.has((language || "").toLowerCase()) ? "rtl" : "ltr";
}

/** Say in which language an element's text is, and so in which direction it runs. */
export function setLanguage(element, language) {
	element.lang = language || "";
	element.dir = direction(language);
}

let made = 0;
