import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { runCli, startCli } from "../test/harness/run-cli.ts";
import { COMMANDS } from "./commands.ts";

test("without a command, and with --help, the commands are listed", async () => {
  const help = await runCli([]);
  assert.equal(help.code, 0);
  for (const { name, summary } of COMMANDS)
    assert.match(help.stdout, new RegExp(`^  ${name}.*${summary.slice(0, 9)}`, "m"));
  for (const argv of [["--help"], ["-h"], ["help"], ["-help"]]) assert.deepEqual(await runCli(argv), help);
});

const usage: readonly { argv: readonly string[]; stderr: string }[] = [
  { argv: ["aply"], stderr: 'error: there is no command "aply"\ndid you mean apply?\ntry: lateen --help\n' },
  { argv: ["frobnicate"], stderr: 'error: there is no command "frobnicate"\ntry: lateen --help\n' },
  {
    argv: ["--loud", "ps"],
    stderr: "error: --loud comes before any command\ntry: lateen <command> --help\n",
  },
  {
    argv: ["ps", "--ouput", "json"],
    stderr: "error: unknown option '--ouput'\ndid you mean --output?\ntry: lateen proxy-status --help\n",
  },
  { argv: ["token"], stderr: "error: lateen token wants a subcommand\ntry: lateen token --help\n" },
  {
    argv: ["token", "creat"],
    stderr: "error: unknown command 'creat'\ndid you mean create?\ntry: lateen token --help\n",
  },
  {
    argv: ["apply"],
    stderr: "error: required option '-f, --filename <path...>' not specified\ntry: lateen apply --help\n",
  },
  {
    argv: ["get", "vs", "-o", "xml"],
    stderr:
      "error: option '-o, --output <format>' argument 'xml' is invalid. Allowed choices are table, wide, json, yaml, name\ntry: lateen get --help\n",
  },
  { argv: ["get"], stderr: "error: missing required argument 'kind[/name]'\ntry: lateen get --help\n" },
  {
    argv: ["token", "create", "--ttl", "soon"],
    stderr: 'error: "soon" is not a duration\ntry: write 30s, 15m or 1h30m\n',
  },
];

for (const { argv, stderr } of usage) {
  test(`lateen ${argv.join(" ")} exits with 64 and says what to try`, async () => {
    assert.deepEqual(await runCli(argv), { code: 64, stdout: "", stderr });
  });
}

test("long flags may have one dash, and -json is -o json", async (t) => {
  const cli = await startCli(t);
  const want = await cli.run(["get", "services", "--all-namespaces", "--output", "json"]);
  assert.equal(want.code, 0);
  for (const argv of [
    ["get", "services", "-all-namespaces", "-json"],
    ["get", "-json", "services", "-A"],
    ["get", "services", "-namespace=default", "-output", "json"],
    ["get", "services", "-ojson"],
  ]) {
    assert.deepEqual(await cli.run(argv), want, argv.join(" "));
  }
});

test("what follows -- is not taken for a flag", async (t) => {
  const cli = await startCli(t);
  assert.match((await cli.run(["ps", "--", "-json"])).stderr, /no proxy of workload -json is connected/);
});

test("a command's help tells its options, and help exit-codes the codes", async () => {
  const help = await runCli(["help", "apply"]);
  assert.equal(help.code, 0);
  assert.match(help.stdout, /^Usage: lateen apply \[options\]/);
  assert.deepEqual(await runCli(["apply", "-help"]), help);
  assert.match((await runCli(["help", "token", "create"])).stdout, /^Usage: lateen token create/);
  assert.match((await runCli(["help", "exit-codes"])).stdout, /^124 {3}--wait/m);
});

test("a server that is not there exits with 2 and says where it was looked for", async (t) => {
  const cli = await startCli(t);
  const path = join(cli.directory, "none.sock");
  assert.deepEqual(await runCli(["ps"], { environment: { LATEEN_ADDR: `unix://${path}` } }), {
    code: 2,
    stdout: "",
    stderr: `error: reach the server at unix://${path}: connect ENOENT ${path}
try: start lateen server on this host, or set LATEEN_ADDR to where it is
`,
  });
});

test("something else than a lateen server exits with 2", async (t) => {
  const server = createServer((_request, response) => response.end("<html>\u{1b}[31m"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const environment = { LATEEN_ADDR: `http://127.0.0.1:${port}`, LATEEN_TOKEN: "t" };
  assert.deepEqual(await runCli(["ps"], { environment }), {
    code: 2,
    stdout: "",
    stderr: `error: http://127.0.0.1:${port} answered 200 with something that is not JSON
try: is that a lateen server? LATEEN_ADDR says where it is
`,
  });
});

test("an interrupted command exits with 130 and says nothing", async (t) => {
  const cli = await startCli(t);
  const { code, stderr } = await cli.run(["ps"], { signal: AbortSignal.abort() });
  assert.deepEqual([code, stderr], [130, ""]);
});

test("a failure inside the server is an internal error, with code 2", async (t) => {
  const cli = await startCli(t);
  cli.server.failure = new Error("secret detail");
  assert.deepEqual(await cli.run(["get", "svc"]), {
    code: 2,
    stdout: "",
    stderr: "error: internal error\ntry: the server's log has the reason\n",
  });
});

test("version tells both, and is content without a server", async (t) => {
  const cli = await startCli(t);
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  assert.deepEqual(await cli.run(["version"]), {
    code: 0,
    stdout: `client: ${version} (Node ${process.version})\nserver: 0.1.0 (Node v24.14.1), trust domain cluster.local\n`,
    stderr: "",
  });
  const environment = { LATEEN_ADDR: `unix:${cli.directory}/none.sock` };
  assert.match((await runCli(["version"], { environment })).stdout, /^server: not reached$/m);
  assert.equal((await runCli(["--version"])).stdout, `client: ${version} (Node ${process.version})\n`);
});

test("token create prints the line to paste; list and revoke never show a secret", async (t) => {
  const cli = await startCli(t);
  assert.deepEqual(await cli.run(["token", "create", "--sa", "web", "api", "-n", "shop"]), {
    code: 0,
    stdout: "lateen join lateen1.e30.pin.hush\n",
    stderr: "Run this on the host that is to join. It works once, within 15m.\n",
  });
  const binding = { namespace: "shop", serviceAccounts: ["web", "api"] };
  assert.deepEqual(cli.server.created, [{ binding, ttlMs: 900_000 }]);
  assert.equal(
    (await cli.run(["token", "list"])).stdout,
    `ID   STATE    EXPIRES   NAMESPACE   SERVICE ACCOUNTS   NODE   USED BY
t1   active   in 12m    shop        web,api            any    -
`,
  );
  assert.equal((await cli.run(["token", "revoke", "t1"])).stdout, "token/t1 revoked\n");
  assert.equal((await cli.run(["token", "revoke", "t1"])).code, 1);
});

test("instance add, list and remove keep the embedded registry", async (t) => {
  const cli = await startCli(t);
  const add = [
    "instance",
    "add",
    "web",
    "--instance-address",
    "10.0.0.1",
    "-p",
    "8080",
    "--protocol",
    "http",
  ];
  assert.equal(
    (await cli.run([...add, "-l", "version=v2"])).stdout,
    "instance/web-10.0.0.1-8080 registered\n",
  );
  assert.deepEqual(cli.server.instances.get("web-10.0.0.1-8080")?.labels, { version: "v2" });
  assert.equal(
    (await cli.run(["instance", "list"])).stdout,
    `ID                  NAMESPACE   SERVICE   ADDRESS         PROTOCOL   HEALTH
web-10.0.0.1-8080   default     web       10.0.0.1:8080   http       healthy
`,
  );
  assert.deepEqual(await cli.run(["instance", "add", "web", "--instance-address", "here", "-p", "0"]), {
    code: 64,
    stdout: "",
    stderr:
      "error: the request's body is not valid: address: must be an IP address; port: Too small: expected number to be >=1\n",
  });
  assert.equal(
    (await cli.run(["instance", "rm", "web-10.0.0.1-8080"])).stdout,
    "instance/web-10.0.0.1-8080 removed\n",
  );
  assert.equal(cli.server.instances.size, 0);
});

test("init writes a configuration that the server takes, once", async (t) => {
  const cli = await startCli(t);
  const init = [
    "init",
    "--no-start",
    "--dir",
    cli.directory,
    "--trust-domain",
    "mesh.example",
    "--run-dir",
    "/run/x",
  ];
  const path = join(cli.directory, "server.yaml");
  const done = await cli.run([...init, "--advertise", "vm1.lan:15012"]);
  assert.deepEqual([done.code, done.stderr], [0, ""]);
  assert.match(done.stdout, new RegExp(`^wrote ${path}\n\nNext:\n  lateen server --config ${path}\n`));
  assert.match(done.stdout, /LATEEN_ADDR=unix:\/\/\/run\/x\/admin\.sock/);
  assert.equal(
    readFileSync(path, "utf8"),
    `# lateen server: docs/config.md has every key and its default.
trustDomain: mesh.example
runDir: /run/x
agents:
  advertise:
    - vm1.lan:15012
`,
  );
  const again = await cli.run(init);
  assert.deepEqual(
    [again.code, again.stderr],
    [
      1,
      `error: ${path} exists and is left as it is\ntry: edit it, or move it away: mv ${path} ${path}.old\n`,
    ],
  );
  const lame = await cli.run([
    "init",
    "--no-start",
    "--dir",
    join(cli.directory, "c"),
    "--advertise",
    "vm1.lan",
  ]);
  assert.equal(lame.code, 65);
  assert.match(lame.stderr, /agents\.advertise\.0: must be host:port, as in mesh\.example:15012/);
  assert.doesNotMatch(lame.stderr, /server\.yaml/);
  const bad = await cli.run([
    "init",
    "--no-start",
    "--dir",
    join(cli.directory, "b"),
    "--trust-domain",
    "Not A Domain",
  ]);
  assert.equal(bad.code, 65);
});

test("an agent's gateways are read from the command line, and told with their path where they are wrong", async () => {
  const wrong = await runCli(["agent", "--gateway", "Edge.shop"]);
  assert.equal(wrong.code, 65);
  assert.match(wrong.stderr, /gateways\.0\.name: must be up to 63 of a-z/);
  const labels = await runCli(["agent", "--gateway", "edge", "--gateway-labels", "istio"]);
  assert.equal(labels.code, 64);
  assert.match(labels.stderr, /must be key=value, with commas between: istio/);
});

test("join takes its token from an argument, a file, standard input or the environment, and never prints it", async (t) => {
  const cli = await startCli(t);
  const secret = "lateen1.not-a-real.token.hush";
  const file = join(cli.directory, "token");
  writeFileSync(file, `${secret}\n`);
  const place = ["--dir", cli.directory, "--state-dir", join(cli.directory, "state")];
  const results = [
    await runCli(["join", secret, ...place]),
    await runCli(["join", `file:${file}`, ...place]),
    await runCli(["join", "-", ...place], { readStdin: async () => secret }),
    await runCli(["join", ...place], { environment: { LATEEN_JOIN_TOKEN: secret } }),
  ];
  for (const { code, stdout, stderr } of results) {
    assert.equal(code, 1);
    assert.match(stderr, /^error: .*token/);
    assert.doesNotMatch(stdout + stderr, /hush|not-a-real/);
  }
  assert.equal((await runCli(["join", ...place])).code, 64);
});
