import type { Ask, PolicyCase } from "./case.ts";

const ALICE: Ask = { as: "default/alice" };
const BOB: Ask = { as: "default/bob" };

const ALLOW_ALL = "action: ALLOW, rules: [{}]";
const ALLOW_NOTHING = "action: ALLOW";
const DENY_ALL = "action: DENY, rules: [{}]";
const DENY_A = "action: DENY, rules: [{ to: [{ operation: { paths: [/a] } }] }]";
const ALLOW_AB = "action: ALLOW, rules: [{ to: [{ operation: { paths: [/a, /b] } }] }]";
const BY_ALICE = "from: [{ source: { serviceAccounts: [alice] } }]";

/** What policies of several actions come to together. */
export const ACTION_CASES: readonly PolicyCase[] = [
  {
    name: "no policy",
    authorization: [],
    rows: [
      [{}, 200],
      [ALICE, 200],
    ],
  },
  {
    name: "ALLOW without rules",
    authorization: [ALLOW_NOTHING],
    rows: [
      [{}, 403],
      [ALICE, 403],
    ],
  },
  { name: "ALLOW with an empty rule", authorization: [ALLOW_ALL], rows: [[{}, 200]] },
  { name: "one ALLOW is enough", authorization: [ALLOW_NOTHING, ALLOW_ALL], rows: [[{}, 200]] },
  { name: "DENY with an empty rule", authorization: [DENY_ALL], rows: [[{}, 403]] },
  { name: "DENY goes before ALLOW", authorization: [ALLOW_ALL, DENY_ALL], rows: [[{}, 403]] },
  {
    name: "what a DENY leaves has to be allowed",
    authorization: [ALLOW_AB, DENY_A],
    rows: [
      [{ path: "/a" }, 403],
      [{ path: "/b" }, 200],
      [{ path: "/c" }, 403],
    ],
  },
  { name: "AUDIT decides nothing", authorization: ["action: AUDIT, rules: [{}]"], rows: [[{}, 200]] },
  {
    name: "AUDIT beside ALLOW and DENY",
    authorization: ["action: AUDIT, rules: [{}]", ALLOW_AB, DENY_A],
    rows: [
      [{ path: "/a" }, 403],
      [{ path: "/b" }, 200],
      [{ path: "/c" }, 403],
    ],
  },
  { name: "a dry DENY refuses nothing", authorization: [`DRY ${DENY_ALL}`], rows: [[{}, 200]] },
  { name: "a dry ALLOW refuses nothing", authorization: [`DRY ${ALLOW_NOTHING}`], rows: [[{}, 200]] },
  {
    name: "a dry policy beside those that count",
    authorization: [`DRY ${DENY_ALL}`, DENY_A, `DRY ${ALLOW_NOTHING}`],
    rows: [
      [{ path: "/a" }, 403],
      [{ path: "/b" }, 200],
    ],
  },
  {
    name: "a dry ALLOW does not allow either",
    authorization: [`DRY ${ALLOW_ALL}`, ALLOW_NOTHING],
    rows: [[{}, 403]],
  },
  {
    name: "a provider that is not there: what it would be asked about is refused",
    authorization: [
      "action: CUSTOM, provider: { name: nobody }, rules: [{ to: [{ operation: { paths: [/a] } }] }]",
    ],
    rows: [
      [{ path: "/a" }, 403],
      [{ path: "/b" }, 200],
    ],
  },
];

/** The same on a port that speaks no HTTP: what asks for a request is dropped from an ALLOW and ignored in a DENY. */
export const TCP_CASES: readonly PolicyCase[] = (
  [
    {
      name: "no policy",
      authorization: [],
      rows: [
        [{}, 200],
        [ALICE, 200],
      ],
    },
    {
      name: "ALLOW without rules",
      authorization: [ALLOW_NOTHING],
      rows: [
        [{}, 0],
        [ALICE, 0],
      ],
    },
    {
      name: "ALLOW by identity",
      authorization: [`action: ALLOW, rules: [{ ${BY_ALICE} }]`],
      rows: [
        [ALICE, 200],
        [BOB, 0],
        [{}, 0],
      ],
    },
    {
      name: "DENY by identity",
      authorization: [`action: DENY, rules: [{ ${BY_ALICE} }]`],
      rows: [
        [ALICE, 0],
        [BOB, 200],
        [{}, 200],
      ],
    },
    {
      name: "DENY goes before ALLOW",
      authorization: [ALLOW_ALL, `action: DENY, rules: [{ ${BY_ALICE} }]`],
      rows: [
        [ALICE, 0],
        [BOB, 200],
      ],
    },
    {
      name: "an ALLOW rule that asks for a path allows nothing",
      authorization: [`action: ALLOW, rules: [{ ${BY_ALICE}, to: [{ operation: { paths: [/a] } }] }]`],
      rows: [
        [ALICE, 0],
        [BOB, 0],
      ],
    },
    {
      name: "of the rules of an ALLOW those without HTTP are kept",
      authorization: [`action: ALLOW, rules: [{ to: [{ operation: { methods: [GET] } }] }, { ${BY_ALICE} }]`],
      rows: [
        [ALICE, 200],
        [BOB, 0],
      ],
    },
    {
      name: "a DENY rule that asks for a path denies without it",
      authorization: [`action: DENY, rules: [{ ${BY_ALICE}, to: [{ operation: { paths: [/a] } }] }]`],
      rows: [
        [ALICE, 0],
        [BOB, 200],
      ],
    },
    {
      name: "a DENY rule with nothing but HTTP denies everything",
      authorization: ["action: DENY, rules: [{ to: [{ operation: { hosts: [a] } }] }]"],
      rows: [
        [ALICE, 0],
        [{}, 0],
      ],
    },
    {
      name: "a DENY rule that asks for a token denies without it",
      authorization: [
        'action: DENY, rules: [{ from: [{ source: { requestPrincipals: ["*"], namespaces: [default] } }] }]',
      ],
      rows: [
        [ALICE, 0],
        [{ as: "other/alice" }, 200],
      ],
    },
    {
      name: "ALLOW by port and address",
      authorization: [
        'action: ALLOW, rules: [{ from: [{ source: { ipBlocks: [127.0.0.5] } }], to: [{ operation: { ports: ["APP"] } }] }]',
      ],
      rows: [
        [{ from: "127.0.0.5" }, 200],
        [{}, 0],
        [{ as: "default/a", from: "127.0.0.5" }, 200],
      ],
    },
    {
      name: "DENY by SNI",
      authorization: ["action: DENY, rules: [{ when: [{ key: connection.sni, values: [a.example] }] }]"],
      rows: [
        [{ as: "default/a", sni: "a.example" }, 0],
        [{ as: "default/a", sni: "b.example" }, 200],
        [{}, 200],
      ],
    },
    { name: "a dry DENY closes nothing", authorization: [`DRY ${DENY_ALL}`], rows: [[ALICE, 200]] },
    { name: "AUDIT closes nothing", authorization: ["action: AUDIT, rules: [{}]"], rows: [[ALICE, 200]] },
  ] satisfies readonly PolicyCase[]
).map((one) => ({ ...one, name: `TCP: ${one.name}`, protocol: "tcp" }));
