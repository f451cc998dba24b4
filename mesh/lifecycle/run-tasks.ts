/** Long-running work: returns, and does not throw, when its signal is aborted. */
export type Task = (signal: AbortSignal) => Promise<void>;

/**
 * Runs tasks together until all have returned. The first to throw aborts the others, and its error is thrown once they
 * have stopped.
 */
export async function runTasks(signal: AbortSignal, ...tasks: readonly Task[]): Promise<void> {
  const failure = new AbortController();
  const linked = AbortSignal.any([signal, failure.signal]);
  await Promise.all(
    tasks.map(async (task) => {
      try {
        await task(linked);
      } catch (error) {
        failure.abort(error);
      }
    }),
  );
  failure.signal.throwIfAborted();
}
