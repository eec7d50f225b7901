// Share a live session: a link and its QR code, by which others listen until it ends.

import { request } from "../api.js";
import { el, field, notice } from "../dom.js";
import { t } from "../i18n.js";

const LASTS_S = 7200; // in which listeners may come: as long as a token lasts at most

/** Show the link to a session of that name in a dialog. */
export async function share(name, app) {
  const place = el("div", { class: "stack" }, el("p", { class: "hint" }, t("shell.asking")));
  const close = el("button", { type: "button", onclick: () => dialog.close() }, t("live.close"));
  const dialog = el(
    "dialog",
    { class: "card", "aria-labelledby": "share-title", onclose: () => dialog.remove() },
    el(
      "div",
      { class: "stack" },
      el("h2", { id: "share-title" }, t("live.share_title")),
      place,
      el("div", { class: "row end" }, close),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  try {
    place.replaceChildren(...shown(await made(name), app));
  } catch (error) {
    place.replaceChildren(notice("error", error.message));
  }
}

async function made(name) {
  const page = `${location.origin}${location.pathname}`;
  const json = { name, page, expires_after: { seconds: LASTS_S } };
  return (await request("POST", "/v1/realtime/listen_tokens", { json })).json();
}

function shown({ link, qr_svg: svg }, app) {
  const picture = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  const input = el("input", { type: "text", readonly: true, value: link, onfocus: () => input.select() });
  const copy = async () => {
    input.select();
    await navigator.clipboard?.writeText(link); // none over plain HTTP: the link is selected
    app.announce(t("live.copied"));
    button.textContent = t("live.copied");
  };
  const button = el("button", { type: "button", onclick: copy }, t("live.copy"));
  const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
  return [
    el("p", {}, t("live.share_what")),
    el("img", { class: "qr", src: picture, alt: t("live.qr") }),
    field(t("live.link"), input),
    el("div", { class: "row" }, button),
    isHere ? notice("warning", t("live.share_here")) : null,
  ].filter(Boolean);
}
