type Piece = (date: Date, ms: number) => string;

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

const two = (value: number): string => String(value).padStart(2, "0");
const day: Piece = (date) =>
  `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
const time: Piece = (date) =>
  `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;

/** strftime's specifiers, in UTC. */
const SPECIFIERS: Readonly<Record<string, Piece>> = {
  Y: (date) => String(date.getUTCFullYear()),
  y: (date) => two(date.getUTCFullYear() % 100),
  m: (date) => two(date.getUTCMonth() + 1),
  d: (date) => two(date.getUTCDate()),
  e: (date) => String(date.getUTCDate()).padStart(2, " "),
  H: (date) => two(date.getUTCHours()),
  I: (date) => two(date.getUTCHours() % 12 || 12),
  M: (date) => two(date.getUTCMinutes()),
  S: (date) => two(date.getUTCSeconds()),
  s: (_date, ms) => String(Math.floor(ms / 1000)),
  p: (date) => (date.getUTCHours() < 12 ? "AM" : "PM"),
  a: (date) => (DAYS[date.getUTCDay()] ?? "").slice(0, 3),
  A: (date) => DAYS[date.getUTCDay()] ?? "",
  b: (date) => (MONTHS[date.getUTCMonth()] ?? "").slice(0, 3),
  B: (date) => MONTHS[date.getUTCMonth()] ?? "",
  F: day,
  T: time,
  z: () => "+0000",
  Z: () => "UTC",
  "%": () => "%",
};

/** `%E3S` are seconds with three places, `%3f` three places alone, `%f` nine. */
const PIECE = /%(?:E([1-9*])S|([1-9])?f|(.))/g;

/** Compiles Envoy's format of a time (strftime, with parts of a second). Undefined: it has a specifier that none is. */
export function compileTime(format: string): ((ms: number) => string) | undefined {
  if (format === "") return (ms) => new Date(ms).toISOString();
  const pieces: (string | Piece)[] = [];
  let after = 0;
  for (const { 0: whole, 1: withPlaces, 2: places = "9", 3: letter, index } of format.matchAll(PIECE)) {
    pieces.push(format.slice(after, index));
    after = index + whole.length;
    if (letter !== undefined) {
      const known = Object.hasOwn(SPECIFIERS, letter) ? SPECIFIERS[letter] : undefined;
      if (known === undefined) return undefined;
      pieces.push(known);
    } else if (withPlaces !== undefined) {
      const count = withPlaces === "*" ? 3 : Number(withPlaces);
      pieces.push((date, ms) => `${two(date.getUTCSeconds())}.${fractionOf(ms, count)}`);
    } else pieces.push((_date, ms) => fractionOf(ms, Number(places)));
  }
  pieces.push(format.slice(after));
  return (ms) => {
    const date = new Date(ms);
    return pieces.map((piece) => (typeof piece === "string" ? piece : piece(date, ms))).join("");
  };
}

/** Clocks here tell milliseconds. */
function fractionOf(ms: number, places: number): string {
  const millis = String(Math.floor(ms) % 1000).padStart(3, "0");
  return millis.padEnd(places, "0").slice(0, places);
}
