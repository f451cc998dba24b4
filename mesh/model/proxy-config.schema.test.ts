import { testKind } from "../../test/harness/object-cases.ts";

testKind("ProxyConfig", "networking.istio.io/v1beta1", {
  good: [
    {
      name: "nothing",
      spec: {},
      want: { selector: {}, concurrency: undefined, environmentVariables: {}, imageType: "" },
    },
    {
      name: "everything that has an effect",
      spec: {
        selector: { matchLabels: { app: "reviews" } },
        concurrency: 0,
        environmentVariables: { ISTIO_META_A: "b" },
      },
      want: {
        selector: { app: "reviews" },
        concurrency: 0,
        environmentVariables: { ISTIO_META_A: "b" },
      },
    },
    {
      name: "a variable that nobody reads",
      spec: { environmentVariables: { PATH: "/", ISTIO_META_A: "b" } },
      warnings: [["spec.environmentVariables", "has no effect for PATH: only ISTIO_META_"]],
    },
    {
      name: "an image",
      spec: { image: { imageType: "distroless" } },
      want: { imageType: "distroless" },
      warnings: [["spec.image.imageType", "has no effect"]],
    },
  ],
  bad: [
    { name: "concurrency below 0", spec: { concurrency: -1 }, errors: [["spec.concurrency", "at least 0"]] },
    {
      name: "a selector with a wildcard, an empty key",
      spec: { selector: { matchLabels: { app: "*", "": "bar" } } },
      errors: [
        ["spec.selector.matchLabels.app", "must not have a wildcard"],
        ['spec.selector.matchLabels[""]', "is not a valid key"],
      ],
    },
    {
      name: "a variable that is no text",
      spec: { environmentVariables: { A: 1 } },
      errors: [["spec.environmentVariables.A", 'write it in quotes, "1"']],
    },
  ],
});
