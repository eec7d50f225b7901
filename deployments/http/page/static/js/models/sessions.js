// The live sessions that are open, for administrators: who speaks, how late it is, and an end to it.

import { el } from "../dom.js";
import { number, t } from "../i18n.js";
import { refused } from "./refused.js";

const STAGES = ["received", "recognised", "translated", "spoken"];

/** Return the part of the tab that lists sessions once it is asked to. */
export function sessionsPart(app) {
  const place = el("div", { class: "scrolls" });
  const look = async () => {
    try {
      const { data } = await (await app.api.request("GET", "/v1/realtime/sessions")).json();
      place.replaceChildren(data.length ? table(data, end) : el("p", {}, t("models.sessions_none")));
    } catch (error) {
      place.replaceChildren(refused(error));
    }
  };
  const end = async (id) => {
    if (!confirm(t("models.end_asked", { id }))) return;
    try {
      await app.api.request("DELETE", `/v1/realtime/sessions/${encodeURIComponent(id)}`);
      await look();
    } catch (error) {
      place.replaceChildren(refused(error));
    }
  };
  const button = el("button", { type: "button", onclick: look }, t("models.sessions_show"));
  return el("div", { class: "card stack" }, el("h3", {}, t("models.sessions")), el("div", {}, button), place);
}

function table(rows, end) {
  const heads = ["session", "heard", "languages", "listeners", "lags"].map((key) =>
    el("th", { scope: "col" }, t(`models.${key}`)),
  );
  const body = rows.map((row) =>
    el(
      "tr",
      {},
      el("td", {}, row.name || row.id),
      el("td", {}, `${number(row.heard_s)} s`),
      el("td", {}, `${row.language || "?"} → ${row.targets.join(", ")}`),
      el("td", {}, number(row.listeners)),
      el("td", {}, lags(row.lag)),
      el("td", {}, el("button", { type: "button", onclick: () => end(row.id) }, t("models.end"))),
    ),
  );
  return el("table", {}, el("thead", {}, el("tr", {}, heads, el("td", {}))), el("tbody", {}, body));
}

function lags(lag) {
  const told = STAGES.filter((stage) => lag[stage]);
  return told.map((stage) => `${number(lag[stage].p95_s, 1)} s`).join(" · ") || "–";
}
