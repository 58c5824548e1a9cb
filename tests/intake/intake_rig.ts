/**
 * An intake on a bench: a real folder, a real ledger, and a witness who reads every file in the very moment it is
 * admitted. Whatever is admitted must be one of the contents that the test declared whole.
 */
import { createHash } from "node:crypto";
import { assertEquals } from "@std/assert";
import type { Job } from "../../src/config/settings.ts";
import type { NewEvent } from "../../src/domain/transfer_event.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { type Intake, intake, type IntakeTools } from "../../src/intake/intake.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { until } from "../support/until.ts";
import { aDestination, aJob } from "../support/makers.ts";

export interface IntakeRig extends AsyncDisposable {
  readonly folder: TempFolder;
  /** The watched folder. */
  readonly root: string;
  readonly ledger: Ledger;
  readonly intake: Intake;
  readonly events: NewEvent[];
  /** Declares a content whole. Every admission of a path must show one of its whole contents. */
  whole(path: string, content: Uint8Array | string): Uint8Array;
  /** Writes a file at once and declares it whole. */
  write(path: string, content: Uint8Array | string): Promise<void>;
  /** Paths in the order of their admission; a path twice for two versions. */
  admitted(): string[];
  /** Events of a type about a path. */
  told(type: NewEvent["type"], path?: string): NewEvent[];
  /** Waits until `done` holds; throws when that takes longer than half a minute. */
  until(done: () => boolean, what: string): Promise<void>;
  start(): void;
  stop(): Promise<void>;
  /** A new intake over the same folder and ledger, as after a restart. */
  again(): void;
}

interface IntakeRigOptions {
  readonly job?: Partial<Job>;
  readonly system?: Partial<IntakeTools["system"]>;
  readonly ledger?: (real: Ledger) => IntakeTools["ledger"];
}

/** Quiet time 300 ms, so that pauses longer than it are cheap. Not started yet. */
export async function intakeRig(options: IntakeRigOptions = {}): Promise<IntakeRig> {
  const folder = await tempFolder();
  const root = options.job?.watchPath ?? folder.at("data");
  await Deno.mkdir(folder.at("data"));
  const ledger = openLedger(folder.at("state"));
  const job = aJob(root, { minFileAgeMs: 300, destinations: [aDestination()], ...options.job });
  const events: NewEvent[] = [];
  const wholes = new Map<string, Set<string>>();
  const halves: string[] = [];
  const emit = (event: NewEvent) => {
    events.push(event);
    if (event.type !== "queued") return;
    const { path, absolutePath } = event.delivery.source;
    const seen = hashOf(Deno.readFileSync(absolutePath));
    if (!wholes.get(path)?.has(seen)) halves.push(path);
  };
  const make = () =>
    intake(job, {
      system: { ...createSystem(), ...options.system },
      ledger: options.ledger?.(ledger) ?? ledger,
      emit,
      admitted: () => {},
    });
  let made = make();
  let ending = new AbortController();
  let running: Promise<void> = Promise.resolve();

  const rig: IntakeRig = {
    folder,
    root,
    ledger,
    get intake() {
      return made;
    },
    events,
    whole(path, content) {
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      wholes.set(path, (wholes.get(path) ?? new Set()).add(hashOf(bytes)));
      return bytes;
    },
    async write(path, content) {
      await Deno.mkdir(`${root}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeFile(`${root}/${path}`, rig.whole(path, content));
    },
    admitted: () => events.flatMap((event) => event.type === "queued" ? [event.delivery.source.path] : []),
    told: (type, path) => events.filter((event) => event.type === type && (path === undefined || pathOf(event) === path)),
    until: (done, what) => until(done, what, 30, () => `events: ${JSON.stringify(events.slice(-20))}`),
    start() {
      running = made.run(ending.signal);
    },
    async stop() {
      ending.abort();
      await running;
    },
    again() {
      made = make();
      ending = new AbortController();
      rig.start();
    },
    async [Symbol.asyncDispose]() {
      await rig.stop();
      ledger[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
      assertEquals(halves, [], "these were admitted half");
    },
  };
  return rig;
}

/** A rig whose intake runs and has the watch set. */
export async function runningIntake(options: IntakeRigOptions = {}): Promise<IntakeRig> {
  const rig = await intakeRig(options);
  rig.start();
  await rig.until(() => rig.told("scanned").length > 0, "the first scan is done");
  return rig;
}

export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function pathOf(event: NewEvent): string | undefined {
  return "path" in event ? event.path : "delivery" in event ? event.delivery.source.path : undefined;
}
