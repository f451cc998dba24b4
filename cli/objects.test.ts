import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { parseConfig } from "../controlplane/parse-config.ts";
import { type CliBench, runCli, startCli } from "../test/harness/run-cli.ts";

function object(name: string, spec = "{ hosts: [reviews] }", kind = "VirtualService"): string {
  return `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
}

const ROUTED = "{ hosts: [a], http: [{ route: [{ destination: { host: a } }] }] }";

/** The CLI against an admin API that reads objects as a server does. */
async function startServerCli(t: TestContext): Promise<CliBench> {
  const cli = await startCli(t);
  cli.server.parse = parseConfig;
  return cli;
}

test("apply says what became of an object and how many proxies have it", async (t) => {
  const cli = await startCli(t);
  const file = join(cli.directory, "reviews.yaml");
  writeFileSync(file, object("reviews"));
  assert.deepEqual(await cli.run(["apply", "-f", file]), {
    code: 0,
    stdout: "virtualservice/reviews created (synced 2/2 proxies in 240 ms)\n",
    stderr: "",
  });
  writeFileSync(file, object("reviews", "{ hosts: [reviews, ratings] }"));
  assert.equal(
    (await cli.run(["apply", "-f", file])).stdout,
    "virtualservice/reviews configured (synced 2/2 proxies in 240 ms)\n",
  );
  assert.equal((await cli.run(["apply", "-f", file])).stdout, "virtualservice/reviews unchanged\n");
});

test("apply takes a directory's YAML and JSON files in order, as one transaction", async (t) => {
  const cli = await startCli(t);
  const directory = join(cli.directory, "policies");
  mkdirSync(directory);
  writeFileSync(join(directory, "b.yml"), object("b"));
  writeFileSync(
    join(directory, "a.json"),
    JSON.stringify({ kind: "DestinationRule", metadata: { name: "a" }, spec: {} }),
  );
  writeFileSync(join(directory, "notes.txt"), "not an object");
  assert.deepEqual(await cli.run(["apply", "-f", directory, "--wait", "0"]), {
    code: 0,
    stdout: "destinationrule/a created\nvirtualservice/b created\n",
    stderr: "",
  });
});

test("apply tells every violation with its own file and line, stores nothing and exits with 65", async (t) => {
  const cli = await startCli(t);
  const first = join(cli.directory, "first.yaml");
  const second = join(cli.directory, "second.yaml");
  writeFileSync(first, object("a").trimEnd());
  writeFileSync(second, `# two objects\n${object("b", "{ odd: 1 }")}---\n${object("c", "{\n  wrong: 1 }")}`);
  assert.deepEqual(await cli.run(["apply", "-f", first, second]), {
    code: 65,
    stdout: "",
    stderr: `${second}:5  spec.odd  is odd (warning)
${second}:11  spec.wrong  is wrong
error: 1 error and 1 warning, nothing was stored
try: correct what the violations name and apply again
`,
  });
  assert.deepEqual(cli.server.deps.store.list(), []);
});

test("a warning is told and does no harm, and is an error with --strict", async (t) => {
  const cli = await startCli(t);
  const input = { readStdin: async () => object("a", "{ odd: 1 }") };
  const strict = await cli.run(["apply", "-f", "-", "--strict"], input);
  assert.equal(strict.code, 65);
  const lenient = await cli.run(["apply", "-f", "-"], input);
  assert.deepEqual([lenient.code, lenient.stderr], [0, "-:4  spec.odd  is odd (warning)\n"]);
});

test("a dry run says so and stores nothing", async (t) => {
  const cli = await startCli(t);
  const file = join(cli.directory, "a.yaml");
  writeFileSync(file, object("a"));
  const dry = await cli.run(["apply", "--dry-run=server", "-f", file]);
  assert.deepEqual(dry, { code: 0, stdout: "virtualservice/a created (server dry run)\n", stderr: "" });
  assert.deepEqual(cli.server.deps.store.list(), []);
});

test("apply says what of its objects is in force otherwise than it says, and of no others", async (t) => {
  const cli = await startCli(t);
  const file = join(cli.directory, "a.yaml");
  writeFileSync(file, object("a"));
  cli.server.warnings = [
    { subject: "VirtualService/default/a", message: "http[0]: host nowhere is no service; it answers 503" },
    { subject: "VirtualService/default/b", message: "not of this call" },
    { subject: "Workload/default/a", message: "not of this call" },
  ];
  for (const wait of [[], ["--wait", "0"]]) {
    const { code, stderr } = await cli.run(["apply", "-f", file, ...wait]);
    assert.equal(code, 0);
    assert.equal(
      stderr,
      "warning: virtualservice/a in default is in force otherwise than it says: http[0]: host nowhere is no service; it answers 503\ntry: lateen analyze\n",
    );
  }
});

test("apply passes over what is not the mesh's, also with --strict", async (t) => {
  const cli = await startServerCli(t);
  const file = join(cli.directory, "a.yaml");
  const deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\n";
  writeFileSync(file, `${object("a", ROUTED)}---\n${deployment}`);
  assert.deepEqual(await cli.run(["apply", "-f", file, "--strict", "--wait", "0"]), {
    code: 0,
    stdout: "virtualservice/a created\n",
    stderr: "passed over 1 object that is not the mesh's: 1 Deployment\n",
  });
});

test("delete passes over what is not the mesh's", async (t) => {
  const cli = await startServerCli(t);
  const file = join(cli.directory, "a.yaml");
  const service = "apiVersion: v1\nkind: Service\nmetadata: { name: a }\n";
  const password = "apiVersion: v1\nkind: Secret\nmetadata: { name: db }\nstringData: { password: x }\n";
  writeFileSync(file, [object("a", ROUTED), service, password].join("---\n"));
  await cli.run(["apply", "-f", file, "--wait", "0"]);
  assert.deepEqual(await cli.run(["delete", "-f", file]), {
    code: 0,
    stdout: "virtualservice/a deleted\n",
    stderr: "",
  });
});

test("apply names both places of an object that two files have", async (t) => {
  const cli = await startServerCli(t);
  const [first, second] = ["a.yaml", "b.yaml"].map((name) => join(cli.directory, name));
  writeFileSync(first ?? "", `# first\n${object("a", ROUTED)}`);
  writeFileSync(second ?? "", object("a", ROUTED));
  assert.deepEqual(await cli.run(["apply", "-f", first ?? "", second ?? ""]), {
    code: 65,
    stdout: "",
    stderr: `${second}:3  metadata.name  VirtualService default/a is defined a second time, first at ${first}:4
error: 1 error, nothing was stored
try: correct what the violations name and apply again
`,
  });
});

test("apply --wait exits with 124 when not all proxies have it in time", async (t) => {
  const cli = await startCli(t);
  cli.server.sync = undefined;
  const file = join(cli.directory, "a.yaml");
  writeFileSync(file, object("a"));
  assert.deepEqual(await cli.run(["apply", "-f", file, "--wait", "5ms"]), {
    code: 124,
    stdout: "virtualservice/a created (synced 1/2 proxies in 240 ms)\n",
    stderr: "1 proxy has not answered yet\ntry: lateen proxy-status\n",
  });
});

test("apply tells which proxy rejected what, without letting it write to the terminal", async (t) => {
  const cli = await startCli(t);
  const rejected = [
    {
      workload: "default/reviews-v1",
      type: "listener" as const,
      message: "no \u{1b}[2Jfilter",
      causes: ["EnvoyFilter/default/slow", "VirtualService/a/b"],
    },
  ];
  cli.server.sync = { acked: 1, total: 2, rejected };
  const file = join(cli.directory, "a.yaml");
  writeFileSync(file, object("a"));
  assert.deepEqual(await cli.run(["apply", "-f", file]), {
    code: 1,
    stdout: "virtualservice/a created (synced 1/2 proxies in 240 ms)\n",
    stderr: `default/reviews-v1 rejected its new listener (from EnvoyFilter default/slow, VirtualService a/b): no \u{fffd}[2Jfilter
these proxies keep what they had
try: lateen proxy-status
`,
  });
});

test("get lists a kind as kubectl does, under any of its names", async (t) => {
  const cli = await startCli(t);
  const file = join(cli.directory, "all.yaml");
  writeFileSync(file, [object("reviews"), object("a", "{ hosts: [a, b] }")].join("---\n"));
  await cli.run(["apply", "-f", file]);
  const table = `NAME      GATEWAYS   HOSTS         AGE
a         -          ["a","b"]     3m
reviews   -          ["reviews"]   3m
`;
  for (const word of ["vs", "virtualservice", "VirtualServices", "virtualservices.networking.istio.io"]) {
    assert.deepEqual(await cli.run(["get", word]), { code: 0, stdout: table, stderr: "" }, word);
  }
  assert.equal(
    (await cli.run(["get", "vs", "-A", "-o", "wide"])).stdout,
    `NAMESPACE   NAME      GATEWAYS   HOSTS         AGE   REVISION   ORIGIN
default     a         -          ["a","b"]     3m    1          api
default     reviews   -          ["reviews"]   3m    1          api
`,
  );
  assert.equal(
    (await cli.run(["get", "vs", "-o", "name"])).stdout,
    "virtualservice/a\nvirtualservice/reviews\n",
  );
  assert.deepEqual(await cli.run(["get", "vs", "-n", "shop"]), {
    code: 0,
    stdout: "",
    stderr: "No VirtualServices found in namespace shop.\n",
  });
});

test("what get -o yaml and -o json print can be applied again", async (t) => {
  const cli = await startCli(t);
  const file = join(cli.directory, "all.yaml");
  writeFileSync(file, [object("reviews"), object("a")].join("---\n"));
  await cli.run(["apply", "-f", file]);
  const yaml = (await cli.run(["get", "vs", "-o", "yaml"])).stdout;
  const documents = parseAllDocuments(yaml).map((document) => document.toJS() as { metadata: unknown });
  assert.deepEqual(
    documents.map(({ metadata }) => metadata),
    [
      { name: "a", namespace: "default" },
      { name: "reviews", namespace: "default" },
    ],
  );
  const one = (await cli.run(["get", "vs/reviews", "-o", "json"])).stdout;
  assert.deepEqual(JSON.parse(one), documents[1]);
  const list = JSON.parse((await cli.run(["get", "vs", "-o", "json"])).stdout) as Record<string, unknown>;
  assert.deepEqual(list, { apiVersion: "lateen/v1", kind: "List", items: documents });
});

test("getting what is not there exits with 1 and says what to try", async (t) => {
  const cli = await startCli(t);
  assert.deepEqual(await cli.run(["get", "vs/none"]), {
    code: 1,
    stdout: "",
    stderr:
      "error: VirtualService default/none does not exist\ntry: lateen get <kind> -A lists what there is\n",
  });
});

test("a kind that does not exist is answered with the closest one", async () => {
  assert.deepEqual(await runCli(["get", "virtualservise"]), {
    code: 64,
    stdout: "",
    stderr:
      'error: there is no kind "virtualservise"\ndid you mean virtualservice?\ntry: lateen get --help\n',
  });
});

test("delete takes lists as apply does, and nothing of a file that is broken", async (t) => {
  const cli = await startServerCli(t);
  const files = ["all.yaml", "broken.yaml"].map((name) => join(cli.directory, name));
  const [all = "", broken = ""] = files;
  const items = ["a", "b"].map((name) => parse(object(name, ROUTED)) as unknown);
  writeFileSync(all, JSON.stringify({ apiVersion: "v1", kind: "List", items }));
  writeFileSync(broken, `${object("a")}---\nspec: {[}\n`);
  assert.equal((await cli.run(["apply", "-f", all, "--wait", "0"])).code, 0);
  const refused = await cli.run(["delete", "-f", broken]);
  assert.equal(refused.code, 65);
  assert.match(refused.stderr, /broken\.yaml:\d+: /);
  assert.deepEqual(await cli.run(["delete", "-f", all]), {
    code: 0,
    stdout: "virtualservice/a deleted\nvirtualservice/b deleted\n",
    stderr: "",
  });
});

test("delete takes kind/name, several names, and files, and minds what is not there", async (t) => {
  const cli = await startCli(t);
  const file = join(cli.directory, "all.yaml");
  writeFileSync(file, ["a", "b", "c", "d"].map((name) => object(name)).join("---\n"));
  await cli.run(["apply", "-f", file]);
  assert.equal((await cli.run(["delete", "vs/a"])).stdout, "virtualservice/a deleted\n");
  assert.equal(
    (await cli.run(["delete", "vs", "b", "c"])).stdout,
    "virtualservice/b deleted\nvirtualservice/c deleted\n",
  );
  assert.deepEqual(await cli.run(["delete", "-f", file, "--ignore-not-found"]), {
    code: 0,
    stdout: "virtualservice/d deleted\n",
    stderr: "",
  });
  assert.deepEqual(await cli.run(["delete", "vs/a"]), {
    code: 1,
    stdout: "",
    stderr: "error: VirtualService default/a does not exist\n",
  });
  assert.equal((await cli.run(["delete"])).code, 64);
});

test("get services, workloads and registries print what the server knows", async (t) => {
  const cli = await startCli(t);
  assert.equal(
    (await cli.run(["get", "svc"])).stdout,
    `NAME      HOST                                PORTS       HEALTHY   MESHED   SOURCE
reviews   reviews.default.svc.cluster.local   9080/http   2/3       3/3      embedded
`,
  );
  assert.equal(
    (await cli.run(["get", "workloads", "-A"])).stdout,
    `NAMESPACE   NAME         SERVICE   INBOUND         HEALTH    DATA PLANE   AGENT    AGE
default     reviews-v1   reviews   10.0.0.3:9080   healthy   builtin      host-1   3m
`,
  );
  assert.equal(
    (await cli.run(["get", "registries"])).stdout,
    `NAME     STATE   SINCE   PROBLEMS   REASON
consul   stale   3m      1          connect ECONNREFUSED
consul: web: dc1/vm-1/web-1: tag lateen.port is given as both 80 and 81
`,
  );
  assert.equal((await cli.run(["get", "svc/none"])).code, 1);
});
