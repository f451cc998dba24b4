import { MeshError } from "../../mesh/errors.ts";
import type { ListeningSocket } from "../data-path/listener/listening-sockets.ts";
import { type Inheritance, SUCCESSOR_VARIABLE, type ToPredecessor, type ToSuccessor } from "./messages.ts";

/** The part of `process` that is needed. */
export interface ParentChannel {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly send?: ((message: unknown) => unknown) | undefined;
  on(event: "message", listener: (message: unknown) => void): unknown;
  once(event: "disconnect", listener: () => void): unknown;
  readonly connected: boolean;
  disconnect(): void;
}

/** The process that this one takes over from. */
export class Predecessor {
  readonly sockets: readonly ListeningSocket[];
  /** What kept it from being ready. */
  readonly missing: readonly string[];
  readonly #parent: ParentChannel;
  readonly #released: Promise<void>;

  private constructor(parent: ParentChannel, { sockets, missing }: Inheritance, released: Promise<void>) {
    this.#parent = parent;
    this.sockets = sockets;
    this.missing = missing;
    this.#released = released;
  }

  /** Undefined when this process was started by nobody that it takes over from. Throws when that one is gone already. */
  static async meet(parent: ParentChannel): Promise<Predecessor | undefined> {
    if (parent.env[SUCCESSOR_VARIABLE] === undefined || parent.send === undefined) return undefined;
    const inherited = Promise.withResolvers<Inheritance>();
    const released = Promise.withResolvers<void>();
    parent.on("message", (message) => {
      const said = message as ToSuccessor;
      if (said.kind === "inherit") inherited.resolve(said);
      else released.resolve();
    });
    parent.once("disconnect", () => {
      // It has ended, and whatever it held is ours.
      released.resolve();
      inherited.reject(
        new MeshError(
          "proxy.succession",
          "take over from another proxy: it ended before it told its sockets",
          {
            hint: "start the proxy without it",
          },
        ),
      );
    });
    return new Predecessor(parent, await inherited.promise, released.promise);
  }

  /**
   * Tells that this process serves; resolves with true when the other one has let go of everything, or is gone, and with
   * false when the signal is aborted first.
   */
  async takeOver(signal: AbortSignal): Promise<boolean> {
    const ready: ToPredecessor = { kind: "ready" };
    if (this.#parent.connected) this.#parent.send?.(ready);
    const given = Promise.withResolvers<boolean>();
    const giveUp = (): void => given.resolve(false);
    void this.#released.then(() => given.resolve(true));
    signal.addEventListener("abort", giveUp, { once: true });
    if (signal.aborted) giveUp();
    const isReleased = await given.promise;
    signal.removeEventListener("abort", giveUp);
    return isReleased;
  }

  /** This process has what the other one had, its name among it, or wants it no more: that one needs not wait. */
  leave(): void {
    if (this.#parent.connected) this.#parent.disconnect();
  }
}
