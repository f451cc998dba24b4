import { MeshError } from "../mesh/errors.ts";
import { isSpiffeId, workloadSpiffeId } from "../mesh/identity/spiffe-id.ts";
import type { Logger } from "../mesh/telemetry/logger.ts";
import type { AgentStreams } from "./agents/agent-streams.ts";
import type { Placements } from "./agents/placements.ts";
import type { AgentRecords } from "./attest/agent-records.ts";
import type { Bans, BanTarget } from "./ca/bans.ts";
import type { MeshAuthority } from "./ca/mesh-authority.ts";

export interface BanningOptions {
  readonly bans: Bans;
  readonly authority: MeshAuthority;
  readonly agents: AgentRecords;
  readonly placements: Placements;
  readonly streams: AgentStreams;
  readonly logger: Logger;
}

/**
 * Makes a ban true everywhere: server calls are refused from here on, streams that are open are cut, endpoints go, and
 * peers get the serials on revocation lists. Those that are stored hold from the start.
 */
export class Banning {
  readonly #options: BanningOptions;

  constructor(options: BanningOptions) {
    this.#options = options;
    this.#applyToPlacements();
  }

  /** Throws `admin.not-found` for a host that never joined, `object.invalid` for what names nothing. */
  ban(named: NamedTarget, reason: string): readonly BanTarget[] {
    const { bans, agents, logger } = this.#options;
    const targets = this.#resolve(named);
    for (const target of targets) {
      bans.add(target, reason);
      if (target.kind === "agent") agents.setBanned(target.value, true);
      logger.warn("banned", { kind: target.kind, value: target.value, reason });
    }
    this.#enforce(targets);
    return targets;
  }

  /** Throws `admin.not-found` when there is no such ban. */
  unban(named: NamedTarget): readonly BanTarget[] {
    const { bans, agents, logger } = this.#options;
    const targets = this.#resolve(named).filter((target) => bans.remove(target));
    if (targets.length === 0) {
      throw new MeshError("admin.not-found", `${named.kind} ${named.value} is not banned`, {
        hint: "lateen ban list shows who is",
      });
    }
    for (const target of targets) {
      if (target.kind === "agent") agents.setBanned(target.value, false);
      logger.warn("ban lifted", { kind: target.kind, value: target.value });
    }
    this.#enforce(targets);
    return targets;
  }

  /** What is placed is judged by the bans as they are: at the start, and after each change. */
  #applyToPlacements(): void {
    const { bans, authority, placements } = this.#options;
    const { trustDomain } = authority.bundle;
    placements.setBans(
      ({ namespace, serviceAccount }, agentId) =>
        bans.has({ kind: "agent", value: agentId }) ||
        bans.has({ kind: "identity", value: workloadSpiffeId(trustDomain, namespace, serviceAccount) }),
    );
  }

  #enforce(targets: readonly BanTarget[]): void {
    const { bans, authority, streams } = this.#options;
    this.#applyToPlacements();
    for (const target of targets) for (const agentId of bans.agentsUnder(target)) streams.cut(agentId);
    authority.deny(bans.denied());
  }

  #resolve({ kind, value }: NamedTarget): readonly BanTarget[] {
    switch (kind) {
      case "serial": {
        const serial = value.replaceAll(":", "").toLowerCase();
        if (!/^[0-9a-f]{2,40}$/.test(serial)) throw invalid("a serial number is hexadecimal");
        return [{ kind, value: serial }];
      }
      case "identity":
        if (!isSpiffeId(value))
          throw invalid("an identity is spiffe://<trust domain>/ns/<namespace>/sa/<account>");
        return [{ kind, value }];
      case "host": {
        const found = this.#options.agents
          .list()
          .filter(({ id, nodeName }) => id === value || nodeName === value);
        if (found.length > 0) return found.map(({ id }) => ({ kind: "agent", value: id }));
        throw new MeshError("admin.not-found", `no host ${value} has joined`, {
          hint: "a host is named as it joined, or by its agent's id",
        });
      }
      default:
        return kind satisfies never;
    }
  }
}

/** A target as people name it. */
export interface NamedTarget {
  readonly kind: "serial" | "identity" | "host";
  readonly value: string;
}

function invalid(why: string): MeshError {
  return new MeshError("admin.request", `ban: ${why}`);
}
