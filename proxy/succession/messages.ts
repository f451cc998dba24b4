import type { ListeningSocket } from "../data-path/listener/listening-sockets.ts";

/** In the environment of a proxy that takes over from the one that started it. */
export const SUCCESSOR_VARIABLE = "LATEEN_PROXY_SUCCESSOR";

export interface Inheritance {
  /** What listens, by the receiver's descriptors. */
  readonly sockets: readonly ListeningSocket[];
  /** What keeps the one that goes from being ready: nobody may ask more of the one that comes. */
  readonly missing: readonly string[];
}

export type ToSuccessor =
  | ({ readonly kind: "inherit" } & Inheritance)
  /** The admin interface's places are free. */
  | { readonly kind: "released" };

export interface ToPredecessor {
  readonly kind: "ready";
}
