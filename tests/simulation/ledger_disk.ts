/**
 * The disk of the ledger. The ledger is the real one, so its files lie in memory, in a folder for each life of the program: a crash copies
 * what they hold, and a power cut what they held at the last flushed commit at least. SQLite's own faults are made at its door.
 */
import { DatabaseSync, StatementSync } from "node:sqlite";
import type { Ledger, LedgerAccess, OnNotice } from "../../src/ledger/ledger.ts";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import type { Dice } from "../support/seeded.ts";

export interface LedgerDisk extends Disposable {
  readonly openLedger: LedgerAccess["openLedger"];
  /** Where its files are, in this life of the program. */
  readonly folder: string;
  fault: "none" | "full" | "read only";
  /** From now on each flushed commit is kept, for a power cut that will come. */
  set keepFlushed(keeps: boolean);
  /** The program has ended: what it wrote stays (`kill`), or what was flushed, and perhaps more (`power`). */
  crash(how: "kill" | "power", chance: Dice): void;
}

const MESSAGES = { full: "database or disk is full", "read only": "attempt to write a readonly database" } as const;

/** The one whose program runs now; SQLite is patched once for all of them. */
let current: Disk | null = null;

class Disk implements LedgerDisk {
  fault: LedgerDisk["fault"] = "none";
  #keepsFlushed = false;
  readonly #root = Deno.makeTempDirSync({ dir: MEMORY, prefix: "image-transfer-night-" });
  #life = 0;
  #ledger: Ledger | null = null;
  isFlushed = true;

  constructor(readonly chance: Dice) {
    Deno.mkdirSync(this.folder);
    current = this;
  }

  set keepFlushed(keeps: boolean) {
    // What was flushed before is older than a minute.
    if (keeps && !this.#keepsFlushed) copyFolder(this.folder, `${this.#root}/flushed`);
    this.#keepsFlushed = keeps;
  }

  get folder(): string {
    return `${this.#root}/${this.#life}`;
  }

  readonly openLedger = (_folder: string, onNotice?: OnNotice): Ledger => {
    this.#ledger = openLedger(this.folder, onNotice, () => this.#newName());
    return this.#ledger;
  };

  #newName(): string {
    return Array.from({ length: 10 }, () => "abcdefghijkmnpqrstuvwxyz23456789"[this.chance.int(0, 255) % 32]).join("");
  }

  committed(): void {
    if (this.#keepsFlushed && this.isFlushed) copyFolder(this.folder, `${this.#root}/flushed`);
  }

  crash(how: "kill" | "power", chance: Dice): void {
    const from = how === "power" && exists(`${this.#root}/flushed`) && chance.chance(0.7) ? `${this.#root}/flushed` : this.folder;
    const before = this.folder;
    this.#life += 1;
    copyFolder(from, this.folder);
    if (exists(`${this.#root}/flushed`)) Deno.removeSync(`${this.#root}/flushed`, { recursive: true });
    // Closing a database writes to it: that of the dead program is not looked at any more.
    this.#ledger?.[Symbol.dispose]();
    this.#ledger = null;
    Deno.removeSync(before, { recursive: true });
    this.keepFlushed = false;
  }

  [Symbol.dispose](): void {
    this.#ledger?.[Symbol.dispose]();
    Deno.removeSync(this.#root, { recursive: true });
    if (current === this) current = null;
  }
}

const MEMORY = "/dev/shm";

function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to, { recursive: true });
  for (const { name } of [...Deno.readDirSync(to)]) Deno.removeSync(`${to}/${name}`);
  for (const { name, isFile } of Deno.readDirSync(from)) {
    if (isFile && !name.endsWith("-shm")) Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
  }
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

export function ledgerDisk(chance: Dice): LedgerDisk {
  patch();
  return new Disk(chance);
}

let isPatched = false;

/** Makes SQLite's faults, and notes its flushed commits. */
function patch(): void {
  if (isPatched) return;
  isPatched = true;
  const { exec } = DatabaseSync.prototype;
  const { run } = StatementSync.prototype;
  const guard = () => {
    if (current !== null && current.fault !== "none") throw new Error(MESSAGES[current.fault]);
  };
  DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string) {
    if (/^BEGIN IMMEDIATE/.test(sql)) guard();
    exec.call(this, sql);
    if (current === null) return;
    const synchronous = /PRAGMA synchronous = (\w+)/.exec(sql)?.[1];
    if (synchronous !== undefined) current.isFlushed = synchronous === "FULL";
    if (sql === "COMMIT") current.committed();
  };
  StatementSync.prototype.run = function (this: StatementSync, ...values: Parameters<StatementSync["run"]>) {
    guard();
    const result = run.apply(this, values);
    current?.committed();
    return result;
  } as StatementSync["run"];
}
