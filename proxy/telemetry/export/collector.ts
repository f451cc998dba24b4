/** Sends telemetry to a service of the mesh, by its cluster. None of it rejects: false is for whatever goes wrong. */
export interface Collector {
  /** One unary call of gRPC. */
  grpc(call: {
    readonly cluster: string;
    readonly authority: string;
    /** `/package.Service/Method`. */
    readonly method: string;
    readonly message: Uint8Array;
    readonly signal: AbortSignal;
  }): Promise<boolean>;
  /** One POST that any 2xx is the answer to. */
  post(call: {
    readonly cluster: string;
    readonly authority: string;
    readonly path: string;
    readonly contentType: string;
    readonly body: Uint8Array;
    readonly signal: AbortSignal;
  }): Promise<boolean>;
}
