// graphile-worker, from the rivals' node_modules (NODE_PATH): `graphile_drain.cjs URL fill N` or `graphile_drain.cjs URL drain`.
//
// Its fastest documented way: a local queue of 500 jobs that is refilled in one query, jobs completed in batches, 24 at
// once, a task that does nothing; run once, until nothing is left. `drain` prints {"jobs", "seconds"}; the seconds are
// those of the drain alone, without imports and connecting.
"use strict";

const { Logger, makeWorkerUtils, runOnce } = require("graphile-worker");
const { Pool } = require("pg");

const FILL = 10000; // jobs put in at once
const logger = new Logger(() => () => {});

async function fill(pgPool, n) {
  const utils = await makeWorkerUtils({ pgPool, logger });
  await utils.migrate();
  for (let done = 0; done < n; done += FILL) {
    const some = Math.min(FILL, n - done);
    await utils.addJobs(Array.from({ length: some }, (_, i) => ({ identifier: "noop", payload: { id: done + i } })));
  }
  await utils.release();
  await pgPool.query("vacuum analyze");
}

async function drain(pgPool) {
  let jobs = 0;
  const worker = {
    concurrentJobs: 24,
    localQueue: { size: 500 },
    completeJobBatchDelay: 0,
    failJobBatchDelay: 0,
  };
  await Promise.all(Array.from({ length: 4 }, () => pgPool.query("select 1")));
  const began = process.hrtime.bigint();
  await runOnce({ pgPool, logger, noHandleSignals: true, preset: { worker } }, { noop: () => void jobs++ });
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  console.log(JSON.stringify({ jobs, seconds }));
}

async function main([url, what, n]) {
  const pgPool = new Pool({ connectionString: url, max: 25 });
  pgPool.on("error", () => {});
  pgPool.on("connect", (client) => client.on("error", () => {}));
  await (what === "fill" ? fill(pgPool, Number(n)) : drain(pgPool));
  await pgPool.end();
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});
