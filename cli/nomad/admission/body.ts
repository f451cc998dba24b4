import type { IncomingMessage } from "node:http";

/** A body, or why there is none: the status for the other side and a sentence. */
export type ReadBody =
  | { readonly kind: "body"; readonly text: string }
  | { readonly kind: "problem"; readonly status: 400 | 408 | 413; readonly reason: string };

/** Reads a body into memory, up to a size and within a time. Never throws. */
export function readBody(
  message: IncomingMessage,
  { bytes, ms }: { readonly bytes: number; readonly ms: number },
): Promise<ReadBody> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (answer: ReadBody): void => {
      clearTimeout(timer);
      message.off("data", take);
      // What is still to come is read and dropped, so that the other side hears the answer.
      message.resume();
      resolve(answer);
    };
    const fail = (status: 400 | 408 | 413, reason: string): void =>
      settle({ kind: "problem", status, reason });
    const take = (chunk: Buffer): void => {
      length += chunk.length;
      if (length > bytes) fail(413, `the body is longer than ${bytes} bytes`);
      else chunks.push(chunk);
    };
    const timer = setTimeout(() => fail(408, `the body did not come within ${ms} ms`), ms);
    message.on("data", take);
    message.once("end", () => settle({ kind: "body", text: Buffer.concat(chunks).toString("utf8") }));
    message.once("close", () => fail(400, "the body was cut off"));
    message.once("error", () => fail(400, "the body was cut off"));
  });
}
