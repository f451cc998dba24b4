import type { Answer, PolicyCase, Row } from "./case.ts";

const LEVELS = ["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"] as const;
type Level = (typeof LEVELS)[number];

/** Spellings of `/private/secret`, and from which level of normalisation on each is one. */
const SPELLINGS: readonly (readonly [path: string, from: Level])[] = [
  ["/private/secret", "NONE"],
  ["/private/secret?x=y", "NONE"],
  ["/private/secret?/public", "NONE"],
  ["/./private/secret", "BASE"],
  ["/public/../private/secret", "BASE"],
  ["/private/./secret", "BASE"],
  ["/private/x/../secret", "BASE"],
  ["/private/x/y/../../secret", "BASE"],
  ["/../private/secret", "BASE"],
  ["/../../private/secret", "BASE"],
  ["/%70rivate/secret", "BASE"],
  ["/%70%72%69vate/s%65cret", "BASE"],
  ["/private/%73ecret", "BASE"],
  ["/public/%2e%2e/private/secret", "BASE"],
  ["/public/%2E%2e/private/secret", "BASE"],
  ["/public/.%2e/private/secret", "BASE"],
  ["/%2e/private/secret", "BASE"],
  ["//private/secret", "MERGE_SLASHES"],
  ["/private//secret", "MERGE_SLASHES"],
  ["///private///secret", "MERGE_SLASHES"],
  ["/public/..//private/secret", "MERGE_SLASHES"],
  ["/private%2fsecret", "DECODE_AND_MERGE_SLASHES"],
  ["/private%2Fsecret", "DECODE_AND_MERGE_SLASHES"],
  ["/private%5csecret", "DECODE_AND_MERGE_SLASHES"],
  ["/private%5Csecret", "DECODE_AND_MERGE_SLASHES"],
  ["/%2fprivate%2f%2fsecret", "DECODE_AND_MERGE_SLASHES"],
  ["/public/..%2fprivate/secret", "DECODE_AND_MERGE_SLASHES"],
  ["/public%2f..%2fprivate%5csecret", "DECODE_AND_MERGE_SLASHES"],
];

/** What is another path at every level: escapes of escapes, of case, of what is no slash. */
const OTHERS: readonly string[] = [
  "/",
  "/private",
  "/private/",
  "/private/secret/",
  "/private/secret/x",
  "/private/Secret",
  "/PRIVATE/secret",
  "/private/secrets",
  "/private/%2573ecret",
  "/private%252fsecret",
  "/private/secret%20",
  "/private/secret;x=y",
  "/private;x/secret",
  "/private/secret.",
  "/private/...",
  "/private/secret%3f",
  "/private/secret%23",
];

/** What is refused before any policy is asked. */
const REFUSED: readonly string[] = ["/private/secret#x", "/public#/../private/secret", "/private/secret%00"];

function rowsAt(level: Level, matched: Answer, other: Answer): readonly Row[] {
  const is = (from: Level): boolean => LEVELS.indexOf(from) <= LEVELS.indexOf(level);
  return [
    ...SPELLINGS.map(([path, from]): Row => [{ path }, is(from) ? matched : other]),
    ...OTHERS.map((path): Row => [{ path }, other]),
  ];
}

/** All spellings of a path at every level of normalisation, as an ALLOW and as a DENY, by exact path and by prefix. */
export const PATH_CASES: readonly PolicyCase[] = LEVELS.flatMap((level) => {
  const mesh = `pathNormalization: { normalization: ${level} }`;
  const policy = (action: "ALLOW" | "DENY", path: string): string =>
    `action: ${action}, rules: [{ to: [{ operation: { paths: ["${path}"] } }] }]`;
  return [
    {
      name: `ALLOW /private/secret with ${level}`,
      mesh,
      authorization: [policy("ALLOW", "/private/secret")],
      rows: rowsAt(level, 200, 403),
    },
    {
      name: `DENY /private/secret with ${level}`,
      mesh,
      authorization: [policy("DENY", "/private/secret")],
      rows: rowsAt(level, 403, 200),
    },
    {
      name: `a template has one spelling of each path with ${level}`,
      mesh,
      authorization: [policy("DENY", "/{*}/secret")],
      rows: SPELLINGS.filter(([, from]) => LEVELS.indexOf(from) <= LEVELS.indexOf(level)).map(
        ([path]): Row => [{ path }, 403],
      ),
    },
  ];
});

const DENY_SECRET = 'action: DENY, rules: [{ to: [{ operation: { paths: ["/private/secret"] } }] }]';

/** Every character in both escapes of its two digits: what is unreserved is the character, all else stays itself. */
export const ESCAPE_CASES: readonly PolicyCase[] = [
  {
    name: "every escaped character at the end of a path",
    mesh: "pathNormalization: { normalization: MERGE_SLASHES }",
    authorization: ['action: DENY, rules: [{ to: [{ operation: { paths: ["/secret-*"] } }] }]'],
    rows: Array.from({ length: 0x7f - 1 }, (_, index) => index + 1).map((code): Row => {
      const escape = `%${code.toString(16).padStart(2, "0")}`;
      return [{ path: `/s${escape}cret-x` }, String.fromCharCode(code) === "e" ? 403 : 200];
    }),
  },
  {
    name: "what is no path at all is refused before any policy",
    authorization: [DENY_SECRET],
    rows: REFUSED.map((path): Row => [{ path }, 400]),
  },
];
