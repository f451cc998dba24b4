/** A processor, by all its names. */
export interface Architecture {
  readonly node: string;
  readonly deb: string;
  readonly rpm: string;
}

export const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  x64: { node: "x64", deb: "amd64", rpm: "x86_64" },
  arm64: { node: "arm64", deb: "arm64", rpm: "aarch64" },
};
