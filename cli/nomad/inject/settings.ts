import * as z from "zod";

const text = z.string().min(1);

/** What an injected sidecar is made of: `sidecar` of the configuration, or the file of `lateen nomad inject --config`. */
export const sidecarSettingsSchema = z.strictObject({
  /** `aud` of the workload identity: `attest.nomad.audience` of server.yaml. */
  audience: text.default("lateen.example"),
  /** `auto`: the driver of the group's own tasks. */
  driver: z.enum(["auto", "docker", "podman", "exec", "raw_exec"]).default("auto"),
  /** For docker and podman. */
  image: text.default("lateen-agent:0.1.0"),
  /** For exec and raw_exec: the program on the client. */
  command: text.default("/usr/bin/lateen"),
  /** Servers of the mesh, each `host:port`. Empty: its environment says. */
  servers: z.array(text).default([]),
  trustDomain: text.default("cluster.local"),
  /** SHA-256 of the mesh's CA key, as the server logs it. Left out: its environment says. */
  caPin: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/, "must be the base64url of a SHA-256")
    .optional(),
  /** MHz. */
  cpu: z.number().int().min(1).max(100_000).default(200),
  /** The agent and the built-in data plane together; with less the kernel ends them. */
  memoryMb: z.number().int().min(64).max(65_536).default(256),
  /** Of its secrets directory, where keys and the last good configuration are; Nomad before 1.11 has always 1 MiB. */
  secretsMb: z.number().int().min(1).max(1_024).default(16),
  /** How long a stopping allocation is out of the catalog before its tasks are told to end. */
  shutdownDelaySeconds: z.number().int().min(0).max(600).default(5),
  /** How long the application waits for its sidecar before the allocation fails. */
  readySeconds: z.number().int().min(1).max(3_600).default(120),
  /** More for the sidecar's environment: keys of agent.yaml as `LATEEN_AGENT_…`. */
  env: z.record(z.string().regex(/^[A-Za-z_]\w*$/, "must be a variable's name"), z.string()).default({}),
});

export type SidecarSettings = z.output<typeof sidecarSettingsSchema>;
