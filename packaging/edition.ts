import type { Architecture } from "./architecture.ts";

/** What is packaged. */
export interface Edition {
  readonly version: string;
  /** In one line, without an article. */
  readonly summary: string;
  /** Seconds since 1970: the time of every file in a package (reproducible-builds.org's SOURCE_DATE_EPOCH). */
  readonly epoch: number;
}

/** A package to be made of a staged tree. */
export interface Order {
  /** The tree, as it is to be at `/`. */
  readonly root: string;
  /** A folder for whatever else. */
  readonly work: string;
  readonly out: string;
  readonly architecture: Architecture;
  readonly edition: Edition;
  /** How hard xz tries, 0 to 9. */
  readonly level: number;
}

/** What `dpkg` and `rpm` say of a package at length. */
export const DESCRIPTION = `What Istio gives on Kubernetes, for virtual machines, bare metal, Nomad
and Consul: mutual TLS with real identities, traffic routing, authorization,
and a view of all calls. One program is the control plane, the agent of a
host, its data plane, and the command line. Nothing is started by installing
it: lateen init makes a mesh, lateen join joins one.`;
