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
  const events = onEvent && new Events(onEvent);
  ask.open("POST", address(path));
  if (getKey()) ask.setRequestHeader("authorization", `Bearer ${getKey()}`);
  ask.responseType = onEvent ? "text" : "blob";
  ask.upload.onprogress = ({ loaded, total }) => onSent(loaded / total);
  ask.upload.onload = () => onSent(1);
  signal.addEventListener("abort", () => ask.abort());
  return new Promise((resolve, reject) => {
    ask.onprogress = () => ask.status === 200 && events?.read(ask.responseText);
    ask.onabort = () => reject(new DOMException("stopped", "AbortError"));
    ask.onerror = () => reject(new ApiError("The connection broke.", { code: "unreachable" }));
    ask.onload = async () => {
      const error = ask.status < 400 ? events?.end(ask.responseText) : await refusal(ask);
      if (error) reject(error);
      else resolve(onEvent ? null : ask.response);
    };
    ask.send(form);
  });
}

/** Server-sent events of one answer, whose text may end in the middle of one. */
class Events {
  constructor(onEvent) {
    Object.assign(this, { onEvent, at: 0, error: null, isWhole: false });
  }

  read(text) {
    for (let end; (end = text.indexOf("\n\n", this.at)) >= 0; this.at = end + 2) {
      const data = text.slice(this.at, end).replace(/^data: /, "");
      if (data === "[DONE]") this.isWhole = true;
      else this.take(JSON.parse(data));
    }
  }

  take(event) {
    if (event.error) this.error = new ApiError(event.error.message, event.error);
    else this.onEvent(event);
  }

  /** Return what went wrong; null: the answer is whole. */
  end(text) {
    this.read(text);
    return this.isWhole ? null : (this.error ?? new ApiError("The answer ended early."));
  }
}

async function refusal({ status, statusText, response }) {
  try {
    const { error } = JSON.parse(typeof response === "string" ? response : await response.text());
    return new ApiError(error.message, { ...error, status });
  } catch {
    return new ApiError(`${status} ${statusText}`, { status }); // a proxy's own page, say
  }
}
