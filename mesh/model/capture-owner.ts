/**
 * Whose connections are a captured workload's: those of a user's processes, or of a control group's (a systemd unit has
 * one). It is how several services of one host keep their own identities.
 */
export type CaptureOwner =
  /** Name or number. */
  | { readonly kind: "user"; readonly user: string }
  /** A unit of the system's service manager, with its type. */
  | { readonly kind: "unit"; readonly unit: string }
  /** Path below the root of the unified hierarchy (cgroups(7)), without a slash in front. */
  | { readonly kind: "cgroup"; readonly path: string };

const USER = /^(?:[a-z_][a-z0-9_.-]{0,31}|[0-9]{1,10})$/i;
const UNIT = /^[\w:.@\\-]{1,240}\.(?:service|scope|slice)$/;
const GROUP = /^[\w:.@\\-]{1,255}$/;
/** Deeper groups than this nobody has, and each level is looked at by the kernel. */
const DEEPEST = 12;

export const OWNER_FORM = "must be user:NAME, unit:NAME.service or cgroup:PATH";

/**
 * Reads `user:web`, `unit:web.service` or `cgroup:system.slice/web.service`; undefined for anything else. What it returns
 * holds no character that means something to nft or a shell.
 */
export function parseCaptureOwner(text: string): CaptureOwner | undefined {
  const at = text.indexOf(":");
  const [kind, name] = [text.slice(0, at), text.slice(at + 1)];
  switch (kind) {
    case "user":
      return USER.test(name) ? { kind, user: name } : undefined;
    case "unit":
      return UNIT.test(name) ? { kind, unit: name } : undefined;
    case "cgroup":
      return isGroupPath(name) ? { kind, path: name } : undefined;
    default:
      return undefined;
  }
}

export function captureOwnerText(owner: CaptureOwner): string {
  switch (owner.kind) {
    case "user":
      return `user:${owner.user}`;
    case "unit":
      return `unit:${owner.unit}`;
    case "cgroup":
      return `cgroup:${owner.path}`;
    default:
      return owner satisfies never;
  }
}

/** Whether each part is the name of a group, and none leads elsewhere. */
export function isGroupPath(path: string): boolean {
  const parts = path.split("/");
  return parts.length <= DEEPEST && parts.every((part) => GROUP.test(part) && part !== "." && part !== "..");
}
