/** Has something for the kernel. */
export interface Flushable {
  flush(): void;
}

let dirty: Flushable[] = [];
let spare: Flushable[] = [];

/**
 * Flushes it after what this turn of the event loop has read is worked off: what was written for one connection by
 * many leaves in one write.
 */
export function flushThisTurn(output: Flushable): void {
  if (dirty.push(output) === 1) setImmediate(flushAll);
}

function flushAll(): void {
  const batch = dirty;
  dirty = spare;
  for (const output of batch) output.flush();
  batch.length = 0;
  spare = batch;
}
