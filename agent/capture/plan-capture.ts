import type { AskedCapture } from "../../mesh/admin-api/asked-capture.ts";
import type { HostFinding } from "../../mesh/admin-api/host-finding.ts";
import { type CaptureOwner, parseCaptureOwner } from "../../mesh/model/capture-owner.ts";
import { isWildcard } from "../registration/listening-sockets.ts";
import type { CapturedService, CapturePlan, PlannedOwner } from "./capture-plan.ts";

/** A socket that listens, with the user that made it. */
export interface OwnedSocket {
  readonly address: string;
  readonly port: number;
  readonly uid: number;
}

/** What a plan needs to know of the host. */
export interface CaptureHost {
  /** Of the agent. */
  readonly runDir: string;
  /** The user of the agent and its proxies. */
  readonly meshUid: number;
  /** The control group of the agent; undefined: nobody can tell. */
  readonly meshGroup: string | undefined;
  readonly sockets: readonly OwnedSocket[];
  /** Ports of those that must be reachable whatever happens: SSH's, and the mesh's own. */
  readonly keptPorts: readonly number[];
  readonly uidOf: (user: string) => number | undefined;
  /** Path of a unit's control group; undefined: it has none. */
  readonly groupOf: (unit: string) => string | undefined;
  /** Why nft cannot tell control groups here; undefined: it can. */
  readonly noGroups: string | undefined;
}

export interface PlannedCapture {
  readonly plan: CapturePlan;
  readonly findings: readonly HostFinding[];
}

/**
 * What is to be captured on a host. A service whose owner cannot be found has its calls taken in, and makes its own as
 * ever: that is less than was asked for, and said. Pure.
 */
export function planCapture(
  asked: readonly AskedCapture[],
  host: CaptureHost,
  dnsPort: number | undefined,
): PlannedCapture {
  const findings: HostFinding[] = [];
  const owners = new Map<string, string>();
  const services = asked
    .toSorted((a, b) => (a.workload < b.workload ? -1 : 1))
    .map((one): CapturedService => {
      const report = (message: string, hint: string): undefined => {
        findings.push({
          code: "host.capture-owner",
          severity: "error",
          workload: one.workload,
          message,
          hint,
        });
      };
      const found = ownerOf(one, host);
      const owner = typeof found === "string" ? report(`${one.workload}: ${found}`, OWNER_HINT) : found;
      const key = ownerText(owner);
      const holder = owner && owners.get(key);
      if (owner !== undefined && holder === undefined) owners.set(key, one.workload);
      if (holder !== undefined)
        report(
          `${one.workload} and ${holder} have one owner (${ownerText(owner)}): connections of it are ${holder}'s`,
          "run each service as a user or a unit of its own, and say which: owner: unit:NAME.service",
        );
      const isKept = host.keptPorts.includes(one.place.port);
      if (isKept)
        findings.push({
          code: "host.left-open",
          severity: "warning",
          workload: one.workload,
          message: `port ${one.place.port} of ${one.workload} is never captured: it is SSH's, or the mesh's own`,
          hint: "give the service another port",
        });
      return {
        workload: one.workload,
        ...(owner !== undefined && holder === undefined && { owner }),
        outbound: one.at.outbound,
        ...(!isKept && { inbound: one.at.inbound }),
        place: one.place,
        everywhere: isEverywhere(one.place, host),
        ipv6: one.at.ipv6,
      };
    });
  const plan = {
    services,
    runDir: host.runDir,
    meshUid: host.meshUid,
    keptPorts: [...host.keptPorts],
    ...(dnsPort !== undefined && { dnsPort }),
  };
  return { plan, findings };
}

/** Whether who listens at a service's port does so at all addresses. */
function isEverywhere({ address, port }: AskedCapture["place"], { sockets }: CaptureHost): boolean {
  const here = sockets.filter((socket) => socket.port === port);
  return (
    isWildcard(address) ||
    (here.some((socket) => isWildcard(socket.address)) && here.every((socket) => socket.address !== address))
  );
}

const OWNER_HINT =
  "say whose connections are its own, in its file: owner: user:NAME or owner: unit:NAME.service (in Consul the tag lateen.owner=…)";

/** Whose connections are a service's, or why that cannot be said. */
function ownerOf({ owner, place }: AskedCapture, host: CaptureHost): PlannedOwner | string {
  const said = owner === undefined ? undefined : parseCaptureOwner(owner);
  return said === undefined ? listenerOf(place.port, host) : lookUp(said, host);
}

/** Nobody said it: the user that listens at the service's port, if that is a user of its own. */
function listenerOf(port: number, { sockets, meshUid }: CaptureHost): PlannedOwner | string {
  const uids = new Set(sockets.filter((socket) => socket.port === port).map(({ uid }) => uid));
  const [uid] = uids;
  if (uid === undefined) return `nothing listens at port ${port}, so that nobody knows whose it is`;
  if (uids.size > 1) return `several users listen at port ${port}`;
  if (uid === 0) return `root listens at port ${port}: not all that root calls is this service's`;
  if (uid === meshUid) return "its processes run as the mesh's own user";
  return dynamic(uid, "it") ?? { kind: "uid", uid };
}

/** systemd gives these numbers to units for as long as they run (DynamicUser=), then to others. */
function dynamic(uid: number, who: string): string | undefined {
  return uid >= 61_184 && uid <= 65_519
    ? `${who} has the number ${uid}, which systemd gives to another unit some day: name its unit`
    : undefined;
}

function lookUp(owner: CaptureOwner, host: CaptureHost): PlannedOwner | string {
  switch (owner.kind) {
    case "user": {
      const uid = host.uidOf(owner.user);
      if (uid === undefined) return `there is no user ${owner.user}`;
      if (uid === 0) return "not all that root calls is this service's: name its unit, or give it a user";
      if (uid === host.meshUid)
        return `${owner.user} is the user of the mesh's proxies: what they call would come back to them`;
      return dynamic(uid, owner.user) ?? { kind: "uid", uid, user: owner.user };
    }
    case "unit": {
      const path = host.groupOf(owner.unit);
      return path === undefined
        ? `there is no unit ${owner.unit} with a control group`
        : groupOwner(path, host);
    }
    case "cgroup":
      return groupOwner(owner.path, host);
    default:
      return owner satisfies never;
  }
}

function groupOwner(path: string, { meshGroup, noGroups }: CaptureHost): PlannedOwner | string {
  if (noGroups !== undefined) return `control groups cannot be told apart: ${noGroups}`;
  if (holdsMesh(path, meshGroup))
    return `the mesh's proxies are in ${path} too: what they call would come back to them`;
  return { kind: "cgroup", path };
}

/** Whether the mesh's own processes are in a control group. */
function holdsMesh(path: string, meshGroup: string | undefined): boolean {
  return meshGroup === path || (meshGroup?.startsWith(`${path}/`) ?? false);
}

function ownerText(owner: PlannedOwner | undefined): string {
  return owner?.kind === "cgroup" ? owner.path : `user ${owner?.uid}`;
}
