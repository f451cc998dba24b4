import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { constants, mkdtemp, open, readFile, rename, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { eventually } from "../../../test/harness/eventually.ts";
import { AppendFile } from "./append-file.ts";
import { LineBuffer, type LineBufferOptions } from "./line-buffer.ts";
import { writeTo } from "./write-stream.ts";

const folder = await mkdtemp(join(tmpdir(), "lateen-lines-"));
after(async () => await rm(folder, { recursive: true }));

interface Buffered {
  readonly buffer: LineBuffer;
  readonly delivery: LineBufferOptions["delivery"];
  readonly told: unknown[];
}

function buffered(options: Pick<LineBufferOptions, "write"> & Partial<LineBufferOptions>): Buffered {
  const delivery = { delivered: 0, dropped: 0 };
  const told: unknown[] = [];
  const lost = (error: unknown): void => void told.push(error);
  return {
    buffer: new LineBuffer({ prompt: false, delivery, waits: () => {}, lost, ...options }),
    delivery,
    told,
  };
}

function inFile(path: string): Buffered {
  const file = new AppendFile(path);
  return buffered({
    write: async (lines) => await file.append(lines),
    letGo: async () => await file.close(),
  });
}

test("lines are written in batches, and after a rotation to a new file", async () => {
  const path = join(folder, "log");
  const { buffer, delivery, told } = inFile(path);
  buffer.write("a\n");
  buffer.write("b\n");
  await buffer.flush();
  await rename(path, `${path}.1`);
  buffer.write("c\n");
  await buffer.close();
  assert.deepEqual([await readFile(`${path}.1`, "utf8"), await readFile(path, "utf8")], ["a\nb\n", "c\n"]);
  assert.deepEqual([delivery, told], [{ delivered: 3, dropped: 0 }, []]);
});

test("what a disk does not take is counted, and told when it begins", async () => {
  const { buffer, delivery, told } = inFile("/nowhere/at/all");
  for (const line of ["a\n", "b\n"]) {
    buffer.write(line);
    await buffer.flush();
  }
  assert.deepEqual([delivery, told.length], [{ delivered: 0, dropped: 2 }, 1]);
});

test("what waits for a disk has a bound", () => {
  const { buffer, delivery } = inFile("/dev/full");
  const line = "x".repeat(65_535);
  for (let index = 0; index < 100; index++) buffer.write(line);
  assert.ok(delivery.dropped > 20, String(delivery.dropped));
});

test("a pipe that nobody reads costs lines, and neither a thread nor memory", async () => {
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  const { buffer, delivery, told } = inFile(path);
  buffer.write("a\n");
  await buffer.flush();
  assert.equal(delivery.dropped, 1);
  assert.match(String(told[0]), /ENXIO/);
  await using reader = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  buffer.write("b\n");
  await buffer.close();
  assert.deepEqual(delivery, { delivered: 1, dropped: 1 });
  assert.equal((await reader.read(Buffer.alloc(8))).bytesRead, 2);
});

async function pairOfSockets(): Promise<{ server: Server; writer: Socket; reader: Socket }> {
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => accepted.resolve(socket));
  const path = join(folder, "stream.sock");
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const writer = connect(path);
  return { server, writer, reader: await accepted.promise };
}

test("what waits for the reader of a stream has a bound, the rest is counted, and all goes on when it reads", async () => {
  const { server, writer, reader } = await pairOfSockets();
  const { buffer, delivery, told } = buffered({ write: writeTo(writer), prompt: true });
  const line = `${"x".repeat(65_535)}\n`;
  let given = 0;
  // Many times what may wait, with the event loop turning: the reader takes none of it.
  for (let turn = 0; turn < 64; turn++) {
    for (let index = 0; index < 8; index++, given++) buffer.write(line);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(writer.writableLength <= 4 * 1024 * 1024, String(writer.writableLength));
  }
  assert.ok(delivery.dropped > given / 2, String(delivery.dropped));
  let read = 0;
  reader.on("data", (chunk: Buffer) => (read += chunk.length)).resume();
  await buffer.flush();
  buffer.write("more\n");
  await eventually(
    "the rest is read",
    () => buffer.idle && read === delivery.delivered * line.length - line.length + 5,
  );
  assert.equal(delivery.delivered + delivery.dropped, given + 1);
  assert.deepEqual(told, []);
  writer.destroy();
  reader.destroy();
  server.close();
});

test("a stream whose reader is gone costs lines, and is told", async () => {
  const { server, writer, reader } = await pairOfSockets();
  writer.on("error", () => {});
  reader.destroy();
  await new Promise((resolve) => writer.once("close", resolve));
  const { buffer, delivery, told } = buffered({ write: writeTo(writer), prompt: true });
  buffer.write("a\n");
  await buffer.flush();
  assert.deepEqual([delivery.dropped, told.length], [1, 1]);
  server.close();
});
