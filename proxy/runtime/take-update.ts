import { messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Slices, Steps } from "../../mesh/lifecycle/slices.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { TypeUrl } from "../../mesh/xds/type-urls.ts";
import type { Rejection, ResourceUpdate } from "../ads/ads-client.ts";
import type { ResourceBook } from "./resource-book.ts";

/** A resource that only has to be put in force. */
export interface Prepared<M> {
  readonly model: M;
  /** Throws what refuses it after all; the former version then stays. */
  put(): void | Promise<void>;
}

/** What becomes of resources of one type. */
export interface ResourceKind<M> {
  readonly book: ResourceBook<M>;
  /** All that can be done before anything changes. Throws what refuses the resource. */
  prepare(bytes: Uint8Array, name: string): Steps<Prepared<M>>;
  /** It came again as it is. */
  again?(model: M, name: string): void;
  remove(name: string): void;
}

export interface TakingDeps {
  readonly slices: Slices;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Upsert = ResourceUpdate["upserts"][number];
type Refuse = (upsert: Upsert, error: unknown) => void;

/**
 * Takes an update, in slices: nothing changes until all of it is prepared. Each resource by itself: one that is refused
 * keeps its former version in force and lets the others pass. Rejects when the signal is aborted; what is not in force
 * by then does not come into force.
 */
export async function takeUpdate<M>(
  kind: ResourceKind<M>,
  update: ResourceUpdate,
  { slices, clock, logger }: TakingDeps,
  signal: AbortSignal,
): Promise<readonly Rejection[]> {
  const { book } = kind;
  const rejections: Rejection[] = [];
  const nowMs = clock.now();
  const refuse: Refuse = ({ name, version }, error) => {
    const said = reasonOf(error);
    // The server tells by the names in it which resources of a response were refused.
    const reason = said.includes(name) ? said : `${shortName(update.type)} ${name}: ${said}`;
    rejections.push({ name, reason });
    book.refuse({ name, version, reason, atMs: nowMs });
    logger.warn("resource refused", { type: shortName(update.type), name, version, reason });
  };
  const prepared = await slices.run(prepareAll(kind, update, refuse), signal);
  for (const name of update.removed) {
    kind.remove(name);
    book.delete(name);
    await slices.step(signal);
  }
  for (const { upsert, resource, updatedMs = nowMs } of prepared) {
    try {
      await resource.put();
      book.put({ ...upsert, model: resource.model, updatedMs });
    } catch (error) {
      refuse(upsert, error);
    }
    await slices.step(signal);
  }
  book.arrive();
  return rejections;
}

interface PreparedUpsert<M> {
  readonly upsert: Upsert;
  readonly resource: Prepared<M>;
  /** Undefined: it changes now. */
  readonly updatedMs: number | undefined;
}

function* prepareAll<M>(
  kind: ResourceKind<M>,
  { upserts, removed }: ResourceUpdate,
  refuse: Refuse,
): Steps<PreparedUpsert<M>[]> {
  const gone = new Set(removed);
  const prepared: PreparedUpsert<M>[] = [];
  for (const upsert of upserts) {
    const { name, bytes } = upsert;
    const held = gone.has(name) ? undefined : kind.book.get(name);
    try {
      if (held !== undefined && Buffer.compare(held.bytes, bytes) === 0) {
        const { model, updatedMs } = held;
        prepared.push({ upsert, resource: { model, put: () => kind.again?.(model, name) }, updatedMs });
      } else {
        const resource = yield* kind.prepare(bytes, name);
        prepared.push({ upsert, resource, updatedMs: undefined });
      }
    } catch (error) {
      refuse(upsert, error);
    }
    yield;
  }
  return prepared;
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? `${String(error.code)}: ` : "";
  return code + messageOf(error);
}

function shortName(type: TypeUrl): string {
  return type.slice(type.lastIndexOf(".") + 1);
}
