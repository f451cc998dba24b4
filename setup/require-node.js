// Plain JavaScript on purpose: Node 20 would run no TypeScript test at all and still exit 0.
const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 24 || (major === 24 && minor < 14)) {
  console.error(`lateen needs Node 24.14.1 or newer, this is ${process.version}`);
  console.error("try: make setup, then npm run <script> (npm puts the pinned Node first)");
  process.exit(1);
}
