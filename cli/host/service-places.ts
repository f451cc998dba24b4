import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { type AgentConfig, loadAgentConfig } from "../../agent/config.ts";
import { MeshError } from "../../mesh/errors.ts";
import type { CliContext } from "../context.ts";
import { readNamedFile } from "../daemon.ts";
import { isThere } from "./presence.ts";

/** First line of a drop-in that `service add` wrote: only such a one does it change or remove. */
export const ADDED = "# Written by lateen service add; lateen service remove takes it away.";

export interface ServicePlaces {
  readonly config: AgentConfig;
  /** The directory of drop-ins. */
  readonly folder: string;
}

const ID = /^[A-Za-z0-9_]([A-Za-z0-9._-]{0,126}[A-Za-z0-9_])?$/;
const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * The drop-in of a service's instance: each namespace has its own, and no other instance has its name. Throws `cli.usage`
 * for what services.d takes for no name.
 */
export function dropInOf({ folder }: Pick<ServicePlaces, "folder">, namespace: string, id: string): string {
  const refuse = (text: string, what: string): MeshError =>
    new MeshError("cli.usage", `name a drop-in: ${JSON.stringify(text)} is no ${what}`, {
      hint: "an id has letters, digits, “-”, “_” and “.”; a namespace up to 63 of a-z, 0-9 and -",
    });
  if (!ID.test(id)) throw refuse(id, "id");
  if (!NAMESPACE.test(namespace)) throw refuse(namespace, "namespace");
  return join(folder, `${id}${namespace === "default" ? "" : `@${namespace}`}.yaml`);
}

/** The agent's configuration on a host that has joined; throws `cli.usage` on another. */
export function joinedConfig(context: CliContext, dir: string): AgentConfig {
  const path = join(resolve(dir), "agent.yaml");
  if (!isThere(path)) {
    throw new MeshError("cli.usage", `${path} is not there: this host has not joined a mesh`, {
      hint: "lateen join <token>, with a token of lateen token create on the server's host",
    });
  }
  const file = readNamedFile(path);
  return loadAgentConfig({ file, environment: context.environment, flags: {} });
}

/** Where drop-ins go. Throws `cli.usage` when this host's agent reads none. */
export function servicePlaces(context: CliContext, dir: string): ServicePlaces {
  const config = joinedConfig(context, dir);
  const { kind, path: folder } = config.discovery;
  if (kind !== "file" || /\.(ya?ml|json)$/.test(folder)) {
    throw new MeshError(
      "cli.usage",
      `this host's services are declared ${kind === "consul" ? "in Consul" : `in ${folder}`}`,
      {
        hint:
          kind === "consul"
            ? "give the service the tag lateen.inject=true there, or set discovery.kind: file in agent.yaml and restart the agent"
            : "edit that file, or set discovery.path of agent.yaml to a directory",
      },
    );
  }
  return { config, folder };
}

/** Removes the drop-ins of `service add`; what people wrote stays. Returns a line for each. */
export function removeAdded(folder: string): readonly string[] {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => join(folder, name))
    .filter((path) => readFileSync(path, "utf8").startsWith(ADDED))
    .map((path) => {
      rmSync(path);
      return `removed ${path}`;
    });
}
