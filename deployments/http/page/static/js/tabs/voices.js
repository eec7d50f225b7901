// The Voices tab: the reader's own, to make, hear and delete, and those of the server.

import { request } from "../api.js";
import { el, field, notice, setOptions } from "../dom.js";
import { language as pageLanguage, languageName, namedLanguages, t } from "../i18n.js";
import { button, card, play, rowButton, stack, tried } from "../shared/parts.js";
import { Registration } from "../voices/register.js";

export const id = "voices";

const SAID = { en: "Good day. This is how I sound.", pt: "Bom dia. É assim que eu soo." };

export function mount(root, app) {
  const tab = new VoicesTab(app);
  root.append(tab.node);
  tab.load();
}

class VoicesTab {
  constructor(app) {
    Object.assign(this, { app, cloning: null });
    this.problem = el("div");
    this.own = el("ul", { class: "rows" });
    this.why = el("div");
    this.add = button(t("voices.add"), () => this.register(), "primary");
    this.add.hidden = true;
    this.form = el("div");
    this.consents = el("ul", { class: "rows" });
    this.consentCard = card(t("voices.consents"), this.consents);
    this.consentCard.hidden = true;
    this.language = el("select", { onchange: () => this.showServer() });
    this.served = el("ul", { class: "rows" });
    this.node = stack(
      this.problem,
      card(t("voices.own"), this.own, this.why, this.add, this.form),
      this.consentCard,
      card(t("voices.served"), field(t("voices.language"), this.language), this.served),
    );
  }

  load() {
    return tried(this.problem, async () => {
      const { data, cloning, cloning_missing: missing } = await listed("/v1/audio/voices");
      this.cloning = cloning ?? null;
      const own = data.filter(({ kind }) => kind === "own");
      this.own.replaceChildren(...own.map((voice) => this.ownRow(voice)));
      this.others = data.filter((voice) => voice.kind !== "own" && !voice.alias_of);
      setOptions(this.language, namedLanguages(this.others.map(({ language }) => language)), this.language.value || pageLanguage);
      this.showServer();
      await this.learnKept(missing ?? t("voices.no_cloning"));
    });
  }

  /** List consents, and offer to make a voice, where the server can keep one and speak in it. */
  async learnKept(missing) {
    let why = this.cloning ? null : missing;
    try {
      this.texts = (await listed("/v1/audio/consent_texts")).data;
      const consents = (await listed("/v1/audio/voice_consents")).data;
      this.consents.replaceChildren(...consents.map((consent) => this.consentRow(consent)));
      this.consentCard.hidden = !consents.length;
    } catch (error) {
      why = error.code === "nothing_kept" ? t("voices.nothing_kept") : (why ?? error.message);
    }
    this.why.replaceChildren(...(why ? [notice("info", why)] : []));
    this.add.hidden = Boolean(why) || this.form.hasChildNodes();
  }

  ownRow({ id: voice, name }) {
    const path = `/v1/audio/voices/${voice}`;
    const languages = this.cloning?.languages ?? [];
    const language = languages.includes(pageLanguage) ? pageLanguage : languages[0];
    return row(
      name,
      this.button("voices.hear_sample", name, () => hear(request("GET", `${path}/sample`))),
      language && this.button("voices.hear", name, () => hear(spoken(voice, language))),
      this.removing(path, name),
    );
  }

  consentRow({ id: consent, name, language }) {
    const about = el("span", { class: "badge" }, languageName(language));
    return row(name, about, this.removing(`/v1/audio/voice_consents/${consent}`, name));
  }

  showServer() {
    const rows = this.others.filter(({ language }) => language === this.language.value);
    const made = ({ id: voice, name, language }) =>
      row(name, this.button("voices.hear", name, () => hear(spoken(voice, language))));
    this.served.replaceChildren(...rows.map(made));
  }

  button(key, name, act, kind) {
    return rowButton(t(key), name, () => tried(this.problem, act), kind);
  }

  removing(path, name) {
    const act = async () => {
      if (!confirm(t("voices.really", { name }))) return;
      await request("DELETE", path);
      this.app.announce(t("voices.deleted", { name }));
      await this.renew();
    };
    return this.button("shared.delete", name, act, "danger");
  }

  register() {
    this.add.hidden = true;
    const registration = new Registration(this.texts, (name) => this.registered(name));
    this.form.replaceChildren(registration.node);
    registration.name.focus();
  }

  async registered(name) {
    this.form.replaceChildren();
    this.add.hidden = false;
    this.add.focus();
    if (!name) return;
    this.app.announce(t("voices.made", { name }));
    await this.renew();
  }

  /** List anew, here and in the other tabs. */
  renew() {
    return Promise.all([this.load(), this.app.refresh()]);
  }
}

const listed = async (path) => (await request("GET", path)).json();
const hear = async (asked) => play(await (await asked).blob());

/** Have a voice say something; where there is no sentence, its language's own name. */
function spoken(voice, language) {
  const input = SAID[language] ?? new Intl.DisplayNames([language], { type: "language" }).of(language);
  const json = { input, voice, language, response_format: "mp3" };
  return request("POST", "/v1/audio/speech", { json });
}

function row(name, ...controls) {
  return el("li", { class: "row" }, el("strong", { dir: "auto" }, name), controls.filter(Boolean));
}
