import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { jobOf } from "../inject/testing/job-of.ts";
import { type AdmissionBench, startBench } from "./testing/admission-bench.ts";

const TOKEN = "c0ffee00-7ab1-4e5b-9f6c-000000000001";

function registration(job: object = jobOf(), more: object = {}): string {
  return JSON.stringify({ Job: job, ...more });
}

async function put(bench: AdmissionBench, body: string, path = "/v1/jobs") {
  return await bench.ask(path, { method: "PUT", body, headers: { "X-Nomad-Token": TOKEN } });
}

function tasksIn(body: string): readonly string[] {
  const { Job: job } = JSON.parse(body) as { Job: { TaskGroups: { Tasks: { Name: string }[] }[] } };
  return job.TaskGroups.flatMap(({ Tasks }) => Tasks.map(({ Name }) => Name));
}

for (const path of [
  "/v1/jobs",
  "/v1/job/web",
  "/v1/job/web/plan",
  "/v1/validate/job",
  "/v1/%6Aobs",
  "/v1/job/a%2fb",
  "/v1/job/web/strange",
  "/v1/job/scale",
  "/v1/job/revert",
  "/v1/job/",
  "/v1/job/%2e%2e/jobs",
]) {
  test(`a job that is sent to ${path} comes to Nomad with its sidecar, and with the caller's token`, async () => {
    await using bench = await startBench();
    const { status } = await put(bench, registration(jobOf(), { EnforceIndex: true }), path);
    assert.equal(status, 200);
    const { url, body, rawHeaders } = bench.nomad.only("PUT");
    assert.equal(url, `${path}?namespace=default`);
    assert.deepEqual(tasksIn(body), ["web", "lateen", "lateen-ready"]);
    assert.equal((JSON.parse(body) as { EnforceIndex: boolean }).EnforceIndex, true);
    assert.equal(rawHeaders[rawHeaders.indexOf("X-Nomad-Token") + 1], TOKEN);
  });
}

test("the job of a plan is the job of a registration, to the letter", async () => {
  await using bench = await startBench();
  await put(bench, registration());
  await put(bench, registration(), "/v1/job/web/plan");
  const [first, second] = bench.nomad.seen;
  assert.equal(first?.body, second?.body);
});

/** What cannot be judged; each with the status and what is said. */
const UNJUDGED: readonly (readonly [name: string, body: string, status: number, said: RegExp])[] = [
  ["no JSON", "job {}", 400, /the body is no JSON/],
  ["an empty body", "", 400, /the body is no JSON/],
  ["no job", "{}", 400, /Job: must be an object/],
  ["a list", "[]", 400, /must be an object/],
  [
    "two jobs, of which Nomad takes the second",
    '{"Job":{"ID":"a"},"job":{"ID":"b"}}',
    400,
    /job: must be written Job/,
  ],
  ["a job that goes on after its end", `${registration()}{}`, 400, /no JSON/],
  [
    "a group in another spelling",
    registration({ ID: "a", TASKGROUPS: [] }),
    400,
    /must be written TaskGroups/,
  ],
  [
    "a sidecar task in another spelling",
    registration(jobOf({ service: { Tags: [], Connect: { SidecarService: {}, sidecartask: {} } } })),
    400,
    /must be written SidecarTask/,
  ],
  [
    "a driver of a sidecar task in another spelling",
    registration(
      jobOf({ service: { Tags: [], Connect: { SidecarService: {}, SidecarTask: { driver: "raw_exec" } } } }),
    ),
    400,
    /must be written Driver/,
  ],
  ["a job that is too deep", `{"Job":${"[".repeat(30_000)}${"]".repeat(30_000)}}`, 400, /lateen: /],
  ["a job that contradicts itself", registration(jobOf({ service: { PortLabel: "" } })), 400, /has no port/],
  [
    "a job that is too large",
    registration(jobOf({ job: { Meta: { a: "x".repeat(70_000) } } })),
    413,
    /longer than 65536/,
  ],
];

for (const [name, body, status, said] of UNJUDGED) {
  test(`${name} does not come to Nomad`, async () => {
    await using bench = await startBench({ limits: { jobBytes: 65_536 } });
    const answer = await put(bench, body);
    assert.equal(answer.status, status);
    assert.match(answer.text, said);
    assert.deepEqual(bench.nomad.seen, []);
  });
}

test("a path that cannot be read does not come to Nomad", async () => {
  await using bench = await startBench();
  assert.equal((await put(bench, registration(), "/v1/jo%zzbs")).status, 400);
  assert.deepEqual(bench.nomad.seen, []);
});

test("a registration that asks for another protocol, which Nomad does not speak, is judged all the same", async () => {
  await using bench = await startBench();
  const body = registration();
  const socket = connect(bench.port, "127.0.0.1");
  const { promise, resolve } = Promise.withResolvers<void>();
  socket.on("data", (bytes) => {
    if (bytes.includes("{}")) resolve();
  });
  socket.write(
    `PUT /v1/jobs HTTP/1.1\r\nHost: nomad\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await promise;
  socket.destroy();
  const seen = bench.nomad.only("PUT");
  assert.deepEqual(tasksIn(seen.body), ["web", "lateen", "lateen-ready"]);
  assert.ok(!seen.rawHeaders.some((header) => /upgrade/i.test(header)));
});

const PROD = {
  namespaces: ["prod", "prod-*"],
  injection: "required",
  forbid: { drivers: ["raw_exec"], privileged: true, hostNetwork: true },
  identities: { services: ["{job}", "{job}-*"] },
};

const HOST_MOUNTS: readonly object[] = [
  { volumes: ["/:/host"] },
  { volumes: ["../../other:/x"] },
  { volumes: ["${meta.where}:/x"] },
  { mount: [{ type: "bind", target: "/x", source: "/var/run/docker.sock" }] },
  { mounts: [{ type: "bind", target: "/x", source: "local/../../../etc" }] },
  { mount: { type: "bind", target: "/x", source: "/etc" } },
  { mounts: [{ type: "volume", target: "/x", volume_options: [{ driver_config: [{ name: "local" }] }] }] },
  { volume_driver: "local", volumes: ["a:/x"] },
];

test("what is mounted from inside an allocation is not the host's", async () => {
  await using bench = await startBench({ rules: [PROD] });
  const Config = {
    volumes: ["local/conf:/conf:ro", "../alloc/data:/data"],
    mount: [
      { type: "bind", target: "/a", source: "secrets" },
      { type: "tmpfs", target: "/b" },
    ],
    mounts: [{ type: "volume", target: "/c", source: "cache" }],
  };
  const { status, text } = await put(
    bench,
    registration(jobOf({ task: { Config } })),
    "/v1/jobs?namespace=prod",
  );
  assert.equal(status, 200, text);
});

/** What the rule above forbids, and how it is said. */
const FORBIDDEN: readonly (readonly [name: string, job: object, said: RegExp])[] = [
  ["a driver", jobOf({ task: { Driver: "raw_exec" } }), /driver raw_exec, which is forbidden/],
  ["a privileged container", jobOf({ task: { Config: { privileged: true } } }), /more rights .*: privileged/],
  ["a privileged container in words", jobOf({ task: { Config: { privileged: "1" } } }), /privileged/],
  [
    "a container whose rights only a client knows",
    jobOf({ task: { Config: { privileged: "${meta.p}" } } }),
    /privileged/,
  ],
  ["a capability", jobOf({ task: { Config: { cap_add: ["SYS_ADMIN"] } } }), /cap_add/],
  ["the host's processes", jobOf({ task: { Config: { pid_mode: "host" } } }), /pid_mode/],
  ...HOST_MOUNTS.map(
    (Config) =>
      [
        `the host's files by ${JSON.stringify(Config)}`,
        jobOf({ task: { Config } }),
        new RegExp(`more rights .*: ${Object.keys(Config)[0]}`),
      ] as const,
  ),
  [
    "the host's network by the task",
    jobOf({
      group: { Networks: [{ DynamicPorts: [{ Label: "http" }] }] },
      task: { Config: { network_mode: "host" } },
    }),
    /the host's network is forbidden/,
  ],
  [
    "the host's network by the group",
    jobOf({
      group: { Networks: [{ Mode: "host", DynamicPorts: [{ Label: "http" }] }] },
      task: { Driver: "exec" },
    }),
    /is in the host's network/,
  ],
  [
    "the service account of another",
    jobOf({ service: { Tags: ["lateen.sa=payments"] } }),
    /service account "payments" is not one/,
  ],
  [
    "the service account of another, for its canaries",
    jobOf({ service: { Tags: [], CanaryTags: ["lateen.sa=payments"] } }),
    /service account "payments"/,
  ],
  [
    "a service account that is said twice",
    jobOf({ service: { Tags: ["lateen.sa=payments", "lateen.sa=web"] } }),
    /service account "payments"/,
  ],
  [
    "a tag that becomes a claim on the client",
    jobOf({ service: { Tags: ["${NOMAD_META_claim}"] }, job: { Meta: { claim: "lateen.sa=payments" } } }),
    /may become anybody's identity/,
  ],
  [
    "a tag that is a claim where the client knows nothing of its variable",
    jobOf({ service: { Tags: ["${node.class}lateen.sa=payments"] } }),
    /may become anybody's identity/,
  ],
  [
    "a tag that is a claim around a variable",
    jobOf({ service: { Tags: ["lateen.s${node.class}a=payments"] } }),
    /may become anybody's identity/,
  ],
  [
    "metadata that is a claim around a variable",
    jobOf({ service: { Meta: { "lateen-s${meta.none}a": "payments" } } }),
    /may become anybody's identity/,
  ],
  [
    "another namespace of the mesh",
    jobOf({ group: { Meta: { "lateen-namespace": "bank" } } }),
    /namespace of the mesh "bank"/,
  ],
  ["the name of another's service", jobOf({ service: { Name: "payments" } }), /name "payments" is not one/],
  ["to stay out of the mesh", jobOf({ service: { Tags: ["lateen.inject=false"] } }), /must be of the mesh/],
  [
    "to stay out of the mesh by a service without a port",
    jobOf({ service: { Tags: [], PortLabel: "" } }),
    /must be of the mesh: it has no service with a port/,
  ],
  [
    "Consul's mesh",
    jobOf({ service: { Tags: [], Connect: { SidecarService: {} } } }),
    /must be of the mesh: the service web is of Consul's/,
  ],
  [
    "a driver in the sidecar of Consul's mesh",
    jobOf({
      service: { Tags: [], Connect: { SidecarService: {}, SidecarTask: { Driver: "raw_exec" } } },
    }),
    /connect-proxy-web has the driver raw_exec/,
  ],
  [
    "rights in a gateway of Consul's mesh",
    jobOf({
      service: { Tags: [], Connect: { Gateway: {}, SidecarTask: { Config: { privileged: true } } } },
    }),
    /Connect\.SidecarTask\.Config\.privileged: the task connect-proxy-web has more rights/,
  ],
  [
    "the host's network in a gateway of Consul's mesh",
    jobOf({
      group: { Networks: [{ Mode: "host", DynamicPorts: [{ Label: "http" }] }] },
      service: { Tags: [], Connect: { Gateway: {} } },
    }),
    /connect-proxy-web has the network_mode host/,
  ],
  [
    "a sidecar that it brings along",
    jobOf({ group: { Tasks: [{ Name: "lateen", Driver: "docker" }] } }),
    /must be of the mesh: it has a task lateen/,
  ],
];

for (const [name, job, said] of FORBIDDEN) {
  test(`a job that wants ${name} is refused where that is forbidden, and let through elsewhere`, async () => {
    await using bench = await startBench({
      rules: [
        PROD,
        { namespaces: ["*"], injection: "off", identities: { serviceAccounts: ["*"], namespaces: ["*"] } },
      ],
    });
    const answer = await put(bench, registration(job), "/v1/jobs?namespace=prod-eu");
    assert.equal(answer.status, 403, answer.text);
    assert.match(answer.text, said);
    assert.match(answer.text, /Job\./);
    assert.deepEqual(bench.nomad.seen, []);
    assert.equal((await put(bench, registration(job), "/v1/jobs?namespace=dev")).status, 200);
  });
}

/** Services that an agent of node mode takes, and whose names it makes their accounts. */
const NAMED: readonly (readonly [name: string, service: object])[] = [
  ["by its tag", { Tags: ["lateen.inject=true"] }],
  ["by the tag of its canaries", { Tags: [], CanaryTags: ["lateen.inject=true"] }],
  ["by a tag with a variable", { Tags: ["lateen.in${node.none}ject=true", "lateen.namespace=prod"] }],
  ["with an account where the agent does not look", { Meta: { "lateen-sa": "evil" } }],
  ["with a name that only a client knows", { Name: "pay${node.none}ments" }],
];

for (const [name, service] of NAMED) {
  test(`a service that asks ${name} is not somebody else by its name where nothing is injected`, async () => {
    await using bench = await startBench({ rules: [{ namespaces: ["*"], injection: "off" }] });
    const of = (more: object) => jobOf({ job: { ID: "evil" }, service: { Name: "payments", ...more } });
    const answer = await put(bench, registration(of(service)));
    assert.equal(answer.status, 403, answer.text);
    assert.match(answer.text, /would be its service account|may become anybody's/);
    assert.deepEqual(bench.nomad.seen, []);
    const own = { Tags: ["lateen.inject=true", "lateen.sa=evil"] };
    assert.equal((await put(bench, registration(of(own)))).status, 200);
  });
}

test("a service whose asking goes with the injection is named as it likes", async () => {
  await using bench = await startBench();
  const { status, text } = await put(bench, registration(jobOf({ service: { Name: "payments" } })));
  assert.equal(status, 200, text);
});

test("a service that still asks beside a sidecar that the job brought is judged by its name", async () => {
  await using bench = await startBench();
  const Tasks = [{ Name: "lateen", Driver: "docker" }];
  const answer = await put(bench, registration(jobOf({ group: { Tasks }, service: { Name: "payments" } })));
  assert.equal(answer.status, 403);
  assert.match(answer.text, /would be its service account/);
});

test("variables in tags that cannot become a claim are no claim", async () => {
  await using bench = await startBench();
  const Tags = ["v=${meta.v}", "lateen.version=${meta.v}", "lateen.inject=true"];
  const job = jobOf({ service: { Tags, Meta: { "${meta.k}-owner": "a" } } });
  const { status, text } = await put(bench, registration(job));
  assert.equal(status, 200, text);
});

test("tasks that say that an injection made them are judged where nothing is injected", async () => {
  await using bench = await startBench({
    rules: [{ namespaces: ["*"], injection: "off", forbid: { drivers: ["raw_exec"] } }],
  });
  const task = { Name: "x", Driver: "raw_exec", Meta: { "lateen.injected": "true" } };
  const { status } = await put(bench, registration(jobOf({ group: { Tasks: [task] } })));
  assert.equal(status, 403);
  assert.deepEqual(bench.nomad.seen, []);
});

/** Where a namespace is said, and the one that counts, as in Nomad: the query, the body, the job. */
const NAMESPACES: readonly (readonly [query: string, body: object, job: object, counts: string])[] = [
  ["?namespace=prod", { Namespace: "dev" }, { Namespace: "dev" }, "prod"],
  ["", { Namespace: "prod" }, { Namespace: "dev" }, "prod"],
  ["", {}, { Namespace: "prod" }, "prod"],
  ["?namespace=prod&namespace=dev", {}, {}, "prod"],
  ["?namespace=", {}, { Namespace: "prod" }, "prod"],
];

for (const [query, body, job, counts] of NAMESPACES) {
  test(`the namespace of “${query}”, ${JSON.stringify(body)}, ${JSON.stringify(job)} is ${counts} for rules and Nomad`, async () => {
    await using bench = await startBench({ rules: [{ namespaces: ["prod"], injection: "off" }] });
    await put(bench, registration(jobOf({ job }), body), `/v1/jobs${query}`);
    const seen = bench.nomad.only("PUT");
    const read = JSON.parse(seen.body) as { Namespace: string; Job: { Namespace: string } };
    assert.deepEqual([read.Namespace, read.Job.Namespace], [counts, counts]);
    assert.equal(seen.url, `/v1/jobs?namespace=${counts}`);
    assert.deepEqual(tasksIn(seen.body), ["web"]);
  });
}

test("a revert to a version that today's rules would change is refused; to another it goes through", async () => {
  await using bench = await startBench({ rules: [{ namespaces: ["*"], injection: "all" }] });
  await put(bench, registration());
  const { Job: injected } = JSON.parse(bench.nomad.only("PUT").body) as { Job: object };
  bench.nomad.answers.set("/v1/job/web/versions", ({ rawHeaders }, response) => {
    assert.equal(rawHeaders[rawHeaders.indexOf("X-Nomad-Token") + 1], TOKEN);
    // Nomad fills in what a job does not say.
    const Versions = [
      { ...injected, Version: 1, Priority: 50, Status: "running" },
      { ...jobOf(), Version: 0 },
    ];
    response.end(JSON.stringify({ Versions }));
  });
  const revert = async (JobVersion: number) =>
    await put(bench, JSON.stringify({ JobID: "web", JobVersion }), "/v1/job/web/revert");
  const old = await revert(0);
  assert.equal(old.status, 403);
  assert.match(old.text, /version 0 has not the sidecars/);
  assert.equal((await revert(7)).status, 400);
  assert.equal(bench.nomad.seen.filter(({ url }) => url.includes("/revert")).length, 0);
  assert.equal((await revert(1)).status, 200);
  assert.equal(bench.nomad.seen.filter(({ url }) => url.includes("/revert")).length, 1);
});

test("a version that today's rules would change cannot be marked as the one to go back to", async () => {
  await using bench = await startBench({ rules: [{ namespaces: ["*"], injection: "all" }] });
  bench.nomad.answers.set("/v1/job/web/versions", (_, response) => {
    response.end(JSON.stringify({ Versions: [{ ...jobOf(), Version: 0 }] }));
  });
  const mark = async (Stable: boolean) =>
    await put(bench, JSON.stringify({ JobID: "web", JobVersion: 0, Stable }), "/v1/job/web/stable");
  const answer = await mark(true);
  assert.equal(answer.status, 403);
  assert.match(answer.text, /version 0 has not the sidecars/);
  assert.equal(bench.nomad.seen.filter(({ method }) => method === "PUT").length, 0);
  assert.equal((await mark(false)).status, 200);
  assert.match(bench.nomad.only("PUT").body, /"Stable":false/);
});

test("the versions of one revert are in memory at a time", async () => {
  await using bench = await startBench({ rules: [{ namespaces: ["*"], injection: "off" }] });
  let open = 0;
  let most = 0;
  bench.nomad.answers.set("/v1/job/web/versions", (_, response) => {
    open += 1;
    most = Math.max(most, open);
    setTimeout(() => {
      open -= 1;
      response.end(JSON.stringify({ Versions: [{ ...jobOf(), Version: 0 }] }));
    }, 20);
  });
  const body = JSON.stringify({ JobID: "web", JobVersion: 0 });
  const answers = await Promise.all([1, 2, 3].map(() => put(bench, body, "/v1/job/web/revert")));
  assert.deepEqual(
    answers.map(({ status }) => status),
    [200, 200, 200],
  );
  assert.equal(most, 1);
});

test("no token is ever logged, whatever becomes of the job", async () => {
  await using bench = await startBench({
    rules: [{ namespaces: ["prod"], forbid: { drivers: ["docker"] } }],
  });
  const body = registration(jobOf(), { SecretID: TOKEN });
  for (const path of ["/v1/jobs", "/v1/jobs?namespace=prod", "/v1/job/web/revert"])
    await put(bench, body, path);
  await put(bench, "{", "/v1/jobs");
  assert.ok(bench.log.length >= 4, `${bench.log.length} lines`);
  assert.ok(!bench.log.some((line) => line.includes(TOKEN)), bench.log.join("\n"));
});

test("more jobs at a time than may be are told to come back, and the others are not disturbed", async () => {
  await using bench = await startBench({ limits: { jobs: 1 } });
  const slow = connect(bench.port, "127.0.0.1");
  slow.write("PUT /v1/jobs HTTP/1.1\r\nHost: nomad\r\nContent-Length: 100\r\n\r\n{");
  let answer = await put(bench, registration());
  while (answer.status === 200) answer = await put(bench, registration());
  assert.equal(answer.status, 503);
  assert.equal((await bench.ask("/v1/nodes")).status, 200);
  slow.destroy();
});
