/** A Debian archive that this machine's apt already trusts and uses. */
export interface DebianMirror {
  readonly uri: string;
  /** Path of the keyring that apt checks it with; undefined: apt's own default. */
  readonly signedBy: string | undefined;
}

/** apt's two file formats: one line an entry (`*.list`), and stanzas (`*.sources`). */
export interface AptSourceFile {
  readonly name: string;
  readonly text: string;
}

/**
 * The mirrors of Debian's main archive among a machine's apt sources, in their order, each once. Security archives and
 * disabled entries are left out; whether a mirror is Debian's (and not, say, Ubuntu's) only asking it can tell.
 */
export function debianMirrors(files: readonly AptSourceFile[]): readonly DebianMirror[] {
  const mirrors = new Map<string, DebianMirror>();
  for (const { name, text } of files) {
    for (const mirror of name.endsWith(".sources") ? fromStanzas(text) : fromLines(text)) {
      if (!mirrors.has(mirror.uri)) mirrors.set(mirror.uri, mirror);
    }
  }
  return [...mirrors.values()];
}

/** `deb [arch=amd64 signed-by=/path] URI suite component…`, see sources.list(5). */
function* fromLines(text: string): Generator<DebianMirror> {
  for (const line of text.split("\n")) {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line);
    if (match === null) continue;
    const [, options = "", uri = "", suite = "", components = ""] = match;
    if (!isMain([suite], components.split(/\s+/))) continue;
    yield { uri: trimSlash(uri), signedBy: /(?:^|\s)signed-by=(\/\S+)/.exec(options)?.[1] };
  }
}

/** RFC 822 stanzas: `Types`, `URIs`, `Suites`, `Components`, `Signed-By`, `Enabled`. */
function* fromStanzas(text: string): Generator<DebianMirror> {
  for (const stanza of text.replaceAll(/^#.*\n?/gm, "").split(/\n\s*\n/)) {
    const field = (name: string): readonly string[] =>
      (new RegExp(`^${name}:(.*(?:\\n[ \\t].*)*)`, "im").exec(stanza)?.[1] ?? "").trim().split(/\s+/);
    if (!field("Types").includes("deb") || field("Enabled")[0]?.toLowerCase() === "no") continue;
    if (!isMain(field("Suites"), field("Components"))) continue;
    const keyring = field("Signed-By")[0];
    for (const uri of field("URIs")) {
      if (uri !== "")
        yield { uri: trimSlash(uri), signedBy: keyring?.startsWith("/") === true ? keyring : undefined };
    }
  }
}

function isMain(suites: readonly string[], components: readonly string[]): boolean {
  return components.includes("main") && suites.some((suite) => !suite.includes("security"));
}

function trimSlash(uri: string): string {
  return uri.replace(/\/+$/, "");
}
