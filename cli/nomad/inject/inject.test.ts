import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPath } from "../../../mesh/model/finding.ts";
import type { InjectionMode } from "./choose-group.ts";
import { injectJob } from "./inject.ts";
import { sidecarSettingsSchema } from "./settings.ts";
import { jobOf } from "./testing/job-of.ts";

const SETTINGS = sidecarSettingsSchema.parse({});

function inject(job: unknown, mode: InjectionMode = "asked", settings = SETTINGS) {
  return injectJob(job, { mode, settings, path: ["Job"] });
}

/** Jobs that are refused, each with what is said of it. */
const REFUSED: readonly (readonly [name: string, job: unknown, said: RegExp])[] = [
  ["that is no object", "web", /^Job must be an object/],
  ["without an ID", jobOf({ job: { ID: null } }), /^Job\.ID is not given/],
  [
    "with a field in another spelling, which Nomad would take for that field",
    jobOf({ job: { taskgroups: [] } }),
    /^Job\.taskgroups must be written TaskGroups/,
  ],
  [
    "with a field in letters that Go folds to it",
    jobOf({ group: { Ta\u017fks: [] } }),
    /TaskGroups\[0\].* must be written Tasks/,
  ],
  [
    "whose service has a tag that is neither true nor false",
    jobOf({ service: { Tags: ["lateen.inject=yes"] } }),
    /Services\[0\] lateen\.inject must be true or false, not "yes"/,
  ],
  [
    "whose service says both",
    jobOf({ service: { Tags: ["lateen.inject=true"], Meta: { "lateen-inject": "false" } } }),
    /Services\[0\] says that lateen\.inject is true, and that it is false/,
  ],
  [
    "whose group and service contradict each other",
    jobOf({ group: { Meta: { "lateen-inject": "false" } } }),
    /asks for the mesh, and the group app says lateen-inject=false/,
  ],
  ["whose service has no port", jobOf({ service: { PortLabel: "" } }), /asks for the mesh and has no port/],
  [
    "whose service names a port that is not there",
    jobOf({ service: { PortLabel: "grpc" } }),
    /no port of the group's network is labelled grpc/,
  ],
  [
    "whose port for the proxy leads to another one",
    jobOf({
      group: {
        Networks: [
          {
            Mode: "bridge",
            DynamicPorts: [
              { Label: "http", To: 80 },
              { Label: "lateen_http", To: 81 },
            ],
          },
        ],
      },
    }),
    /the port lateen_http is the proxy's, and must be the same number/,
  ],
  [
    "whose service has a number for a port, in a network of its own",
    jobOf({ service: { PortLabel: "8080" } }),
    /has the port 8080: give it a label/,
  ],
  [
    "whose tag means nothing the mesh knows",
    jobOf({ service: { Tags: ["lateen.inject=true", "lateen.protocol=smtp"] } }),
    /lateen\.protocol must be one of/,
  ],
  [
    "that Consul's mesh has already",
    jobOf({ service: { Connect: { SidecarService: {} } } }),
    /Connect is of Consul's mesh, and the group asks for Lateen's/,
  ],
  [
    "whose container has a network of its own",
    jobOf({ group: { Networks: null, Services: [], Meta: { "lateen-inject": "true" } } }),
    /the task web is a container with a network of its own/,
  ],
  [
    "without any network",
    jobOf({ group: { Networks: [{ Mode: "none" }], Services: [], Meta: { "lateen-inject": "true" } } }),
    /has no network/,
  ],
  ["of virtual machines", jobOf({ task: { Driver: "qemu" } }), /is a virtual machine/],
  [
    "whose driver says nothing of a sidecar's",
    jobOf({ task: { Driver: "nspawn" } }),
    /no driver for the sidecar of app follows from its tasks' \(nspawn\)/,
  ],
  [
    "with two services of the mesh on one port",
    jobOf({
      group: {
        Services: ["a", "b"].map((Name) => ({ Name, PortLabel: "http", Tags: ["lateen.inject=true"] })),
      },
    }),
    /Services\[1\] has the port of a/,
  ],
  [
    "with two identities in one allocation",
    jobOf({
      group: {
        Networks: [{ Mode: "bridge", DynamicPorts: [{ Label: "a" }, { Label: "b" }] }],
        Services: ["a", "b"].map((Name) => ({
          Name,
          PortLabel: Name,
          Tags: ["lateen.inject=true", `lateen.sa=${Name}`],
        })),
      },
    }),
    /its services say lateen\.sa a and b: an allocation has one identity/,
  ],
  [
    "with services in two catalogs",
    jobOf({
      group: {
        Networks: [{ Mode: "bridge", DynamicPorts: [{ Label: "a" }, { Label: "b" }] }],
        Services: ["a", "b"].map((Name) => ({
          Name,
          PortLabel: Name,
          Provider: Name === "a" ? "nomad" : "consul",
          Tags: ["lateen.inject=true"],
        })),
      },
    }),
    /is registered in consul, and a in nomad/,
  ],
];

for (const [name, job, said] of REFUSED) {
  test(`a job ${name} is refused, with the place`, () => {
    const { problems, groups } = inject(job);
    const errors = problems.filter(({ severity }) => severity === "error");
    const lines = errors.map(({ path, message }) => `${formatPath(path)} ${message}`);
    assert.ok(
      lines.some((line) => said.test(line)),
      `${lines.join("\n")} does not say ${said}`,
    );
    assert.ok(groups.every(({ kind }) => kind !== "injected"));
  });
}

/** Groups that are left alone, each with the reason; the job stays the very object that it was. */
const LEFT: readonly (readonly [
  name: string,
  job: ReturnType<typeof jobOf>,
  mode: InjectionMode,
  why: RegExp,
])[] = [
  ["that asks for nothing", jobOf({ service: { Tags: ["http"] } }), "asked", /nothing in it asks/],
  [
    "whose service says no",
    jobOf({ service: { Tags: ["lateen.inject=false"] } }),
    "all",
    /lateen\.inject=false/,
  ],
  [
    "that says no",
    jobOf({ service: { Tags: [] }, group: { Meta: { "lateen-inject": "false" } } }),
    "all",
    /the group app says/,
  ],
  [
    "whose job says no",
    jobOf({ service: { Tags: [] }, job: { Meta: { "lateen-inject": "false" } } }),
    "all",
    /the job says/,
  ],
  ["without a service", jobOf({ group: { Services: null } }), "all", /no service with a port/],
  [
    "of Consul's mesh",
    jobOf({ service: { Tags: [], Connect: { Native: true } } }),
    "all",
    /the service web is of Consul's mesh/,
  ],
  [
    "with a sidecar that somebody wrote",
    jobOf({ group: { Tasks: [{ Name: "lateen", Driver: "docker" }] } }),
    "asked",
    /a task lateen of its own/,
  ],
];

for (const [name, job, mode, why] of LEFT) {
  test(`a group ${name} is left as it is`, () => {
    const injection = inject(job, mode);
    assert.equal(injection.job, job);
    const [outcome] = injection.groups;
    assert.equal(outcome?.kind, "left");
    assert.match(outcome.why, why);
  });
}

test("a group that does not want its sidecar any more is as it was before", () => {
  const says = (word: string) =>
    jobOf({ group: { Meta: { "lateen-inject": word }, ShutdownDelay: null }, service: { Tags: ["http"] } });
  const { job } = inject(says("true"));
  assert.notDeepEqual(job, says("true"));
  const declining = JSON.stringify(job).replace('"lateen-inject":"true"', '"lateen-inject":"false"');
  const injection = inject(JSON.parse(declining));
  assert.deepEqual(injection.job, says("false"));
});

test("what --all took stays of the mesh where an admission takes only who asks", () => {
  const job = jobOf({ service: { Tags: ["http"] } });
  const byHand = inject(job, "all").job;
  const { job: registered, groups } = inject(byHand, "asked");
  assert.deepEqual(groups, [{ kind: "injected", group: "app" }]);
  assert.deepEqual(registered, byHand);
});

test("the driver follows from the group's tasks, and a container in the host's network stays there", () => {
  const sidecarOf = (job: object) => {
    const { job: injected } = inject(job);
    const [group] = injected["TaskGroups"] as { Tasks: { Name: string; Driver: string; Config: object }[] }[];
    const sidecar = group?.Tasks.find(({ Name }) => Name === "lateen");
    return { driver: sidecar?.Driver, config: sidecar?.Config as Record<string, unknown> | undefined };
  };
  const host = [{ Mode: "host", DynamicPorts: [{ Label: "http" }] }];
  const container = jobOf({
    group: { Networks: host },
    task: { Config: { image: "w", network_mode: "host" } },
  });
  assert.equal(sidecarOf(container).config?.["network_mode"], "host");
  assert.equal(sidecarOf(jobOf()).config?.["network_mode"], undefined);
  assert.equal(sidecarOf(jobOf({ task: { Driver: "podman" } })).driver, "podman");
  assert.equal(sidecarOf(jobOf({ task: { Driver: "java" } })).driver, "exec");
  const raw = sidecarOf(jobOf({ task: { Driver: "raw_exec", Config: { command: "/bin/web" } } }));
  assert.deepEqual([raw.driver, raw.config?.["command"]], ["raw_exec", "/usr/bin/lateen"]);
});

test("words of the group speak for its services where these say nothing", () => {
  const { job } = inject(
    jobOf({
      job: { Meta: { "lateen-version": "v1", "lateen-locality": "eu/a" } },
      group: { Meta: { "lateen-version": "v2", "lateen-upstreams": "ratings:9080" } },
      service: { Tags: ["lateen.inject=true", "lateen.locality=us/b"] },
    }),
  );
  const text = JSON.stringify(job);
  assert.match(text, /"web=http lateen\.version=v2 lateen\.locality=us\/b lateen\.upstreams=ratings:9080"/);
  assert.match(text, /"LATEEN_UPSTREAM_ADDR_RATINGS":"127\.0\.0\.1:9080"/);
});

test("values that a client fills in are passed on as they are", () => {
  const { job, problems } = inject(
    jobOf({
      service: { Name: "web-${NOMAD_META_ring}", Tags: ["lateen.inject=true", "lateen.version=${meta.v}"] },
    }),
  );
  assert.deepEqual(problems, []);
  assert.match(JSON.stringify(job), /"web-\$\{NOMAD_META_ring\}=http lateen\.version=\$\{meta\.v\}"/);
});

test("what somebody wrote in the injection's words stays once, and stays when it is done twice", () => {
  const DynamicPorts = [
    { Label: "http", To: 8080 },
    { Label: "grpc" },
    { Label: "lateen_http", To: -1 },
    { Label: "lateen_status" },
  ];
  const Env = { LATEEN_UPSTREAM_ADDR_RATINGS: "10.0.0.1:1", LATEEN_UPSTREAM_ADDR_OTHER: "10.0.0.1:2" };
  const Services = ["http", "grpc"].map((PortLabel) => ({
    Name: PortLabel,
    PortLabel,
    Tags: ["lateen.inject=true"],
  }));
  const job = jobOf({
    group: {
      Networks: [{ Mode: "bridge", DynamicPorts }],
      Services,
      Meta: { "lateen-upstreams": "ratings:9080,details:9081" },
    },
    task: { Env },
  });
  const once = inject(job).job;
  const twice = inject(once).job;
  assert.deepEqual(twice, once);
  const groupOf = (of: typeof once) =>
    (of["TaskGroups"] as { Networks: { DynamicPorts: object[] }[]; Tasks: { Env: object }[] }[])[0];
  assert.deepEqual(groupOf(twice)?.Networks[0]?.DynamicPorts, [
    ...DynamicPorts,
    { Label: "lateen_grpc", To: -1 },
  ]);
  assert.deepEqual(groupOf(twice)?.Tasks[0]?.Env, { ...Env, LATEEN_UPSTREAM_ADDR_DETAILS: "127.0.0.1:9081" });
  const declined = JSON.stringify(twice).replaceAll('"lateen-upstreams"', '"lateen-inject":"false","x"');
  const bare = inject(JSON.parse(declined.replaceAll('"lateen.asked"', '"x"'))).job;
  assert.deepEqual(groupOf(bare)?.Networks[0]?.DynamicPorts, DynamicPorts);
  assert.deepEqual(groupOf(bare)?.Tasks[0]?.Env, Env);
});

test("a number beyond 2^53 and a field that nobody knows stay as they are", () => {
  const { job } = inject(jobOf({ job: { FutureField: { deep: [1] } } }));
  assert.deepEqual(job["FutureField"], { deep: [1] });
});
