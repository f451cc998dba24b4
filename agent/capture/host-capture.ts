import { randomBytes } from "node:crypto";
import type { AskedCapture } from "../../mesh/admin-api/asked-capture.ts";
import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import { isWildcard, readListeningSockets } from "../registration/listening-sockets.ts";
import { hasGroup, readCaptureHost } from "./capture-host.ts";
import type { CapturePlan } from "./capture-plan.ts";
import { foreignRules } from "./foreign-rules.ts";
import type { KeptCapture } from "./kept-capture.ts";
import type { Nft } from "./nft.ts";
import { openConnections } from "./open-connections.ts";
import { type PlannedCapture, planCapture } from "./plan-capture.ts";
import {
  bridgingRules,
  captureRules,
  confirmingRules,
  ifMarked,
  removingRules,
  restingRules,
  unbridgingRules,
} from "./ruleset.ts";
import { parseTable, type TableState } from "./table-state.ts";

const LOOK_MS = 200;
/** Of connections that were captured by rules which nobody confirmed. */
const LEFTOVER_DRAIN_MS = 30_000;
/** What ends by itself in the kernel is taken away a moment later. */
const AFTER_END_MS = 1_000;

export interface HostCaptureOptions {
  readonly nft: Nft;
  readonly kept: KeptCapture;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The rules of a host that send connections to its proxies. All of it needs root, and touches one table alone. */
export class HostCapture {
  readonly #nft: Nft;
  readonly #kept: KeptCapture;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;

  constructor({ nft, kept, clock, signal }: HostCaptureOptions) {
    this.#nft = nft;
    this.#kept = kept;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** What is to be captured for these workloads. */
  async plan(
    asked: readonly AskedCapture[],
    agent: { readonly runDir: string; readonly agentPid: number },
    dnsPort: number | undefined,
  ): Promise<PlannedCapture> {
    const host = await readCaptureHost(asked, { ...agent, nft: this.#nft, signal: this.#signal });
    const { plan, findings } = planCapture(asked, host, dnsPort);
    return { plan, findings: [...findings, ...(await this.foreign(plan))] };
  }

  /** The rules of a plan as nft takes them. */
  rules(plan: CapturePlan, endsAfterSeconds: number | undefined): string {
    const mark = randomBytes(8).toString("hex");
    return captureRules(plan, { mark, endsAfterSeconds, hasGroup });
  }

  async foreign(plan: CapturePlan): Promise<readonly HostFinding[]> {
    return foreignRules(await this.#nft.ruleset(this.#signal), plan);
  }

  /** How our table is; undefined: there is none. */
  async table(): Promise<TableState | undefined> {
    const text = await this.#nft.table(this.#signal);
    return text === undefined ? undefined : parseTable(text);
  }

  /**
   * Puts a plan into force; `endsAfterSeconds`: until then, unless it is confirmed. Throws `agent.capture` while a proxy
   * does not listen: its service would be cut off.
   */
  async apply(plan: CapturePlan, endsAfterSeconds: number | undefined): Promise<void> {
    const silent = await silentPorts(plan);
    if (silent.length > 0) {
      throw new MeshError("agent.capture", `capture connections: no proxy listens at ${silent.join(", ")}`, {
        hint: "wait until lateen status says that the services are served, then apply again",
      });
    }
    await this.#replace(this.rules(plan, endsAfterSeconds));
    await this.#remember(plan, endsAfterSeconds === undefined);
  }

  /** Makes what was applied stay, over reboots too. Throws `agent.capture` when it has ended, or there is nothing. */
  async confirm(): Promise<CapturePlan> {
    const { inForce } = this.#kept;
    const life = (await this.table())?.life.kind;
    if (inForce === undefined || life === undefined || life === "over") {
      throw new MeshError("agent.capture", "confirm capture: nothing is in force that could be confirmed", {
        hint: "it may have ended by itself: lateen capture apply, then confirm in time",
      });
    }
    if (life === "ends") await this.#nft.apply(confirmingRules(inForce.plan), this.#signal);
    await this.#remember(inForce.plan, true);
    return inForce.plan;
  }

  /**
   * Waits until what was applied is confirmed or has ended. Then what was confirmed before is in force again, or nothing
   * is. `mark`: of the table that is meant; another one has somebody else who looks after it.
   */
  async expire(mark: string): Promise<void> {
    for (;;) {
      const table = await this.table();
      if (table?.mark !== mark || table.life.kind === "on") return;
      if (table.life.kind === "over") break;
      await this.#clock.sleep(table.life.inSeconds * 1000 + AFTER_END_MS, this.#signal);
      this.#signal.throwIfAborted();
    }
    const before = this.#kept.confirmed;
    if (before !== undefined) {
      await this.#replace(ifMarked(mark, this.rules(before, undefined)));
      await this.#remember(before, true);
      return;
    }
    await this.#untilOver(LEFTOVER_DRAIN_MS);
    await this.#nft.apply(ifMarked(mark, removingRules()), this.#signal);
    this.#kept.forget(mark);
  }

  /** Nothing more is captured; what was, goes on. */
  async rest(): Promise<void> {
    // One that is not of our making may have no such set.
    if ((await this.table())?.mark) await this.#nft.apply(restingRules(), this.#signal);
  }

  /** Takes our table away, and no other. Connections that were captured may end within `drainMs`; returns how many did not. */
  async remove(drainMs: number): Promise<number> {
    await this.rest();
    const left = await this.#untilOver(drainMs);
    await this.#nft.apply(removingRules() + unbridgingRules(), new AbortController().signal);
    this.#kept.forgetAll();
    return left;
  }

  /** Puts another table in the place of ours, if there is one; connections that were captured go on. */
  async #replace(script: string): Promise<void> {
    if ((await this.table()) === undefined) {
      await this.#nft.apply(script, this.#signal);
      return;
    }
    await this.#nft.apply(bridgingRules(), this.#signal);
    try {
      await this.#nft.apply(script, this.#signal);
    } finally {
      await this.#nft.apply(unbridgingRules(), new AbortController().signal);
    }
  }

  /** Waits until connections that were captured are over; returns how many there are still. */
  async #untilOver(drainMs: number): Promise<number> {
    const { services = [] } = this.#kept.inForce?.plan ?? {};
    const ports = new Set(services.flatMap(({ outbound, inbound }) => [outbound, inbound ?? outbound]));
    const end = this.#clock.monotonic() + drainMs;
    for (;;) {
      const left = await openConnections(ports);
      if (left === 0 || this.#clock.monotonic() >= end || this.#signal.aborted) return left;
      await this.#clock.sleep(LOOK_MS, this.#signal);
    }
  }

  /** What was confirmed is in force again, once the proxies listen. Undefined: nothing was. */
  async restore(waitMs: number): Promise<CapturePlan | undefined> {
    const plan = this.#kept.confirmed;
    if (plan === undefined) return undefined;
    const end = this.#clock.monotonic() + waitMs;
    while ((await silentPorts(plan)).length > 0 && this.#clock.monotonic() < end && !this.#signal.aborted) {
      await this.#clock.sleep(LOOK_MS, this.#signal);
    }
    await this.apply(plan, undefined);
    return plan;
  }

  async #remember(plan: CapturePlan, confirmed: boolean): Promise<void> {
    const { digest = "", mark = "" } = (await this.table()) ?? {};
    if (confirmed) this.#kept.confirmed = plan;
    this.#kept.inForce = { mark, digest, confirmed, plan };
  }
}

/** Ports of a plan at which no proxy of the mesh's user listens. */
export async function silentPorts({ services, meshUid }: CapturePlan): Promise<readonly number[]> {
  const listened = new Set(
    (await readListeningSockets())
      .filter(({ uid, address }) => uid === meshUid && isWildcard(address))
      .map(({ port }) => port),
  );
  return services
    .flatMap(({ owner, outbound, inbound }) => [
      ...(owner === undefined ? [] : [outbound]),
      ...(inbound === undefined ? [] : [inbound]),
    ])
    .filter((port) => !listened.has(port));
}
