import assert from "node:assert/strict";
import { test } from "node:test";
import type { RequestHead } from "../../codec/stream.ts";
import { HeaderList } from "../../tables/header-list.ts";
import { Alarms } from "../../transport/alarms.ts";
import type { HostPool, OpenedSession } from "../upstream/host-pool.ts";
import { Attempt, type AttemptEvents } from "./attempt.ts";

test("what one attempt tells a proxy of the mesh, the next does not tell another host", () => {
  const headers = new HeaderList();
  const head: RequestHead = {
    method: "GET",
    target: "/",
    authority: "a",
    scheme: undefined,
    upgrade: undefined,
    headers,
    body: { kind: "none" },
    expectsContinue: false,
  };
  const sentTo = (uri: string | undefined): boolean => {
    let said = false;
    const session = {
      session: { request: (sent: RequestHead) => (said = sent.headers.has("x-envoy-peer-metadata")) },
      peer: uri === undefined ? undefined : { uri },
      localAddress: "",
    } as unknown as OpenedSession;
    const attempt = new Attempt(
      {
        pool: { request: (user: Attempt) => user.ready(session, false) } as unknown as HostPool,
        head,
        body: undefined,
        perTryTimeoutMs: 0,
        alarms: new Alarms(() => 0),
        introduction: "me",
      },
      {} as AttemptEvents,
    );
    attempt.start();
    return said;
  };
  assert.equal(sentTo("spiffe://mesh/ns/a/sa/b"), true);
  assert.equal(sentTo(undefined), false);
});
