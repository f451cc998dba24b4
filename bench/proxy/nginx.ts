import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { LOAD_CORE, PROXY_CORE, pin, Running } from "./processes.ts";

/** What an application answers at `/`: 64 octets. */
const SMALL = "0123456789abcdef".repeat(4);
const BULK_MEGABYTES = 64;

/** An application that is never the limit: nginx. `/` is small, `/16k` and `/bulk` are what they say. */
export async function startApplication(
  folder: string,
  name: string,
  at: string,
  http2 = false,
): Promise<Running> {
  await writeFile(join(folder, "16k"), Buffer.alloc(16_384, "x"));
  const bulk = await open(join(folder, "bulk"), "w");
  await bulk.truncate(BULK_MEGABYTES << 20);
  await bulk.close();
  return startNginx(
    folder,
    name,
    LOAD_CORE,
    `
    server {
      listen ${at} backlog=4096 reuseport${http2 ? " http2" : ""};
      keepalive_requests 100000000;
      location = / { return 200 "${SMALL}"; }
      location / { root ${folder}; }
    }`,
  );
}

/** nginx as a proxy to an application, with the two headers that a sidecar adds. */
export async function startNginxProxy(folder: string, at: string, upstream: string): Promise<Running> {
  return startNginx(
    folder,
    "nginx-proxy",
    PROXY_CORE,
    `
    upstream app { server ${upstream}; keepalive 256; keepalive_requests 100000000; }
    server {
      listen ${at} backlog=4096 reuseport;
      keepalive_requests 100000000;
      location / {
        proxy_pass http://app;
        proxy_http_version 1.1;
        proxy_set_header connection "";
        proxy_set_header x-forwarded-proto $scheme;
        proxy_set_header x-request-id $request_id;
      }
    }`,
  );
}

/** haproxy as a proxy to an application, likewise. */
export async function startHaproxy(folder: string, at: string, upstream: string): Promise<Running> {
  const file = join(folder, "haproxy.cfg");
  await writeFile(
    file,
    `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  http-reuse always
frontend in
  bind ${at}
  http-request set-header x-forwarded-proto http
  http-request set-header x-request-id %[uuid()]
  default_backend app
backend app
  server app ${upstream}
`,
  );
  const running = Running.start("haproxy", ["-db", "-f", file]);
  await delay(500);
  if (running.ended) throw new Error(`haproxy: ${running.said}`);
  await pin(running.pid, PROXY_CORE);
  return running;
}

async function startNginx(folder: string, name: string, core: number, server: string): Promise<Running> {
  const file = join(folder, `${name}.conf`);
  await writeFile(
    file,
    `
daemon off;
master_process off;
pid ${join(folder, `${name}.pid`)};
error_log stderr error;
worker_rlimit_nofile 16384;
events { worker_connections 8192; multi_accept on; }
http {
  access_log off;
  sendfile on;
  tcp_nodelay on;
  client_body_temp_path ${join(folder, `${name}-body`)};
  proxy_temp_path ${join(folder, `${name}-proxy`)};
  fastcgi_temp_path ${join(folder, `${name}-fastcgi`)};
  uwsgi_temp_path ${join(folder, `${name}-uwsgi`)};
  scgi_temp_path ${join(folder, `${name}-scgi`)};
  ${server}
}
`,
  );
  const running = Running.start("nginx", ["-c", file, "-p", folder, "-e", "stderr"]);
  await delay(300);
  if (running.ended) throw new Error(`nginx: ${running.said}`);
  await pin(running.pid, core);
  return running;
}
