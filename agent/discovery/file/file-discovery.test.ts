import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../../mesh/lifecycle/clock.ts";
import { type Logger, silentLogger } from "../../../mesh/telemetry/logger.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { type DiscoverySubject, type GivenService, SetReader, testDiscovery } from "../discovery.contract.ts";
import { FileDiscovery } from "./file-discovery.ts";

async function folder(): Promise<{ readonly path: string; [Symbol.asyncDispose](): Promise<void> }> {
  const base = await mkdtemp(join(tmpdir(), "lateen-services-"));
  const path = join(base, "services.d");
  await mkdir(path);
  return { path, [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }) };
}

function discoveryOf(path: string, logger: Logger = silentLogger, address?: string): FileDiscovery {
  return new FileDiscovery({ path, address, stateDir: dirname(path), clock: systemClock, logger });
}

function textOf({ service, version, ...rest }: GivenService): string {
  return JSON.stringify({ services: [{ ...rest, name: service, labels: { version } }] });
}

testDiscovery("files", async (): Promise<DiscoverySubject> => {
  const place = await folder();
  return {
    discovery: discoveryOf(place.path, silentLogger, "127.0.0.1"),
    put: (service) => writeFile(join(place.path, `${service.id}.json`), textOf(service)),
    remove: (id) => rm(join(place.path, `${id}.json`)),
    breakSource: () => rm(place.path, { recursive: true }),
    [Symbol.asyncDispose]: () => place[Symbol.asyncDispose](),
  };
});

test("a broken file keeps its last good content and says all that is wrong; the others change", async () => {
  await using place = await folder();
  const lines: string[] = [];
  const logger = {
    ...silentLogger,
    warn: (message: string, fields?: object): void => void lines.push(`${message} ${JSON.stringify(fields)}`),
  };
  const file = join(place.path, "a.yaml");
  await writeFile(file, "services: [{ name: web, port: 80 }]");
  await using reader = new SetReader(discoveryOf(place.path, logger));
  await eventually("a set", () => reader.ids()?.join() === "web");
  await writeFile(file, "services: [{ name: web, port: 99999, prot: x }]");
  await eventually("it is told", () =>
    lines.some((line) => /services\[0\]\.port.*services\[0\]\.prot:/.test(line)),
  );
  await writeFile(join(place.path, "b.yaml"), "services: [{ name: api, port: 81 }]");
  await eventually("the other file counts", () => reader.ids()?.join() === "api,web");
  assert.equal(reader.latest?.[1]?.address.port, 80);
  await writeFile(file, "services: [{ name: web, port: 82 }]");
  await eventually("mended", () => reader.latest?.[1]?.address.port === 82);
});

test("a single file that is replaced by a rename is read again, and one that is away keeps its content", async () => {
  await using place = await folder();
  const file = join(place.path, "services.yaml");
  await writeFile(file, "services: [{ name: web, port: 80 }]");
  await using reader = new SetReader(discoveryOf(file));
  await eventually("a set", () => reader.latest?.[0]?.address.port === 80);
  await writeFile(`${file}.tmp`, "services: [{ name: web, port: 81 }]");
  await rename(`${file}.tmp`, file);
  await eventually("replaced", () => reader.latest?.[0]?.address.port === 81);
  await rm(file);
  await writeFile(file, "services: [{ name: web, port: 82 }]");
  await eventually("written again", () => reader.latest?.[0]?.address.port === 82);
  assert.ok(reader.sets.every((set) => set.length === 1));
});

test("a service that clashes with one of another file is left out and told", async () => {
  await using place = await folder();
  const lines: string[] = [];
  const logger = {
    ...silentLogger,
    warn: (_: string, fields?: object): void => void lines.push(JSON.stringify(fields)),
  };
  await writeFile(join(place.path, "a.yaml"), "services: [{ name: web, port: 80 }]");
  await writeFile(join(place.path, "b.yaml"), "services: [{ name: web, port: 81 }]");
  await using reader = new SetReader(discoveryOf(place.path, logger));
  await eventually("a set", () => reader.latest);
  assert.deepEqual(
    reader.latest?.map(({ address }) => address.port),
    [80],
  );
  assert.ok(lines.some((line) => /web of b\.yaml has the id or the port/.test(line)));
});

test("who was there first keeps id and port, whatever the name of the file that claims them, also over a restart", async () => {
  await using place = await folder();
  await writeFile(join(place.path, "web.yaml"), "services: [{ name: web, port: 80 }]");
  const claims = (reader: SetReader): readonly string[] =>
    reader.latest?.map(({ id, address }) => `${id}:${address.port}`) ?? [];
  {
    await using reader = new SetReader(discoveryOf(place.path));
    await eventually("a set", () => claims(reader).join() === "web:80");
    await writeFile(
      join(place.path, "a.yaml"),
      "services: [{ name: late, port: 80 }, { name: web, port: 82 }, { name: free, port: 83 }]",
    );
    await eventually("the rest counts", () => claims(reader).join() === "free:83,web:80");
  }
  await using reader = new SetReader(discoveryOf(place.path));
  await eventually("a set", () => claims(reader).join() === "free:83,web:80");
  await rm(join(place.path, "web.yaml"));
  await eventually("its place is free", () => claims(reader).join() === "free:83,late:80,web:82");
  assert.ok(reader.sets.slice(0, -1).every((set) => set.some(({ address }) => address.port === 80)));
});

test("a source tells which texts of its files count, and tells anew when one says the same in other words", async () => {
  await using place = await folder();
  const file = join(place.path, "web.yaml");
  const discovery = discoveryOf(place.path);
  const digest = (text: string): string => createHash("sha256").update(text).digest("hex");
  const text = "services: [{ name: web, port: 80 }]";
  await writeFile(file, text);
  await using reader = new SetReader(discovery);
  await eventually("a set", () => reader.latest);
  assert.deepEqual(discovery.files, { [file]: digest(text) });
  const sets = reader.sets.length;
  await writeFile(file, `# the same\n${text}`);
  await eventually("told anew", () => reader.sets.length > sets);
  assert.deepEqual(discovery.files, { [file]: digest(`# the same\n${text}`) });
  await writeFile(file, "services: 1");
  await eventually("the slip is found", () => discovery.findings.length === 1);
  assert.deepEqual(discovery.files, { [file]: digest(`# the same\n${text}`) }, "it does not count");
});

test("what is no services file is not read", async () => {
  await using place = await folder();
  await writeFile(join(place.path, "README.md"), "# nothing");
  await writeFile(join(place.path, ".a.yaml.swp"), "\0");
  await using reader = new SetReader(discoveryOf(place.path));
  assert.deepEqual(await eventually("a set", () => reader.latest), []);
});

test("services that say no address have the host's", async () => {
  await using place = await folder();
  await writeFile(join(place.path, "a.yaml"), "services: [{ name: web, port: 80 }]");
  await using reader = new SetReader(discoveryOf(place.path, silentLogger, "127.23.7.3"));
  await eventually("a set", () => reader.latest);
  assert.deepEqual(reader.latest?.[0]?.address, { address: "127.23.7.3", port: 80 });
});

test("where the host's address is not set, it is the one that leads to the server, and other addresses are taken too", async () => {
  await using place = await folder();
  const text = "services: [{ name: a, port: 80 }, { name: b, port: 81, address: 10.0.0.2 }]";
  await writeFile(join(place.path, "a.yaml"), text);
  const options = {
    path: place.path,
    address: undefined,
    ownAddress: "192.0.2.7",
    stateDir: undefined,
    clock: systemClock,
  };
  await using reader = new SetReader(new FileDiscovery({ ...options, logger: silentLogger }));
  const services = await eventually("a set", () => reader.latest);
  assert.deepEqual(
    services.map(({ address }) => address.address),
    ["192.0.2.7", "10.0.0.2"],
  );
});

test("nothing is told before the directory could be read once, so a slip at a restart takes nothing away", async () => {
  await using place = await folder();
  const away = join(place.path, "services.d");
  const { promise: refused, resolve } = Promise.withResolvers<void>();
  const logger = { ...silentLogger, warn: () => resolve() };
  await using reader = new SetReader(discoveryOf(away, logger));
  await refused;
  assert.equal(reader.latest, undefined, "the directory is not there");
  await mkdir(away);
  await writeFile(join(away, "a.yaml"), "services: [{ name: web, port: 80 }]");
  await eventually("the set", () => reader.ids()?.join() === "web", 8_000);
});

test("a file that is broken at a restart keeps what it said before it, and the others change", async () => {
  await using place = await folder();
  const [a, b] = ["a.yaml", "b.yaml"].map((name) => join(place.path, name)) as [string, string];
  await writeFile(a, "services: [{ name: web, port: 80 }]");
  {
    await using before = new SetReader(discoveryOf(place.path));
    await eventually("a set", () => before.ids()?.join() === "web");
  }
  await writeFile(a, "services: [{ name: web, port: ");
  await writeFile(b, "services: [{ name: api, port: 81 }]");
  const discovery = discoveryOf(place.path);
  await using reader = new SetReader(discovery);
  await eventually("both", () => reader.ids()?.join() === "api,web");
  const [finding] = discovery.findings;
  assert.equal(finding?.code, "host.services-file");
  assert.match(finding.message, /a\.yaml does not count: /);
  await writeFile(a, "services: []");
  await eventually("mended", () => reader.ids()?.join() === "api");
  assert.deepEqual(discovery.findings, []);
});

test("what cannot be used is found with its code, and keeps nothing else from counting", async () => {
  await using place = await folder();
  const write = (name: string, text: string): Promise<void> => writeFile(join(place.path, name), text);
  await write("a.yaml", "services: [{ name: web, port: 80 }]");
  await write("b.yaml", "services: [{ name: other, port: 80 }]");
  await write("c.yaml", "services: [{ name: a, port: 1 }, { name: b, port: 1 }]");
  const tags = ["lateen.protocol=http", "lateen.protocol=tcp"];
  await write("d.json", JSON.stringify({ service: { name: "api", port: 81, tags } }));
  await write("e.json", JSON.stringify({ service: { name: "db", port: 82, token: "x" } }));
  await write("f.hcl", "service {}");
  await write("g.yaml", "services: [{ name: far, port: 83, address: 10.9.9.9 }]");
  const discovery = discoveryOf(place.path, silentLogger, "127.0.0.1");
  assert.deepEqual(
    (await discovery.look()).map(({ id }) => id),
    ["db", "web"],
  );
  assert.deepEqual(
    discovery.findings
      .map(({ code, severity, workload }) => `${code} ${severity} ${workload}`.trim())
      .toSorted(),
    [
      "host.address error default/far",
      "host.claimed-twice error",
      "host.claimed-twice error default/other",
      "host.services-file warning",
      "host.services-file warning",
      "host.tags error",
    ],
  );
});
