import { type Metadata, type ServerWritableStream, status } from "@grpc/grpc-js";
import type { CallerView } from "./caller-view.ts";

export interface StatusOnTheWire {
  readonly code: status;
  readonly details: string;
}

/** The part of a call that ends it. */
interface Ending {
  readonly cancelled: boolean;
  readonly destroyed: boolean;
  emit(event: "error", status: StatusOnTheWire): boolean;
}

/** SPIFFE Workload Endpoint §4.3: keeps a browser or a confused proxy from calling. */
const REQUIRED = "workload.spiffe.io";

export const NO_HEADER: StatusOnTheWire = {
  code: status.INVALID_ARGUMENT,
  details: `the metadata ${REQUIRED}: true is missing`,
};
export const REFUSED: StatusOnTheWire = { code: status.PERMISSION_DENIED, details: "no identity issued" };

export function hasHeader(metadata: Metadata): boolean {
  const values = metadata.get(REQUIRED);
  return values.length === 1 && values[0] === "true";
}

export function fail(call: Ending, ending: StatusOnTheWire): undefined {
  if (!call.cancelled && !call.destroyed) call.emit("error", ending);
  return undefined;
}

/** Sends the answer as it is and again after each change of it; `undefined` has ended the call. */
export function follow<S>(
  call: ServerWritableStream<unknown, S>,
  view: Pick<CallerView, "onChange">,
  answer: () => { readonly state: string; readonly message: () => S } | undefined,
): void {
  let sent: string | undefined;
  const look = (): void => {
    const now = answer();
    if (now === undefined) return stop();
    if (now.state === sent) return;
    sent = now.state;
    call.write(now.message());
  };
  const stop = view.onChange(() => look());
  for (const event of ["cancelled", "close"] as const) call.once(event, stop);
  look();
}
