// A request as code: curl, Python and JavaScript. A key is not in it: it is read from DRAGOMAN_KEY.

import { el, field, setOptions } from "../dom.js";
import { t } from "../i18n.js";
import { button, copyText, line } from "../shared/parts.js";

const WRITERS = { curl, Python: python, JavaScript: javascript };

/** Return a part that shows the request that `asked` returns, and a function that writes it anew. */
export function codePart(asked, announce) {
  const language = el("select", { onchange: () => write() });
  setOptions(language, Object.keys(WRITERS).map((name) => [name, name]));
  const code = el("code", { dir: "ltr" });
  const copy = button(t("shared.copy"), () => copyText(code.textContent, code, announce));
  const node = el(
    "details",
    { class: "code", ontoggle: () => write() },
    el("summary", {}, t("file.code")),
    line(field(t("file.code_language"), language), copy),
    el("pre", { tabindex: "0" }, code),
  );
  const write = () => {
    if (!node.open) return;
    try {
      code.textContent = WRITERS[language.value](asked());
    } catch (error) {
      code.textContent = error.message; // of a glossary that is incomplete
    }
  };
  return { node, write };
}

function curl({ url, name, fields, hasKey }) {
  return [
    `curl --no-buffer ${shell(url)}`,
    ...(hasKey ? ['-H "Authorization: Bearer $DRAGOMAN_KEY"'] : []),
    ...fields.map((pair) => `--form-string ${shell(pair.join("="))}`),
    `-F ${shell(`file=@"${name.replace(/(["\\])/g, "\\$1")}"`)}`,
  ].join(" \\\n  ");
}

function python({ url, name, fields, hasKey }) {
  const headers = '\n    headers={"Authorization": "Bearer " + os.environ["DRAGOMAN_KEY"]},';
  return `import os
import sys

import httpx

request = dict(${hasKey ? headers : ""}
    data={
${fields.map((pair) => `        ${pair.map(quoted).join(": ")},\n`).join("")}    },
    files={"file": open(${quoted(name)}, "rb")},
    timeout=None,
)
with httpx.stream("POST", ${quoted(url)}, **request) as answer:
    answer.raise_for_status()
    for piece in answer.iter_bytes():
        sys.stdout.buffer.write(piece)
`;
}

function javascript({ url, name, fields, hasKey }) {
  const headers = "\n  headers: { Authorization: `Bearer ${process.env.DRAGOMAN_KEY}` },";
  return `import { openAsBlob } from "node:fs";

const body = new FormData();
${fields.map((pair) => `body.append(${pair.map(quoted).join(", ")});\n`).join("")}body.append("file", await openAsBlob(${quoted(name)}), ${quoted(name)});
const answer = await fetch(${quoted(url)}, {
  method: "POST",${hasKey ? headers : ""}
  body,
});
if (!answer.ok) throw new Error(await answer.text());
for await (const piece of answer.body) process.stdout.write(piece);
`;
}

const quoted = (text) => JSON.stringify(text);
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;
