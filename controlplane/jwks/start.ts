import { readFile } from "node:fs/promises";
import { rootCertificates } from "node:tls";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import type { ServerConfig } from "../config.ts";
import type { Publisher } from "../snapshot/publisher.ts";
import { addressTest } from "./allowed-addresses.ts";
import { DocumentFetcher } from "./fetch-document.ts";
import { KeySetKeeper, type KeySetKeeperOptions } from "./key-set-keeper.ts";

/** Throws `config.invalid` when the authorities cannot be read. */
export async function keyFetcher({ jwks }: Pick<ServerConfig, "jwks">): Promise<DocumentFetcher> {
  const { allowHttp, allowAddresses, caFile } = jwks;
  const ca = caFile === undefined ? undefined : await authorities(caFile);
  return new DocumentFetcher({ mayConnect: addressTest(allowAddresses), allowHttp, ca });
}

export function keySetKeeper(
  { jwks }: Pick<ServerConfig, "jwks">,
  {
    publisher,
    logger,
    ...deps
  }: Pick<KeySetKeeperOptions, "fetcher" | "store" | "memory" | "clock" | "logger"> & {
    readonly publisher: Publisher;
  },
): KeySetKeeper {
  return new KeySetKeeper({
    ...deps,
    publish: (source, keys) => publisher.setKeySet(source, keys),
    refreshMs: jwks.refreshSeconds * 1000,
    random: Math.random,
    logger: logger.child("jwks"),
  });
}

async function authorities(path: string): Promise<string> {
  try {
    return [...rootCertificates, await readFile(path, "utf8")].join("\n");
  } catch (error) {
    throw new MeshError("config.invalid", `read jwks.caFile ${path}: ${messageOf(error)}`, { cause: error });
  }
}
