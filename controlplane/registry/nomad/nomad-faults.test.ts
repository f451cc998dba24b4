import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { NomadDouble } from "../../../test/fakes/nomad-double.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { nomadRegistry, putInstance, QUICK_NOMAD } from "../../../test/harness/nomad-subjects.ts";
import { anInstance, Reader } from "../registry.contract.ts";

type Instance = ReturnType<typeof anInstance>;

function instances(count: number, service = "reviews"): readonly Instance[] {
  return Array.from({ length: count }, (_, index) =>
    anInstance({ id: `${service}-${index}`, service, address: `10.0.0.${index + 1}` }),
  );
}

async function started(
  given: readonly Instance[],
  timing: Parameters<typeof nomadRegistry>[1] = QUICK_NOMAD,
): Promise<
  AsyncDisposable & {
    double: NomadDouble;
    reader: Reader;
    registry: Awaited<ReturnType<typeof nomadRegistry>>;
  }
> {
  await using closing = new AsyncDisposableStack();
  const double = closing.use(await NomadDouble.start());
  for (const instance of given) putInstance(double, instance);
  const registry = closing.use(await nomadRegistry({ address: double.address }, timing));
  const reader = closing.use(new Reader(registry));
  await eventually("synced", () => reader.synced && registry.status.state === "current");
  await eventually("the stream is open", () => double.streams === 1);
  const open = closing.move();
  return { double, reader, registry, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

/** Nothing but the stream or a gap leads to a list. */
const SLOW_LIST = { ...QUICK_NOMAD, listMs: 1 };

test("a change costs no list: the event has it all", async () => {
  await using mesh = await started(instances(2));
  await eventually("it is quiet", () => mesh.double.requestsTo(/^\/v1\/services$/) >= 2);
  const before = mesh.double.requestsTo(/^\/v1\/service\//);
  putInstance(mesh.double, anInstance({ id: "reviews-9", address: "10.0.0.9" }));
  await eventually("it is there", () => mesh.reader.ids().length === 3);
  mesh.double.state.deregister("reviews-0");
  await eventually("it is gone", () => mesh.reader.ids().length === 2);
  assert.equal(mesh.double.requestsTo(/^\/v1\/service\//), before);
});

test("what the stream leaves out is noticed by the index, and listed", async () => {
  await using mesh = await started(instances(2), SLOW_LIST);
  mesh.double.state.forgetful = true;
  putInstance(mesh.double, anInstance({ id: "reviews-9", address: "10.0.0.9" }));
  mesh.double.state.deregister("reviews-0");
  await eventually("the gap is closed", () => mesh.reader.ids().join() === "reviews-1,reviews-9");
  assert.equal(mesh.double.streams, 1, "the stream itself saw no end");
});

test("changes while the stream was away are listed when it is there again", async () => {
  await using mesh = await started(instances(2));
  mesh.double.state.bufferSize = 0;
  mesh.double.endStreams("subscription closed by server, client should resubscribe\n");
  putInstance(mesh.double, anInstance({ id: "reviews-9", address: "10.0.0.9" }));
  await eventually("it is there", () => mesh.reader.ids().length === 3);
  await eventually("the stream is there", () => mesh.double.streams === 1);
});

test("without an event stream the blocking query leads to lists", async () => {
  await using double = await NomadDouble.start();
  double.streamStatus = 403;
  for (const instance of instances(2)) putInstance(double, instance);
  await using registry = await nomadRegistry({ address: double.address });
  await using reader = new Reader(registry);
  await eventually("synced", () => reader.synced);
  assert.equal(registry.status.state, "current");
  putInstance(double, anInstance({ id: "reviews-9", address: "10.0.0.9" }));
  await eventually("it is there", () => reader.ids().length === 3);
});

test("a token that expires while the stream runs takes nothing away, is told, and another in its file mends it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "lateen-nomad-"));
  try {
    const tokenFile = join(folder, "token");
    await writeFile(tokenFile, "old");
    await using double = await NomadDouble.start();
    double.token = "old";
    for (const instance of instances(4)) putInstance(double, instance);
    await using registry = await nomadRegistry({ address: double.address, tokenFile });
    await using reader = new Reader(registry);
    await eventually("synced", () => reader.synced && double.streams === 1);
    double.token = "new";
    double.endStreams("ACL token expired\n");
    const { status } = registry;
    await eventually("it is told", () => registry.status.state === "stale");
    assert.notEqual(status, registry.status);
    assert.match(JSON.stringify(registry.status), /403 Permission denied.*put a token/);
    assert.equal(reader.ids().length, 4);
    await writeFile(tokenFile, "new");
    await eventually("it is current", () => registry.status.state === "current");
    double.state.deregister("reviews-0");
    await eventually("it is followed again", () => reader.ids().length === 3);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a Nomad that is away, and one that comes back, take nothing away", async () => {
  await using mesh = await started(instances(4));
  mesh.double.down();
  await eventually("it is told", () => mesh.registry.status.state === "stale");
  assert.equal(mesh.reader.ids().length, 4);
  mesh.double.up();
  await eventually("it is current", () => mesh.registry.status.state === "current");
  assert.equal(mesh.reader.ids().length, 4);
});

test("a Nomad that has lost its data keeps what was known, until it is told again", async () => {
  await using mesh = await started(instances(4));
  mesh.double.state.lose();
  mesh.double.endStreams();
  await eventually("it is told", () => /suddenly lists 4 of 4/.test(JSON.stringify(mesh.registry.status)));
  assert.equal(mesh.reader.ids().length, 4);
  for (const instance of instances(4)) putInstance(mesh.double, { ...instance, port: 9081 });
  await eventually("it is current", () => mesh.registry.status.state === "current");
  assert.deepEqual(new Set(mesh.reader.instances().map(({ port }) => port)), new Set([9081]));
});

test("a token that is told of no service at all takes none away, not even the last", async () => {
  await using mesh = await started(instances(1));
  const [only] = mesh.double.state.registrations.values();
  mesh.double.state.registrations.clear();
  mesh.double.endStreams();
  await eventually("it is told", () => /suddenly lists 1 of 1/.test(JSON.stringify(mesh.registry.status)));
  assert.equal(mesh.reader.ids().length, 1);
  mesh.double.state.register(only ?? assert.fail());
  await eventually("it is current", () => mesh.registry.status.state === "current");
});

test("of many that vanish at once those go whose allocation has ended, as Nomad says", async () => {
  const ids = ["1", "2", "3", "4"].map((digit) => `0000000${digit}-0000-4000-8000-000000000000`);
  await using double = await NomadDouble.start();
  const put = (id: string): void => {
    double.state.putAllocation({ ID: id });
    double.state.register({
      ID: `_nomad-task-${id}-group-app-web-http`,
      ServiceName: "web",
      Namespace: "default",
      NodeID: double.state.nodeId("client-7"),
      Datacenter: "dc1",
      JobID: "app",
      AllocID: id,
      Tags: null,
      Address: "10.0.0.1",
      Port: 8080,
    });
  };
  ids.forEach(put);
  await using registry = await nomadRegistry({ address: double.address });
  await using reader = new Reader(registry);
  await eventually("synced", () => reader.synced && double.streams === 1);
  const [, ...gone] = ids;
  double.state.forgetful = true;
  for (const id of gone) {
    const allocation = double.find(id) ?? assert.fail();
    allocation.ClientStatus = id === ids[3] ? "unknown" : "complete";
    double.state.deregister(`_nomad-task-${id}-group-app-web-http`);
  }
  await eventually("two have ended", () => reader.ids().length === 2, 5_000);
  assert.deepEqual(
    reader.ids().map((id) => id.slice(12, 20)),
    ["00000001", "00000004"],
  );
});

test("many that Nomad deregisters one by one are gone at once", async () => {
  await using mesh = await started(instances(5));
  for (const { id } of instances(5)) mesh.double.state.deregister(id);
  await eventually("all are gone", () => mesh.reader.ids().length === 0);
  assert.equal(mesh.registry.status.state, "current");
});

test("a check that has not run since its client was restarted says nothing", async () => {
  await using mesh = await started([anInstance({ healthy: false })]);
  await eventually("unhealthy", () => mesh.reader.instances()[0]?.healthy === false);
  const [allocation] = mesh.double.state.checks.keys();
  const check = { Service: "reviews", Status: "pending" };
  const before = mesh.double.requestsTo(/checks$/);
  mesh.double.state.checks.set(allocation ?? "", { a: check });
  await eventually("it was asked again", () => mesh.double.requestsTo(/checks$/) > before + 2);
  assert.equal(mesh.reader.instances()[0]?.healthy, false);
  mesh.double.state.checks.set(allocation ?? "", { a: { ...check, Status: "success" } });
  await eventually("healthy", () => mesh.reader.instances()[0]?.healthy === true);
});

test("a registration whose tags contradict each other stays as it was, and is told about", async () => {
  const lines: string[] = [];
  const logger = {
    debug: () => {},
    info: () => {},
    error: () => {},
    warn: (message: string, fields?: object) => void lines.push(`${message} ${JSON.stringify(fields)}`),
    child: () => logger,
  };
  await using double = await NomadDouble.start();
  putInstance(double, anInstance({ protocol: "http" }));
  await using registry = await nomadRegistry({ address: double.address }, QUICK_NOMAD, logger);
  await using reader = new Reader(registry);
  await eventually("synced", () => reader.synced && double.streams === 1);
  const [known] = double.state.registrations.values();
  const tags = ["lateen.protocol=http", "lateen.protocol=grpc"];
  double.state.register({ ...(known ?? assert.fail()), Tags: tags });
  await eventually("it is told", () => lines.some((line) => /is given as both http and grpc/.test(line)));
  assert.equal(reader.instances()[0]?.protocol, "http");
});
