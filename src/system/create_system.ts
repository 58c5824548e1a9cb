/**
 * The real system, put together.
 *
 * @module
 */
import { clock } from "./clock.ts";
import { files } from "./files.ts";
import { lifetime } from "./lifetime.ts";
import { processes } from "./processes.ts";
import { serving } from "./serving.ts";
import { createSurroundings } from "./surroundings.ts";
import type { System } from "./system.ts";
import { terminal } from "./terminal.ts";
import { watching } from "./watching.ts";

/** Everything the daemon needs of the operating system. */
export function createSystem(): System {
  return { ...clock, ...files, ...watching, ...processes, ...createSurroundings(), ...serving, ...terminal, ...lifetime };
}
