import { runTasks } from "../../mesh/lifecycle/run-tasks.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { Placements } from "../agents/placements.ts";
import type { Registry } from "../registry/registry.ts";
import type { ConfigStore } from "../store/config-store.ts";
import type { DirectorySource } from "../store/directory-source.ts";
import { asAdded } from "./added-objects.ts";
import type { Publisher } from "./publisher.ts";

export interface SourcesOptions {
  readonly registries: readonly Registry[];
  readonly placements: Pick<Placements, "list" | "onChange">;
  readonly store: ConfigStore;
  readonly directory: DirectorySource | undefined;
  readonly publisher: Publisher;
  readonly logger: Logger;
}

export interface Sources {
  /** What has not been heard from yet; empty once the mesh is published. */
  unready(): readonly string[];
  /** Feeds the publisher until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
}

/**
 * Joins everything that a snapshot is made of to the publisher. Nothing is published before every source has told what
 * it has: a server that comes back while Consul is away must not take the endpoints from everybody (DESIGN D8).
 */
export function publishSources(options: SourcesOptions): Sources {
  const { registries, placements, store, directory, publisher, logger } = options;
  const missing = new Set([
    ...registries.map(({ name }) => name),
    ...(directory === undefined ? [] : ["policy-dir"]),
  ]);
  const complete = Promise.withResolvers<void>();

  function arrived(name: string): void {
    if (!missing.delete(name)) return;
    logger.info("source complete", { source: name, missing: [...missing] });
    if (missing.size === 0) complete.resolve();
  }

  async function follow(registry: Registry, signal: AbortSignal): Promise<void> {
    for await (const event of registry.watch(signal)) {
      if (event.kind === "synced") arrived(registry.name);
      else publisher.setCatalog(registry.name, event.namespace, event.service, event.instances);
    }
  }

  async function followDirectory(source: DirectorySource, signal: AbortSignal): Promise<void> {
    await source.scan();
    arrived("policy-dir");
    await source.run(signal);
  }

  async function publish(signal: AbortSignal): Promise<void> {
    signal.addEventListener("abort", () => complete.resolve(), { once: true });
    if (missing.size === 0 || signal.aborted) complete.resolve();
    await complete.promise;
    await publisher.run(signal);
  }

  return {
    unready: () => [...missing].map((name) => `${name} has not told what it has`),
    async run(signal) {
      const kept = new Map(store.unsettled().map((one) => [one.object, one.kept]));
      publisher.setConfig(
        asAdded(store.list(), (object) => kept.get(object)),
        store.revision,
      );
      store.guard((changes) => publisher.admit(changes), signal);
      store.onChange((changes) => publisher.setConfig(changes, store.revision), signal);
      publisher.setWorkloads(
        placements.list().map((workload) => ({ id: `${workload.namespace}/${workload.name}`, workload })),
      );
      placements.onChange(
        (changes) => publisher.setWorkloads(changes.map(({ id, after }) => ({ id, workload: after }))),
        signal,
      );
      await runTasks(
        signal,
        publish,
        ...registries.map((registry) => (stop: AbortSignal) => follow(registry, stop)),
        ...(directory === undefined ? [] : [(stop: AbortSignal) => followDirectory(directory, stop)]),
      );
    },
  };
}
