/** Headers that are about one connection (RFC 9110 §7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

type RawHeaders = readonly string[];

/** The headers that go on to the other side, in their order and spelling; those that `Connection` names stay behind. */
export function endToEnd(raw: RawHeaders): readonly string[] {
  const named = new Set(valuesOf(raw, "connection").flatMap((value) => value.toLowerCase().split(/\s*,\s*/)));
  return select(raw, (name) => !HOP_BY_HOP.has(name) && !named.has(name));
}

/**
 * Whether `Connection` names a header that says where a request ends or whom it is for. Nobody means that; left out, the
 * body would be read as requests of its own by what is behind (RFC 9110 §7.6.1, RFC 9112 §11.2).
 */
export function namesFraming(raw: RawHeaders): boolean {
  const named = valuesOf(raw, "connection").flatMap((value) => value.toLowerCase().split(","));
  return named.some((name) => ["content-length", "transfer-encoding", "host"].includes(name.trim()));
}

/** Without a header, in any spelling. */
export function without(raw: RawHeaders, ...names: readonly string[]): readonly string[] {
  return select(raw, (name) => !names.includes(name));
}

function select(raw: RawHeaders, keep: (name: string) => boolean): readonly string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? "";
    if (keep(name.toLowerCase())) kept.push(name, raw[at + 1] ?? "");
  }
  return kept;
}

function valuesOf(raw: RawHeaders, wanted: string): readonly string[] {
  return raw.filter((_, at) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === wanted);
}
