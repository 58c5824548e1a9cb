/** An outbox on a bench: real source files, a real ledger, a destination in memory and a clock moved by hand. */
import { join } from "@std/path";
import type { Delivery } from "../../src/domain/delivery.ts";
import type { Destination, Job } from "../../src/config/settings.ts";
import type { NewEvent } from "../../src/domain/transfer_event.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { circuitBreaker } from "../../src/delivery/breaker.ts";
import type { OutboxOptions } from "../../src/delivery/destination_context.ts";
import { type Outbox, outbox } from "../../src/delivery/outbox.ts";
import { semaphore } from "../../src/async/semaphore.ts";
import { createSystem } from "../../src/system/create_system.ts";
import type { System } from "../../src/system/system.ts";
import { createFakeClock, type FakeClock } from "../support/fake_clock.ts";
import { aDestination, aJob } from "../support/makers.ts";
import { type FakeDestination, fakeDestination } from "../support/fake_method.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

export interface OutboxRig extends AsyncDisposable {
  readonly folder: TempFolder;
  readonly clock: FakeClock;
  readonly ledger: Ledger;
  readonly fake: FakeDestination;
  readonly outbox: Outbox;
  readonly tools: OutboxOptions;
  readonly job: Job;
  readonly events: NewEvent[];
  /** Writes a source file and admits it; gives its path relative to the watched folder. */
  admit(name: string, content: string | Uint8Array): Promise<void>;
  /** Starts the outbox. */
  start(): void;
  /** Ends it as SIGTERM does, and waits for it. */
  stop(): Promise<void>;
  /** Lets real and fake time pass until `done` holds, `stepMs` of the latter at a time; throws when it does not come to that. */
  until(done: () => boolean, what: string, stepMs?: number): Promise<void>;
  /** Lets only real time pass (files are read and written) until `done` holds. */
  soon(done: () => boolean, what: string): Promise<void>;
  /** Admits a file, starts the outbox, and waits as {@linkcode until} does for the state of its delivery. */
  becomes(name: string, content: string, state: Delivery["state"]["state"]): Promise<void>;
  /** The same, as {@linkcode soon} waits. */
  soonBecomes(name: string, content: string, state: Delivery["state"]["state"]): Promise<void>;
  /** The delivery of a path. */
  delivery(path: string): Delivery;
  state(path: string): string;
}

export interface RigOptions {
  readonly destination?: Partial<Destination>;
  readonly job?: Partial<Job>;
  readonly tools?: Partial<OutboxOptions>;
  readonly system?: Partial<System>;
  /** Files were changed just now. */
  readonly fresh?: boolean;
}

export async function outboxRig(options: RigOptions = {}): Promise<OutboxRig> {
  const folder = await tempFolder();
  await Deno.mkdir(folder.at("data"));
  const clock = createFakeClock({ realFiles: true, startMs: Date.now() });
  const system: System = { ...createSystem(), ...clock, openForWriting: () => Promise.resolve(new Set()), ...options.system };
  const ledger = openLedger(folder.at("state"));
  const fake = fakeDestination();
  const destination = aDestination(options.destination);
  const job = aJob(folder.at("data"), { destinations: [destination], ...options.job });
  const events: NewEvent[] = [];
  const tools: OutboxOptions = {
    job,
    destination,
    system,
    ledger,
    method: fake.method,
    methodContext: { system, stagingRoot: `.image-transfer-${ledger.instance}`, workFolder: folder.at("work"), log: () => {} },
    emit: (event) => void events.push(event),
    hostBreaker: circuitBreaker(clock),
    loops: { check: () => Promise.resolve(), doubts: () => false },
    concurrentSyncs: semaphore(4),
    shutdownTimeoutMs: 20_000,
    fileOperations: 8,
    batchFiles: 1000,
    once: false,
    ...options.tools,
  };
  const box = outbox(tools);
  const ending = new AbortController();
  let running: Promise<void> = Promise.resolve();

  const delivery = (path: string): Delivery => {
    const rows = ledger.query({ search: path }).filter((row) => row.delivery.source.path === path);
    const last = rows.sort((a, b) => a.delivery.id - b.delivery.id).at(-1);
    if (!last) throw new Error(`no delivery of ${path}`);
    return last.delivery;
  };
  const wait = async (done: () => boolean, what: string, stepMs: number) => {
    for (let turn = 0; turn < 20_000; turn++) {
      if (done()) return;
      if (stepMs > 0 && turn % 4 === 3) await clock.advance(stepMs);
      else await new Promise((resolve) => setTimeout(resolve, 2));
    }
    throw new Error(`never came to it: ${what}; events: ${JSON.stringify(events.slice(-8))}`);
  };

  const stop = async () => {
    ending.abort();
    let over = false;
    void running.then(() => over = true);
    await wait(() => over, "the outbox stops", 1000);
  };

  const become = (stepMs: number): OutboxRig["becomes"] => async (name, content, state) => {
    await rig.admit(name, content);
    rig.start();
    await wait(() => rig.state(name) === state, `${name} is ${state}`, stepMs);
  };
  const rig: OutboxRig = {
    folder,
    clock,
    ledger,
    fake,
    outbox: box,
    tools,
    job,
    events,
    async admit(name, content) {
      const absolutePath = await folder.write(join("data", name), content);
      // Its last change was long ago: nobody waits for the file system's clock to tick.
      if (!options.fresh) await Deno.utime(absolutePath, new Date(), new Date(clock.now() - HOUR_MS));
      const facts = await system.facts(absolutePath);
      if (!facts) throw new Error("not written");
      const { size, mtimeMs, ctimeMs, identity } = facts;
      const source = { job: job.name, absolutePath, path: name, size, mtimeMs, ctimeMs, identity };
      const targets = job.destinations.map((to) => ({ destination: to.name, target: name, method: to.transport.method }));
      ledger.admit([{ source, night: "20260115", targets }], clock.now());
      box.wake();
    },
    start() {
      running = box.run(ending.signal);
    },
    stop,
    until: (done, what, stepMs = 250) => wait(done, what, stepMs),
    soon: (done, what) => wait(done, what, 0),
    becomes: become(250),
    soonBecomes: become(0),
    delivery,
    state: (path) => delivery(path).state.state,
    async [Symbol.asyncDispose]() {
      await stop();
      ledger[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
  return rig;
}

const HOUR_MS = 3_600_000;

/** Names of the attempts that have something staged at the destination. */
export function stagedAttempts(fake: Pick<FakeDestination, "files">): string[] {
  const staged = [...fake.files.keys()].filter((path) => path.startsWith(".image-transfer-"));
  return [...new Set(staged.map((path) => path.split("/")[1]!))];
}
