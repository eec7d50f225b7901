// Figures of the models: since the start, as the server counts them, and of the last seconds.

import { getKey } from "../api.js";
import { asked } from "../shared/parts.js";

/** Return each configured model's state: ready, loading, unloaded, or "failed: why". */
export async function states() {
	const { models } = await asked("GET", "/health/ready").catch((error) => {
		if (!error.body?.models) throw error;
		return error.body; // it is 503 while one of them is not ready
	});
	const rows = Object.entries(models);
	return Object.fromEntries(rows.filter(([name]) => !name.startsWith("voice_aliases.")));
}

/** Return the row of each model that can be used, by name, with its counts and the time. */
export async function figuresOf() {
	const [models, stats] = await Promise.all([asked("GET", "/v1/models"), counted()]);
	const at_s = performance.now() / 1000;
	const rows = models.data.filter((row) => !row.alias_of);
	return new Map(rows.map((row) => [row.id, { ...row, at_s, counts: stats.get(row.id) }]));
}

/** Return what a model did between two looks: its load, items a batch and time in the queue. */
export function delta(before, now) {
	const of = (row, name) => row?.counts?.[name] ?? 0;
	const since = (name) => Math.max(0, of(now, name) - (before?.counts ? of(before, name) : of(now, name)));
	const batches = since("batches");
	const queued = since("queued");
	const passed_s = before ? now.at_s - before.at_s : 0;
	const busy_s = before ? Math.max(0, now.statistics.busy_s - before.statistics.busy_s) : 0;
	return {
		busy: passed_s ? Math.min(1, busy_s / (passed_s * Math.max(1, now.replicas))) : 0,
		batch_size: batches ? since("items") / batches : 0,
		queue_ms: queued ? since("queue_ns") / queued / 1e6 : 0,
	};
}

let refusedKey; // one that may not see the counts: without them there is no time in the queue

async function counted() {
	if (refusedKey === getKey()) return new Map();
	try {
		const { model_stats: rows } = await asked("GET", "/v2/models/stats");
		return new Map(rows.map((row) => [row.name, counts(row)]));
	} catch (error) {
		if (error.status !== 403) throw error;
		refusedKey = getKey();
		return new Map();
	}
}

const counts = ({ inference_count: items, execution_count: batches, inference_stats: { queue } }) => ({
	items,
	batches,
	queued: queue.count,
	queue_ns: queue.ns,
});
