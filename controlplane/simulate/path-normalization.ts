/** Characters that mean the same whether they are escaped or not (RFC 3986, 2.3). */
const UNRESERVED = /[A-Za-z0-9\-._~]/;

/**
 * RFC 3986 normalization as Envoy does it: dot segments are resolved, backslashes are slashes, escapes of what needs none
 * are undone. Undefined: no valid path.
 */
export function normalizePath(path: string): string | undefined {
  if (path.includes("\0") || /%00/.test(path)) return undefined;
  const unescaped = path.replaceAll("\\", "/").replaceAll(/%([0-9a-fA-F]{2})/g, (escape, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return UNRESERVED.test(character) ? character : escape;
  });
  return resolveDots(unescaped);
}

export function mergeSlashes(path: string): string {
  return path.replaceAll(/\/{2,}/g, "/");
}

export function hasEscapedSlash(path: string): boolean {
  return /%2f|%5c/i.test(path);
}

export function escapedSlashesToSlashes(path: string): string {
  return path.replaceAll(/%2f/gi, "/").replaceAll(/%5c/gi, "\\");
}

function resolveDots(path: string): string {
  const segments = path.split("/").slice(1);
  const kept: string[] = [];
  for (const [index, segment] of segments.entries()) {
    if (segment !== "." && segment !== "..") {
      kept.push(segment);
      continue;
    }
    if (segment === "..") kept.pop();
    // A path that ends in a dot segment names a folder.
    if (index === segments.length - 1) kept.push("");
  }
  return `/${kept.join("/")}`;
}
