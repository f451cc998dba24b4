import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { MeshError, messageOf } from "../../mesh/errors.ts";
import { AUTO_VIP_RANGE } from "../../mesh/model/vips.ts";
import { writeWhole } from "./dns/write-whole.ts";

interface RoutePlaces {
  /** Where it is noted that the route is ours. */
  readonly configDir: string;
  readonly dryRun: boolean;
}

const RECORD = "host-vips.json";
const DROP_IN = "/etc/systemd/system/lateen-agent.service.d/vips.conf";
const ADD = ["route", "replace", "local", AUTO_VIP_RANGE, "dev", "lo"];
const DELETE = ["route", "del", "local", AUTO_VIP_RANGE, "dev", "lo"];
const UNIT = `# Written by lateen host vips; lateen host vips --undo takes it away.
[Service]
ExecStartPre=+-/usr/bin/env ip ${ADD.join(" ")}
`;

/** Routes the addresses of services to this host itself (AnyIP), now and, under systemd, before each start of the agent. */
export function addVipRoute({ configDir, dryRun }: RoutePlaces): readonly string[] {
  const persists = existsSync("/run/systemd/system");
  if (dryRun) return [`would run ip ${ADD.join(" ")}`, ...(persists ? [`would write ${DROP_IN}`] : [])];
  writeWhole(join(configDir, RECORD), Buffer.from("{}"), { mode: 0o600 });
  run("ip", ADD);
  const done = `ran ip ${ADD.join(" ")}: proxies that listen for services move to these addresses`;
  if (!persists) return [done, "nothing makes it again at boot: run it before the agent starts"];
  mkdirSync(dirname(DROP_IN), { recursive: true });
  writeWhole(DROP_IN, Buffer.from(UNIT), { mode: 0o644 });
  run("systemctl", ["daemon-reload"]);
  return [done, `wrote ${DROP_IN}`];
}

/** Whether `addVipRoute` was here. */
export function hasVipRoute(configDir: string): boolean {
  return existsSync(join(configDir, RECORD));
}

/** Takes away what `addVipRoute` has made; nothing where it has not. */
export function removeVipRoute({ configDir, dryRun }: RoutePlaces): readonly string[] {
  const record = join(configDir, RECORD);
  if (!hasVipRoute(configDir)) return ["no route was made by lateen host vips"];
  const written = existsSync(DROP_IN);
  if (dryRun) return [`would run ip ${DELETE.join(" ")}`, ...(written ? [`would remove ${DROP_IN}`] : [])];
  const done: string[] = [];
  if (written) {
    rmSync(DROP_IN);
    removeEmpty(dirname(DROP_IN));
    run("systemctl", ["daemon-reload"]);
    done.push(`removed ${DROP_IN}`);
  }
  // A reboot has taken it, where nothing makes it again.
  if (run("ip", ["route", "show", "table", "local", AUTO_VIP_RANGE]).trim() !== "") {
    run("ip", DELETE);
    done.push(`ran ip ${DELETE.join(" ")}`);
  }
  rmSync(record);
  return done;
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // The operator has drop-ins there.
  }
}

function run(program: string, args: readonly string[]): string {
  try {
    return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (cause) {
    throw new MeshError("cli.host", `run ${program} ${args.join(" ")}: ${messageOf(cause)}`, {
      cause,
      hint: "run it as root; without the route services are reached at 127.240.x.y, which needs none",
    });
  }
}
