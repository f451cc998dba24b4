import { TYPE_URL } from "../../mesh/xds/type-urls.ts";
import type { Rejection, ResourceUpdate } from "../ads/ads-client.ts";
import { ALL, type Interest, type Interests, isOf } from "../ads/interest.ts";
import { joinInterests, ofInterest, ResourceCache } from "./resource-cache.ts";
import type { WorkerSlot } from "./worker-slot.ts";
import type { WorkerThread } from "./worker-thread.ts";

/** Wanted whoever is there to want it. */
const ALWAYS: Interests = new Map([
  [TYPE_URL.cluster, ALL],
  [TYPE_URL.listener, ALL],
]);

/** What one worker has said of an update. */
interface Word {
  readonly slot: WorkerSlot;
  readonly thread: WorkerThread;
  readonly refused: readonly Rejection[];
  /** What it was interested in when it was asked. */
  readonly interest: Interest;
}

/**
 * What all workers are told: each update first goes to one of them, whose word decides, then to the others. What one of
 * these cannot take is taken back from all: no two serve by different configurations.
 */
export class ToldConfiguration {
  readonly #slots: readonly WorkerSlot[];
  readonly #cache = new ResourceCache();

  constructor(slots: readonly WorkerSlot[]) {
    this.#slots = slots;
  }

  interests(): Interests {
    return joinInterests([ALWAYS, ...this.#slots.map(({ interests }) => interests)]);
  }

  /** `mayJoin`: whether another process still has some of the ports. */
  async apply(update: ResourceUpdate, mayJoin: boolean): Promise<readonly Rejection[]> {
    await this.#remove({ ...update, upserts: [] });
    const news: ResourceUpdate = { ...update, removed: [] };
    const first = await this.#firstWord(news, mayJoin);
    if (first === "lost") return news.upserts.map(({ name }) => ({ name, reason: `${name}: ${LOST}` }));
    const refused = new Set(first?.refused.map(({ name }) => name));
    const accepted = { ...news, upserts: news.upserts.filter(({ name }) => !refused.has(name)) };
    const former = this.#cache.held(accepted);
    this.#cache.record(accepted, this.interests());
    const others = this.#slots.filter(({ thread }) => thread !== first?.thread);
    const [later] = await Promise.all([
      this.#tell(others, accepted),
      first && this.#tellMissed(first, accepted),
    ]);
    if (later.length > 0) await this.#takeBack(former, later);
    return [...(first?.refused ?? []), ...later];
  }

  /** What others have been told already is told at once; the rest is asked for. */
  interested(slot: WorkerSlot, thread: WorkerThread, interests: Interests): void {
    const news = this.#cache.news(slot.interests, interests);
    slot.interests = interests;
    this.#cache.prune(this.interests());
    for (const update of news) thread.ask("apply", update, true).catch(() => {});
  }

  /**
   * Forgotten at once: a worker that begins meanwhile must not be told of it. Ports that are given up must be free before
   * the first worker looks whether somebody else has them.
   */
  async #remove(removals: ResourceUpdate): Promise<void> {
    this.#cache.record(removals, this.interests());
    if (removals.removed.length > 0) await this.#tell(this.#slots, removals);
  }

  /** Of the first worker that does not end over it. `lost`: all who were asked did. Undefined: nobody is there. */
  async #firstWord(news: ResourceUpdate, mayJoin: boolean): Promise<Word | "lost" | undefined> {
    let lost: "lost" | undefined;
    for (const slot of this.#slots) {
      const { thread, interests } = slot;
      const interest = interests.get(news.type);
      if (thread === undefined || interest === undefined) continue;
      const refused = await thread
        .ask("apply", ofInterest(news, interest), mayJoin)
        .catch((): undefined => undefined);
      if (refused !== undefined) return { slot, thread, refused, interest };
      lost = "lost";
    }
    return lost;
  }

  /** What it has become interested in while it was asked, and was not in the cache yet. */
  async #tellMissed({ slot, thread, interest }: Word, accepted: ResourceUpdate): Promise<void> {
    if (slot.thread !== thread) return;
    const upserts = accepted.upserts.filter(({ name }) => !isOf(interest, name));
    const missed = ofInterest({ ...accepted, upserts }, slot.interests.get(accepted.type));
    if (missed.upserts.length > 0) await this.#tell([slot], missed);
  }

  async #takeBack(former: ResourceUpdate, refused: readonly Rejection[]): Promise<void> {
    const names = new Set(refused.map(({ name }) => name));
    const back: ResourceUpdate = {
      ...former,
      upserts: former.upserts.filter(({ name }) => names.has(name)),
      removed: former.removed.filter((name) => names.has(name)),
    };
    this.#cache.record(back, this.interests());
    await this.#tell(this.#slots, back);
  }

  /** One that ends meanwhile is told again in its next life, one that has not begun when it says what it wants. */
  async #tell(slots: readonly WorkerSlot[], update: ResourceUpdate): Promise<readonly Rejection[]> {
    const answers = await Promise.all(
      slots.map(async ({ thread, interests }) => {
        const interest = interests.get(update.type);
        if (thread === undefined || interest === undefined) return [];
        return await thread.ask("apply", ofInterest(update, interest), true).catch(() => []);
      }),
    );
    return answers.flat();
  }
}

const LOST = "every worker that was to take it ended";
