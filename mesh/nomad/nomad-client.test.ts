import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { NomadDouble } from "../../test/fakes/nomad-double.ts";
import { MeshError } from "../errors.ts";
import { nomadClient } from "./nomad-client.ts";
import { isNomadRefusal } from "./nomad-error.ts";

const never = new AbortController().signal;
const EVENTS = { topic: "Service", namespace: "*", index: undefined, silenceMs: 500 };

async function folder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), "lateen-nomad-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

/** Answers every request with these bytes and ends; or does not end. */
async function saying(text: string, ends = true): Promise<AsyncDisposable & { readonly address: string }> {
  const server = createServer((_, response) => {
    response.writeHead(200, { "x-nomad-index": "7" });
    response.write(text);
    if (ends) response.end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function drain(stream: AsyncIterable<unknown>): Promise<readonly unknown[] | MeshError> {
  const lines: unknown[] = [];
  try {
    for await (const line of stream) lines.push(line);
    return lines;
  } catch (error) {
    return MeshError.from(error);
  }
}

test("the task API's unix socket is asked as an address is, with the token of the file as it is now", async () => {
  await using files = await folder();
  const tokenFile = join(files.path, "nomad_token");
  await writeFile(tokenFile, "first\n");
  await using double = await NomadDouble.start(join(files.path, "api.sock"));
  double.token = "second";
  await using client = await nomadClient({ address: double.address, tokenFile });
  const refused = await client
    .get({ path: "/services", timeoutMs: 1_000 }, never)
    .catch((error: unknown) => error);
  assert.ok(isNomadRefusal(refused));
  assert.match(MeshError.from(refused).hint ?? "", /nomad_token: it is read again at once/);
  await writeFile(tokenFile, "second\n");
  const { body } = await client.get({ path: "/services", timeoutMs: 1_000 }, never);
  assert.deepEqual(body, []);
});

test("a blocking query ends when it is aborted, and when its time is over", async () => {
  await using double = await NomadDouble.start();
  await using client = await nomadClient({ address: double.address });
  const query = { index: "1", wait: "60000ms" };
  const stop = new AbortController();
  const waiting = client.get({ path: "/services", query, timeoutMs: 60_000 }, stop.signal);
  setImmediate(() => stop.abort());
  await assert.rejects(waiting, { code: "registry.unavailable" });
  await assert.rejects(client.get({ path: "/services", query, timeoutMs: 30 }, never), {
    code: "registry.unavailable",
  });
});

test("an answer that is longer than it may be is refused while it arrives", async () => {
  await using server = await saying(`[${" ".repeat(33 << 20)}]`);
  await using client = await nomadClient({ address: server.address });
  await assert.rejects(client.get({ path: "/services", timeoutMs: 20_000 }, never), /exceed|size/i);
});

const streams = [
  {
    name: "lines in pieces are joined",
    text: '{}\n{"Index":1}\n',
    want: [{}, { Index: 1 }],
    says: /the stream ended/,
  },
  {
    name: "a reason in the stream is told",
    text: "{}\nACL token expired\n",
    want: [{}],
    says: /ACL token expired/,
  },
  {
    name: "a reason without a line's end is told",
    text: "{}\nclosed by server",
    want: [{}],
    says: /closed by server/,
  },
];

for (const { name, text, want, says } of streams) {
  test(`of the event stream ${name}`, async () => {
    await using server = await saying(text);
    await using client = await nomadClient({ address: server.address });
    const seen: unknown[] = [];
    await assert.rejects(async () => {
      for await (const line of client.events(EVENTS, never)) seen.push(line);
    }, says);
    assert.deepEqual(seen, want);
  });
}

test("an event stream that is silent for too long is over", async () => {
  await using server = await saying("{}\n", false);
  await using client = await nomadClient({ address: server.address });
  const outcome = await drain(client.events({ ...EVENTS, silenceMs: 100 }, never));
  assert.ok(outcome instanceof MeshError);
  assert.match(outcome.message, /timeout/i);
});

test("an event stream returns when it is aborted", async () => {
  await using double = await NomadDouble.start();
  await using client = await nomadClient({ address: double.address });
  const stop = new AbortController();
  const lines: unknown[] = [];
  for await (const line of client.events(EVENTS, stop.signal)) {
    lines.push(line);
    stop.abort();
  }
  assert.deepEqual(lines, [{}]);
});

test("a token that Nomad does not take any more is told from a Nomad that is away", async () => {
  await using double = await NomadDouble.start();
  await using client = await nomadClient({ address: double.address });
  double.token = "another";
  const refused = await client
    .get({ path: "/services", timeoutMs: 500 }, never)
    .catch((error: unknown) => error);
  assert.ok(isNomadRefusal(refused));
  double.down();
  const away = await client
    .get({ path: "/services", timeoutMs: 500 }, never)
    .catch((error: unknown) => error);
  assert.ok(!isNomadRefusal(away));
  assert.match(MeshError.from(away).hint ?? "", /see whether Nomad runs/);
});
