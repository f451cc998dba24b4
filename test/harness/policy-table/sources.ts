import type { Ask, PolicyCase, Row } from "./case.ts";

const ALICE: Ask = { as: "default/alice" };
const BOB: Ask = { as: "default/bob" };
const OUT: Ask = { as: "other/alice" };
const PLAIN: Ask = {};

function source(fields: string, action: "ALLOW" | "DENY" = "ALLOW"): string {
  return `action: ${action}, rules: [{ from: [{ source: { ${fields} } }] }]`;
}

/** Who passes an ALLOW; a DENY of the same source has the other answers. */
function both(fields: string, passing: readonly Ask[], refused: readonly Ask[]): readonly PolicyCase[] {
  const rows = (yes: Row[1], no: Row[1]): readonly Row[] => [
    ...passing.map((ask): Row => [ask, yes]),
    ...refused.map((ask): Row => [ask, no]),
  ];
  return [
    { name: `ALLOW source { ${fields} }`, authorization: [source(fields)], rows: rows(200, 403) },
    { name: `DENY source { ${fields} }`, authorization: [source(fields, "DENY")], rows: rows(403, 200) },
  ];
}

/** Every field of a source. */
export const SOURCE_CASES: readonly PolicyCase[] = [
  ...both("principals: [cluster.local/ns/default/sa/alice]", [ALICE], [BOB, OUT, PLAIN]),
  ...both('principals: ["cluster.local/ns/default/*"]', [ALICE, BOB], [OUT, PLAIN]),
  ...both('principals: ["*/sa/alice"]', [ALICE, OUT], [BOB, PLAIN]),
  ...both('principals: ["*"]', [ALICE, BOB, OUT], [PLAIN]),
  ...both("notPrincipals: [cluster.local/ns/default/sa/alice]", [BOB, OUT, PLAIN], [ALICE]),
  ...both('notPrincipals: ["*"]', [PLAIN], [ALICE, BOB]),
  ...both("namespaces: [default]", [ALICE, BOB], [OUT, PLAIN, { as: "defaults/alice" }]),
  ...both('namespaces: ["def*"]', [ALICE, { as: "defaults/alice" }], [OUT, PLAIN]),
  ...both('namespaces: ["*er"]', [OUT], [ALICE, PLAIN]),
  ...both("notNamespaces: [default]", [OUT, PLAIN], [ALICE]),
  ...both("serviceAccounts: [alice]", [ALICE], [BOB, OUT, PLAIN]),
  ...both("serviceAccounts: [other/alice]", [OUT], [ALICE, PLAIN]),
  ...both("notServiceAccounts: [alice]", [BOB, OUT, PLAIN], [ALICE]),
  ...both("trustDomains: [cluster.local]", [ALICE, OUT], [PLAIN]),
  ...both('trustDomains: ["clu*"]', [ALICE], [PLAIN]),
  ...both('trustDomains: ["*.local"]', [ALICE], [PLAIN]),
  ...both('trustDomains: ["*"]', [ALICE], [PLAIN]),
  ...both("trustDomains: [elsewhere, cluster.locale, luster.local]", [], [ALICE, PLAIN]),
  ...both("notTrustDomains: [cluster.local]", [PLAIN], [ALICE]),
  ...both("notTrustDomains: [elsewhere]", [ALICE, PLAIN], []),
  ...both("trustDomains: [cluster.local], notNamespaces: [other]", [ALICE], [OUT, PLAIN]),
  ...both("ipBlocks: [127.0.0.5]", [{ from: "127.0.0.5" }], [PLAIN, { from: "127.0.0.6" }]),
  ...both(
    'ipBlocks: ["127.0.1.0/24"]',
    [{ from: "127.0.1.9" }, { from: "127.0.1.1", as: "default/alice" }],
    [PLAIN, { from: "127.0.2.1" }],
  ),
  ...both("notIpBlocks: [127.0.0.5]", [PLAIN], [{ from: "127.0.0.5" }]),
  ...both(
    'remoteIpBlocks: ["10.0.0.0/8"]',
    [
      { headers: [["x-forwarded-for", "10.1.2.3"]] },
      { headers: [["x-forwarded-for", "192.0.2.1, 10.1.2.3"]] },
      {
        headers: [
          ["x-forwarded-for", "192.0.2.1"],
          ["x-forwarded-for", "10.1.2.3"],
        ],
      },
    ],
    [
      PLAIN,
      { headers: [["x-forwarded-for", "10.1.2.3, 192.0.2.1"]] },
      { headers: [["x-forwarded-for", "10.1.2.3:80"]] },
      { headers: [["x-forwarded-for", "unknown"]] },
      { headers: [["x-forwarded-for", ""]] },
    ],
  ),
  ...both(
    'notRemoteIpBlocks: ["10.0.0.0/8"]',
    [PLAIN, { headers: [["x-forwarded-for", "192.0.2.1"]] }],
    [{ headers: [["x-forwarded-for", "10.1.2.3"]] }],
  ),
  ...both(
    "ipBlocks: [127.0.0.5]",
    [{ from: "127.0.0.5", headers: [["x-forwarded-for", "192.0.2.1"]] }],
    [{ headers: [["x-forwarded-for", "127.0.0.5"]] }],
  ),
  ...both(
    "namespaces: [default], notPrincipals: [cluster.local/ns/default/sa/alice], ipBlocks: [127.0.0.5]",
    [{ as: "default/bob", from: "127.0.0.5" }],
    [BOB, { as: "default/alice", from: "127.0.0.5" }, { from: "127.0.0.5" }],
  ),
  {
    name: "sources are alternatives",
    authorization: [
      "action: ALLOW, rules: [{ from: [{ source: { namespaces: [other] } }, { source: { serviceAccounts: [bob] } }] }]",
    ],
    rows: [
      [OUT, 200],
      [BOB, 200],
      [ALICE, 403],
    ],
  },
  {
    name: "a mesh that was renamed knows its peers by the old name too",
    mesh: "trustDomainAliases: [old.example]",
    authorization: [source("principals: [cluster.local/ns/default/sa/alice]")],
    rows: [
      [ALICE, 200],
      [{ as: "spiffe://old.example/ns/default/sa/alice" }, 200],
      [{ as: "spiffe://old.example/ns/default/sa/bob" }, 403],
      [BOB, 403],
    ],
  },
  {
    name: "what a caller says of itself in headers counts for nothing",
    authorization: [source("principals: [cluster.local/ns/default/sa/alice]")],
    rows: [
      [{ headers: [["x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/default/sa/alice"]] }, 403],
      [
        {
          as: "default/bob",
          headers: [["x-forwarded-client-cert", "URI=spiffe://cluster.local/ns/default/sa/alice"]],
        },
        403,
      ],
      [{ headers: [["x-lateen-peer-id", "spiffe://cluster.local/ns/default/sa/alice"]] }, 403],
      [{ as: "default/alice", headers: [["connection", "x-forwarded-client-cert"]] }, 200],
    ],
  },
];
