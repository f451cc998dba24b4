import type { FieldPath } from "../../../mesh/model/finding.ts";
import type { JsonRecord } from "./fields.ts";

/**
 * A Nomad job as far as it is read. `raw` is the object as it came: a change makes a new one of it, so that what is not
 * known here is left as it is.
 */
export interface NomadJob {
  readonly raw: JsonRecord;
  readonly path: FieldPath;
  readonly id: string;
  /** The ID where it has none of its own, as in Nomad. */
  readonly name: string;
  /** Empty: not said. */
  readonly namespace: string;
  /** `service`, `batch`, `system`, `sysbatch`. */
  readonly type: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly groups: readonly TaskGroup[];
}

export interface TaskGroup {
  readonly raw: JsonRecord;
  readonly path: FieldPath;
  readonly name: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly networks: readonly Network[];
  /** Those of the group and those of its tasks. */
  readonly services: readonly NomadService[];
  readonly tasks: readonly Task[];
}

export interface Network {
  readonly raw: JsonRecord;
  readonly path: FieldPath;
  /** `host` unless it is said, as in Nomad; `bridge`, `none`, `cni/…`. */
  readonly mode: string;
  readonly ports: readonly NetworkPort[];
}

export interface NetworkPort {
  readonly label: string;
  /** 0: Nomad chooses. */
  readonly value: number;
  /** The port inside a network of the group's own; 0: not mapped, the same. */
  readonly to: number;
}

export interface NomadService {
  readonly path: FieldPath;
  /** As Nomad would name it; may hold `${…}` that only a client can fill in. */
  readonly name: string;
  readonly tags: readonly string[];
  readonly meta: Readonly<Record<string, string>>;
  /** Tags and metadata of canaries. */
  readonly canaryTags: readonly string[];
  readonly canaryMeta: Readonly<Record<string, string>>;
  /** A port's label or number; empty: none. */
  readonly port: string;
  /** `consul` unless it is said, as in Nomad. */
  readonly provider: string;
  /** What it is of Consul's mesh. */
  readonly connect: "none" | "sidecar" | "native" | "gateway";
  /** The task that Nomad adds to the group for it, with what the job says of that; undefined: it adds none. */
  readonly connectTask: Task | undefined;
}

export interface Task {
  readonly raw: JsonRecord;
  readonly path: FieldPath;
  readonly name: string;
  readonly driver: string;
  readonly user: string;
  readonly config: JsonRecord;
  readonly env: Readonly<Record<string, string>>;
  readonly meta: Readonly<Record<string, string>>;
  /** `prestart`, `poststart`, `poststop`; undefined: a main task. */
  readonly hook: string | undefined;
  readonly identities: readonly TaskIdentity[];
}

export interface TaskIdentity {
  readonly path: FieldPath;
  readonly name: string;
  readonly audiences: readonly string[];
}
