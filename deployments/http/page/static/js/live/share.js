// Share a live session: a link and its QR code, by which others listen until it ends.

import { request } from "../api.js";
import { button, dialog, el, field, line, notice, stack } from "../dom.js";
import { t } from "../i18n.js";
import { copyText, tried } from "../shared/parts.js";

const LASTS_S = 7200; // in which listeners may come: as long as a token lasts at most

/** Show the link to a session of that name in a dialog. */
export function share(name) {
	const place = stack();
	const close = el("div", { class: "row end" }, button(t("shell.close"), () => shown.close()));
	const shown = dialog(t("live.share_title"), stack(place, close));
	return tried(place, async () => place.replaceChildren(...parts(await made(name))));
}

async function made(name) {
	const page = `${location.origin}${location.pathname}`;
	const json = { name, page, expires_after: { seconds: LASTS_S } };
	return (await request("POST", "/v1/realtime/listen_tokens", { json })).json();
}

function parts({ link, qr_svg: svg }) {
	const picture = `data:image/svg+xml,${encodeURIComponent(svg)}`;
	const input = el("input", { type: "text", readonly: true, value: link, onfocus: () => input.select() });
	const copying = button(t("live.copy"), async () => {
		copying.textContent = await copyText(link, input);
	});
	const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
	return [
		el("p", {}, t("live.share_what")),
		el("img", { class: "qr", src: picture, alt: t("live.qr") }),
		field(t("live.link"), input),
		line(copying),
		...(isHere ? [notice("warning", t("live.share_here"))] : []),
	];
}
