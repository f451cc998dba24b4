import { isIP } from "node:net";
import { MeshError } from "../../mesh/errors.ts";

const SCHEMES = ["http", "https", "grpc", "tcp", "tls"] as const;
type Scheme = (typeof SCHEMES)[number];

/** What somebody wants to call. */
export interface CallTarget {
  readonly scheme: Scheme;
  /** Without brackets. */
  readonly host: string;
  /** Undefined: none was written. */
  readonly port: number | undefined;
  /** Host and port as they were written. */
  readonly authority: string;
  /** With the query; `/` where none was written. */
  readonly path: string;
}

/** Throws `admin.request` for what is no such URL. The path stays as it is written: proxies tell `/a/../b` from `/b`. */
export function parseTarget(to: string): CallTarget {
  const [, scheme, authority = "", rest = ""] = /^([a-z]+):\/\/([^/?#]*)([^#]*)$/i.exec(to) ?? [];
  const known = SCHEMES.find((one) => one === scheme?.toLowerCase());
  if (known === undefined)
    throw wrong(to, `it begins with none of ${SCHEMES.map((one) => `${one}://`).join(", ")}`);
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(authority) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || /[\s@]/.test(host)) throw wrong(to, "it names no host");
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65_535)) throw wrong(to, "its port is none");
  const plainConnection = known === "tcp" || known === "tls";
  if (plainConnection && port === undefined) throw wrong(to, `${known}:// needs a port`);
  if (plainConnection && rest !== "" && rest !== "/") throw wrong(to, `${known}:// has no path`);
  return { scheme: known, host, port, authority, path: rest.startsWith("/") ? rest : `/${rest}` };
}

export function usesTls({ scheme }: CallTarget): boolean {
  return scheme === "https" || scheme === "tls";
}

export function isAddress({ host }: CallTarget): boolean {
  return isIP(host) !== 0;
}

function wrong(to: string, why: string): MeshError {
  const bare = /^[a-z0-9][a-z0-9.-]*(:\d{1,5})?(\/\S*)?$/i.test(to);
  return new MeshError("admin.request", `${JSON.stringify(to)} is nothing that can be called: ${why}`, {
    hint: bare ? `http://${to}` : "http://reviews:9080/path or tcp://db:5432",
  });
}
