/**
 * The files of the page: embedded in the binary; from source, made once in `build/page/` and made again after a change.
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";
import type { System } from "../../system/system.ts";
import { buildPage, type BuildSystem, isBuilt, PAGE_FILES } from "./build_page.ts";

/** A file as it is served; `type` is its media type. */
interface PageFile {
  readonly text: string;
  readonly type: string;
}

/** Null for a name that is none of {@linkcode PAGE_FILES}. */
export type PageFiles = (name: string) => Promise<PageFile | null>;

/** The files by their names; null for a name that is none of them. Read once. */
export function pageFiles(system: BuildSystem & Pick<System, "embedded" | "compiled">, signal: AbortSignal): PageFiles {
  const known = new Map<string, Promise<PageFile>>();
  let made: Promise<void> | null = null;

  async function read(name: string): Promise<PageFile> {
    made ??= system.compiled ? Promise.resolve() : makeWhereNeeded();
    await made;
    const text = await system.embedded(system.compiled ? `page/${name}` : `build/page/${name}`);
    return { text, type: PAGE_FILES[name]! };
  }

  async function makeWhereNeeded(): Promise<void> {
    const root = fromFileUrl(new URL("../../..", import.meta.url));
    const to = join(root, "build", "page");
    if (!await isBuilt(root, to, system)) await buildPage(root, to, system, signal);
  }

  return async (name) => {
    if (!Object.hasOwn(PAGE_FILES, name)) return null;
    const file = known.get(name) ?? read(name);
    known.set(name, file);
    try {
      return await file;
    } catch (error) {
      // Another try finds it, once the cause is gone.
      known.delete(name);
      made = null;
      throw error;
    }
  };
}
