// Settings of the page: language, colours, size of text; and the dialog that asks for a key.

import { getKey, setKey } from "./api.js";
import { el, field, setOptions } from "./dom.js";
import { LANGUAGES, language, t } from "./i18n.js";
import { recall, remember } from "./prefs.js";
import { refresh } from "./state.js";

const THEMES = ["auto", "light", "dark"];
const SIZES = ["1", "2", "3"];

/** Show the page as the reader has chosen. */
export function applySettings() {
  const root = document.documentElement;
  root.lang = language;
  const theme = recall("theme", "auto");
  if (theme === "auto") delete root.dataset.theme;
  else root.dataset.theme = theme;
  root.dataset.size = recall("size", "1");
}

/** Return the button that opens the settings, and their panel. */
export function settingsButton({ withKey = true } = {}) {
  const theme = choice("theme", THEMES, "auto", applySettings);
  const size = choice("size", SIZES, "1", applySettings);
  const words = el("select", { onchange: (event) => speak(event.target.value) });
  setOptions(words, Object.entries(LANGUAGES), language);
  const change = async () => {
    if (await askKey()) refresh().catch((error) => alert(error.message));
  };
  const key = el("button", { type: "button", onclick: change }, t("shell.key_change"));
  const panel = el(
    "div",
    { id: "settings", popover: "auto", class: "card stack" },
    field(t("shell.language"), words),
    field(t("shell.theme"), theme),
    field(t("shell.size"), size),
    withKey ? key : null,
  );
  const button = el(
    "button",
    { type: "button", class: "quiet", popovertarget: "settings" },
    t("shell.settings"),
  );
  return [button, panel];
}

function choice(name, values, fallback, changed) {
  const select = el("select", {
    onchange: () => {
      remember(name, select.value);
      changed();
    },
  });
  setOptions(select, values.map((value) => [value, t(`shell.${name}_${value}`)]), recall(name, fallback));
  return select;
}

function speak(code) {
  remember("language", code);
  location.reload();
}

/** Ask the reader for a key, and hold it; promise the key, or null where none was given. */
export function askKey() {
  const input = el("input", {
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
  });
  let given = null;
  const use = (event) => {
    event.preventDefault();
    given = input.value.trim() || null;
    dialog.close();
  };
  const forget = () => {
    setKey(null);
    dialog.close();
  };
  const dialog = el(
    "dialog",
    { class: "card", "aria-labelledby": "key-title" },
    el(
      "form",
      { class: "stack", onsubmit: use },
      el("h2", { id: "key-title" }, t("shell.key_title")),
      field(t("shell.key"), input, t("shell.key_hint")),
      el(
        "div",
        { class: "row end" },
        getKey() ? el("button", { type: "button", onclick: forget }, t("shell.key_forget")) : null,
        el("button", { type: "button", onclick: () => dialog.close() }, t("shell.cancel")),
        el("button", { class: "primary" }, t("shell.key_use")),
      ),
    ),
  );
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      if (given) setKey(given);
      resolve(given);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
