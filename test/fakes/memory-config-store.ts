import {
  checkOrigin,
  type Holding,
  holdingOf,
  keyOf,
  planApply,
  unsettledOf,
} from "../../controlplane/store/apply-plan.ts";
import { ChangeGuards } from "../../controlplane/store/change-guards.ts";
import { ChangeListeners } from "../../controlplane/store/change-listeners.ts";
import type {
  AppliedObject,
  ApplyOptions,
  ConfigStore,
  StoreChange,
  Unsettled,
} from "../../controlplane/store/config-store.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import {
  byPrecedence,
  type Kind,
  type ObjectKey,
  type ParsedObject,
  type StoredObject,
} from "../../mesh/model/object.ts";
import { silentLogger } from "../../mesh/telemetry/logger.ts";

/** A ConfigStore that keeps nothing. */
export class MemoryConfigStore implements ConfigStore {
  readonly #clock: Pick<Clock, "now">;
  readonly #holdings = new Map<ObjectKey, Holding>();
  readonly #listeners = new ChangeListeners(silentLogger);
  readonly #guards = new ChangeGuards();
  #revision = 0;

  constructor(clock: Pick<Clock, "now">) {
    this.#clock = clock;
  }

  get revision(): number {
    return this.#revision;
  }

  list({
    kind,
    namespace,
  }: {
    readonly kind?: Kind;
    readonly namespace?: string;
  } = {}): readonly StoredObject[] {
    const objects = [...this.#holdings.values()].flatMap(({ object }) => object ?? []);
    return objects
      .filter((object) => object.kind === (kind ?? object.kind))
      .filter(({ metadata }) => metadata.namespace === (namespace ?? metadata.namespace))
      .sort(byPrecedence);
  }

  get(key: ObjectKey): StoredObject | undefined {
    return this.#holdings.get(key)?.object;
  }

  apply(objects: readonly ParsedObject[], options: ApplyOptions): readonly AppliedObject[] {
    const at = { now: this.#clock.now(), revision: this.#revision + 1 };
    const { applied, changes } = planApply(this.#holdings, objects, options, at);
    this.#guards.ask(changes);
    if (options.dryRun !== true) this.#commit(changes);
    return applied;
  }

  delete(key: ObjectKey, { origin }: { readonly origin: string }): boolean {
    const held = this.#holdings.get(key);
    checkOrigin(key, held, origin);
    if (held === undefined) return false;
    this.#commit([{ key, before: held.object, after: undefined }]);
    return true;
  }

  unsettled(): readonly Unsettled[] {
    return unsettledOf(this.#holdings.values());
  }

  settle(objects: readonly StoredObject[]): void {
    for (const object of objects) {
      const key = keyOf(object);
      const held = this.#holdings.get(key);
      if (held?.object?.revision === object.revision)
        this.#holdings.set(key, { ...held, pending: undefined });
    }
  }

  guard(check: (changes: readonly StoreChange[]) => void, signal: AbortSignal): void {
    this.#guards.add(check, signal);
  }

  onChange(listener: (changes: readonly StoreChange[]) => void, signal: AbortSignal): void {
    this.#listeners.add(listener, signal);
  }

  #commit(changes: readonly StoreChange[]): void {
    if (changes.length === 0) return;
    this.#revision += 1;
    for (const { key, after, kept } of changes) {
      if (after === undefined) this.#holdings.delete(key);
      else this.#holdings.set(key, holdingOf(after, kept));
    }
    this.#listeners.tell(changes);
  }
}
