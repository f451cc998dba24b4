/**
 * Cuts a stream of bytes into lines and parses each as JSON (NDJSON, as Nomad's event stream). Throws for a line that is
 * longer than `maxBytes` or is no JSON: Nomad writes the reason for which a stream ends into the stream itself.
 */
export async function* jsonLines(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<unknown, void> {
  const decoder = new TextDecoder();
  let pieces: string[] = [];
  let waiting = 0;
  for await (const chunk of body) {
    const parts = decoder.decode(chunk, { stream: true }).split("\n");
    for (const [index, part] of parts.entries()) {
      waiting += part.length;
      if (waiting > maxBytes) throw new Error(`a line is longer than ${maxBytes} bytes`);
      pieces.push(part);
      if (index === parts.length - 1) break;
      const line = pieces.join("").trim();
      pieces = [];
      waiting = 0;
      if (line !== "") yield parseLine(line);
    }
  }
  const rest = pieces.join("").trim();
  if (rest !== "") throw new Error(`the stream ended with “${rest.slice(0, 200)}”`);
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Error(`the stream says “${line.slice(0, 200)}”`);
  }
}
