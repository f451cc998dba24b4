import { MeshError } from "../mesh/errors.ts";
import { LARGEST_INPUT_BYTES } from "../mesh/model/yaml-documents.ts";

/**
 * Reads a text from where a user says it is. No more than it takes to see that it is too large: it may have no end.
 * Throws `object.invalid` for what is not UTF-8, and what the stream throws.
 */
export async function readText(stream: AsyncIterable<Buffer>, name: string): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > LARGEST_INPUT_BYTES) break;
  }
  try {
    // A text that was cut off may end within a letter.
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks), {
      stream: bytes > LARGEST_INPUT_BYTES,
    });
  } catch {
    throw new MeshError("object.invalid", `read ${name}: it is not UTF-8 text`, { hint: "save it as UTF-8" });
  }
}
