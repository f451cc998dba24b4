import assert from "node:assert/strict";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { Browser, type Reply } from "../../cli/demo/traffic.ts";
import { eventually } from "../harness/eventually.ts";
import { NomadAgent } from "../harness/nomad-agent.ts";
import { runCli } from "../harness/run-cli.ts";
import { skipWithout } from "../harness/tools.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const JOBS = join(ROOT, "nomad-jobs");
const FILES = globSync("**/*.nomad.hcl", { cwd: JOBS }).sort();

/** What the files' variables are on this machine. A file gets those that it has. */
const VARIABLES: Readonly<Record<string, string>> = {
  lateen: join(ROOT, "lateen"),
  driver: "raw_exec",
  node: process.execPath,
  bookinfo: join(ROOT, "examples/bookinfo/main.ts"),
  servers: "127.0.0.1:15012",
  ca_pin: "Uo3c1Cq9v6x6bqk2m0yQ8hYw2a4b6d8f0h2j4l6n8p0",
};

function variablesFor(file: string, values: Readonly<Record<string, string>>): readonly string[] {
  const declared = readFileSync(join(JOBS, file), "utf8");
  return Object.entries(values).flatMap(([name, value]) =>
    declared.includes(`variable "${name}"`) ? ["-var", `${name}=${value}`] : [],
  );
}

describe("the files of nomad-jobs, on a real Nomad", { skip: skipWithout("nomad"), timeout: 420_000 }, () => {
  let nomad: NomadAgent;
  let values = VARIABLES;
  let socket = "";
  const browser = new Browser("http://127.0.0.1:8080");

  before(async () => {
    nomad = await NomadAgent.start();
  });

  after(async () => {
    await browser[Symbol.asyncDispose]();
    await nomad?.[Symbol.asyncDispose]();
  });

  const run = async (file: string, more: Readonly<Record<string, string>> = {}): Promise<void> => {
    const flags = variablesFor(file, { ...values, nomad_addr: nomad.address, ...more });
    const ran = await nomad.run(["job", "run", "-detach", ...flags, join(JOBS, file)]);
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  };
  /** As a user without an admission does it. */
  const runInjected = async (file: string, more: Readonly<Record<string, string>> = {}): Promise<void> => {
    const flags = variablesFor(file, { ...values, ...more });
    const { stdout } = await nomad.run(["job", "run", "-output", ...flags, join(JOBS, file)]);
    const config = join(nomad.directory, "nomad.yaml");
    const { lateen: command, servers, ca_pin: caPin } = values;
    writeFileSync(config, JSON.stringify({ sidecar: { command, servers: [servers], caPin, cpu: 50 } }));
    const injected = await runCli(["nomad", "inject", "--config", config, "-"], {
      readStdin: async () => stdout,
    });
    assert.equal(injected.code, 0, injected.stderr);
    const ran = await nomad.run(["job", "run", "-detach", "-json", "-"], { input: injected.stdout });
    assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  };
  const running = async (job: string, task: string): Promise<string> =>
    await eventually(
      `the task ${task} of ${job} runs`,
      async () => {
        const found = (await nomad.get(`/v1/job/${job}/allocations`)) as readonly {
          readonly ID: string;
          readonly TaskStates: Readonly<Record<string, { readonly State: string }>> | null;
        }[];
        return found.find(({ TaskStates }) => TaskStates?.[task]?.State === "running")?.ID;
      },
      90_000,
    );
  const lateen = async (...argv: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await runCli(argv, { environment: { LATEEN_ADDR: `unix://${socket}` } });
    assert.equal(code, 0, stderr);
    return stdout;
  };

  for (const file of FILES) {
    test(`nomad job validate takes ${file}`, async () => {
      const { code, stdout, stderr } = await nomad.run([
        "job",
        "validate",
        ...variablesFor(file, values),
        join(JOBS, file),
      ]);
      assert.equal(code, 0, stdout + stderr);
      assert.doesNotMatch(stdout, /warning/i);
    });
  }

  test("the server runs, and says by which key it is known", async () => {
    await run("server.nomad.hcl");
    const id = await running("lateen-server", "server");
    const pin = await eventually(
      "the server logs its caPin",
      async () => {
        const { stdout } = await nomad.run(["alloc", "logs", "-stderr", "-task", "server", id]);
        return /"caPin":"([^"]+)"/.exec(stdout)?.[1];
      },
      60_000,
    );
    values = { ...values, ca_pin: pin };
    socket = await eventually(
      "the server has its admin socket",
      () => globSync(join(nomad.directory, `**/${id}/server/secrets/run/admin.sock`))[0],
    );
  });

  test("the sidecar of sidecar.nomad.hcl is one of the mesh, and the application begins after it", async () => {
    await run("sidecar.nomad.hcl");
    await running("hello", "hello");
    const workloads = await lateen("proxy-status");
    assert.match(workloads, /hello/);
    await nomad.run(["job", "stop", "-detach", "hello"]);
  });

  test("bookinfo runs behind the gateway, with a call of every service under mutual TLS", async () => {
    for (const file of FILES.filter((name) => name.startsWith("bookinfo/"))) await runInjected(file);
    await run("ingress.nomad.hcl");
    await lateen("apply", "-f", join(JOBS, "ingress-routes.yaml"));
    const page = await eventually(
      "the page has details, reviews and ratings",
      async () => {
        const reply = await browser.get("/api/v1/products/0/reviews");
        return reply.status === 200 && reply.body.includes("stars") && reply;
      },
      120_000,
    );
    const seen = page.peers.join("\n");
    for (const account of ["ingress", "productpage", "reviews"])
      assert.match(seen, new RegExp(`spiffe://cluster\\.local/ns/default/sa/${account}`));
    const { status, body } = await browser.get("/productpage");
    assert.equal(status, 200);
    assert.match(body, /paperback/);
  });

  test("the canary gets the share of the calls that its route says, and who tries it gets it alone", async () => {
    await runInjected("canary.nomad.hcl", { stable_count: "1", canary_count: "1" });
    const routes = readFileSync(join(JOBS, "canary-routes.yaml"), "utf8");
    const file = join(nomad.directory, basename("canary-routes.yaml"));
    const hasStars = ({ status, body }: Reply): boolean => status === 200 && body.includes("stars");
    const ask = async (headers: Readonly<Record<string, string>> = {}): Promise<readonly Reply[]> =>
      await Promise.all(Array.from({ length: 40 }, () => browser.get("/api/v1/products/0/reviews", headers)));
    /** How many of forty calls the canary answers; every call has to be answered. */
    const shareOfCanary = async (headers: Readonly<Record<string, string>> = {}): Promise<number> => {
      const replies = await ask(headers);
      const failed = replies.filter(({ status }) => status !== 200);
      assert.deepEqual(failed, []);
      return replies.filter(hasStars).length / replies.length;
    };
    const shift = async (stable: number, canary: number): Promise<void> => {
      const shares = { v1: stable, v2: canary } as const;
      const shifted = routes.replaceAll(
        /(subset: (v[12]) \}, weight: )\d+/g,
        (_, before: string, subset: "v1" | "v2") => `${before}${shares[subset]}`,
      );
      writeFileSync(file, shifted);
      await lateen("apply", "-f", file);
    };
    await shift(100, 0);
    // The groups of bookinfo's file are gone before those of the canary's serve: until then nobody answers.
    await eventually(
      "v1 alone answers, and v2 its tester",
      async () => {
        const [usual, tried] = [await ask(), await ask({ "end-user": "tester" })];
        return (
          [...usual, ...tried].every(({ status }) => status === 200) &&
          !usual.some(hasStars) &&
          tried.every(hasStars)
        );
      },
      120_000,
    );
    assert.equal(await shareOfCanary(), 0);
    assert.equal(await shareOfCanary({ "end-user": "tester" }), 1);
    await shift(50, 50);
    await eventually(
      "both answer",
      async () => {
        const share = await shareOfCanary();
        return share > 0.1 && share < 0.9;
      },
      30_000,
    );
    await shift(0, 100);
    await eventually("v2 alone answers", async () => (await shareOfCanary()) === 1, 30_000);
  });

  test("the agent of a node serves a job that has nothing but the tag", async () => {
    const [dir, state, runDir] = ["dir", "state", "run"].map((name) => join(nomad.directory, name)) as [
      string,
      string,
      string,
    ];
    const { token } = JSON.parse(await lateen("token", "create", "-o", "json")) as { readonly token: string };
    await lateen("join", "--no-start", "--dir", dir, "--state-dir", state, "--run-dir", runDir, token);
    await run("agent.nomad.hcl", { state_dir: state, run_dir: runDir, servers: "", ca_pin: "" });
    await running("lateen-agent", "agent");
    await nomad.run(["job", "stop", "-purge", "-detach", "details"]);
    await eventually(
      "the details with a sidecar of their own are gone",
      async () => !/^details-/m.test(await lateen("proxy-status")),
      60_000,
    );
    await run("bookinfo/details.nomad.hcl");
    const page = await eventually(
      "details answers through the agent of its node",
      async () => {
        const workloads = await lateen("proxy-status");
        const reply = await browser.get("/api/v1/products/0");
        return /^_nomad-task-\S+-details-/m.test(workloads) && reply.status === 200 && reply;
      },
      120_000,
    );
    assert.match(page.peers.join("\n"), /spiffe:\/\/cluster\.local\/ns\/default\/sa\/productpage/);
    assert.match(page.body, /paperback/);
    const { TaskGroups } = (await nomad.get("/v1/job/details")) as {
      TaskGroups: { Tasks: { Name: string }[] }[];
    };
    assert.deepEqual(
      TaskGroups.flatMap(({ Tasks }) => Tasks.map(({ Name }) => Name)),
      ["details"],
    );
  });
});
