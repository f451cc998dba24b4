import { parsedRoute, routed, to } from "../../test/harness/http-route-specs.ts";
import { type BadCase, type GoodCase, testKind } from "../../test/harness/object-cases.ts";
import type { Mirror } from "./virtual-service.ts";

function mirror(host: string, percent: number): Mirror {
  return { destination: { host, subset: "", port: undefined }, percent };
}

const good: readonly GoodCase<"VirtualService">[] = [
  {
    name: "one mirror, in all of its forms",
    spec: {
      hosts: ["a"],
      http: [
        { route: [to("reviews")], mirror: { host: "b" } },
        { route: [to("reviews")], mirror: { host: "b" }, mirrorPercentage: { value: 0.5 }, mirrorPercent: 7 },
        { route: [to("reviews")], mirror: { host: "b" }, mirrorPercent: 7 },
        { route: [to("reviews")], mirror: { host: "b" }, mirror_percent: 8 },
        { route: [to("reviews")], mirrorPercentage: { value: 1 } },
      ],
    },
    want: {
      http: [
        ...[undefined, 0.5, 7, 8].map((mirrorPercent) =>
          parsedRoute({ mirror: mirror("b", 0).destination, mirrorPercent }),
        ),
        parsedRoute({ mirrorPercent: 1 }),
      ],
    },
    warnings: [
      ["spec.http[1].mirrorPercent", "deprecated"],
      ["spec.http[2].mirrorPercent", "deprecated"],
      ["spec.http[3].mirror_percent", "deprecated"],
    ],
  },
  {
    name: "several mirrors",
    spec: routed({
      mirrors: [
        { destination: { host: "b" } },
        { destination: { host: "c" }, percentage: { value: 12.5 } },
        { destination: { host: "d" }, percentage: {} },
      ],
    }),
    want: { http: [parsedRoute({ mirrors: [mirror("b", 100), mirror("c", 12.5), mirror("d", 0)] })] },
  },
];

const bad: readonly BadCase[] = [
  {
    name: "mirrors twice, out of range and without a destination",
    spec: routed({
      mirror: { host: "*" },
      mirrorPercentage: { value: 100.5 },
      mirrorPercent: 101,
      mirrors: [{ percentage: { value: -1 } }, { destination: {} }, null],
    }),
    errors: [
      ["spec.http[0].mirror.host", "must not be `*` alone"],
      ["spec.http[0].mirrorPercentage.value", "at most 100"],
      ["spec.http[0].mirrorPercent", "at most 100"],
      ["spec.http[0].mirrors", "must not be together with mirror"],
      ["spec.http[0].mirrors[0].destination", "is required"],
      ["spec.http[0].mirrors[0].percentage.value", "at least 0"],
      ["spec.http[0].mirrors[1].destination.host", "is required"],
      ["spec.http[0].mirrors[2]", "must not be null"],
    ],
  },
];

testKind("VirtualService", "networking.istio.io/v1", { good, bad });
