import { messageOf } from "../../../mesh/errors.ts";
import type { Any } from "../../../mesh/xds/gen/google/protobuf/any.ts";
import { type ListMerge, mergeMessages } from "../../../mesh/xds/merge-messages.ts";
import type { MessageTypes } from "../../../mesh/xds/message-types.ts";
import { CODECS, type MessageOf, type Patch, type ResourceContext, type Target } from "./patch.ts";
import type { PatchLists } from "./prepare-patches.ts";

/** A patch that matches and yet cannot be applied to a resource. */
export interface PatchProblem {
  readonly subject: string;
  /** Its place in `configPatches`. */
  readonly index: number;
  readonly reason: string;
}

/** What has its configuration in an Any: a filter, a transport socket. */
interface Configured {
  readonly name: string;
  readonly typedConfig?: Any | undefined;
}

/** One resource being patched. */
export class Patching {
  readonly context: ResourceContext;
  readonly #types: MessageTypes;
  readonly #lists: PatchLists;
  readonly #problems: PatchProblem[];

  /** Adds to `problems` what cannot be applied. */
  constructor(types: MessageTypes, lists: PatchLists, context: ResourceContext, problems: PatchProblem[]) {
    this.#types = types;
    this.#lists = lists;
    this.context = context;
    this.#problems = problems;
  }

  /** The patches for where the resource is. */
  patches<T extends Target>(applyTo: T): readonly Patch<T>[] {
    const list: readonly Patch<T>[] = this.#lists[applyTo];
    return list.filter(({ match }) => match.context === "ANY" || match.context === this.context);
  }

  /** A message with the patch's value laid over it. */
  merge<T extends Target>(patch: Patch<T>, into: MessageOf[T]): MessageOf[T] {
    const over = patch.value?.bytes;
    if (over === undefined) return into;
    const codec = CODECS[patch.applyTo];
    const lists: ListMerge = patch.operation === "MERGE_AND_REPLACE_LIST" ? "replace" : "append";
    return this.#attempt(patch, into, () =>
      codec.decode(mergeMessages(this.#types, codec.typeName, codec.encode(into).finish(), over, lists)),
    );
  }

  /** The configuration inside merged, where both are of one type; lists inside are always appended to, as in Istio. */
  mergeTyped<M extends Configured>(patch: Patch<Target>, into: M, over: Configured): M {
    const [base, typed] = [into.typedConfig, over.typedConfig];
    if (base === undefined || typed === undefined) return into;
    if (base.typeUrl !== typed.typeUrl) {
      this.#report(patch, `${typed.typeUrl} cannot be merged into ${base.typeUrl}`);
      return into;
    }
    return this.#attempt(patch, into, () => {
      const value = mergeMessages(this.#types, base.typeUrl, base.value, typed.value, "append");
      return { ...into, typedConfig: { typeUrl: base.typeUrl, value } };
    });
  }

  #attempt<M>(patch: Patch<Target>, otherwise: M, work: () => M): M {
    try {
      return work();
    } catch (error) {
      this.#report(patch, messageOf(error));
      return otherwise;
    }
  }

  #report({ subject, index }: Patch<Target>, reason: string): void {
    this.#problems.push({ subject, index, reason });
  }
}

export function isMerge({ operation }: Patch<Target>): boolean {
  return operation === "MERGE" || operation === "MERGE_AND_REPLACE_LIST";
}
