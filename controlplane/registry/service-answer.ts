import type { CatalogInstance } from "./registry.ts";

/** What is wrong with one instance of an answer. */
export interface InstanceProblem {
  readonly instance: string;
  readonly problem: string;
}

/** What a catalog says of one service. */
export interface ServiceAnswer {
  readonly instances: readonly CatalogInstance[];
  /** Ids of instances that are there but cannot be used as they are: what was known of them stays. */
  readonly refused: ReadonlySet<string>;
  readonly problems: readonly InstanceProblem[];
}
