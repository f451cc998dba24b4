import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type AdmissionServer, startAdmission } from "../../cli/nomad/admission/admission-server.ts";
import { configOf, loggerInto, settingsOf } from "../../cli/nomad/admission/testing/admission-bench.ts";
import { eventually } from "../harness/eventually.ts";
import { NomadAgent } from "../harness/nomad-agent.ts";
import { runCli } from "../harness/run-cli.ts";
import { requireTool, skipWithout } from "../harness/tools.ts";

/** What an injection calls, as far as Nomad can tell: it runs until it is told to end, and it is ready. */
const STAND_IN = `#!/bin/sh
case "$1" in
  agent) trap 'exit 0' TERM; echo "$@"; while :; do sleep 0.1; done ;;
  wait) exit 0 ;;
esac
`;

function webJob({ name = "web", tag = "lateen.inject=true", greeting = "hello" } = {}): string {
  return `
job "${name}" {
  group "app" {
    network {
      port "http" {}
    }
    service {
      name     = "${name}"
      port     = "http"
      provider = "nomad"
      tags     = ["${tag}", "lateen.upstreams=ratings:9080"]
    }
    task "${name}" {
      driver = "raw_exec"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo ${greeting} $LATEEN_UPSTREAM_ADDR_RATINGS; while :; do echo tick; sleep 0.2; done"]
      }
      kill_timeout = "1s"
      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}`;
}

const BATCH = `
job "report" {
  type = "batch"
  meta {
    lateen-inject = "true"
  }
  group "once" {
    task "report" {
      driver = "raw_exec"
      config {
        command = "/bin/true"
      }
      resources {
        cpu    = 20
        memory = 32
      }
    }
  }
}`;

interface Allocation {
  readonly ID: string;
  readonly ClientStatus: string;
  readonly TaskStates: Readonly<Record<string, { readonly State: string; readonly Failed: boolean }>> | null;
}

interface StoredJob {
  readonly Version: number;
  readonly TaskGroups: readonly { readonly Tasks: readonly { readonly Name: string }[] }[];
}

describe("with a real Nomad", { skip: skipWithout("nomad"), timeout: 240_000 }, () => {
  let nomad: NomadAgent;
  let admission: AdmissionServer;
  let address: string;
  let command: string;
  const log: string[] = [];

  before(async () => {
    nomad = await NomadAgent.start();
    command = join(nomad.directory, "lateen");
    writeFileSync(command, STAND_IN);
    chmodSync(command, 0o755);
    const config = configOf({
      listen: { address: "127.0.0.1:0" },
      nomad: { address: nomad.address },
      sidecar: { command, cpu: 20, memoryMb: 64, shutdownDelaySeconds: 1 },
      rules: [{ namespaces: ["*"], injection: "asked", forbid: { drivers: ["exec"] } }],
    });
    admission = await startAdmission(config.listen.address, settingsOf(config), loggerInto(log));
    address = `http://${admission.address}`;
  });

  after(async () => {
    await admission?.[Symbol.asyncDispose]();
    await nomad?.[Symbol.asyncDispose]();
  });

  const write = (name: string, text: string): string => {
    const file = join(nomad.directory, name);
    writeFileSync(file, text);
    return file;
  };
  const allocationOf = async (job: string): Promise<Allocation | undefined> => {
    const found = (await nomad.get(`/v1/job/${job}/allocations`)) as readonly Allocation[];
    return found.find(({ ClientStatus }) => ClientStatus === "running" || ClientStatus === "complete");
  };
  const storedJob = async (job: string): Promise<StoredJob> =>
    (await nomad.get(`/v1/job/${job}`)) as StoredJob;
  const tasksOf = ({ TaskGroups }: StoredJob): readonly string[] =>
    TaskGroups.flatMap(({ Tasks }) => Tasks.map(({ Name }) => Name));

  test("nomad job run -output, lateen nomad inject and nomad job run -json make a job that runs", async () => {
    const file = write("by-hand.nomad.hcl", webJob({ name: "by-hand" }));
    const { stdout: json } = await nomad.run(["job", "run", "-output", file]);
    const flags = ["--command", command];
    const injected = await runCli(["nomad", "inject", ...flags, "-"], { readStdin: async () => json });
    assert.equal(injected.code, 0, injected.stderr);
    const input = injected.stdout;
    const valid = await nomad.run(["job", "validate", "-json", "-"], { input });
    assert.equal(valid.code, 0, valid.stdout + valid.stderr);
    const ran = await nomad.run(["job", "run", "-detach", "-json", "-"], { input });
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
    const states = await eventually(
      "the application runs behind its sidecar",
      async () => {
        const states = (await allocationOf("by-hand"))?.TaskStates;
        return states?.["by-hand"]?.State === "running" && states;
      },
      60_000,
    );
    assert.equal(states["lateen"]?.State, "running");
    assert.deepEqual([states["lateen-ready"]?.State, states["lateen-ready"]?.Failed], ["dead", false]);
    await nomad.run(["job", "stop", "-purge", "-detach", "by-hand"]);
  });

  test("what Nomad made of an injected job is the same when it is injected again", async () => {
    const { stdout: json } = await nomad.run([
      "job",
      "run",
      "-output",
      write("again.hcl", webJob({ name: "again" })),
    ]);
    const flags = ["nomad", "inject", "--command", command];
    const first = await runCli([...flags, "-"], { readStdin: async () => json });
    await nomad.run(["job", "run", "-detach", "-json", "-"], { input: first.stdout });
    const { stdout: inspected } = await nomad.run(["job", "inspect", "again"]);
    const second = await runCli([...flags, "-"], { readStdin: async () => inspected });
    assert.equal(second.code, 0, second.stderr);
    const plan = await nomad.run(["job", "plan", "-json", "-"], { input: second.stdout });
    assert.equal(plan.code, 0, plan.stdout + plan.stderr);
    await nomad.run(["job", "stop", "-purge", "-detach", "again"]);
  });

  test("a batch job with a sidecar ends when its task has ended", async () => {
    const ran = await nomad.run(["job", "run", "-detach", write("report.hcl", BATCH)], { address });
    assert.equal(ran.code, 0, ran.stderr);
    await eventually(
      "the batch job's allocation is complete",
      async () => (await allocationOf("report"))?.ClientStatus === "complete",
      60_000,
    );
    assert.deepEqual(tasksOf(await storedJob("report")), ["report", "lateen", "lateen-ready"]);
  });

  test("through the admission a job gets its sidecar, and a plan of the same file sees no change", async () => {
    const file = write("web.nomad.hcl", webJob());
    const valid = await nomad.run(["job", "validate", file], { address });
    assert.equal(valid.code, 0, valid.stdout + valid.stderr);
    const before = await nomad.run(["job", "plan", file], { address });
    assert.equal(before.code, 1);
    assert.match(before.stdout, /Task: "lateen"/);
    const ran = await nomad.run(["job", "run", "-detach", file], { address });
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(tasksOf(await storedJob("web")), ["web", "lateen", "lateen-ready"]);
    const again = await nomad.run(["job", "plan", file], { address });
    assert.equal(again.code, 0, again.stdout);
    await eventually(
      "web runs",
      async () => (await allocationOf("web"))?.TaskStates?.["web"]?.State === "running",
      60_000,
    );
  });

  test("a shell, followed logs and the event stream go through", async () => {
    const { ID: id } = await eventually("web has an allocation", () => allocationOf("web"), 60_000);
    const shell = await nomad.run(
      ["alloc", "exec", "-i=false", "-t=false", "-task", "web", id, "/bin/echo", "inside"],
      {
        address,
      },
    );
    assert.equal(shell.stdout, "inside\n", shell.stderr);
    const logs = spawn(requireTool("nomad"), ["alloc", "logs", "-f", "-task", "web", id], {
      env: { PATH: process.env["PATH"], NOMAD_ADDR: address },
    });
    let text = "";
    logs.stdout.on("data", (bytes) => {
      text += String(bytes);
    });
    await eventually("logs go on", () => (text.match(/tick/g)?.length ?? 0) > 5, 20_000);
    assert.match(text, /hello 127\.0\.0\.1:9080/);
    logs.kill();
    await once(logs, "exit");
    const ending = new AbortController();
    const events = await fetch(`${address}/v1/event/stream?topic=Job`, { signal: ending.signal });
    const reader = events.body?.getReader();
    await nomad.run(["job", "run", "-detach", write("event.hcl", webJob({ name: "event" }))], { address });
    let heard = "";
    await eventually(
      "the registration is told of",
      async () => {
        const { value } = (await reader?.read()) ?? {};
        heard += Buffer.from(value ?? []).toString("utf8");
        return heard.includes('"event"');
      },
      20_000,
    );
    ending.abort();
    await nomad.run(["job", "stop", "-purge", "-detach", "event"], { address });
  });

  test("a blocking query waits for its change", async () => {
    const first = await fetch(`${address}/v1/job/web`);
    const index = first.headers.get("x-nomad-index");
    await first.text();
    let answered = false;
    const waiting = fetch(`${address}/v1/job/web?index=${index}&wait=60s`).then(async (answer) => {
      answered = true;
      return (await answer.json()) as StoredJob;
    });
    assert.equal(answered, false);
    await nomad.run(["job", "run", "-detach", write("web.hcl", webJob({ greeting: "changed" }))], {
      address,
    });
    assert.equal((await waiting).Version, 1);
  });

  test("what the rules forbid is refused by nomad job run, with the place in the job", async () => {
    const file = write("chroot.hcl", webJob({ name: "chroot" }).replace("raw_exec", "exec"));
    const { code, stderr, stdout } = await nomad.run(["job", "run", "-detach", file], { address });
    assert.equal(code, 1, stdout);
    assert.match(
      stderr,
      /403.*Job\.TaskGroups\[0\]\.Tasks\[0\]\.Driver: the task chroot has the driver exec, which is forbidden/s,
    );
    await assert.rejects(nomad.get("/v1/job/chroot"), /404/);
  });

  test("a revert to a version from before the sidecar is refused, to one with it it is done", async () => {
    const file = (greeting: string): string => write("back.hcl", webJob({ name: "back", greeting }));
    const run = async (greeting: string, at: string) =>
      assert.equal((await nomad.run(["job", "run", "-detach", file(greeting)], { address: at })).code, 0);
    await run("zero", nomad.address);
    await run("one", address);
    await run("two", address);
    const refused = await nomad.run(["job", "revert", "-detach", "back", "0"], { address });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /version 0 has not the sidecars that it would get now/);
    const done = await nomad.run(["job", "revert", "-detach", "back", "1"], { address });
    assert.equal(done.code, 0, done.stderr);
    assert.equal((await storedJob("back")).Version, 3);
    await nomad.run(["job", "stop", "-purge", "-detach", "back"]);
  });
});
