import assert from "node:assert/strict";
import { test } from "node:test";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus as Serving,
} from "../../../mesh/xds/gen/grpc/health/v1/health.ts";
import { eventually } from "../../../test/harness/eventually.ts";
import { TestProxy } from "../../../test/harness/test-proxy.ts";
import { staticCluster } from "../../../test/harness/xds-samples.ts";

const HTTP2 = {
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicitHttpConfig: { http2ProtocolOptions: {} },
  },
};

test("a server of gRPC is well as long as its health service says so, and is not asked when its cluster is gone", async () => {
  let status: Serving = Serving.SERVING;
  const asked: string[] = [];
  const server = new Server();
  server.addService(
    {
      check: {
        path: "/grpc.health.v1.Health/Check",
        requestStream: false,
        responseStream: false,
        requestSerialize: (message: HealthCheckRequest) =>
          Buffer.from(HealthCheckRequest.encode(message).finish()),
        requestDeserialize: (bytes: Buffer) => HealthCheckRequest.decode(bytes),
        responseSerialize: (message: HealthCheckResponse) =>
          Buffer.from(HealthCheckResponse.encode(message).finish()),
        responseDeserialize: (bytes: Buffer) => HealthCheckResponse.decode(bytes),
      },
    },
    {
      check: (
        { request }: { readonly request: HealthCheckRequest },
        done: (error: null, answer: HealthCheckResponse) => void,
      ) => {
        asked.push(request.service);
        done(null, HealthCheckResponse.fromPartial({ status }));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  try {
    await using proxy = await TestProxy.start();
    const cluster = staticCluster("checked", [port], {
      typedExtensionProtocolOptions: HTTP2,
      healthChecks: [
        {
          timeout: "2s",
          interval: "0.05s",
          noTrafficInterval: "0.05s",
          unhealthyThreshold: 2,
          healthyThreshold: 2,
          grpcHealthCheck: { serviceName: "shop.v1" },
        },
      ],
    });
    proxy.ads.set("cluster", "checked", cluster);
    const flags = async (wanted: string): Promise<void> => {
      await eventually(`the host is ${wanted}`, async () =>
        (await proxy.admin("/clusters")).body.includes(`checked::127.0.0.1:${port}::health_flags::${wanted}`),
      );
    };
    await flags("healthy");
    assert.equal(asked[0], "shop.v1");
    status = Serving.NOT_SERVING;
    await flags("/failed_active_hc");
    status = Serving.SERVING;
    await flags("healthy");
    proxy.ads.remove("cluster", "checked");
    await eventually(
      "the cluster is gone",
      async () => !(await proxy.admin("/clusters")).body.includes("checked::"),
    );
    const before = asked.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(asked.length <= before + 1, "at most one was on its way");
  } finally {
    server.forceShutdown();
  }
});
