/**
 * What keeps other accounts from leading us astray at a destination that they may write to, once for all methods. Before anything in our
 * staging folder is listed, swept or written, it is a real folder (no link), its owner is the account we run as there, and nobody else may
 * write in it. File systems may show other owners and modes than were asked for (exFAT, SMB, squashed NFS): so it is compared with a
 * folder that is made in it now. Links on the way to a target count only if they are ours, root's or the owner's of the base path.
 */
import { Failure } from "../domain/failure.ts";
import { ancestors } from "../domain/names/file_name.ts";
import { printable } from "../domain/names/printable.ts";

/** Owner and permissions of a folder; what is not known is left out. */
export interface Owned<Account = number> {
  readonly uid?: Account | null;
  readonly mode?: number;
}

/** What has the name of the staging folder. */
type Unsafe = "link" | "owner" | "mode";

/** Why the staging folder may not be used; null where it may. `made` is a folder made in it now. */
export function unsafeBeside<Account>(staging: Owned<Account>, made: Owned<Account>): Unsafe | null {
  if (staging.uid != null && made.uid != null && staging.uid !== made.uid) return "owner";
  const [mode, usual] = [staging.mode ?? 0, made.mode ?? 0o777];
  return (mode & ~usual & 0o022) !== 0 ? "mode" : null;
}

/** The destination is on hold. `where` names it. */
export function unsafeStaging(where: string, stagingRoot: string, unsafe: Unsafe): Failure {
  return new Failure("staging_unsafe", `Cannot use the temporary folder "${stagingRoot}" below ${where}: ${REASONS[unsafe]}`, {
    hint:
      "Another account may have put it there. Nothing in it was touched: check it and remove it; delivery resumes automatically.",
  });
}

const REASONS: Readonly<Record<Unsafe, string>> = {
  link: "it is a link or a file",
  owner: "it belongs to another account",
  mode: "other accounts may write in it",
};

/** A name that attempts of ours can have: whatever else lies in a staging folder is left alone. Dates have no letters. */
export function isAttemptName(name: string): boolean {
  return ATTEMPT.test(name);
}
const ATTEMPT = /^(?=[0-9-]*[a-z])[a-z0-9][a-z0-9-]*(?:\.flush)?$/;

/** The same in sh, for a `case`: what does not fit, and then what does. */
export const NOT_AN_ATTEMPT = "-*|*[!a-z0-9-]*";
export const AN_ATTEMPT = "*[a-z]*";

/** What is to be done with what lies behind a link. */
export type BehindLink = "write" | "remove" | "accept";

/** By path, why nothing is done with it: the first folder on the way that is a link of another account. Only where there is one. */
export function strangersOnTheWay(
  paths: readonly string[],
  isStrange: (folder: string) => boolean,
  refuse: (path: string, link: string) => Failure,
): ReadonlyMap<string, Failure> {
  return new Map(paths.flatMap((path) => {
    const link = ancestors(path).find(isStrange);
    return link === undefined ? [] : [[path, refuse(path, link)]];
  }));
}

/** A link of another account is on the way to a target: this file is not delivered. */
export function linkRefused(target: string, link: string, where: string, act: BehindLink = "write"): Failure {
  return new Failure(
    "link_refused",
    `Cannot ${act} "${printable(target)}" below ${where}: "${printable(link)}" is a link of another account`,
    {
      hint:
        "Remove the link if nobody of yours has made it, and run: image-transfer retry. To allow such links, set follow_links: true.",
    },
  );
}
