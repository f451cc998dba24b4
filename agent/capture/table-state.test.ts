import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTable } from "./table-state.ts";

const table = { family: "inet", name: "lateen", handle: 1 };
const metainfo = { version: "1.0.6", release_name: "Lester Gooch #5", json_schema_version: 1 };

function listed(elem: readonly unknown[] | undefined, over: readonly unknown[] = []): string {
  const armed = { family: "inet", name: "armed", table: "lateen", type: "inet_proto", handle: 3, elem };
  return JSON.stringify({
    nftables: [
      { metainfo },
      { table },
      { set: armed },
      { chain: { family: "inet", table: "lateen", name: "made_0123abcd", handle: 4 } },
      { chain: { family: "inet", table: "lateen", name: "outbound", handle: 5, prio: -110 } },
      {
        rule: {
          chain: "outbound",
          handle: 9,
          expr: [{ counter: { packets: 0, bytes: 0 } }, { redirect: { port: 15_001 } }],
        },
      },
      ...over,
    ],
  });
}

const ends = { elem: { val: "tcp", timeout: 60, expires: 57 } };

const lives: readonly {
  readonly name: string;
  readonly elem: readonly unknown[] | undefined;
  readonly want: unknown;
}[] = [
  { name: "confirmed", elem: ["tcp"], want: { kind: "on" } },
  { name: "confirmed, with name servers", elem: ["tcp", "udp"], want: { kind: "on" } },
  { name: "not confirmed yet", elem: [ends], want: { kind: "ends", inSeconds: 57 } },
  {
    name: "of a host that has no names of protocols",
    elem: [{ elem: { val: 6, expires: 3 } }],
    want: { kind: "ends", inSeconds: 3 },
  },
  { name: "not confirmed in time", elem: undefined, want: { kind: "over" } },
  { name: "with UDP alone", elem: ["udp"], want: { kind: "over" } },
];

for (const { name, elem, want } of lives) {
  test(`a table that is ${name}`, () => {
    const state = parseTable(listed(elem));
    assert.deepEqual(state.life, want);
    assert.equal(state.mark, "0123abcd");
  });
}

test("a table's digest is of its rules, not of how long it has been there or what it has counted", () => {
  const { digest } = parseTable(listed([ends]));
  assert.equal(parseTable(listed(["tcp"])).digest, digest);
  const later = listed([ends]).replace('"packets":0', '"packets":9').replace('"handle":9', '"handle":19');
  assert.equal(parseTable(later).digest, digest);
  assert.notEqual(parseTable(listed([ends]).replace("15001", "15002")).digest, digest);
  const added = { rule: { chain: "outbound", expr: [{ accept: null }] } };
  assert.notEqual(parseTable(listed([ends], [added])).digest, digest);
});

test("a set whose control group is gone is told, and one whose unit has started anew is not", () => {
  const groups = (name: string, elem: readonly string[]): unknown => ({
    set: { family: "inet", name, table: "lateen", type: "cgroupsv2", elem },
  });
  const { stale } = parseTable(
    listed(
      [ends],
      [
        groups("owners_1", ["82"]),
        groups("owners_2", ["82", "system.slice/web.service"]),
        groups("owners_3", []),
      ],
    ),
  );
  assert.deepEqual(stale, ["owners_1", "owners_3"]);
});

for (const text of ["", "{}", "[]", '{"nftables": 1}', '{"nftables": [1]}'])
  test(`no listing: ${text}`, () => assert.throws(() => parseTable(text)));
