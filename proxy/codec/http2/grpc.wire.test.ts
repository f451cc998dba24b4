import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { startProxy, type TestListener } from "./testing/chain.ts";

const bytes = {
  requestSerialize: (value: Buffer) => value,
  requestDeserialize: (value: Buffer) => value,
  responseSerialize: (value: Buffer) => value,
  responseDeserialize: (value: Buffer) => value,
};
const SERVICE = {
  Unary: { ...bytes, path: "/test.Echo/Unary", requestStream: false, responseStream: false },
  Upload: { ...bytes, path: "/test.Echo/Upload", requestStream: true, responseStream: false },
  Download: { ...bytes, path: "/test.Echo/Download", requestStream: false, responseStream: true },
  Talk: { ...bytes, path: "/test.Echo/Talk", requestStream: true, responseStream: true },
} as const;

const MESSAGES = 50;
let server: grpc.Server;
let proxy: TestListener;
let client: grpc.Client;

before(async () => {
  server = new grpc.Server();
  server.addService(SERVICE, {
    Unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      const trailers = new grpc.Metadata();
      trailers.set("x-trailer", "after");
      if (call.request.toString() === "fail")
        done({ code: grpc.status.NOT_FOUND, details: "nö: nothing", metadata: trailers });
      else done(null, call.request, trailers);
    },
    Upload: (call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      let length = 0;
      call.on("data", (chunk: Buffer) => (length += chunk.length));
      call.on("end", () => done(null, Buffer.from(String(length))));
    },
    Download: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      for (let index = 0; index < MESSAGES; index++) call.write(Buffer.alloc(10_000, index));
      call.end();
    },
    Talk: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      call.on("data", (chunk: Buffer) => call.write(chunk));
      call.on("end", () => call.end());
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  proxy = await startProxy(port);
  client = new grpc.Client(`127.0.0.1:${proxy.port}`, grpc.credentials.createInsecure());
});

after(async () => {
  client.close();
  server.forceShutdown();
  await proxy[Symbol.asyncDispose]();
});

const { path: unary } = SERVICE.Unary;
const same = (value: Buffer): Buffer => value;

async function askUnary(
  text: string,
  deadlineMs = 5000,
): Promise<{ value: Buffer; trailers: grpc.Metadata }> {
  return await new Promise((resolve, reject) => {
    let value: Buffer | undefined;
    const call = client.makeUnaryRequest(
      unary,
      same,
      same,
      Buffer.from(text),
      new grpc.Metadata(),
      { deadline: Date.now() + deadlineMs },
      (error, given) => (error ? reject(error) : (value = given)),
    );
    call.on("status", ({ metadata }) => value && resolve({ value, trailers: metadata }));
  });
}

test("a unary call and its trailers", async () => {
  const { value, trailers } = await askUnary("hello");
  assert.equal(value.toString(), "hello");
  assert.deepEqual(trailers.get("x-trailer"), ["after"]);
});

test("a failed call: the status, its message and its metadata", async () => {
  await assert.rejects(askUnary("fail"), (error: grpc.ServiceError) => {
    assert.equal(error.code, grpc.status.NOT_FOUND);
    assert.equal(error.details, "nö: nothing");
    assert.deepEqual(error.metadata.get("x-trailer"), ["after"]);
    return true;
  });
});

test("a hundred unary calls at once", async () => {
  const values = await Promise.all(
    Array.from({ length: 100 }, async (_, index) => (await askUnary(`${index}`)).value),
  );
  assert.deepEqual(
    values.map(String),
    Array.from({ length: 100 }, (_, index) => `${index}`),
  );
});

test("client streaming", async () => {
  const length = await new Promise<Buffer | undefined>((resolve, reject) => {
    const call = client.makeClientStreamRequest(SERVICE.Upload.path, same, same, (error, value) =>
      error ? reject(error) : resolve(value),
    );
    for (let index = 0; index < MESSAGES; index++) call.write(Buffer.alloc(10_000));
    call.end();
  });
  assert.equal(String(length), String(MESSAGES * 10_000));
});

test("server streaming", async () => {
  const chunks: Buffer[] = [];
  for await (const chunk of client.makeServerStreamRequest(
    SERVICE.Download.path,
    same,
    same,
    Buffer.alloc(0),
  )) {
    chunks.push(chunk);
  }
  assert.equal(chunks.length, MESSAGES);
  assert.ok(chunks.every((chunk, index) => chunk.equals(Buffer.alloc(10_000, index))));
});

test("bidirectional streaming, a message for a message", async () => {
  const call = client.makeBidiStreamRequest(SERVICE.Talk.path, same, same);
  let count = 0;
  call.write(Buffer.from("0"));
  for await (const chunk of call) {
    assert.equal(chunk.toString(), String(count++));
    if (count === MESSAGES) call.end();
    else call.write(Buffer.from(String(count)));
  }
  assert.equal(count, MESSAGES);
});

test("a cancelled call is cancelled at the server", async () => {
  const call = client.makeBidiStreamRequest(SERVICE.Talk.path, same, same);
  call.on("error", () => {});
  call.write(Buffer.from("x"));
  await new Promise<void>((resolve) => call.once("data", () => resolve()));
  call.cancel();
  await new Promise<void>((resolve) =>
    call.once("status", ({ code }) => resolve(assert.equal(code, grpc.status.CANCELLED))),
  );
});

test("a method that nobody has", async () => {
  await assert.rejects(
    new Promise((resolve, reject) => {
      client.makeUnaryRequest("/test.Echo/None", same, same, Buffer.alloc(0), (error, value) =>
        error ? reject(error) : resolve(value),
      );
    }),
    { code: grpc.status.UNIMPLEMENTED },
  );
});
