import type { TypeUrl } from "../../mesh/xds/type-urls.ts";

/** A resource in force, or the reason why its last version is not. */
export interface BookedResource<M> {
  readonly name: string;
  readonly version: string;
  readonly bytes: Uint8Array;
  readonly model: M;
  readonly updatedMs: number;
}

export interface BookedRejection {
  readonly name: string;
  readonly version: string;
  readonly reason: string;
  readonly atMs: number;
}

/** The resources of one type: those in force, and those that were refused since. */
export class ResourceBook<M> {
  readonly type: TypeUrl;
  readonly #held = new Map<string, BookedResource<M>>();
  readonly #rejected = new Map<string, BookedRejection>();
  #arrived = false;

  constructor(type: TypeUrl) {
    this.type = type;
  }

  /** True once the server has answered for this type, be it with nothing. */
  get arrived(): boolean {
    return this.#arrived;
  }

  arrive(): void {
    this.#arrived = true;
  }

  put(resource: BookedResource<M>): void {
    this.#held.set(resource.name, resource);
    this.#rejected.delete(resource.name);
  }

  refuse(rejection: BookedRejection): void {
    this.#rejected.set(rejection.name, rejection);
  }

  delete(name: string): void {
    this.#held.delete(name);
    this.#rejected.delete(name);
  }

  get(name: string): BookedResource<M> | undefined {
    return this.#held.get(name);
  }

  /** In no order. */
  names(): Iterable<string> {
    return this.#held.keys();
  }

  /** By name. */
  list(): BookedResource<M>[] {
    return [...this.#held.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  rejections(): BookedRejection[] {
    return [...this.#rejected.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
