// Words of the page in the reader's language: tables of strings, and names of languages.

import { recall } from "./prefs.js";

export const LANGUAGES = { en: "English", pt: "Português" };
const strings = new Map();
const preferred = (navigator.languages || []).map((code) => code.slice(0, 2));

/** The language that the page speaks. */
export const language =
	[recall("language"), ...preferred].find((code) => code in LANGUAGES) || "en";
const column = Object.keys(LANGUAGES).indexOf(language);

/** Add a table of strings, `{key: [a text in each language]}`, which are asked for as "NAME.key". */
export function addStrings(name, table) {
	for (const [key, texts] of Object.entries(table)) strings.set(`${name}.${key}`, texts[column]);
}

/** Return a string, with `{name}` replaced by the values of those names. */
export function t(key, values = {}) {
	const text = strings.get(key) ?? key;
	return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Return the name of a language by its code, in the language of the page or in another one. */
export function languageName(code, inLanguage = language) {
	try {
		const name = new Intl.DisplayNames([inLanguage], { type: "language" }).of(code);
		return name.charAt(0).toLocaleUpperCase(language) + name.slice(1);
	} catch {
		return code; // it is no code that the browser knows
	}
}

/** Return [code, name] pairs of languages, by name. */
export function namedLanguages(codes) {
	const compare = new Intl.Collator(language).compare;
	return [...new Set(codes)]
		.map((code) => [code, languageName(code)])
		.sort((one, other) => compare(one[1], other[1]));
}

/** Return a number as the reader writes it. */
export function number(value, digits = 0) {
	return value.toLocaleString(language, {
		minimumFractionDigits: digits,
		maximumFractionDigits: digits,
	});
}
