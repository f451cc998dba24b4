import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type DecodedPacket, decode, encode } from "dns-packet";
import { systemClock } from "../../mesh/lifecycle/clock.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";
import { HostName } from "../../mesh/xds/gen/lateen/names/v1/names.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { freePort } from "../../test/harness/test-proxy.ts";
import { type DnsOptions, DnsServer } from "./dns-server.ts";
import { MeshNames } from "./mesh-names.ts";
import { parseQuery, RCODE } from "./query.ts";
import { encodeReply } from "./reply.ts";
import { MessageReader, withLength } from "./stream-messages.ts";
import { answerTo, FakeResolver, failing, saying } from "./testing/fake-resolver.ts";

interface Running {
  readonly server: DnsServer;
  readonly names: MeshNames;
  readonly port: number;
  readonly resolver: Resolver;
  readonly resolvConf: string;
}

const CALLER = "default/web";

/** A server at a port of its own, with these resolvers in the host's resolv.conf or in its configuration. */
async function start(t: TestContext, over: Partial<DnsOptions> = {}, resolvConf = ""): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "lateen-dns-"));
  const files = { resolvConf: join(folder, "resolv.conf"), resolved: join(folder, "resolved.conf") };
  writeFileSync(files.resolvConf, resolvConf);
  const port = over.listen?.[0]?.port ?? (await freePort());
  const names = new MeshNames();
  const server = new DnsServer({
    listen: [{ address: "127.0.0.1", port }],
    upstreams: [],
    domains: {},
    files,
    zones: ["mesh", "svc.cluster.local"],
    names,
    clock: systemClock,
    logger: silentLogger,
    ...over,
  });
  const stop = new AbortController();
  const running = server.run(stop.signal);
  t.after(async () => {
    stop.abort();
    await running;
    rmSync(folder, { recursive: true });
  });
  await eventually("it listens", () => server.state.places.every(({ problem }) => problem === undefined));
  const resolver = new Resolver({ timeout: 5_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  return { server, names, port, resolver, resolvConf: files.resolvConf };
}

function tell({ names }: Pick<Running, "names">, ...hosts: readonly HostName[]): void {
  names.serve(new Map([[CALLER, "loopback"]]));
  const take = names.follow(CALLER) ?? assert.fail();
  const upserts = hosts.map((host) => ({ name: host.hostname, bytes: HostName.encode(host).finish() }));
  assert.deepEqual([...take({ upserts, removals: [] })], []);
}

const REVIEWS: HostName = {
  hostname: "reviews.default.svc.cluster.local",
  aliases: ["reviews", "reviews.mesh"],
  addresses: ["240.240.1.2"],
  ports: [{ number: 9080, name: "http-9080" }],
};

/** Sends bytes by UDP and takes what comes back. */
async function raw(port: number, message: Buffer): Promise<DecodedPacket & { readonly rcode?: string }> {
  const socket = createSocket("udp4");
  socket.send(message, port, "127.0.0.1");
  const [reply] = (await once(socket, "message")) as [Buffer];
  socket.close();
  return decode(reply);
}

const codeOf = async (asking: Promise<unknown>): Promise<string> =>
  await asking.then(
    () => "answered",
    (error: NodeJS.ErrnoException) => error.code ?? "",
  );

test("names of the mesh are answered from memory, all others by the host's resolver, from a random port and id", async (t) => {
  await using upstream = await FakeResolver.start();
  const { resolver, ...running } = await start(t, { upstreams: [upstream.address] });
  assert.equal(await codeOf(resolver.resolve4("reviews.mesh")), "ESERVFAIL", "nothing is known yet");
  tell(running, REVIEWS);
  assert.deepEqual(await resolver.resolve4("reviews.mesh"), ["127.240.1.2"]);
  assert.equal(await codeOf(resolver.resolve6("reviews.mesh")), "ENODATA");
  assert.equal(await codeOf(resolver.resolve4("nobody.mesh")), "ENOTFOUND");
  assert.deepEqual(
    (await resolver.resolveSrv("_http._tcp.reviews.mesh")).map(({ name, port }) => `${name}:${port}`),
    ["reviews.default.svc.cluster.local:9080"],
  );
  for (const name of ["a.example", "b.example", "c.example"])
    assert.deepEqual(await resolver.resolve4(name), ["192.0.2.1"]);
  const outside = upstream.asked.filter(({ name }) => name.endsWith(".example"));
  assert.equal(new Set(outside.map(({ port }) => port)).size, 3);
  assert.ok(new Set(outside.map(({ id }) => id)).size > 1);
  assert.equal(upstream.count("reviews.mesh"), 0);
});

test("where one service's proxy listens for services, its names are told and no captured service's", async (t) => {
  const { names, resolver } = await start(t);
  const learn = (workload: string, address: string, ...hosts: readonly string[]): void => {
    const upserts = hosts.map((hostname) => {
      const bytes = HostName.encode({ hostname, aliases: [], addresses: [address], ports: [] }).finish();
      return { name: hostname, bytes };
    });
    assert.deepEqual([...(names.follow(workload) ?? assert.fail())({ upserts, removals: [] })], []);
  };
  names.serve(
    new Map([
      ["default/api", "none"],
      ["default/web", "loopback"],
    ]),
  );
  learn("default/api", "240.240.7.7", "reviews.mesh", "secret.mesh");
  assert.equal(
    await codeOf(resolver.resolve4("secret.mesh")),
    "ESERVFAIL",
    "what may be told is not known yet",
  );
  learn("default/web", "240.240.1.2", "reviews.mesh");
  assert.deepEqual(await resolver.resolve4("reviews.mesh"), ["127.240.1.2"]);
  assert.equal(await codeOf(resolver.resolve4("secret.mesh")), "ENOTFOUND");
  names.serve(new Map([["default/api", "none"]]));
  assert.deepEqual(await resolver.resolve4("secret.mesh"), ["240.240.7.7"]);
});

test("an answer that does not fit into a datagram is cut short, and is whole by TCP", async (t) => {
  const running = await start(t);
  const ports = Array.from({ length: 60 }, (_, index) => ({ number: 1000 + index, name: `p${index}` }));
  tell(running, { ...REVIEWS, ports });
  const question = encode({ type: "query", id: 7, questions: [{ name: "reviews.mesh", type: "SRV" }] });
  const cut = await raw(running.port, question);
  assert.deepEqual([cut.id, cut.flag_tc, cut.answers?.length], [7, true, 0]);
  // The resolver comes by TCP by itself.
  assert.equal((await running.resolver.resolveSrv("reviews.mesh")).length, 60);
});

test("several questions on one connection are answered, in whatever pieces they come", async (t) => {
  const { port, ...running } = await start(t);
  tell(running, REVIEWS);
  const questions = Buffer.concat(
    [1, 2, 3].map((id) =>
      withLength(encode({ type: "query", id, questions: [{ name: "reviews", type: "A" }] })),
    ),
  );
  const socket = connect(port, "127.0.0.1");
  const ids: number[] = [];
  const reader = new MessageReader((reply) => void ids.push(decode(reply).id ?? 0));
  socket.on("data", (bytes: Buffer) => reader.push(bytes));
  for (const byte of questions) socket.write(Buffer.of(byte));
  await eventually("three answers", () => ids.length === 3);
  socket.destroy();
  assert.deepEqual(
    ids.toSorted((a, b) => a - b),
    [1, 2, 3],
  );
});

test("a resolver that is away, one that fails and one that is silent are passed over; the first is asked again later", async (t) => {
  await using failed = await FakeResolver.start(failing(2));
  await using silent = await FakeResolver.start(() => undefined);
  await using good = await FakeResolver.start();
  const nobody = `127.0.0.1:${await freePort()}`;
  const upstreams = [nobody, failed.address, silent.address, good.address];
  const { resolver, server } = await start(t, { upstreams });
  assert.deepEqual(await resolver.resolve4("a.example"), ["192.0.2.1"]);
  assert.deepEqual(await resolver.resolve4("b.example"), ["192.0.2.1"]);
  assert.equal(silent.count("b.example"), 0, "it rests");
  assert.equal(failed.count("b.example"), 1, "it answers, after all");
  const told = new Map(server.state.upstreams.map(({ name, failure }) => [name, failure]));
  assert.match(told.get(nobody) ?? "", /ECONNREFUSED/);
  assert.match(told.get(silent.address) ?? "", /no answer in time/);
  assert.equal(told.get(good.address), undefined);
});

test("a question or an answer that was lost is asked once more, of the only resolver too", async (t) => {
  let lost = 0;
  await using upstream = await FakeResolver.start((question) => {
    if (question.questions?.[0]?.name === "a.example" && lost++ === 0) return undefined;
    return saying("192.0.2.1")(question, "udp");
  });
  const { resolver } = await start(t, { upstreams: [upstream.address] });
  assert.deepEqual(await resolver.resolve4("a.example"), ["192.0.2.1"]);
  assert.equal(upstream.count("a.example"), 2);
});

test("what looks for circles is below a domain that resolvers pass on", async (t) => {
  await using upstream = await FakeResolver.start();
  await start(t, { upstreams: [upstream.address] });
  await eventually("it is asked", () => upstream.asked.length > 0);
  assert.match(upstream.asked[0]?.name ?? "", /^[0-9a-f]{24}\.lateen\.internal$/);
});

test("an answer repeats the question to the bit, also where text cannot tell its name", () => {
  const name = Buffer.concat([Buffer.of(4, 0xff, 0xc3, 0x2e, 0x41), Buffer.of(0)]);
  const question = Buffer.concat([name, Buffer.of(0, 1, 0, 1)]);
  const head = Buffer.from([0, 5, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const received = parseQuery(Buffer.concat([head, question]));
  assert.ok(received.kind === "query");
  const empty = { rcode: RCODE.serverFailure, answers: [], authorities: [], additionals: [] };
  const reply = encodeReply(received.query, empty, "udp");
  assert.deepEqual(reply.subarray(12), question);
  assert.equal(reply.readUInt16BE(4), 1);
});

test("when no resolver answers it is a failure, and that there is no such name is an answer", async (t) => {
  const { resolver } = await start(t, { upstreams: [`127.0.0.1:${await freePort()}`] });
  assert.equal(await codeOf(resolver.resolve4("a.example")), "ESERVFAIL");
  await using upstream = await FakeResolver.start(failing(3));
  const other = await start(t, { upstreams: [upstream.address] });
  assert.equal(await codeOf(other.resolver.resolve4("a.example")), "ENOTFOUND");
});

test("what a resolver did not say to our question is not taken", async (t) => {
  await using upstream = await FakeResolver.start((question) => {
    const name = "other.example";
    return {
      ...answerTo(question, () => [{ type: "A", name, data: "6.6.6.6" }]),
      questions: [{ name, type: "A" }],
    };
  });
  await using good = await FakeResolver.start();
  const { resolver } = await start(t, { upstreams: [upstream.address, good.address] });
  assert.deepEqual(await resolver.resolve4("a.example"), ["192.0.2.1"]);
});

test("names of a domain go to its own resolvers", async (t) => {
  await using consul = await FakeResolver.start(saying("10.0.0.8"));
  await using upstream = await FakeResolver.start();
  const { resolver } = await start(t, {
    upstreams: [upstream.address],
    domains: { consul: [consul.address] },
  });
  assert.deepEqual(await resolver.resolve4("db.service.consul"), ["10.0.0.8"]);
  assert.deepEqual(await resolver.resolve4("notconsul"), ["192.0.2.1"]);
});

test("resolvers follow the host's resolv.conf; one that is us is left out", async (t) => {
  await using upstream = await FakeResolver.start();
  const { server, resolvConf, port } = await start(t, {}, "nameserver 192.0.2.53\n");
  const known = (): readonly string[] => server.state.upstreams.map(({ name }) => name);
  await eventually("it is read", () => known().includes("192.0.2.53:53"));
  writeFileSync(resolvConf, "search corp.example\nnameserver 192.0.2.54\nnameserver fd00::53\n");
  await eventually("it is read again", () => known().includes("192.0.2.54:53"), 10_000);
  assert.deepEqual(known(), ["192.0.2.54:53", "[fd00::53]:53"]);
  const other = await start(t, { upstreams: [`127.0.0.1:${port}`, upstream.address] });
  assert.deepEqual(await other.resolver.resolve4("a.example"), ["192.0.2.1"]);
});

test("a resolver that asks us what we ask it is found and left out, and a question goes round no further than once", async (t) => {
  const port = await freePort();
  const outward = createSocket("udp4");
  const inward = createSocket("udp4");
  inward.bind(0, "127.0.0.1");
  await once(inward, "listening");
  const askers = new Map<number, number>();
  let round = 0;
  inward.on("message", (message, from) => {
    if (decode(message).questions?.[0]?.name === "a.example") round += 1;
    askers.set(message.readUInt16BE(0), from.port);
    outward.send(message, port, "127.0.0.1");
  });
  outward.on("message", (reply) => {
    inward.send(reply, askers.get(reply.readUInt16BE(0)) ?? 1, "127.0.0.1");
  });
  t.after(() => {
    inward.close();
    outward.close();
  });
  const circle = `127.0.0.1:${inward.address().port}`;
  const listen = [{ address: "127.0.0.1", port }];
  const { server, resolver } = await start(t, { listen, upstreams: [circle] });
  const early = codeOf(resolver.resolve4("a.example"));
  await eventually("it is found", () => server.state.upstreams.some(({ loops }) => loops));
  await early;
  assert.ok(round <= 1, `${round} times round`);
  const before = round;
  assert.equal(await codeOf(resolver.resolve4("a.example")), "ESERVFAIL");
  assert.equal(round, before, "it is not asked any more");
});

test("messages that are no questions are refused or ignored, and change nothing", async (t) => {
  const running = await start(t);
  tell(running, REVIEWS);
  const { port, resolver } = running;
  const question = encode({ type: "query", id: 9, questions: [{ name: "reviews", type: "A" }] });
  const edited = (edit: (message: Buffer) => void): Buffer => {
    const message = Buffer.from(question);
    edit(message);
    return message;
  };
  const rcodeOf = async (message: Buffer): Promise<string> => (await raw(port, message)).rcode ?? "";
  assert.equal(await rcodeOf(edited((message) => message.writeUInt16BE(0x28_00, 2))), "NOTIMP");
  assert.equal(await rcodeOf(edited((message) => message.writeUInt16BE(2, 4))), "FORMERR");
  assert.equal(await rcodeOf(edited((message) => message.writeUInt16BE(1, 6))), "FORMERR");
  assert.equal(await rcodeOf(edited((message) => message.writeUInt16BE(0xc0_0c, 12))), "FORMERR");
  assert.equal(await rcodeOf(question.subarray(0, -1)), "FORMERR");
  const opt = {
    type: "OPT",
    name: ".",
    udpPayloadSize: 4096,
    flags: 0,
    extendedRcode: 0,
    ednsVersion: 1,
  } as const;
  const badVersion = await raw(
    port,
    encode({
      type: "query",
      id: 9,
      questions: [{ name: "reviews", type: "A" }],
      additionals: [{ ...opt, flag_do: false, options: [] }],
    }),
  );
  const [said] = badVersion.additionals ?? [];
  assert.equal(said?.type === "OPT" && said.extendedRcode, 1);
  const socket = createSocket("udp4");
  // An answer, and less than a header.
  socket.send(
    edited((message) => message.writeUInt16BE(0x80_00, 2)),
    port,
    "127.0.0.1",
  );
  socket.send(Buffer.of(1, 2, 3), port, "127.0.0.1");
  assert.deepEqual(await resolver.resolve4("reviews"), ["127.240.1.2"]);
  socket.close();
});

test("a label with a dot in it is not the name that it looks like", async (t) => {
  await using upstream = await FakeResolver.start();
  const running = await start(t, { upstreams: [upstream.address] });
  tell(running, REVIEWS);
  const name = Buffer.concat([Buffer.of(12), Buffer.from("reviews.mesh"), Buffer.of(0)]);
  const head = Buffer.from([0, 5, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const reply = await raw(running.port, Buffer.concat([head, name, Buffer.of(0, 1, 0, 1)]));
  // It goes on; this resolver answers to what it looks like, and that is not taken either.
  assert.ok(upstream.count("reviews.mesh") > 0);
  assert.deepEqual([reply.rcode, reply.answers?.length], ["SERVFAIL", 0]);
});

test("a place that is taken is told, and taken over once it is free", async (t) => {
  const holder = createSocket("udp4");
  holder.bind(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address();
  const free = await freePort();
  const listen = [free, port].map((one) => ({ address: "127.0.0.1", port: one }));
  const starting = start(t, { listen });
  await new Promise((resolve) => setTimeout(resolve, 200));
  holder.close();
  const { server } = await starting;
  assert.deepEqual(
    server.state.places.map(({ problem }) => problem),
    [undefined, undefined],
  );
});
