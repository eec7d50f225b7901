// What the server has: its models, voices and pairs of languages, asked for once and on demand.

import { request } from "./api.js";

export const state = {
	models: [], // rows of /v1/models, each model once
	voices: [], // rows of /v1/audio/voices without aliases
	cloning: [], // rows of /v1/voices: which models speak in the speaker's own voice
	pairs: [], // [source, target] of all translation models
	live: [], // rows of /v1/realtime/languages: what a live session may be translated to
};
const watchers = new Set();

/** Ask the server anew, and tell those who watch. Throws ApiError. */
export async function refresh() {
	const [models, named, voices, live] = await Promise.all(
		["/v1/models", "/v1/audio/voices", "/v1/voices", "/v1/realtime/languages"].map(listed),
	);
	state.models = models.data.filter((row) => !row.alias_of);
	state.voices = named.data.filter((row) => !row.alias_of);
	state.cloning = voices.cloning || [];
	state.live = live.data;
	state.pairs = state.models.flatMap((row) => row.pairs || []);
	for (const watch of watchers) watch(state);
}

/** Call a function now, and after each refresh. */
export function onState(watch) {
	watchers.add(watch);
	watch(state);
}

export const targets = () => translated(([, target]) => target);

export const sources = () => translated(([source]) => source);

export const heard = () => languagesOf("asr");

export const voicesOf = (language) =>
	state.voices.filter((row) => row.language === language && row.kind !== "own");

/** Return the voices that the reader keeps here, which a model that clones speaks in. */
export const ownVoices = () => state.voices.filter((row) => row.kind === "own");

/** Tell whether this machine can speak a language as quickly as somebody talks. */
export const speaksInTime = (language) =>
	state.live.some((row) => row.language === language && row.in_time);

/** Tell whether a model speaks that language in the speaker's own voice. */
export const clones = (language) => state.cloning.some((row) => row.languages.includes(language));

/** Return one end of all pairs. A model with languages instead of pairs translates any two. */
const translated = (end) => [...new Set([...state.pairs.map(end), ...languagesOf("nmt")])];

const languagesOf = (kind) => [
	...new Set(state.models.filter((row) => row.kind === kind).flatMap((row) => row.languages || [])),
];

async function listed(path) {
	try {
		return await (await request("GET", path)).json();
	} catch (error) {
		// No model of that kind, or none that is loaded now: there is nothing of it, and all else goes on.
		if (path !== "/v1/models" && [404, 503].includes(error.status)) return { data: [] };
		throw error;
	}
}
