/** `networking.istio.io` Gateway: what a proxy at the edge of the mesh takes in. */
export interface GatewaySpec {
  readonly servers: readonly GatewayServer[];
  /** Labels of the gateway workloads, of any namespace, that it is for. Empty: all of them. */
  readonly selector: Readonly<Record<string, string>>;
}

export interface GatewayServer {
  readonly name: string;
  readonly port: GatewayPort;
  /** IP address or `unix:///path` to listen at; empty: all addresses. */
  readonly bind: string;
  /** Never empty. */
  readonly hosts: readonly GatewayHost[];
  readonly tls: ServerTls | undefined;
}

/** `ns/host`: the VirtualServices of that namespace. */
export interface GatewayHost {
  /** `*`: of all; `.`: of the Gateway's own. */
  readonly namespace: string;
  readonly host: string;
}

export interface GatewayPort {
  /** 0 with a socket. */
  readonly number: number;
  readonly name: string;
  readonly protocol: GatewayProtocol;
}

/** `TLS` is passed on or taken off, and then TCP; `HTTPS` is taken off, and then HTTP. */
export type GatewayProtocol = "HTTP" | "HTTPS" | "GRPC" | "HTTP2" | "MONGO" | "TCP" | "TLS";

export interface ServerTls {
  readonly httpsRedirect: boolean;
  readonly mode:
    | "PASSTHROUGH"
    | "SIMPLE"
    | "MUTUAL"
    | "OPTIONAL_MUTUAL"
    | "AUTO_PASSTHROUGH"
    | "ISTIO_MUTUAL";
  /** Files; each pair may be given several times. */
  readonly certificates: readonly {
    readonly serverCertificate: string;
    readonly privateKey: string;
    /** File of the roots for client certificates; empty: none. */
    readonly caCertificates: string;
  }[];
  /** File; empty: none. */
  readonly caCertificates: string;
  /** File; empty: none. */
  readonly caCrl: string;
  /** Secrets of the gateway workload's namespace; `credentialName` and `credentialNames` alike. */
  readonly credentialNames: readonly string[];
  /** Secret with the roots for client certificates; empty: `<credentialName>` itself or `<credentialName>-cacert`. */
  readonly caCertCredentialName: string;
  readonly subjectAltNames: readonly string[];
  /** Base64 of SHA-256. */
  readonly verifyCertificateSpki: readonly string[];
  /** Hex of SHA-256. */
  readonly verifyCertificateHash: readonly string[];
  readonly minProtocolVersion: TlsVersion | undefined;
  readonly maxProtocolVersion: TlsVersion | undefined;
  readonly cipherSuites: readonly string[];
  readonly ecdhCurves: readonly string[];
  readonly insecureSkipVerify: boolean;
}

export type TlsVersion = "TLSV1_0" | "TLSV1_1" | "TLSV1_2" | "TLSV1_3";
