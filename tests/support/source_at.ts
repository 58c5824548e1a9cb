/** A source as it lies on the disk. */
import { createSystem } from "../../src/system/create_system.ts";
import type { SourceFile } from "../../src/domain/source_file.ts";

const system = createSystem();

/** The file at this path, which has this time from now on. */
export async function sourceAt(absolutePath: string, path: string, mtimeMs = 1e12): Promise<SourceFile> {
  await system.setTimes(absolutePath, mtimeMs);
  const { size, ctimeMs, identity } = (await system.facts(absolutePath))!;
  return { job: "job", path, absolutePath, size, mtimeMs, ctimeMs, identity };
}
