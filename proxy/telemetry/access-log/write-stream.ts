/** As of Node's streams. */
export interface TextStream {
  write(text: string, taken: (error?: Error | null) => void): unknown;
}

/** Writes to a stream; the promise resolves when the stream's reader has taken it, and rejects when that is gone. */
export function writeTo(stream: TextStream): (text: string) => Promise<void> {
  return async (text) =>
    await new Promise((resolve, reject) => {
      stream.write(text, (error) => (error ? reject(error) : resolve()));
    });
}
