import type { ServerOptions } from "node:https";
import { createSecureContext } from "node:tls";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import type { AdmissionConfig } from "./config.ts";
import { readPem } from "./nomad-target.ts";

/** TLS of the listener, from its files; undefined without them. Throws `config.invalid` when they cannot be used. */
export function listenerTls({
  certFile,
  keyFile,
  clientCaFile,
}: AdmissionConfig["listen"]): ServerOptions | undefined {
  if (certFile === undefined || keyFile === undefined) return undefined;
  const options: ServerOptions = {
    minVersion: "TLSv1.2",
    cert: readPem(certFile),
    key: readPem(keyFile),
    ALPNProtocols: ["http/1.1"],
    ...(clientCaFile === undefined
      ? {}
      : { ca: readPem(clientCaFile), requestCert: true, rejectUnauthorized: true }),
  };
  try {
    createSecureContext(options);
  } catch (cause) {
    throw new MeshError("config.invalid", `use the files of listen: ${messageOf(cause)}`, {
      cause,
      hint: "they are PEM: a chain with the leaf first, its key, the authorities of client certificates",
    });
  }
  return options;
}
