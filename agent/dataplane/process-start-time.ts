import { readFileSync } from "node:fs";

/**
 * When a process started, in the kernel's ticks (field 22 of proc_pid_stat(5)): with the pid it names a process for
 * good, until the next boot. Undefined when there is none, or only its zombie.
 */
export function processStartTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may hold anything, so the fields are counted from its end: field 3 comes first.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}
