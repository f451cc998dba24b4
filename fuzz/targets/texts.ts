import assert from "node:assert/strict";
import { parseCel } from "../../mesh/cel/parse-cel.ts";
import { MeshError } from "../../mesh/errors.ts";
import { normalizePath } from "../../proxy/data-path/http/path.ts";
import { compileCondition } from "../../proxy/format/compile-cel.ts";
import { compileSingle, compileText } from "../../proxy/format/compile-format.ts";
import { parseFormatText } from "../../proxy/parse/format.ts";
import type { Target } from "../target.ts";
import { HTTP_RECORD, TCP_RECORD } from "./records.ts";

const texts = (...all: readonly string[]): readonly Buffer[] =>
  all.map((text) => Buffer.from(text, "latin1"));
const MS = 12;

/** After an octet with the rules, a path. One that is normal stays as it is, and nothing in it climbs. */
export const path: Target = {
  name: "path",
  longest: 512,
  words: ["/../", "/./", "//", "%2e", "%2F", "%5c", "%00", "%", "..;a/", "/..", "?", "\\"],
  seeds: () =>
    texts(
      "7/a/b",
      "7/a/../b/./c",
      "1/%41%2e%2E/x",
      "3//a///b",
      "4/a%2fb%5Cc",
      "7/..;x=1/a",
      "7/a/.",
      '1/"<>`{}|^',
    ),
  run(input) {
    const flags = input[0] ?? 0;
    const rules = {
      normalize: (flags & 1) !== 0,
      mergeSlashes: (flags & 2) !== 0,
      unescapeSlashes: (flags & 4) !== 0,
    };
    const text = `/${input.toString("latin1", 1).replace(/[^!-~]|[?#]/g, "")}`;
    const once = normalizePath(text, rules);
    if (!once.ok) return;
    assert.ok(once.path.startsWith("/"));
    assert.ok(once.path.length <= 3 * text.length);
    assert.deepEqual(normalizePath(once.path, rules), once, "a normal path has another normal form");
    if (rules.mergeSlashes) assert.doesNotMatch(once.path, /\/\//);
    if (rules.unescapeSlashes) assert.doesNotMatch(once.path, /%(?:2f|5c)/i);
    if (rules.normalize) assert.doesNotMatch(once.path, /\/\.\.?(?:;[^/]*)?(?:\/|$)/);
  },
};

/** What an access log or a header value is written with. */
export const format: Target = {
  name: "format",
  longest: 512,
  words: [
    "%START_TIME(%Y-%m-%dT%H:%M:%S.%3fZ)%",
    "%REQ(X-A?:PATH):5%",
    "%RESP(",
    "%TRAILER(A)%",
    "%DYNAMIC_METADATA(istio.mixer:a:b)%",
    "%FILTER_STATE(a:PLAIN)%",
    "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "%UPSTREAM_CLUSTER%",
    "%RESPONSE_CODE_DETAILS%",
    "%REQUEST_DURATION%",
    "%GRPC_STATUS(SNAKE_STRING)%",
    "%METADATA(",
    "%%",
    "):",
    ":9%",
  ],
  seeds: () =>
    texts(
      '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS%',
      "%START_TIME(%s.%6f %e %b %Z)%",
      "%BYTES_SENT%%DURATION%%UPSTREAM_HOST%",
      "%RESP(GRPC-STATUS):3%",
      "%GRPC_STATUS%",
    ),
  run(input) {
    const parsed = declared(() => parseFormatText("format", input.toString("latin1")));
    if (parsed === undefined) return;
    for (const record of [HTTP_RECORD, TCP_RECORD]) {
      assert.equal(typeof compileText(parsed)(record, MS), "string");
      compileSingle(parsed)?.(record, MS);
    }
  },
};

/** Conditions of access logs. */
export const cel: Target = {
  name: "cel",
  longest: 512,
  words: [
    "response.code",
    "request.headers['x-a']",
    "'x-a' in request.headers",
    "has(request.host)",
    "size(",
    ".matches('",
    ".startsWith('a')",
    " && ",
    " || ",
    " in [200, 404]",
    "!(",
    "((((",
    "'a{1000}'",
    "'(a*)*b'",
    "'[\\\\d'",
    "null",
    "-1",
    "1.5",
  ],
  seeds: () =>
    texts(
      "response.code >= 400 && request.method == 'POST'",
      "!(response.code in [200, 404]) || has(request.id)",
      "request.path.matches('^/[a-z]') && size(request.host) > 3",
      "'x-a' in request.headers && request.headers[\"x-a\"].contains('1')",
      "connection.mtls == true || source.address != null",
      "request.url_path.endsWith('\\n') ",
    ),
  run(input) {
    const parsed = parseCel(input.toString("latin1"));
    if ("problem" in parsed) return;
    const condition = compileCondition(parsed, () => {});
    for (const record of [HTTP_RECORD, TCP_RECORD]) assert.equal(typeof condition(record, MS), "boolean");
  },
};

/** Undefined: refused with a declared error. */
function declared<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof MeshError) return undefined;
    throw error;
  }
}
