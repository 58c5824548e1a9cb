/** Any calls in any order, beside a plain list that is asked the same. */
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { deliver, type Delivery, park } from "../../../src/domain/delivery.ts";
import { isTrouble } from "../../../src/domain/failure.ts";
import type { DeliveryRow } from "../../../src/ledger/history.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { tempFolder } from "../../support/temp.ts";
import { aClaim, anAdmission, broken, later, NOW, proven } from "../makers.ts";
import { type Check, check } from "./check.ts";

/** What the ledger should be, in the plainest words: a list of deliveries. */
interface Entry {
  readonly path: string;
  readonly version: number;
  readonly size: number;
  readonly destination: string;
  state: "queued" | "sending" | "deferred" | "delivered" | "failed";
  why: string;
  retryAt: number;
}

type Step =
  | { do: "admit"; path: string; size: number; destinations: string[] }
  | { do: "claim"; destination: string; max: number; newest: boolean }
  | { do: "record"; pick: number; outcome: "delivered" | "deferred" | "failed" | "gone" | "parked" }
  | { do: "requeue"; all: boolean; pick: number }
  | { do: "makeDue"; destination: string }
  | { do: "wait" };

const PATHS = ["a", "b", "c"];
const PLACES = ["freya", "nas"];

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant("admit" as const),
    path: fc.constantFrom(...PATHS),
    size: fc.integer({ min: 1, max: 3 }),
    destinations: fc.constantFrom(["freya"], ["nas"], PLACES),
  }),
  fc.record({
    do: fc.constant("claim" as const),
    destination: fc.constantFrom(...PLACES),
    max: fc.integer({ min: 1, max: 3 }),
    newest: fc.boolean(),
  }),
  fc.record({
    do: fc.constant("record" as const),
    pick: fc.nat(20),
    outcome: fc.constantFrom("delivered" as const, "deferred", "failed", "gone", "parked"),
  }),
  fc.record({ do: fc.constant("requeue" as const), all: fc.boolean(), pick: fc.nat(20) }),
  fc.record({ do: fc.constant("makeDue" as const), destination: fc.constantFrom(...PLACES) }),
  fc.constant({ do: "wait" as const }),
);

class Model {
  readonly entries: Entry[] = [];
  now = NOW;

  newest(path: string): Entry | undefined {
    return this.entries.filter((entry) => entry.path === path).at(-1);
  }

  hasNewer(entry: Entry): boolean {
    return this.entries.some((other) =>
      other.path === entry.path && other.destination === entry.destination && other.version > entry.version
    );
  }

  admit(path: string, size: number, destinations: readonly string[]): number {
    const top = Math.max(0, ...this.entries.filter((entry) => entry.path === path).map((entry) => entry.version));
    const same = this.entries.find((entry) => entry.path === path && entry.version === top)?.size === size;
    const version = same ? top : top + 1;
    let added = 0;
    for (const destination of destinations) {
      const there = this.entries.find((entry) =>
        entry.path === path && entry.version === version && entry.destination === destination
      );
      if (there === undefined) {
        this.entries.push({ path, version, size, destination, state: "queued", why: "", retryAt: 0 });
        added++;
      } else if (there.why === "source_gone") {
        Object.assign(there, { state: "queued", why: "" });
        added++;
      }
    }
    this.supersede();
    return added;
  }

  /** Nothing waits that has a newer version. */
  supersede(): void {
    for (const entry of this.entries) {
      const waits = entry.state === "queued" || entry.state === "deferred";
      if (waits && this.hasNewer(entry)) Object.assign(entry, { state: "failed", why: "superseded" });
    }
  }

  claimable(destination: string): Entry[] {
    return this.entries.filter((entry) =>
      entry.destination === destination &&
      (entry.state === "queued" || (entry.state === "deferred" && entry.retryAt <= this.now)) &&
      !this.entries.some((other) => other.path === entry.path && other.destination === destination && other.state === "sending")
    );
  }
}

/** The sums of the night are those of its rows. */
function checkNight(ledger: Ledger, rows: readonly DeliveryRow[]): void {
  const counted = rows.filter(({ delivery: { state } }) => state.state !== "failed" || isTrouble(state.failure));
  const points = ledger.nightPoints("20240517", 0, 10_000);
  assertEquals(points.length, counted.length);
  const files = new Map(points.map(({ versionId, size }) => [versionId, size]));
  const totals = ledger.nightTotals("20240517");
  assertEquals([totals.files, totals.bytes], [files.size, [...files.values()].reduce((sum, size) => sum + size, 0)]);
  assertEquals(
    new Set(totals.places.map(({ destination }) => destination)),
    new Set(counted.map(({ delivery: { destination } }) => destination)),
  );
  for (const { destination, expected, delivered, proven, failed, bytes } of totals.places) {
    const states = counted.map(({ delivery }) => delivery).filter((one) => one.destination === destination).map(({ state }) =>
      state
    );
    const receipts = states.flatMap((state) => state.state === "delivered" ? [state.receipt] : []);
    assertEquals(
      { expected, delivered, proven, failed, bytes },
      {
        expected: states.length,
        delivered: receipts.length,
        proven: receipts.filter(({ level }) => level === "checksum" || level === "read_back").length,
        failed: states.filter(({ state }) => state === "failed").length,
        bytes: receipts.reduce((sum, { bytes }) => sum + bytes, 0),
      },
    );
  }
}

function compare(ledger: Ledger, model: Model): void {
  const rows = ledger.query({});
  assertEquals(
    rows.map(({ delivery: { source, destination, state } }) => [
      source.path,
      source.size,
      destination,
      state.state,
      state.state === "failed" ? state.failure.code : "",
      state.state === "deferred" ? state.retryAt : 0,
    ]),
    model.entries.map(({ path, size, destination, state, why, retryAt }) => [
      path,
      size,
      destination,
      state,
      state === "failed" ? why : "",
      state === "deferred" ? retryAt : 0,
    ]),
  );
  checkNight(ledger, rows);
  const { failed, ...others } = ledger.counts();
  for (const [state, number] of Object.entries(others)) {
    assertEquals(number, model.entries.filter((entry) => entry.state === state).length, state);
  }
  assertEquals(failed, model.entries.filter((entry) => entry.state === "failed" && entry.why !== "superseded").length);
  for (const destination of PLACES) {
    const due = ledger.nextDue("spring", destination);
    const ready = model.claimable(destination);
    assertEquals(due !== null && due <= model.now, ready.length > 0, `nextDue ${destination}`);
  }
}

/** Does one step to both; what the ledger answers must be what the model says. */
function apply(ledger: Ledger, model: Model, step: Step, round: number): void {
  switch (step.do) {
    case "admit": {
      const mtimeMs = NOW + PATHS.indexOf(step.path);
      const admission = anAdmission(step.path, { size: step.size, mtimeMs }, step.destinations);
      const added = model.admit(step.path, step.size, step.destinations);
      return assertEquals(ledger.admit([admission], model.now).length, added);
    }
    case "claim": {
      const ready = model.claimable(step.destination).sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
      if (step.newest) ready.reverse();
      const order = step.newest ? "newest_first" : "oldest_first";
      const { destination, max: maxFiles } = step;
      const claimed = ledger.claim(aClaim({ destination, maxFiles, order, attempt: `a${round}`, now: model.now }));
      const expected = ready.slice(0, step.max);
      assertEquals(claimed.map(({ source }) => [source.path, source.size]), expected.map(({ path, size }) => [path, size]));
      for (const entry of expected) entry.state = "sending";
      return;
    }
    case "record": {
      const sending = PLACES.flatMap((place) => ledger.inFlight("spring", place));
      const delivery = sending[step.pick % Math.max(1, sending.length)];
      if (delivery === undefined) return;
      const entry = entryOf(ledger, model, delivery.id);
      ledger.record([outcomeOf(delivery, step.outcome, model.now)], model.now);
      const states = {
        delivered: "delivered",
        deferred: "deferred",
        failed: "failed",
        gone: "failed",
        parked: "queued",
      } as const;
      const why = { delivered: "", deferred: "", failed: "bad_name", gone: "source_gone", parked: "" }[step.outcome];
      Object.assign(entry, { state: states[step.outcome], why, retryAt: model.now + 2 });
      return model.supersede();
    }
    case "requeue": {
      const rows = ledger.query({});
      const chosen = rows[step.pick % Math.max(1, rows.length)]?.delivery.id ?? 1;
      const entries = model.entries.filter((entry, index) =>
        !model.hasNewer(entry) &&
        (step.all ? entry.state === "failed" : rows[index]?.delivery.id === chosen && /failed|deferred/.test(entry.state))
      );
      assertEquals(ledger.requeue(step.all ? null : [chosen], model.now), entries.length);
      for (const entry of entries) Object.assign(entry, { state: "queued", why: "" });
      return;
    }
    case "makeDue":
      ledger.makeDue("spring", step.destination);
      for (const entry of model.entries) {
        if (entry.destination === step.destination && entry.state === "deferred") entry.retryAt = 0;
      }
      return;
    case "wait":
      model.now += 1;
      return;
    default:
      return step satisfies never;
  }
}

function entryOf(ledger: Ledger, model: Model, id: number): Entry {
  return model.entries[ledger.query({}).findIndex((row) => row.delivery.id === id)]!;
}

function outcomeOf(delivery: Delivery, outcome: Extract<Step, { do: "record" }>["outcome"], now: number): Delivery {
  const done = proven(delivery);
  switch (outcome) {
    case "delivered":
      return done.state.state === "delivered" ? deliver(delivery, done.state.receipt) : done;
    case "deferred":
      return later(delivery, now + 2);
    case "failed":
      return broken(delivery);
    case "gone":
      return broken(delivery, "source_gone");
    case "parked":
      return park(delivery);
    default:
      return outcome satisfies never;
  }
}

export const MODEL: readonly Check[] = [
  check("it does what a plain list would do, whatever is asked in whatever order", async ({ candidate }) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
        await using dir = await tempFolder();
        using ledger = candidate.openLedger(dir.path);
        const model = new Model();
        for (const [round, one] of steps.entries()) {
          apply(ledger, model, one, round);
          compare(ledger, model);
        }
        assertEquals(ledger.integrity(), []);
      }),
      { numRuns: 150 },
    );
  }),
];
