import type { Command } from "commander";
import type { CliContext, Exit } from "./context.ts";

/** A command's module, made into a commander command. It is loaded only when it is called. */
type BuildCommand = (context: CliContext, exit: Exit) => Command;

export interface CommandEntry {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  readonly load: () => Promise<BuildCommand>;
}

/** Every command, in the order of `lateen --help`. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: "demo",
    aliases: [],
    summary: "a whole mesh with bookinfo on this machine",
    load: async () => (await import("./commands/demo.ts")).demoCommand,
  },
  {
    name: "init",
    aliases: [],
    summary: "set up a mesh: its server, on this host",
    load: async () => (await import("./commands/init.ts")).initCommand,
  },
  {
    name: "server",
    aliases: [],
    summary: "run the control plane",
    load: async () => (await import("./commands/server.ts")).serverCommand,
  },
  {
    name: "token",
    aliases: [],
    summary: "create, list and revoke join tokens",
    load: async () => (await import("./commands/token.ts")).tokenCommand,
  },
  {
    name: "access",
    aliases: [],
    summary: "create, list and revoke credentials for the admin API",
    load: async () => (await import("./commands/access.ts")).accessCommand,
  },
  {
    name: "audit",
    aliases: [],
    summary: "who did what to the mesh, and whether that log is whole",
    load: async () => (await import("./commands/audit.ts")).auditCommand,
  },
  {
    name: "ca",
    aliases: [],
    summary: "the certificate authority: its state and its rotation",
    load: async () => (await import("./commands/ca.ts")).caCommand,
  },
  {
    name: "ban",
    aliases: [],
    summary: "refuse a certificate, an identity or a host",
    load: async () => (await import("./commands/ban.ts")).banCommand,
  },
  {
    name: "unban",
    aliases: [],
    summary: "lift a ban",
    load: async () => (await import("./commands/ban.ts")).unbanCommand,
  },
  {
    name: "join",
    aliases: [],
    summary: "make this host part of a mesh",
    load: async () => (await import("./commands/join.ts")).joinCommand,
  },
  {
    name: "leave",
    aliases: [],
    summary: "take this host out of its mesh",
    load: async () => (await import("./commands/leave.ts")).leaveCommand,
  },
  {
    name: "service",
    aliases: [],
    summary: "the services of this host: add, remove, list",
    load: async () => (await import("./commands/service.ts")).serviceCommand,
  },
  {
    name: "host",
    aliases: [],
    summary: "what this host itself has of the mesh: DNS, a route to services",
    load: async () => (await import("./commands/host.ts")).hostCommand,
  },
  {
    name: "env",
    aliases: [],
    summary: "environment variables by which an application here calls services",
    load: async () => (await import("./commands/env.ts")).envCommand,
  },
  {
    name: "capture",
    aliases: [],
    summary: "send connections of this host's services to their proxies",
    load: async () => (await import("./commands/capture.ts")).captureCommand,
  },
  {
    name: "check",
    aliases: [],
    summary: "what is wrong with this host, before and after it joins",
    load: async () => (await import("./commands/check.ts")).checkCommand,
  },
  {
    name: "agent",
    aliases: [],
    summary: "run the agent of this host",
    load: async () => (await import("./commands/agent.ts")).agentCommand,
  },
  {
    name: "status",
    aliases: [],
    summary: "how this host's agent and its workloads are",
    load: async () => (await import("./commands/status.ts")).statusCommand,
  },
  {
    name: "wait",
    aliases: [],
    summary: "wait until this host's workloads are served",
    load: async () => (await import("./commands/wait.ts")).waitCommand,
  },
  {
    name: "proxy",
    aliases: [],
    summary: "run the built-in data plane (agents start it)",
    load: async () => (await import("./commands/proxy.ts")).proxyCommand,
  },
  {
    name: "instance",
    aliases: [],
    summary: "add, remove and list instances of the embedded registry",
    load: async () => (await import("./commands/instance.ts")).instanceCommand,
  },
  {
    name: "apply",
    aliases: [],
    summary: "store configuration objects",
    load: async () => (await import("./commands/apply.ts")).applyCommand,
  },
  {
    name: "get",
    aliases: [],
    summary: "list objects, services, workloads, registries",
    load: async () => (await import("./commands/get.ts")).getCommand,
  },
  {
    name: "delete",
    aliases: [],
    summary: "delete configuration objects",
    load: async () => (await import("./commands/delete.ts")).deleteCommand,
  },
  {
    name: "validate",
    aliases: [],
    summary: "check files against the schemas, without a server",
    load: async () => (await import("./commands/validate.ts")).validateCommand,
  },
  {
    name: "analyze",
    aliases: [],
    summary: "find what is valid and still wrong, in files or on the server",
    load: async () => (await import("./commands/analyze.ts")).analyzeCommand,
  },
  {
    name: "diff",
    aliases: [],
    summary: "what applying files would change, for each proxy too",
    load: async () => (await import("./commands/diff.ts")).diffCommand,
  },
  {
    name: "import",
    aliases: [],
    summary: "objects from what another mesh has: Consul's config entries and intentions",
    load: async () => (await import("./commands/import.ts")).importCommand,
  },
  {
    name: "nomad",
    aliases: [],
    summary: "give Nomad's jobs their sidecars, by hand or as they are registered",
    load: async () => (await import("./commands/nomad.ts")).nomadCommand,
  },
  {
    name: "render",
    aliases: [],
    summary: "what a workload's proxy would get, from files alone",
    load: async () => (await import("./commands/render.ts")).renderCommand,
  },
  {
    name: "explain",
    aliases: [],
    summary: "which way a call would take, and the objects that decide it",
    load: async () => (await import("./commands/explain.ts")).explainCommand,
  },
  {
    name: "authz",
    aliases: [],
    summary: "who may call whom, and the policies that decide it",
    load: async () => (await import("./commands/authz.ts")).authzCommand,
  },
  {
    name: "proxy-status",
    aliases: ["ps"],
    summary: "what each proxy has of what it should have",
    load: async () => (await import("./commands/proxy-status.ts")).proxyStatusCommand,
  },
  {
    name: "proxy-config",
    aliases: ["pc"],
    summary: "the configuration that a proxy gets",
    load: async () => (await import("./commands/proxy-config.ts")).proxyConfigCommand,
  },
  {
    name: "completion",
    aliases: [],
    summary: "a script that completes these commands in bash, zsh or fish",
    load: async () => (await import("./commands/completion.ts")).completionCommand,
  },
  {
    name: "version",
    aliases: [],
    summary: "versions of this program and of the server",
    load: async () => (await import("./commands/version.ts")).versionCommand,
  },
];
