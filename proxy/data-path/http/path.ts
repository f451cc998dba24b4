export type NormalizedPath =
  | { readonly ok: true; readonly path: string }
  | { readonly ok: false; readonly reason: string };

export interface PathRules {
  readonly normalize: boolean;
  readonly mergeSlashes: boolean;
  /** Escaped slashes and backslashes count as slashes. */
  readonly unescapeSlashes: boolean;
}

/**
 * One spelling for each path, so that policy, routing and the application cannot read it differently, and the one that
 * Envoy's `normalize_path` makes, so that a policy means the same on both: escaped unreserved characters are decoded
 * (RFC 3986 §6.2.2), characters that no URI may hold escaped, dot segments resolved, and slashes merged where asked
 * for. Other escapes stay as they came, the case of their digits too. `path` is without query.
 */
export function normalizePath(path: string, rules: PathRules): NormalizedPath {
  const slashed = rules.unescapeSlashes ? path.replace(/%(?:2f|5c)/gi, "/") : path;
  let normal = slashed;
  if (rules.normalize) {
    if (/%(?![0-9A-Fa-f]{2})/.test(path)) return { ok: false, reason: "a percent sign that escapes nothing" };
    if (path.includes("%00")) return { ok: false, reason: "an escaped NUL" };
    normal = removeDotSegments(escapeForbidden(decodeUnreserved(slashed)));
  }
  return { ok: true, path: rules.mergeSlashes ? normal.replace(/\/{2,}/g, "/") : normal };
}

function decodeUnreserved(path: string): string {
  if (!path.includes("%")) return path;
  return path.replace(/%([0-9A-Fa-f]{2})/g, (escape, hex: string) => {
    const letter = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9._~-]/.test(letter) ? letter : escape;
  });
}

function escapeForbidden(path: string): string {
  return path.replace(/["<>^`{|}]/g, (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** Also those with parameters (`/..;x=1/`): servers that take parameters off read them as dot segments. */
function removeDotSegments(path: string): string {
  if (!path.includes("/.")) return path;
  const kept: string[] = [];
  const segments = path.split("/").slice(1);
  for (const [index, written] of segments.entries()) {
    const segment = written.replace(/^(\.\.?);.*$/, "$1");
    const last = index === segments.length - 1;
    if (segment === "..") kept.pop();
    else if (segment !== ".") kept.push(segment);
    // `/a/.` and `/a/..` name directories: the slash stays.
    if (last && (segment === "." || segment === "..")) kept.push("");
  }
  return `/${kept.join("/")}`;
}
