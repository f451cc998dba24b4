import { isIP } from "node:net";

/** What resolv.conf(5) says, as far as it concerns a forwarder. */
export interface ResolvConf {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
}

/** Lines that mean nothing are passed over, as libc does. */
export function parseResolvConf(text: string): ResolvConf {
  const nameservers: string[] = [];
  let search: readonly string[] = [];
  for (const line of text.split("\n")) {
    const [keyword, ...values] = line
      .replace(/^[#;].*/, "")
      .trim()
      .split(/\s+/);
    const [first = ""] = values;
    if (keyword === "nameserver" && isIP(first.replace(/%.*$/, "")) !== 0) nameservers.push(first);
    // The last one counts.
    if (keyword === "search" || keyword === "domain")
      search = values.map((domain) => domain.toLowerCase().replace(/\.$/, "")).filter((one) => one !== "");
  }
  return { nameservers, search };
}
