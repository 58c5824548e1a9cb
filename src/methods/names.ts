/**
 * What a method can do with names at a destination: small acts, many in one round trip. `naming.ts` gives final names with them, `removal.ts`
 * takes files away; both are written once for all methods. `shell/publish_perl.ts` and `shell/publish_sh.ts` do the same for a whole batch at
 * the far end.
 */
import type { Failure } from "../domain/failure.ts";
import { ancestors } from "../domain/names/file_name.ts";
import type { System } from "../system/system.ts";
import type { Publication, Session, Stat } from "./method.ts";

/** One thing to do or to ask. Paths are relative to the base path. */
export type Act =
  /** `done` where nothing has the name, and that is certain. */
  | { readonly do: "free"; readonly path: string }
  /** Of a symlink itself, where the destination tells; with `follow`, of what it leads to, if that is there. */
  | { readonly do: "stat"; readonly path: string; readonly follow?: true }
  /** `done` where a folder is there. */
  | { readonly do: "folder"; readonly path: string }
  /** `done` where it was made now. */
  | { readonly do: "mkdir"; readonly path: string }
  | { readonly do: "mode"; readonly path: string; readonly mode: number }
  /**
   * Gives a staged file its final name and never replaces: where the destination cannot promise that, only with `free`, which is said where
   * nothing has the name and nobody else of ours gives one.
   */
  | { readonly do: "give"; readonly from: string; readonly to: string; readonly free?: true }
  /** To a name that nothing had a moment ago. */
  | { readonly do: "rename"; readonly from: string; readonly to: string }
  /** The same in the place of what has the name, in one step where the destination can. */
  | { readonly do: "replace"; readonly from: string; readonly to: string }
  /** A second name for what is there. */
  | { readonly do: "link"; readonly from: string; readonly to: string }
  | { readonly do: "remove" | "rmdir"; readonly path: string };

/** What became of an act. `refusal` is in the method's own words; `final` where the file can no longer be given its name. */
export interface Answer {
  readonly done: boolean;
  readonly stat?: Stat | null;
  readonly refusal?: unknown;
  readonly final?: true;
}

export type Answers = ReadonlyMap<Act, Answer>;
/** Acts of a phase may overlap; a phase begins when the one before has ended. */
export type Phases = readonly (readonly Act[])[];

/** What a method can do with names at a destination. */
export interface Names {
  /** Base path and destination, for messages. */
  readonly where: string;
  readonly system: Pick<System, "monotonic" | "now" | "sleep" | "random">;
  readonly stagingRoot: string;
  readonly timeoutMs: number;
  /** How often is looked whether another installation has given its turn back. */
  readonly retryMs?: number;
  /** The same for all sessions that give names in one place. */
  readonly place: string;
  /** Folders that are there, made by this session or seen; flushed, where that can be done. */
  readonly known: Set<string>;
  /** `give` and `rename` make the folders that they need. */
  readonly makesFolders?: boolean;
  /** `replace` is as good as `give` where on_conflict says so: it needs no look at what has the name. */
  readonly overwrites?: boolean;
  /** Throws where a path cannot be a name there. @throws {Failure} `name_refused` */
  check(path: string): unknown;
  /** Whether `give` may replace what has the name: then all is asked first, in turn. `staged` is a name in a folder that is there. */
  mayReplace(staged: string, signal: AbortSignal): Promise<boolean>;
  /**
   * Does all of it, in as few round trips as it can. What is refused is in the answers. Once the signal is aborted, no name is changed any more.
   * @throws {Failure} where the connection is lost.
   */
  act(phases: Phases, signal: AbortSignal): Promise<Answers>;
  /** The names in these folders; none where there is no such folder. */
  list(folders: readonly string[], signal: AbortSignal): Promise<(readonly Listed[])[]>;
  digest: Session["digest"];
  /** @throws {Failure} where the base path is not there. */
  checkBase(signal: AbortSignal): Promise<void>;
  /** Whether our staging folder is there. @throws {Failure} `staging_unsafe`, see `staging.ts` */
  checkStaging(signal: AbortSignal): Promise<boolean>;
  /**
   * Of these paths, those that a link of another account leads to, each with the failure. Also checks the base path, unless every `act` that
   * makes a folder does.
   */
  strangers(paths: readonly string[], what: "write" | "remove", signal: AbortSignal): Promise<ReadonlyMap<string, Failure>>;
  /** Those of these paths that are symlinks, where `stat` does not tell. */
  links?(paths: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>>;
  /** The turn among installations, where the destination has locks; `null` where there is none. Else it is a folder, see `turn.ts`. */
  lock?(signal: AbortSignal): Promise<AsyncDisposable | null>;
  /** Removes these folders with all that is in them, where that is one call. */
  removeTrees?(folders: readonly string[], signal: AbortSignal): Promise<void>;
  /** Makes durable what `act` has changed, as far as it can. */
  flush?(signal: AbortSignal): Promise<void>;
  /** What a refusal means; `what` reads `Cannot <what>: reason`. */
  failure(what: string, refusal: unknown): Failure | Promise<Failure>;
  /** Whether files can be written and renamed in our staging folder, where refusals do not tell. @throws {Failure} */
  tryToWrite?(signal: AbortSignal): Promise<void>;
  /** The connection was lost: what was asked last may have been done. */
  isLost?(failure: Failure): boolean;
}

export interface Listed {
  readonly name: string;
  /** Absent where the list does not tell. */
  readonly isFolder?: boolean;
}

/** Does one thing. */
export async function doOne(names: Names, act: Act, signal: AbortSignal): Promise<Answer> {
  return (await names.act([[act]], signal)).get(act)!;
}

/** The folders on the way that are not known, outer ones first, and what gives those their modes that were made now. */
export function foldersFor(
  names: Pick<Names, "known" | "makesFolders">,
  items: readonly Pick<Publication, "target" | "directoryMode">[],
): { readonly phases: Phases; modes(made: Answers): Act[] } {
  const wanted = new Map<string, number | null>();
  for (const { target, directoryMode } of items) {
    if (names.makesFolders) break;
    for (const folder of ancestors(target)) if (!names.known.has(folder)) wanted.set(folder, directoryMode);
  }
  const makes = [...wanted].map(([path, mode]) => ({ act: { do: "mkdir", path } as const, mode }));
  const levels = Map.groupBy(makes.map(({ act }) => act), ({ path }) => path.split("/").length);
  return {
    phases: [...levels].sort(([a], [b]) => a - b).map(([, acts]) => acts),
    modes: (made) =>
      makes.flatMap(({ act, mode }) => mode !== null && made.get(act)?.done ? [{ do: "mode", path: act.path, mode }] : []),
  };
}
