/**
 * Final names: which can be given, and what happens when one is taken, once for all methods that give names one by one.
 * `shell/publish_perl.ts` and `shell/publish_sh.ts` do the same for a whole batch at the far end.
 *
 * @module
 */
import { Failure, type FailureCode, failureRecord } from "../domain/failure.ts";
import { formerName } from "../domain/names/former_name.ts";
import { printable } from "../domain/names/printable.ts";
import { isReservedName } from "../domain/names/safe_name.ts";
import type { Publication, PublishOutcome, Stat } from "./method.ts";

/** A final name that something has, and a staged file that is to get it. */
interface TakenName {
  /** What has the name has the bytes of the staged file. */
  isSame(): Promise<boolean>;
  /** Gives what has the name this former name; false where something else has that. */
  keepAs(former: string): Promise<boolean>;
  /** Gives the name to the staged file in one step: readers see the old or the new file, whole. */
  replace(): Promise<void>;
}

/** A staged file on its way to its name: absolute paths there. */
export interface Claim {
  readonly item: Publication;
  readonly staged: string;
  readonly target: string;
}

/** A claim for each; what cannot have its name there fails alone, in `outcomes`. */
export function claimsFor(
  items: readonly Publication[],
  pathOf: (relative: string) => string,
  outcomes: Map<Publication, PublishOutcome>,
): Claim[] {
  return items.flatMap((item) => {
    try {
      return [{ item, staged: pathOf(item.staged), target: pathOf(item.target) }];
    } catch (error) {
      outcomes.set(item, { published: false, failure: failureRecord(error) });
      return [];
    }
  });
}

/**
 * Acts as the policy says; `former` is the name that the other file keeps. `where` names the destination in messages.
 *
 * @throws {Failure} `exists` where the other file must stay.
 */
export async function resolveConflict(
  item: Publication,
  there: Stat["kind"],
  where: string,
  taken: TakenName,
): Promise<{ former?: string }> {
  if (there === "folder") throw nameTaken(item, "folder", where);
  if (item.onConflict === "overwrite" || await taken.isSame()) {
    await taken.replace();
    return {};
  }
  if (item.onConflict !== "version") throw nameTaken(item, "file", where);
  const former = await keepFormer(item.target, taken);
  await taken.replace();
  return { former };
}

async function keepFormer(target: string, taken: TakenName): Promise<string> {
  for (let number = 1;; number++) {
    const former = formerName(target, number);
    if (await taken.keepAs(former)) return former;
  }
}

/** `exists`: a folder, or a file with other bytes, has the name. */
export function nameTaken(item: Publication, by: "folder" | "file", where: string): Failure {
  return by === "folder"
    ? cannotWrite(item, where, "exists", "a folder has that name", "Move the folder away, or change the layout.")
    : cannotWrite(
      item,
      where,
      "exists",
      "a different file has that name",
      "on_conflict: version keeps both, overwrite replaces it.",
    );
}

export function cannotWrite(item: Publication, where: string, code: FailureCode, reason: string, hint: string): Failure {
  return new Failure(code, `Cannot write "${printable(item.target)}" below ${where}: ${reason}`, { hint });
}

/** Others can be written there: what holds a destination as a rule is this file's own trouble. */
export function ofThisFile(failure: Failure): Failure {
  const { code, message, hint, next } = failure;
  return code === "permission_denied" && next === "hold" ? new Failure(code, message, { hint, next: "later" }) : failure;
}

/** A folder below the base path denies what the base path allows: only the files for it wait. */
export function folderDenied(item: Publication, where: string, folder: string): Failure {
  const hint = "Give the account permission to make files and folders there, or change the layout. It is retried automatically.";
  const reason = `permission denied in the folder "${printable(folder)}"`;
  return ofThisFile(cannotWrite(item, where, "permission_denied", reason, hint));
}

/** @throws {Failure} `name_refused` where a part of a relative path cannot be a name there. `where` names the destination. */
export function checkPath(relative: string, where: string, windows: boolean): void {
  const bad = relative.split("/").find((part) =>
    part === "" || part === "." || part === ".." || part.includes("\0") || (windows && refusedByWindows(part))
  );
  if (bad === undefined) return;
  throw new Failure(
    "name_refused",
    `Cannot use "${printable(relative)}" below ${where}: "${printable(bad)}" is not a valid name there`,
    { hint: "Rename the file, or change the layout." },
  );
}

/** Windows refuses these, or takes them for something else (`CON`, `a:b`, `name.`). */
function refusedByWindows(name: string): boolean {
  return FORBIDDEN.test(name) || /[. ]$/.test(name) || isReservedName(name);
}

// deno-lint-ignore no-control-regex
const FORBIDDEN = /[<>:"|?*\\\x00-\x1f]/;
