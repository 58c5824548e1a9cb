/**
 * The trash of a destination, and why a file is left where it is; for all methods.
 *
 * @module
 */
import { Failure, type FailureCode, type FailureRecord, failureRecord } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import type { System } from "../system/system.ts";
import type { Removal } from "./method.ts";

/** Below the base path, so that a file gets there by a rename. Nothing in it is ever taken for an image. */
export const TRASH = ".image-transfer-trash";

/** Where a file lies in a folder of the trash: under its own path. */
export function inTrash(folder: string, path: string): string {
  return `${TRASH}/${folder}/${path}`;
}

/** A new folder of the trash: the time and random characters, so that no two are the same. */
export function trashFolder(system: Pick<System, "now" | "randomHex">): string {
  const time = new Date(system.now()).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
  return `${time}-${system.randomHex(4)}`;
}

/** @throws {TypeError} for anything but `<trash>/<folder>`: nothing else may ever be removed as a whole. */
export function checkTrashFolder(path: string): void {
  if (!new RegExp(`^\\${TRASH}/[A-Za-z0-9_-]{1,100}$`).test(path)) throw new TypeError(`"${path}" is not a folder of the trash`);
}

/** What keeps a file where it is. */
type Kept = "gone" | "not a file" | "changed" | "taken";

/** The file stays where it is. `where` names the destination. */
export function notRemoved({ path, to }: Removal, where: string, kept: Kept): FailureRecord {
  const { code, reason, hint } = REASONS[kept];
  const name = kept === "taken" && to !== null ? to : path;
  return failureRecord(
    new Failure(code, `Cannot remove "${printable(path)}" below ${where}: ${reason(printable(name))}`, { hint }),
  );
}

const REASONS: Readonly<Record<Kept, { code: FailureCode; reason: (name: string) => string; hint: string }>> = {
  "gone": { code: "gone", reason: () => "it is no longer there", hint: "" },
  "not a file": {
    code: "exists",
    reason: () => "something else has the name now",
    hint: "It was not put there by image-transfer: remove it yourself if it is not needed.",
  },
  "changed": {
    code: "exists",
    reason: () => "it was changed there since it was delivered",
    hint: "Remove it yourself if it is not needed.",
  },
  "taken": { code: "exists", reason: (name) => `the trash has "${name}" already`, hint: "It is tried again automatically." },
};
