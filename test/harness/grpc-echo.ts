import * as grpc from "@grpc/grpc-js";
import type { EchoApp } from "./mesh-apps.ts";

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

/** Of `Download`. */
export const DOWNLOADED = { messages: 50, bytes: 10_000 } as const;

export interface GrpcEcho extends EchoApp {
  readonly port: number;
  /** Calls whose end the server heard of before it had answered them. */
  readonly cancelled: () => number;
}

/**
 * A server of all four kinds of calls. `Unary` answers with what it gets, and metadata after it; to `fail` with NOT_FOUND,
 * to `once` with UNAVAILABLE the first time, to `never` not at all.
 */
export async function startGrpcEcho(address: string, port: number): Promise<GrpcEcho> {
  let taken = 0;
  let cancelled = 0;
  let failures = 1;
  const server = new grpc.Server();
  const metadata = new grpc.Metadata();
  metadata.set("x-trailer", "after");
  server.addService(SERVICE, {
    Unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      taken++;
      switch (call.request.toString()) {
        case "fail":
          return done({ code: grpc.status.NOT_FOUND, details: "nö: nothing", metadata });
        case "once":
          if (failures-- > 0) return done({ code: grpc.status.UNAVAILABLE, details: "not now" });
          failures = 1;
          return done(null, call.request, metadata);
        case "never":
          call.on("cancelled", () => cancelled++);
          return undefined;
        default:
          return done(null, call.request, metadata);
      }
    },
    Upload: (call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      let length = 0;
      call.on("data", (chunk: Buffer) => (length += chunk.length));
      call.on("end", () => done(null, Buffer.from(String(length))));
    },
    Download: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      for (let index = 0; index < DOWNLOADED.messages; index++)
        call.write(Buffer.alloc(DOWNLOADED.bytes, index));
      call.end();
    },
    Talk: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
      call.on("data", (chunk: Buffer) => call.write(chunk));
      call.on("end", () => call.end());
      call.on("cancelled", () => cancelled++);
    },
  });
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${address}:${port}`, grpc.ServerCredentials.createInsecure(), (error, at) =>
      error ? reject(error) : resolve(at),
    );
  });
  return {
    port: bound,
    taken: () => taken,
    cancelled: () => cancelled,
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
}

const same = (value: Buffer): Buffer => value;

/** Calls a `GrpcEcho`, wherever the way to it begins. */
export class GrpcCaller implements Disposable {
  readonly #client: grpc.Client;

  constructor(place: string, authority?: string) {
    this.#client = new grpc.Client(place, grpc.credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      ...(authority === undefined ? {} : { "grpc.default_authority": authority }),
    });
  }

  /** Rejects with a `grpc.ServiceError`. */
  async unary(
    text: string,
    deadlineMs = 10_000,
  ): Promise<{ readonly value: string; readonly trailer: unknown }> {
    return await new Promise((resolve, reject) => {
      let value = "";
      const options = { deadline: Date.now() + deadlineMs };
      const call = this.#client.makeUnaryRequest(
        SERVICE.Unary.path,
        same,
        same,
        Buffer.from(text),
        new grpc.Metadata(),
        options,
        (error, given) => (error ? reject(error) : (value = String(given))),
      );
      call.on("status", ({ metadata }) => resolve({ value, trailer: metadata.get("x-trailer")[0] }));
    });
  }

  /** What the server says it got. */
  async upload(chunks: readonly Buffer[]): Promise<string> {
    return await new Promise((resolve, reject) => {
      const call = this.#client.makeClientStreamRequest(SERVICE.Upload.path, same, same, (error, value) =>
        error ? reject(error) : resolve(String(value)),
      );
      for (const chunk of chunks) call.write(chunk);
      call.end();
    });
  }

  /** The sizes of the messages. */
  async download(): Promise<readonly number[]> {
    const call = this.#client.makeServerStreamRequest(SERVICE.Download.path, same, same, Buffer.alloc(0));
    return (await Array.fromAsync(call as AsyncIterable<Buffer>)).map(({ length }) => length);
  }

  talk(): grpc.ClientDuplexStream<Buffer, Buffer> {
    return this.#client.makeBidiStreamRequest<Buffer, Buffer>(SERVICE.Talk.path, same, same);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
