import { resolve } from "node:path";

/** Where this program is: the checkout, or the folder of what is shipped (`setup/bundle.ts`), laid out alike. */
const ROOT = resolve(import.meta.dirname, "..");

/** What Node runs. */
export const LATEEN_JS = resolve(ROOT, "cli/lateen.js");
/** What a shell or a unit runs. */
export const LATEEN = resolve(ROOT, "lateen");
/** The units of systemd that come with it. */
export const UNITS = resolve(ROOT, "packaging/systemd");
