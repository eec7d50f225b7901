// A request as code: curl, Python and JavaScript. A key is not in it: it is read from DRAGOMAN_KEY.

import { button, el, field, line, setOptions } from "../dom.js";
import { t } from "../i18n.js";
import { copyText } from "../shared/parts.js";

const quoted = (text) => JSON.stringify(text);
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const WRITERS = {
	curl: ({ url, name, fields, hasKey }) =>
		[
			`curl --no-buffer ${shell(url)}`,
			...(hasKey ? ['-H "Authorization: Bearer $DRAGOMAN_KEY"'] : []),
			...fields.map((pair) => `--form-string ${shell(pair.join("="))}`),
			`-F ${shell(`file=@"${name.replace(/(["\\])/g, "\\$1")}"`)}`,
		].join(" \\\n  "),
	Python: ({ url, name, fields, hasKey }) => `import os, sys
import httpx

request = dict(${hasKey ? '\n    headers={"Authorization": "Bearer " + os.environ["DRAGOMAN_KEY"]},' : ""}
    data=${quoted(Object.fromEntries(fields))},
    files={"file": open(${quoted(name)}, "rb")},
    timeout=None,
)
with httpx.stream("POST", ${quoted(url)}, **request) as answer:
    answer.raise_for_status()
    for piece in answer.iter_bytes():
        sys.stdout.buffer.write(piece)
`,
	JavaScript: ({ url, name, fields, hasKey }) => `import { openAsBlob } from "node:fs";

const body = new FormData();
for (const pair of ${quoted(fields)}) body.append(...pair);
body.append("file", await openAsBlob(${quoted(name)}), ${quoted(name)});
const headers = ${hasKey ? "{ Authorization: `Bearer ${process.env.DRAGOMAN_KEY}` }" : "{}"};
const answer = await fetch(${quoted(url)}, { method: "POST", headers, body });
if (!answer.ok) throw new Error(await answer.text());
for await (const piece of answer.body) process.stdout.write(piece);
`,
};

/** Return a part that shows the request that `asked` returns, and a function that writes it anew. */
export function codePart(asked) {
	const language = el("select", { onchange: () => write() });
	setOptions(language, Object.keys(WRITERS).map((name) => [name, name]));
	const code = el("code", { dir: "ltr" });
	const copy = button(t("shared.copy"), () => copyText(code.textContent, code));
	const node = el(
		"details",
		{ class: "code", ontoggle: () => write() },
		el("summary", {}, t("file.code")),
		line(field(t("shared.language"), language), copy),
		el("pre", { tabindex: "0" }, code),
	);
	const write = () => {
		if (node.open) code.textContent = WRITERS[language.value](asked());
	};
	return { node, write };
}
