import {
  createServer,
  type Server as HttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from "@grpc/grpc-js";
import type { HeaderValueOption } from "../../mesh/xds/gen/envoy/config/core/v3/base.ts";
import {
  CheckRequest,
  CheckResponse,
  type DeepPartial,
} from "../../mesh/xds/gen/envoy/service/auth/v3/external_auth.ts";

const ADDRESS = "127.0.0.1";

const header = (key: string, value: string): DeepPartial<HeaderValueOption> => ({ header: { key, value } });

/** By `x-user`; anybody else is denied with no more said. */
const GRPC_ANSWERS: Readonly<Record<string, DeepPartial<CheckResponse> | "none">> = {
  good: {
    status: { code: status.OK },
    okResponse: {
      headers: [header("x-allowed-by", "authorizer"), header("x-user", "known")],
      headersToRemove: ["x-other"],
      responseHeadersToAdd: [header("x-checked", "yes")],
    },
  },
  unknown: {
    status: { code: status.UNAUTHENTICATED },
    deniedResponse: {
      status: { code: 401 },
      headers: [header("x-reason", "unknown user")],
      body: "who are you?",
    },
  },
  broken: "none",
};

/** What an authorizer was asked about. */
export interface Question {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** As much as it got of the request's body. */
  readonly body: string;
  /** Over gRPC: who calls whom. */
  readonly from?: string;
  readonly to?: string;
}

/** Someone who lets `x-user: good` pass, over HTTP and over gRPC, on a port each. */
export class Authorizers implements AsyncDisposable {
  readonly questions: Question[] = [];
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly #http: HttpServer;
  readonly #grpc: Server;

  private constructor(http: HttpServer, grpc: Server, grpcPort: number, questions: Question[]) {
    this.#http = http;
    this.#grpc = grpc;
    this.httpPort = (http.address() as AddressInfo).port;
    this.grpcPort = grpcPort;
    this.questions = questions;
  }

  static async start(): Promise<Authorizers> {
    const questions: Question[] = [];
    const http = createServer((request, response) => {
      void text(request).then((body) => answer(request, response, body));
    });
    const answer = (
      { method = "", url = "", headers }: IncomingMessage,
      response: ServerResponse,
      body: string,
    ): void => {
      questions.push({ method, path: url, headers, body });
      const user = headers["x-user"];
      if (user === "broken") response.writeHead(500).end();
      else if (user === "good")
        response.writeHead(200, { "x-allowed-by": "authorizer", "x-checked": "yes", "x-private": "1" }).end();
      else response.writeHead(401, { "x-reason": "unknown user", "x-private": "1" }).end("who are you?");
    };
    await new Promise<void>((resolve) => http.listen(0, ADDRESS, resolve));
    const grpc = new Server();
    grpc.addService(
      {
        check: {
          path: "/envoy.service.auth.v3.Authorization/Check",
          requestStream: false,
          responseStream: false,
          requestSerialize: (message: CheckRequest) => Buffer.from(CheckRequest.encode(message).finish()),
          requestDeserialize: (bytes: Buffer) => CheckRequest.decode(bytes),
          responseSerialize: (message: CheckResponse) => Buffer.from(CheckResponse.encode(message).finish()),
          responseDeserialize: (bytes: Buffer) => CheckResponse.decode(bytes),
        },
      },
      {
        check: (
          { request }: ServerUnaryCall<CheckRequest, CheckResponse>,
          done: sendUnaryData<CheckResponse>,
        ) => {
          const { source, destination, request: asked } = request.attributes ?? {};
          const { method = "", path = "", headers = {}, body = "", rawBody } = asked?.http ?? {};
          const [from, to] = [source?.principal ?? "", destination?.principal ?? ""];
          const bytes = Buffer.from(rawBody ?? new Uint8Array()).toString();
          questions.push({ method, path, headers, body: body + bytes, from, to });
          const answer = GRPC_ANSWERS[headers["x-user"] ?? ""];
          if (answer === "none") done({ code: status.INTERNAL });
          else
            done(null, CheckResponse.fromPartial(answer ?? { status: { code: status.PERMISSION_DENIED } }));
        },
      },
    );
    const grpcPort = await new Promise<number>((resolve, reject) => {
      grpc.bindAsync(`${ADDRESS}:0`, ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    return new Authorizers(http, grpc, grpcPort, questions);
  }

  /** The service by which a mesh knows them, outside of it. */
  get serviceEntry(): string {
    return `---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: authorizers }
spec:
  hosts: [authz.example.com]
  location: MESH_EXTERNAL
  resolution: STATIC
  ports:
    - { number: ${this.httpPort}, name: http, protocol: HTTP }
    - { number: ${this.grpcPort}, name: grpc, protocol: GRPC }
  endpoints: [{ address: ${ADDRESS} }]
`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#grpc.forceShutdown();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}
