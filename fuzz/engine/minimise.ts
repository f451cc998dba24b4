/** A shorter input for which the test still holds: pieces are left out, large ones first, then octets are made plain. */
export async function minimise(
  input: Buffer,
  holds: (shorter: Buffer) => Promise<boolean>,
  mostTries = 2000,
): Promise<Buffer> {
  let best = input;
  let tries = 0;
  const mayTry = (): boolean => tries < mostTries;
  const attempt = async (shorter: Buffer): Promise<boolean> => {
    if (++tries > mostTries || !(await holds(shorter))) return false;
    best = shorter;
    return true;
  };
  for (let size = Math.ceil(best.length / 2); size >= 1 && mayTry(); size = Math.floor(size / 2)) {
    for (let at = 0; at < best.length && mayTry(); ) {
      if (!(await attempt(Buffer.concat([best.subarray(0, at), best.subarray(at + size)])))) at += size;
    }
  }
  for (let at = 0; at < best.length && mayTry(); at++) {
    if (best[at] === 0x61) continue;
    const plain = Buffer.from(best);
    plain[at] = 0x61;
    await attempt(plain);
  }
  return best;
}
