/** Where things are unless somebody said otherwise (DESIGN §4). */
export const CONFIG_DIR = "/etc/lateen.d";
export const SERVER_CONFIG = "/etc/lateen.d/server.yaml";
export const AGENT_CONFIG = "/etc/lateen.d/agent.yaml";
/** Sockets of the server and of the agent, where `init` and `join` set them up: two users, two directories. */
export const SERVER_RUN_DIR = "/run/lateen/server";
export const AGENT_RUN_DIR = "/run/lateen/agent";
/** Of `lateen nomad`: the sidecar that it injects, and what its admission lets through. */
export const NOMAD_CONFIG = "/etc/lateen.d/nomad.yaml";
