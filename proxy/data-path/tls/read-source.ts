import { readFileSync } from "node:fs";
import { MeshError, messageOf } from "../../../mesh/errors.ts";
import type { DataSource } from "../../model/tls.ts";

/** The text of a certificate, key or list, from a file of this host where it is in one. Throws `identity.invalid`. */
export function readSource(source: DataSource): string {
  if ("text" in source) return source.text;
  try {
    return readFileSync(source.file, "utf8");
  } catch (cause) {
    throw new MeshError("identity.invalid", `read ${source.file} for TLS: ${messageOf(cause)}`, {
      hint: "a Gateway, Sidecar or DestinationRule names the file: it must be on this host, readable for the proxy",
      cause,
    });
  }
}
