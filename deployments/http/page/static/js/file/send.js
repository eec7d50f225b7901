// Send a file and tell how much of it has gone, which fetch() does not tell.

import { ApiError, address, formOf, getKey, keyGiven, refusal, unreachable } from "../api.js";
import { t } from "../i18n.js";

/**
 * Send fields and a file. Promise the answer as a Blob, or null where its events go to `onEvent`.
 * `onSent` is called with the part that has gone, 0 to 1. Throws ApiError, or AbortError.
 */
export function send(path, file, fields, more) {
	const { onSent, onEvent, signal } = more;
	const form = formOf([...fields, ["file", file, file.name]]);
	const ask = new XMLHttpRequest();
	ask.open("POST", address(path));
	if (getKey()) ask.setRequestHeader("authorization", `Bearer ${getKey()}`);
	ask.responseType = onEvent ? "text" : "blob";
	ask.upload.onprogress = ({ loaded, total }) => onSent(loaded / total);
	ask.upload.onload = () => onSent(1);
	signal.addEventListener("abort", () => ask.abort());
	const read = onEvent && eventReader(ask, onEvent);
	return new Promise((resolve, reject) => {
		ask.onprogress = () => ask.status === 200 && read?.();
		ask.onabort = () => reject(new DOMException("stopped", "AbortError"));
		ask.onerror = () => reject(unreachable());
		ask.onload = async () => {
			const isGood = ask.status < 400;
			const error = isGood ? read?.() : refusal(ask, await new Response(ask.response).text());
			if (!error) resolve(onEvent ? null : ask.response);
			else if (ask.status === 401 && (await keyGiven())) resolve(send(path, file, fields, more));
			else reject(error);
		};
		ask.send(form);
	});
}

/** Return a function that hands on new events; it returns what is wrong, null where all came. */
function eventReader(ask, onEvent) {
	let at = 0;
	let wrong = new ApiError(t("file.cut"));
	return () => {
		for (let end; (end = ask.responseText.indexOf("\n\n", at)) >= 0; at = end + 2) {
			const data = ask.responseText.slice(at, end).replace(/^data: /, "");
			const event = data === "[DONE]" ? null : JSON.parse(data);
			if (!event) wrong = null;
			else if (event.error) wrong = new ApiError(event.error.message, event.error);
			else onEvent(event);
		}
		return wrong;
	};
}
