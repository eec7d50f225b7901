// Ask the server. The key is held for this session of the browser, and sent to this server alone.

import { t } from "./i18n.js";

const KEY = "dragoman.key";
const BASE = new URL("./", document.baseURI);
let askForKey = async () => null;
let asking = null;
let isDeclined = false; // the reader gave none, and is not asked at each request

/** What the server refused: its message, code, field, status and body; status 0 where it was not reached. */
export class ApiError extends Error {
	constructor(message, { code, param, status = 0, body } = {}) {
		super(message);
		Object.assign(this, { code, param, status, body });
	}
}

export const getKey = () => sessionStorage.getItem(KEY);

export function setKey(key) {
	isDeclined = false;
	if (key) sessionStorage.setItem(KEY, key);
	else sessionStorage.removeItem(KEY);
}

/** Name who asks the reader for a key: `ask(isRefused)` promises one, or null. */
export function onKeyNeeded(ask) {
	askForKey = ask;
	isDeclined = false;
}

/** Return the address of a path of the server; `scheme` "ws" for a WebSocket. */
export function address(path, scheme = null) {
	const url = new URL(path.replace(/^\//, ""), BASE);
	if (scheme === "ws") url.protocol = url.protocol.replace("http", "ws");
	return url;
}

/** Ask, and return a good Response: all others throw ApiError. Where it wants a key, the reader is asked for one. */
export async function request(method, path, { json, form, signal, headers = {} } = {}) {
	for (;;) {
		const key = getKey();
		const sent = { ...headers };
		if (key && !sent.authorization) sent.authorization = `Bearer ${key}`;
		if (json !== undefined) sent["content-type"] = "application/json";
		const body = json !== undefined ? JSON.stringify(json) : form;
		let answer;
		try {
			answer = await fetch(address(path), { method, body, headers: sent, signal });
		} catch (error) {
			if (error.name === "AbortError") throw error;
			throw unreachable();
		}
		if (answer.ok) return answer;
		const isOld = answer.status === 401 && getKey() !== key; // another request has asked meanwhile
		if (answer.status === 401 && !headers.authorization && (isOld || (await keyGiven()))) continue;
		throw refusal(answer, await answer.text());
	}
}

/** Ask the reader for a key, once for all who want one; promise whether there is a new one. */
export async function keyGiven() {
	if (isDeclined) return false;
	asking ??= askForKey(Boolean(getKey())).finally(() => (asking = null));
	isDeclined = (await asking) === null;
	return !isDeclined;
}

export const unreachable = () => new ApiError(t("shell.unreachable"));

/** Return fields, as pairs, as a form. */
export function formOf(fields) {
	const form = new FormData();
	for (const pair of fields) form.append(...pair);
	return form;
}

/** Return what a refusal with such a text says. */
export function refusal({ status, statusText }, text) {
	let body = null;
	try {
		body = JSON.parse(text);
	} catch {
		// a proxy's own page, say: the status tells enough
	}
	const error = body?.error;
	const { message, code, param } = typeof error === "string" ? { message: error } : (error ?? {});
	return new ApiError(message || `${status} ${statusText}`.trim(), { status, body, code, param });
}
