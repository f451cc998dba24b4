import { MeshError } from "../errors.ts";
import type { EncodedResource, ResourceMap } from "./encoded-resource.ts";

/** What a client does not have yet, or has in another version. */
export interface Change {
  readonly upserts: readonly EncodedResource[];
  readonly removals: readonly string[];
  /** Something is still to be removed, in a later response. */
  readonly heldBack: boolean;
  /** The upserts are all of this map; undefined where they are a choice. */
  readonly whole: ResourceMap | undefined;
}

/** A response that the client has not answered. */
export interface SentChange extends Change {
  readonly nonce: string;
}

/** What a request says about a response. */
export type Answer =
  /** Nothing: it subscribes, or is the first. */
  | { readonly kind: "none" }
  /** It answers a response that is no longer the last one. */
  | { readonly kind: "stale" }
  | { readonly kind: "ack"; readonly sent: SentChange }
  | {
      readonly kind: "nack";
      readonly sent: SentChange;
      readonly message: string;
      /** Names of the response's resources that the client did not take; all of them when it does not tell. */
      readonly rejected: readonly string[];
    };

/** One client's subscription to one type on one stream: the state behind delta and state-of-the-world alike. */
export interface Subscription {
  readonly wildcard: boolean;
  readonly outstanding: SentChange | undefined;
  /** Resources whose last version the client refused: name → that version, empty for a removal. */
  readonly rejected: ReadonlyMap<string, string>;
  /** How many resources the client has been sent and keeps. */
  readonly size: number;
  /** Whether the client asked for a resource of this name. */
  covers(name: string): boolean;
  /**
   * Names that go out again although their versions did not change, or all that the client has. Those that it did not
   * ask for are ignored.
   */
  refresh(names: Iterable<string> | "known"): void;
  /**
   * What to send for the client to have these resources; undefined when there is nothing. Does not look at whether a
   * response is outstanding. With `removals: "later"`, what the client has and should lose is held back.
   */
  change(resources: ResourceMap, removals: "now" | "later"): Change | undefined;
  /** Records that a change went out. From here on, the same versions are not sent again, whatever the client says. */
  sent(nonce: string, change: Change): void;
}

export const WILDCARD = "*";

/** More names than any mesh has on one host; what goes beyond is an attack or a defect. */
export const MOST_NAMES = 50_000;

export function tooManyNames(): MeshError {
  return new MeshError("xds.refused", `subscribe to more than ${MOST_NAMES} names of one type`);
}

export function withNonce(change: Change, nonce: string): SentChange {
  return new Sent(change, nonce);
}

/** Without a look at the upserts: a list of them is made only where somebody wants one. */
class Sent implements SentChange {
  readonly #change: Change;
  readonly nonce: string;

  constructor(change: Change, nonce: string) {
    this.#change = change;
    this.nonce = nonce;
  }

  get upserts(): readonly EncodedResource[] {
    return this.#change.upserts;
  }

  get removals(): readonly string[] {
    return this.#change.removals;
  }

  get heldBack(): boolean {
    return this.#change.heldBack;
  }

  get whole(): ResourceMap | undefined {
    return this.#change.whole;
  }
}

/** Turns what a client said about a response into an answer, and keeps `rejected` (name → version) in step with it. */
export function recordAnswer(
  sent: SentChange,
  error: string | undefined,
  rejected: Map<string, string>,
  covers: (name: string) => boolean,
): Answer {
  if (error === undefined && rejected.size === 0) return { kind: "ack", sent };
  const versions = new Map<string, string>();
  for (const name of sent.removals) versions.set(name, "");
  for (const { name, version } of sent.upserts) versions.set(name, version);
  for (const name of versions.keys()) rejected.delete(name);
  if (error === undefined) return { kind: "ack", sent };
  const names = rejectedNames(versions, error).filter(covers);
  for (const name of names) rejected.set(name, versions.get(name) ?? "");
  return { kind: "nack", sent, message: error, rejected: names };
}

/**
 * Which names of a refused response were refused. Clients that apply a response resource by resource (Envoy's listeners
 * and clusters, the built-in proxy) name the bad ones in their message; when none is named, none was applied.
 */
function rejectedNames(versions: ReadonlyMap<string, string>, message: string): readonly string[] {
  const names = [...versions.keys()];
  if (names.length <= 1) return names;
  const named = names.filter((name) => mentions(message, name));
  return named.length > 0 ? named : names;
}

function mentions(message: string, name: string): boolean {
  for (let at = message.indexOf(name); at >= 0; at = message.indexOf(name, at + 1)) {
    if (isBoundary(message[at - 1]) && isBoundary(message[at + name.length])) return true;
  }
  return false;
}

function isBoundary(character: string | undefined): boolean {
  return character === undefined || !/[\w.|-]/.test(character);
}
