// The listener's page: follows one live session by a token, in a language of the listener's choice.

import { address, request } from "../api.js";
import { Player, fromBase64 } from "../audio.js";
import { check, el, field, notice, setOptions } from "../dom.js";
import { language, namedLanguages, t } from "../i18n.js";
import { recall, remember } from "../prefs.js";
import { stayAwake } from "./awake.js";
import { Pane } from "./pane.js";
import { protocols } from "./session.js";

const PAUSES_S = [1, 2, 4, 8, 15]; // before a lost connection is tried again
const OURS = 4000; // the code with which this page closes a connection for another one

export function mount(root, app, link) {
  new Listener(link.get("listen"), link.get("name"), app).mount(root);
}

/** Close a connection; one that is not open yet is closed when it is. */
function leave(socket) {
  if (socket?.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close(OURS);
  else socket?.close(OURS);
}

class Listener {
  constructor(token, name, app) {
    Object.assign(this, { token, name, app });
    this.tries = 0;
    this.player = new Player();
    this.said = new Pane(t("live.original"), { isTold: false });
    this.translated = new Pane(t("live.translation"), { isTold: true });
  }

  async mount(root) {
    this.status = el("p", { class: "status", role: "status" }, t("live.connecting"));
    this.select = el("select", { onchange: () => this.choose() });
    this.hear = el("input", { onchange: () => this.choose() });
    this.shows = el("input", { onchange: () => this.arrange() });
    this.trouble = el("div", {});
    root.append(
      el(
        "div",
        { class: "stack listener" },
        el(
          "div",
          { class: "card row" },
          field(t("live.in_language"), this.select),
          check(t("live.hear"), this.hear),
          check(t("live.show_original"), this.shows),
          this.status,
        ),
        this.trouble,
        el("div", { class: "panes large" }, this.translated.node, this.said.node),
      ),
    );
    document.title = `${t("live.listening")} · Dragoman`;
    this.shows.checked = recall("listener.shows") === "yes";
    try {
      await this.learn();
    } catch (error) {
      this.end(error.status === 401 ? t("live.link_over") : error.message);
      return;
    }
    stayAwake();
    this.arrange();
    this.connect();
  }

  /** Ask which languages there are, and choose one: the last one, or that of the page. */
  async learn() {
    const answer = await request("GET", "/v1/realtime/languages", { headers: this.bearer });
    const { data } = await answer.json();
    this.spoken = new Set(data.filter((row) => row.spoken).map((row) => row.language));
    const codes = data.map((row) => row.language);
    setOptions(this.select, [["", t("live.as_said")], ...namedLanguages(codes)]);
    const wanted = recall("listener.language", language);
    this.select.value = codes.includes(wanted) ? wanted : "";
  }

  get bearer() {
    return { authorization: `Bearer ${this.token}` };
  }

  get target() {
    return this.select.value;
  }

  async choose() {
    remember("listener.language", this.target);
    if (this.hear.checked) await this.player.open();
    this.player.stop();
    this.tries = 0;
    this.arrange();
    this.connect();
  }

  /** Show the panes that there is text for. */
  arrange() {
    remember("listener.shows", this.shows.checked ? "yes" : "no");
    this.hear.disabled = !this.spoken?.has(this.target);
    this.translated.node.hidden = !this.target;
    this.said.node.hidden = Boolean(this.target) && !this.shows.checked;
    this.said.log.setAttribute("aria-live", this.target ? "off" : "polite");
    const hidden = this.translated.node.hidden || this.said.node.hidden;
    this.said.node.parentNode.classList.toggle("one", hidden);
  }

  // ---- the connection ----

  connect() {
    clearTimeout(this.timer);
    leave(this.socket);
    const url = address("/v1/realtime/translations", "ws");
    url.searchParams.set("follow", this.name);
    url.searchParams.set("dragoman_events", "true");
    if (this.target) url.searchParams.set("language", this.target);
    if (!(this.hear.checked && !this.hear.disabled)) url.searchParams.set("text_only", "true");
    const socket = new WebSocket(url, protocols(this.token));
    this.socket = socket;
    let isOver = false;
    socket.onmessage = ({ data }) => {
      if (socket !== this.socket) return; // of the language before
      const event = JSON.parse(data);
      isOver ||= event.type === "session.closed";
      this.take(event);
    };
    socket.onclose = () => {
      if (socket !== this.socket) return;
      if (isOver) this.end(t("live.session_over"));
      else this.tryAgain();
    };
  }

  async tryAgain() {
    this.say(t("live.trying_again"));
    this.endParagraphs();
    const why = await this.whyOver();
    if (why) {
      this.end(why);
      return;
    }
    const pause_s = PAUSES_S[Math.min(this.tries, PAUSES_S.length - 1)];
    this.tries += 1;
    this.timer = setTimeout(() => this.connect(), 1000 * pause_s * (0.75 + Math.random() / 2));
  }

  /** Say why nothing more will come, or return null: a browser does not tell why a socket closed. */
  async whyOver() {
    const stop = new AbortController();
    try {
      const path = `/v1/realtime/follow?name=${encodeURIComponent(this.name)}`;
      await request("GET", path, { headers: this.bearer, signal: stop.signal });
    } catch (error) {
      if (error.status === 404) return t("live.session_over");
      if (error.status === 401) return t("live.link_over");
      if ([400, 403, 422].includes(error.status)) return error.message;
    } finally {
      stop.abort(); // of the answer, which goes on as long as the session
    }
    return null;
  }

  end(text) {
    this.endParagraphs();
    this.say(text);
    this.trouble.replaceChildren(notice("info", text));
  }

  say(text) {
    this.status.textContent = text;
  }

  endParagraphs() {
    this.said.end();
    this.translated.end();
  }

  // ---- what comes ----

  take(event) {
    const { type } = event;
    if (type === "session.created") {
      this.tries = 0;
      this.trouble.replaceChildren();
      this.say(t("live.following"));
    } else if (type === "session.input_transcript.delta") this.said.add(event.delta, event.language);
    else if (type === "session.input_transcript.partial") this.said.partial(event.text, "");
    else if (type === "session.input_transcript.done") this.said.end();
    else if (type === "session.output_transcript.delta") this.translated.add(event.delta, this.target);
    else if (type === "session.output_transcript.done") this.translated.end();
    else if (type === "session.output_audio.delta") this.player.play(fromBase64(event.delta));
    else if (type === "error") this.trouble.replaceChildren(notice("error", event.error.message));
  }
}
