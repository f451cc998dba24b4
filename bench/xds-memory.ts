import { createRequire } from "node:module";

/** glibc's figures of its heaps, `man 3 mallinfo2`; in bytes. */
interface Mallinfo {
  /** What is in use of the arenas, and in mappings of its own. */
  readonly uordblks: number;
  readonly hblkhd: number;
}

interface Koffi {
  load(name: null): { func(name: string, result: unknown, parameters: readonly unknown[]): () => Mallinfo };
  struct(name: string, fields: Readonly<Record<string, string>>): unknown;
}

const FIELDS = [
  "arena",
  "ordblks",
  "smblks",
  "hblks",
  "hblkhd",
  "usmblks",
  "fsmblks",
  "uordblks",
  "fordblks",
  "keepcost",
];

const koffi = createRequire(import.meta.url)("koffi") as Koffi;
const layout = Object.fromEntries(FIELDS.map((field) => [field, "size_t"]));
const mallinfo = koffi.load(null).func("mallinfo2", koffi.struct("mallinfo2", layout), []);

/**
 * Memory that this process needs: live JavaScript objects, and what is allocated beside them (TLS, HTTP/2, buffers). What
 * is resident is more, by garbage that was not given back, and that depends on what happened before.
 */
export function liveBytes(): number {
  const { uordblks, hblkhd } = mallinfo();
  return process.memoryUsage().heapUsed + uordblks + hblkhd;
}
