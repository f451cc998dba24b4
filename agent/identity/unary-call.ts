import { type Client, Metadata, type MethodDefinition, type ServiceError, status } from "@grpc/grpc-js";

/** One call with a deadline, cancelled when the signal is aborted. Rejects with grpc-js's `ServiceError`. */
export async function callUnary<Q, S>(
  client: Client,
  method: MethodDefinition<Q, S>,
  request: Q,
  signal: AbortSignal,
  timeoutMs = 10_000,
): Promise<S> {
  const { promise, resolve, reject } = Promise.withResolvers<S>();
  const call = client.makeUnaryRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    new Metadata(),
    { deadline: Date.now() + timeoutMs },
    (error, response) => {
      if (error !== null) reject(error);
      else if (response === undefined) reject(new Error("the server answered nothing"));
      else resolve(response);
    },
  );
  const cancel = (): void => call.cancel();
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  try {
    return await promise;
  } finally {
    signal.removeEventListener("abort", cancel);
  }
}

/** True when the server heard the call and said no: doing the same again will not help by itself. */
export function isRefusal(error: unknown): boolean {
  const { code } = error as Partial<ServiceError>;
  return (
    code === status.PERMISSION_DENIED ||
    code === status.UNAUTHENTICATED ||
    code === status.INVALID_ARGUMENT ||
    code === status.FAILED_PRECONDITION ||
    code === status.NOT_FOUND
  );
}

/** The mesh has gone on without this host: `agent`: its certificate is of no use any more; `server`: its roots are not. */
export type Estrangement = "agent" | "server";

/** OpenSSL's words for a chain that ends at no root that is known. */
const NO_ROOT = /self-signed certificate|unable to (get|verify)[a-z ]* certificate/;

/** Undefined for every other failure: an outage above all. */
export function estrangementIn(error: unknown): Estrangement | undefined {
  const { code, details } = error as Partial<ServiceError>;
  if (code === status.UNAUTHENTICATED) return "agent";
  return code === status.UNAVAILABLE && NO_ROOT.test(details ?? "") ? "server" : undefined;
}

/** What the server said, without grpc-js's code in front. */
export function serverSaid(error: unknown): string {
  const { details } = error as Partial<ServiceError>;
  return details === undefined || details === "" ? String(error) : details;
}
