import type { AuditLog } from "../../controlplane/audit/audit-log.ts";
import type { AuditEvent } from "../../controlplane/audit/audit-record.ts";
import { MeshError } from "../../mesh/errors.ts";

/** An audit log that a test reads, and whose disk it can fill. */
export class MemoryAudit implements AuditLog {
  readonly events: AuditEvent[] = [];
  isFull = false;

  async record(event: AuditEvent): Promise<void> {
    if (this.isFull) throw new MeshError("audit.unavailable", "write the audit log: ENOSPC");
    this.events.push(event);
  }

  note(event: AuditEvent): void {
    if (!this.isFull) this.events.push(event);
  }
}
