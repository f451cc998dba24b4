import { constants } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { Clock } from "../../mesh/lifecycle/clock.ts";
import type { Logger } from "../../mesh/telemetry/logger.ts";
import type { ServerIdentity } from "../ca/server-identity.ts";
import type { AdminTls } from "./admin.ts";
import type { AdminConfig } from "./admin-config.ts";

const LOOK_AGAIN_MS = 60_000;

/** TLS of the admin listener, and what keeps it in step with its files until the signal is aborted. */
export interface ListenerTls {
  readonly tls: AdminTls;
  run(signal: AbortSignal): Promise<void>;
}

export interface ListenerTlsDeps {
  /** Presented where no files are configured. */
  readonly identity: Pick<ServerIdentity, "current" | "onChange">;
  readonly clock: Pick<Clock, "sleep">;
  readonly logger: Logger;
}

/**
 * The listener's TLS: with the files that are configured, else with the server's own certificate. Files that cannot be used
 * keep those from before in force. Throws `config.invalid` when they cannot be used at the start.
 */
export function listenerTls(
  files: AdminConfig["tls"],
  { identity, clock, logger }: ListenerTlsDeps,
): ListenerTls {
  const listeners = new Set<() => void>();
  let current = readContext(files, identity);
  const renew = (): void => {
    try {
      const next = readContext(files, identity);
      if (JSON.stringify(next) === JSON.stringify(current)) return;
      current = next;
      for (const listener of listeners) listener();
      logger.info("the admin listener's certificates changed");
    } catch (error) {
      logger.error("the admin listener's files cannot be used, those from before stay in force", {
        reason: messageOf(error),
      });
    }
  };
  return {
    tls: {
      current: () => current,
      onChange: (listener, signal) => {
        listeners.add(listener);
        signal.addEventListener("abort", () => listeners.delete(listener), { once: true });
      },
    },
    async run(signal) {
      identity.onChange(renew, signal);
      while (!signal.aborted) {
        await clock.sleep(LOOK_AGAIN_MS, signal);
        if (!signal.aborted) renew();
      }
    },
  };
}

function readContext(
  { certFile, keyFile, clientCaFile }: AdminConfig["tls"],
  identity: ListenerTlsDeps["identity"],
): SecureContextOptions {
  try {
    const context: SecureContextOptions = {
      minVersion: "TLSv1.3",
      cert: certFile === undefined ? identity.current.chainPem : readFileSync(certFile, "utf8"),
      key: keyFile === undefined ? identity.current.keyPem : readFileSync(keyFile, "utf8"),
      // A session that is resumed has proved nothing to today's authorities.
      secureOptions: constants.SSL_OP_NO_TICKET,
      ...(clientCaFile === undefined ? {} : { ca: readFileSync(clientCaFile, "utf8") }),
    };
    createSecureContext(context);
    return context;
  } catch (cause) {
    throw new MeshError("config.invalid", `use the files of admin.tls: ${messageOf(cause)}`, {
      cause,
      hint: "they are PEM: a chain with the leaf first, its key, the authorities of client certificates",
    });
  }
}
