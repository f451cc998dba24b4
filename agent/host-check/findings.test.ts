import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import { dnsFindings, sharedNamesFindings } from "./dns-findings.ts";
import {
  diskFindings,
  foreignListenerFindings,
  kernelFindings,
  stateDirectoryFindings,
  takenPortFindings,
  vipPortFindings,
} from "./place-findings.ts";
import { certificateFindings, serverFindings } from "./server-findings.ts";

const MIB = 1 << 20;
const DAY = 86_400_000;
const kernel = { libcProblem: undefined, hasIpv6: true, hasNetfilter: true };
const directory = { path: "/var/lib/lateen/agent", uid: 990 };
const found = { mode: 0o40700, uid: 990, isDirectory: true };
const nginx = { address: "0.0.0.0", port: 15_020, holder: "process 7 (nginx)" };

/** What is found, and what is said of it. */
const cases: readonly {
  readonly name: string;
  readonly given: readonly HostFinding[];
  readonly want: readonly RegExp[];
}[] = [
  { name: "clocks that are a little apart", given: skew(9_000), want: [] },
  {
    name: "a clock that is behind",
    given: skew(12_000),
    want: [/^warning host\.clock-skew this host's clock is 12 s behind /],
  },
  {
    name: "a clock that is far ahead",
    given: skew(-300_000),
    want: [/^error host\.clock-skew .* 300 s ahead of /],
  },
  {
    name: "one server of two that is away",
    given: serverFindings(
      new Map([
        ["a:1", { kind: "unreachable", reason: "x" }],
        ["b:1", { kind: "reached", aheadMs: 0 }],
      ]),
    ),
    want: [/^warning host\.server-unreachable the server at a:1 cannot be reached: x/],
  },
  {
    name: "the only server that is away",
    given: serverFindings(new Map([["a:1", { kind: "unreachable", reason: "x" }]])),
    want: [/^error host\.server-unreachable/],
  },
  {
    name: "another mesh's server",
    given: serverFindings(new Map([["a:1", { kind: "wrong-authority", reason: "y" }]])),
    want: [/^error host\.wrong-authority .*: y/],
  },
  { name: "a certificate whose renewal is not overdue", given: certificate(0.79), want: [] },
  {
    name: "one that was not renewed",
    given: certificate(0.81),
    want: [/^warning host\.certificate the certificate of default\/web ends at /],
  },
  { name: "one that is over", given: certificate(1), want: [/^error host\.certificate .* is over since /] },
  {
    name: "a state directory as it should be",
    given: stateDirectoryFindings({ ...directory, found }),
    want: [],
  },
  { name: "none yet", given: stateDirectoryFindings({ ...directory, found: undefined }), want: [] },
  {
    name: "one that others can reach",
    given: stateDirectoryFindings({ ...directory, found: { ...found, mode: 0o40750 } }),
    want: [/^error host\.state-directory .*mode 750/],
  },
  {
    name: "one of another user",
    given: stateDirectoryFindings({ ...directory, found: { ...found, uid: 0 } }),
    want: [/^error host\.state-directory .*belongs to user 0, and the agent runs as 990/],
  },
  { name: "a disk with space", given: diskFindings("/var", 300 * MIB), want: [] },
  {
    name: "a tight disk",
    given: diskFindings("/var", 200 * MIB),
    want: [/^warning host\.disk-space 200 MiB are free/],
  },
  { name: "a full disk", given: diskFindings("/var", 3 * MIB), want: [/^error host\.disk-space 3 MiB/] },
  { name: "a kernel with all parts", given: kernelFindings(kernel), want: [] },
  {
    name: "a kernel without the optional ones",
    given: kernelFindings({ libcProblem: "no koffi", hasIpv6: false, hasNetfilter: false }),
    want: [
      /^info host\.kernel-feature libc cannot be called: no koffi/,
      /^info .*IPv6 is off/,
      /^info .*no netfilter/,
    ],
  },
  {
    name: "somebody else at the agent's port",
    given: takenPortFindings([{ ...nginx, what: "the agent's status", setting: "status.port" }]),
    want: [
      /^error host\.port-taken 0\.0\.0\.0:15020, which is for the agent's status, is taken by process 7 \(nginx\)/,
    ],
  },
  {
    name: "somebody else in the range of inbound ports",
    given: foreignListenerFindings([
      { ...nginx, port: 21_000 },
      { ...nginx, port: 21_001 },
    ]),
    want: [/^warning host\.foreign-listener process 7 \(nginx\) listens at 0\.0\.0\.0:21000 and 1 more/],
  },
  {
    name: "somebody who listens everywhere where services are called",
    given: vipPortFindings([{ ...nginx, port: 9080 }]),
    want: [/^error host\.vips-port process 7 \(nginx\) listens at port 9080 of all addresses/],
  },
  { name: "DNS that answers", given: dns([], [{}]), want: [] },
  { name: "a host without DNS", given: dnsFindings({ places: [], upstreams: [] }), want: [] },
  {
    name: "a port of DNS that is taken",
    given: dns(["bind EADDRINUSE 127.0.0.1:53"], [{}]),
    want: [/^error host\.dns-port DNS questions cannot be taken at 127\.0\.0\.1:53: bind EADDRINUSE/],
  },
  {
    name: "a resolver that asks us, and another",
    given: dns([], [{ loops: true }, {}]),
    want: [/^warning host\.dns-loop the resolver 10\.0\.0\.1:53 asks this agent .* the others are asked/],
  },
  {
    name: "the only resolver asks us",
    given: dns([], [{ loops: true }]),
    want: [/^error host\.dns-loop .* names outside the mesh cannot be had/],
  },
  {
    name: "a captured service beside one whose proxy listens for services",
    given: sharedNamesFindings([calls("web", true), calls("api", false, "redirect"), calls("db", false)]),
    want: [
      /^warning host\.dns-shared names are told on this host as default\/web may see them, also to default\/api,/,
    ],
  },
  {
    name: "captured services alone, and one that listens alone",
    given: [
      ...sharedNamesFindings([calls("api", false, "redirect"), calls("db", false, "redirect")]),
      ...sharedNamesFindings([calls("web", true, "redirect"), calls("db", false)]),
    ],
    want: [],
  },
  { name: "one resolver of two that is away", given: dns([], [{ failure: "x" }, {}]), want: [] },
  {
    name: "resolvers that are all away",
    given: dns([], [{ failure: "x" }, { failure: "y" }]),
    want: [/^error host\.dns-upstream no resolver answers: 10\.0\.0\.1:53 \(x\), 10\.0\.0\.2:53 \(y\)/],
  },
  {
    name: "no resolver at all",
    given: dns([], []),
    want: [/^warning host\.dns-upstream this host has no resolver/],
  },
];

for (const { name, given, want } of cases) {
  test(`${name}: ${want.length === 0 ? "nothing is wrong" : "a finding, with what to do"}`, () => {
    const lines = given.map(({ severity, code, message }) => `${severity} ${code} ${message}`);
    assert.equal(lines.length, want.length, lines.join("\n"));
    for (const [index, pattern] of want.entries()) assert.match(lines[index] ?? "", pattern);
    for (const { hint } of given) assert.notEqual(hint, "");
  });
}

function calls(
  service: string,
  vips: boolean,
  interception: "none" | "redirect" = "none",
): Parameters<typeof sharedNamesFindings>[0][number] {
  return { namespace: "default", service, vips, interception };
}

function dns(
  problems: readonly string[],
  upstreams: readonly { readonly failure?: string; readonly loops?: boolean }[],
): readonly HostFinding[] {
  const place = { address: "127.0.0.1", port: 53 };
  return dnsFindings({
    places:
      problems.length === 0
        ? [{ place, problem: undefined }]
        : problems.map((problem) => ({ place, problem })),
    upstreams: upstreams.map(({ failure, loops = false }, index) => {
      return { name: `10.0.0.${index + 1}:53`, failure, loops };
    }),
  });
}

function skew(aheadMs: number): readonly HostFinding[] {
  return serverFindings(new Map([["a:1", { kind: "reached", aheadMs }]]));
}

function certificate(age: number): readonly HostFinding[] {
  return certificateFindings([{ workload: "default/web", notBeforeMs: 0, notAfterMs: DAY }], DAY * age);
}
