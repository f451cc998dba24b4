import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startConsul } from "../../../setup/run-consul.ts";
import { runCli } from "../../../test/harness/run-cli.ts";
import { requireTool } from "../../../test/harness/tools.ts";
import { catalogOf, workloadOf } from "./testing/catalog.ts";

const SERVICES = ["web", "api", "db", "batch"] as const;
const TOKEN = "7a3c7a0e-0c26-4d5e-9c4f-0d9f6c1f8a11";

type Default = "allow" | "deny";
type Intention = readonly [source: string, destination: string, action: Default];

/** Each precedence of Consul's against each other: exact or `*` on both sides, allow against deny. */
const TABLES: readonly (readonly Intention[])[] = [
  [],
  [["web", "api", "allow"]],
  [["web", "api", "deny"]],
  [
    ["web", "*", "deny"],
    ["*", "api", "allow"],
    ["batch", "api", "deny"],
  ],
  [
    ["*", "*", "deny"],
    ["web", "*", "allow"],
    ["*", "db", "deny"],
    ["api", "db", "allow"],
  ],
  [
    ["*", "*", "allow"],
    ["*", "db", "deny"],
    ["api", "db", "allow"],
    ["web", "*", "deny"],
    ["web", "api", "allow"],
  ],
  [
    ["*", "*", "deny"],
    ["*", "web", "allow"],
    ["db", "web", "deny"],
    ["batch", "*", "allow"],
    ["batch", "db", "deny"],
  ],
];

interface AskedConsul extends AsyncDisposable {
  readonly address: string;
  readonly tokenFile: string;
  call(method: string, path: string, body?: unknown): Promise<unknown>;
}

async function consulWith(t: TestContext, policy: Default): Promise<AskedConsul> {
  const acl = `acl { enabled = true default_policy = "${policy}" tokens { master = "${TOKEN}" default = "${TOKEN}" } }`;
  const consul = await startConsul(
    requireTool("consul"),
    undefined,
    undefined,
    policy === "deny" ? acl : undefined,
  );
  const directory = temporary(t);
  const tokenFile = join(directory, "token");
  writeFileSync(tokenFile, TOKEN);
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const headers: Record<string, string> = policy === "deny" ? { "x-consul-token": TOKEN } : {};
    const payload = body === undefined ? null : JSON.stringify(body);
    const response = await fetch(`${consul.address}/v1${path}`, { method, headers, body: payload });
    const text = await response.text();
    assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  };
  return {
    address: consul.address,
    tokenFile,
    call,
    [Symbol.asyncDispose]: () => consul[Symbol.asyncDispose](),
  };
}

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "lateen-import-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function store(consul: AskedConsul, table: readonly Intention[]): Promise<void> {
  const old = (await consul.call("GET", "/connect/intentions")) as readonly { readonly ID: string }[] | null;
  for (const { ID } of old ?? []) await consul.call("DELETE", `/connect/intentions/${ID}`);
  for (const [SourceName, DestinationName, Action] of table)
    await consul.call("POST", "/connect/intentions", {
      SourceName,
      DestinationName,
      SourceType: "consul",
      Action,
    });
}

async function importFrom(consul: AskedConsul): Promise<string> {
  const argv = ["import", "consul", "--consul", consul.address, "--token-file", consul.tokenFile, "--strict"];
  const { code, stdout, stderr } = await runCli(argv);
  assert.equal(code, 0, stderr);
  return stdout;
}

for (const policy of ["allow", "deny"] as const) {
  test(`what Consul's own check says of each pair, the imported policies say: default ${policy}`, async (t) => {
    await using consul = await consulWith(t, policy);
    const said = new Set<boolean>();
    for (const table of TABLES) {
      await store(consul, table);
      const directory = temporary(t);
      writeFileSync(join(directory, "catalog.yaml"), catalogOf(SERVICES));
      writeFileSync(join(directory, "imported.yaml"), await importFrom(consul));
      const validated = await runCli(["validate", "--strict", "-f", directory]);
      assert.equal(validated.code, 0, validated.stdout);
      const analyzed = await runCli(["analyze", "--failure-threshold", "Warning", "-f", directory]);
      assert.equal(analyzed.code, 0, analyzed.stdout);
      for (const source of SERVICES) {
        for (const destination of SERVICES) {
          const query = `source=${source}&destination=${destination}`;
          const { Allowed } = (await consul.call("GET", `/connect/intentions/check?${query}`)) as {
            readonly Allowed: boolean;
          };
          const ours = await runCli(["authz", "check", `${source}-v1`, `${destination}-v1`, "-f", directory]);
          const why = `${source} → ${destination} of ${JSON.stringify(table)}\n${ours.stdout}${ours.stderr}`;
          assert.equal(ours.code, Allowed ? 0 : 1, why);
          said.add(Allowed);
        }
      }
    }
    assert.equal(said.size, 2, "the tables allow some and deny some");
  });
}

test("entries that a real Consul took become objects that pass validate and analyze", async (t) => {
  await using consul = await consulWith(t, "allow");
  const entries = [
    { Kind: "proxy-defaults", Name: "global", Config: { protocol: "http" } },
    {
      Kind: "service-resolver",
      Name: "api",
      DefaultSubset: "v1",
      ConnectTimeout: "3s",
      Subsets: { v1: { Filter: "Service.Meta.version == v1" }, v2: { Filter: '"v2" in Service.Tags' } },
      Failover: { "*": { Datacenters: ["dc2"] } },
    },
    { Kind: "service-resolver", Name: "db", Redirect: { Service: "api", ServiceSubset: "v1" } },
    {
      Kind: "service-splitter",
      Name: "api",
      Splits: [
        { Weight: 99.5, ServiceSubset: "v1" },
        { Weight: 0.5, Service: "web" },
      ],
    },
    {
      Kind: "service-router",
      Name: "api",
      Routes: [
        {
          Match: {
            HTTP: {
              PathPrefix: "/old",
              Methods: ["GET", "PUT"],
              Header: [{ Name: "x-a", Suffix: "z.", Invert: true }],
            },
          },
          Destination: {
            Service: "batch",
            PrefixRewrite: "/",
            RequestTimeout: "5s",
            NumRetries: 3,
            RetryOnStatusCodes: [503],
          },
        },
      ],
    },
    {
      Kind: "ingress-gateway",
      Name: "edge",
      Listeners: [{ Port: 8080, Protocol: "http", Services: [{ Name: "api", Hosts: ["api.example.com"] }] }],
    },
  ];
  for (const entry of entries) await consul.call("PUT", "/config", entry);
  const directory = temporary(t);
  const out = join(directory, "out");
  const { code, stdout, stderr } = await runCli([
    "import",
    "consul",
    "--consul",
    consul.address,
    "--out",
    out,
  ]);
  assert.deepEqual([code, stdout], [0, ""], stderr);
  assert.deepEqual(readdirSync(out).sort(), [
    "default.api.yaml",
    "default.db.yaml",
    "default.edge-8080-api.yaml",
    "default.edge.yaml",
  ]);
  assert.match(stderr, /service-resolver +api +Failover/);
  assert.match(
    stderr,
    /service-resolver +api +Subsets\.v2\.Filter +give instances with tag v2 the tag lateen\.version=v2/,
  );
  assert.match(stderr, /proxy-defaults +global +Config\.protocol/);
  const more = workloadOf("edge", {}, "10.0.0.9") + workloadOf("api", { version: "v2" }, "10.0.0.10");
  writeFileSync(join(out, "catalog.yaml"), catalogOf(SERVICES) + more);
  const validated = await runCli(["validate", "--strict", "-f", out]);
  assert.equal(validated.code, 0, validated.stdout);
  const analyzed = await runCli(["analyze", "--failure-threshold", "Warning", "-f", out]);
  assert.equal(analyzed.code, 0, analyzed.stdout);
  const again = await runCli(["import", "consul", "--consul", consul.address, "--out", out]);
  assert.match(again.stderr, /exists and is left as it is/);
  const strict = await runCli(["import", "consul", "--consul", consul.address, "--strict"]);
  assert.equal(strict.code, 1);
});
