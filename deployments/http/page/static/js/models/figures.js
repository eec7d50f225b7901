// Figures of the models: since the start, as the server counts them, and of the last seconds.

/** Return each configured model's state: ready, loading, unloaded, or "failed: why". */
export async function states(api) {
  let answer;
  try {
    answer = await (await api.request("GET", "/health/ready")).json();
  } catch (error) {
    if (!error.body?.models) throw error;
    answer = error.body; // it is 503 while one of them is not ready
  }
  const models = Object.entries(answer.models);
  return Object.fromEntries(models.filter(([name]) => !name.startsWith("voice_aliases.")));
}

/** Return the row of each model that can be used, by name, with its counts and the time. */
export async function figuresOf(api) {
  const [models, stats] = await Promise.all([listed(api), counted(api)]);
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

const listed = async (api) => (await api.request("GET", "/v1/models")).json();

let refusedKey; // one that may not see the counts: without them there is no time in the queue

async function counted(api) {
  if (refusedKey === api.getKey()) return new Map();
  let rows;
  try {
    ({ model_stats: rows } = await (await api.request("GET", "/v2/models/stats")).json());
  } catch (error) {
    if (error.status !== 403) throw error;
    refusedKey = api.getKey();
    return new Map();
  }
  return new Map(
    rows.map((row) => [
      row.name,
      {
        items: row.inference_count,
        batches: row.execution_count,
        queued: row.inference_stats.queue.count,
        queue_ns: row.inference_stats.queue.ns,
      },
    ]),
  );
}
