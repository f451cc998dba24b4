/** Where things are unless somebody said otherwise (DESIGN §4). */
export const CONFIG_DIR = "/etc/lateen.d";
export const SERVER_CONFIG = "/etc/lateen.d/server.yaml";
export const AGENT_CONFIG = "/etc/lateen.d/agent.yaml";
