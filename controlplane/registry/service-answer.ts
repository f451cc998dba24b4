import type { CatalogInstance } from "./registry.ts";

/** What is wrong with one instance of an answer. */
export interface InstanceProblem {
  readonly instance: string;
  readonly problem: string;
}

/** What a catalog says of one service. */
export interface ServiceAnswer {
  readonly instances: readonly CatalogInstance[];
  /**
   * Ids of instances that are there but cannot be used as they are, and whether their checks pass (undefined: not said):
   * what else was known of them stays.
   */
  readonly refused: ReadonlyMap<string, boolean | undefined>;
  readonly problems: readonly InstanceProblem[];
}
