/** A workload as telemetry describes it. */
export interface PeerWorkload {
  readonly workload: string;
  readonly namespace: string;
  readonly service: string;
  readonly revision: string;
  readonly app: string;
  readonly version: string;
  readonly cluster: string;
}

/** One end of an exchange, where it has been told who it is. */
export interface Party extends PeerWorkload {
  readonly principal: string;
}

export const UNKNOWN = "unknown";

export const NOBODY: Party = {
  workload: UNKNOWN,
  namespace: UNKNOWN,
  service: UNKNOWN,
  revision: UNKNOWN,
  app: UNKNOWN,
  version: UNKNOWN,
  cluster: UNKNOWN,
  principal: UNKNOWN,
};

/** A workload by its labels, as Istio reads them; what is not said is `unknown`. */
export function describeWorkload(
  {
    workload,
    namespace,
    cluster,
  }: Readonly<Record<"workload" | "namespace" | "cluster", string | undefined>>,
  labels: (name: string) => string | undefined,
): PeerWorkload {
  const app = labels("app");
  const version = labels("version");
  return {
    workload: workload ?? UNKNOWN,
    namespace: namespace ?? UNKNOWN,
    cluster: cluster ?? UNKNOWN,
    service:
      labels("service.istio.io/canonical-name") ??
      labels("app.kubernetes.io/name") ??
      app ??
      workload ??
      UNKNOWN,
    revision:
      labels("service.istio.io/canonical-revision") ??
      labels("app.kubernetes.io/version") ??
      version ??
      "latest",
    app: app ?? UNKNOWN,
    version: version ?? UNKNOWN,
  };
}

/** Looks up texts that are not empty in what came as JSON. */
export function textsIn(value: unknown): (key: string) => string | undefined {
  const map = new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
  return (key) => {
    const found: unknown = map.get(key);
    return typeof found === "string" && found !== "" ? found : undefined;
  };
}
