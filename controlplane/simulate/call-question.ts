import { MeshError } from "../../mesh/errors.ts";

/** A call that somebody asks about. */
export interface CallQuestion {
  /** `http://reviews:9080/path`, `https://…`, `grpc://…`, `tcp://host:port`, `tls://host:port`. */
  readonly to: string;
  readonly method: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** RFC 9110: a token, a colon, and a value without control characters. */
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(\P{Cc}*)$/u;
const METHOD = /^[A-Z][A-Z-]{0,31}$/;

/** The question as people write it, headers as `name: value`. Throws `admin.request` for what no call can have. */
export function parseQuestion(written: {
  readonly to: string;
  readonly method: string;
  readonly headers: readonly string[];
}): CallQuestion {
  const { to, method, headers } = written;
  if (!METHOD.test(method)) {
    throw new MeshError("admin.request", `${JSON.stringify(method)} is not an HTTP method in capitals`);
  }
  return { to, method, headers: headers.map(parseHeader) };
}

function parseHeader(text: string): readonly [string, string] {
  const [, name, value] = HEADER.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return [name, value];
  throw new MeshError("admin.request", `${JSON.stringify(text)} is not a header`, {
    hint: 'write it as "name: value"',
  });
}
