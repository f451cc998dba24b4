/** Work that is done one after the other. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Does the work when what was asked for before has come to its end, whatever that was. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return await done;
  }
}
