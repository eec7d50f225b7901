// Send a file and tell how much of it has gone, which fetch() does not tell.

import { ApiError, address, getKey } from "../api.js";

/**
 * Send fields and a file. Promise the answer as a Blob, or null where its events go to `onEvent`.
 * `onSent` is called with the part that has gone, 0 to 1. Throws ApiError, or AbortError.
 */
export function send(path, file, fields, { onSent, onEvent, signal }) {
  const form = new FormData();
  for (const pair of fields) form.append(...pair);
  form.append("file", file, file.name);
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
    ask.onerror = () => reject(new ApiError("The connection broke.", { code: "unreachable" }));
    ask.onload = async () => {
      const error = ask.status < 400 ? read?.() : await refusal(ask);
      if (error) reject(error);
      else resolve(onEvent ? null : ask.response);
    };
    ask.send(form);
  });
}

/** Return a function that hands on new events; it returns what is wrong, null where all came. */
function eventReader(ask, onEvent) {
  let at = 0;
  let wrong = new ApiError("The answer ended early.");
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

async function refusal({ status, statusText, response }) {
  try {
    const { error } = JSON.parse(typeof response === "string" ? response : await response.text());
    return new ApiError(error.message, { ...error, status });
  } catch {
    return new ApiError(`${status} ${statusText}`, { status }); // a proxy's own page, say
  }
}
