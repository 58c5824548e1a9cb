/**
 * Gives back permissions to start programs. What a permitted program does is not limited (`find` can start others): this keeps mistakes small.
 *
 * @module
 */
import { basename } from "@std/path";

/** See `Lifetime.giveUp`. */
export function giveUp(programs: readonly string[]): void {
  if (!Deno.build.standalone) return;
  for (const program of programs) {
    Deno.permissions.revokeSync({ name: "run", command: program });
    given.add(program);
  }
}

/** See `Lifetime.gaveUp`. */
export function gaveUp(program: string): boolean {
  return given.has(program) || given.has(basename(program).replace(/\.(exe|com)$/i, ""));
}

const given = new Set<string>();
