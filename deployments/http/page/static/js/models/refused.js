// Say why the server refused; where the key may be the reason, with a way to another one.

import { getKey } from "../api.js";
import { el, notice } from "../dom.js";
import { t } from "../i18n.js";
import { askKey } from "../settings.js";

export function refused(error) {
  if (error.status !== 403 || !getKey()) return notice("error", error.message);
  const other = el("button", { type: "button", onclick: () => askKey() }, t("models.other_key"));
  return notice("error", error.message, other);
}
